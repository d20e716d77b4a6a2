"""Typed reading of a request's fields, with errors that name the field (pure)."""

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from routing.errors import Code, RelayError

MODEL_CHARS_MAX = 256
_INT_MAX = 2**31 - 1

_KINDS: Mapping[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number with a fraction",
    bool: "true or false",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def refuse(code: Code, message: str, param: str | None = None) -> NoReturn:
    """Raise a 400 about one field."""
    raise RelayError(code=code, message=message, param=param)


def refuse_type(value: Any, wanted: str, param: str) -> NoReturn:
    """Raise a 400: the field is of another type."""
    refuse(
        Code.INVALID_TYPE,
        f"`{param}` must be {wanted}, but is {_KINDS.get(type(value), 'something else')}. "
        "Change the field and send the request again.",
        param,
    )


def refuse_handle(param: str) -> NoReturn:
    """Raise a 400: the field names something that is stored at the vendor."""
    refuse(
        Code.VENDOR_HANDLE,
        f"`{param}` refers to something stored at the vendor. Requests of many customers share "
        "our credential there, so what it names could be another customer's: it is refused. "
        "Send the content itself in the request.",
        param,
    )


def refuse_unpriced(param: str, what: str) -> NoReturn:
    """Raise a 400: what the field asks for has no price here, so it could not be billed."""
    refuse(
        Code.UNPRICED,
        f"`{param}` asks for {what}, which has no price here, so that it could not be billed "
        "correctly. Remove it from the request.",
        param,
    )


def refuse_set(body: Mapping[str, Any], names: Iterable[str], prefix: str = "") -> None:
    """Refuse every one of these handle-bearing fields that holds something."""
    for name in names:
        if body.get(name) not in _NOTHING:
            refuse_handle(f"{prefix}{name}")


_NOTHING: tuple[Any, ...] = (None, "", [], {}, False)


def model(body: Mapping[str, Any]) -> str:
    """Read the required name of the model."""
    value = body.get("model")
    if type(value) is not str:
        if value is None:
            refuse_missing("model", "the name of the model")
        refuse_type(value, "a string", "model")
    return checked_model(value)


def checked_model(name: str) -> str:
    """Refuse an empty or endless name of a model."""
    if not 0 < len(name) <= MODEL_CHARS_MAX:
        refuse(
            Code.INVALID_VALUE,
            f"`model` must have 1 to {MODEL_CHARS_MAX} characters. Name a model of /v1/models.",
            "model",
        )
    return name


def refuse_range(param: str, at_most: int) -> NoReturn:
    """Raise a 400: the number is too big."""
    refuse(Code.INVALID_VALUE, f"`{param}` must be at most {at_most}. Lower the number.", param)


def refuse_missing(param: str, what: str) -> NoReturn:
    """Raise a 400: a required field is not there."""
    refuse(
        Code.MISSING_FIELD,
        f"`{param}` is missing: the request needs {what}. Add the field.",
        param,
    )


def text(body: Mapping[str, Any], name: str, prefix: str = "") -> str | None:
    """Read an optional string; null is absent."""
    value = body.get(name)
    if value is None or type(value) is str:
        return value
    refuse_type(value, "a string", prefix + name)


def kind(value: Mapping[str, Any], param: str) -> str | None:
    """Read an object's `type`, a word; null is absent."""
    return text(value, "type", f"{param}.")


def flag(body: Mapping[str, Any], name: str) -> bool:
    """Read an optional boolean; absent and null are False."""
    value = body.get(name)
    if value is None or type(value) is bool:
        return bool(value)
    refuse_type(value, "true or false", name)


def integer(
    body: Mapping[str, Any], name: str, *, at_least: int = 0, prefix: str = ""
) -> int | None:
    """Read an optional integer within bounds; null is absent."""
    value = body.get(name)
    if value is None:
        return None
    param = prefix + name
    if type(value) is not int:
        refuse_type(value, "an integer", param)
    if not at_least <= value <= _INT_MAX:
        refuse(
            Code.INVALID_VALUE,
            f"`{param}` must be between {at_least} and {_INT_MAX}. Change the number.",
            param,
        )
    return value


def number(body: Mapping[str, Any], name: str, prefix: str = "") -> float | None:
    """Read an optional number; null is absent."""
    value = body.get(name)
    if value is None or type(value) is float or type(value) is int:
        return value
    refuse_type(value, "a number", prefix + name)


def choice(
    body: Mapping[str, Any], name: str, known: Iterable[str], prefix: str = ""
) -> str | None:
    """Read an optional word of a closed list; null is absent."""
    value = text(body, name, prefix)
    if value is None or value in known:
        return value
    refuse(
        Code.INVALID_VALUE,
        f"`{prefix}{name}` must be one of {', '.join(known)}. Change the field.",
        prefix + name,
    )


def mapping(body: Mapping[str, Any], name: str, prefix: str = "") -> dict[str, Any]:
    """Read an optional object; absent and null are empty."""
    value = body.get(name)
    if value is None:
        return {}
    if type(value) is dict:
        return value
    refuse_type(value, "an object", prefix + name)


def array(body: Mapping[str, Any], name: str, prefix: str = "") -> list[Any]:
    """Read an optional array; absent and null are empty."""
    value = body.get(name)
    if value is None:
        return []
    if type(value) is list:
        return value
    refuse_type(value, "an array", prefix + name)


def entry(value: Any, param: str) -> dict[str, Any]:
    """Read one member of an array that must be an object."""
    if type(value) is dict:
        return value
    refuse_type(value, "an object", param)
