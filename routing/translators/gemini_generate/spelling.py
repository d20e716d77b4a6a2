"""Keys of the Gemini API in camelCase or snake_case, mixed inside one body (pure)."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from routing.dialects import fields
from routing.errors import Code

_CAPITAL = re.compile(r"(?=[A-Z])")
_NAME = re.compile(r"\w{1,64}", re.ASCII)


@functools.cache
def _snake(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()


def camel(name: str) -> str:
    """Return the key in camelCase."""
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def safe(name: str) -> str:
    """Return a client's own key as it may be told back; what is no plain word is not."""
    return name if _NAME.fullmatch(name) else "(unknown)"


def get(value: Mapping[str, Any], name: str, where: str = "") -> Any:
    """Read a key in either spelling. Raises: RelayError (400) when it has both."""
    snake = _snake(name)
    if snake == name or snake not in value:
        return value.get(name)
    if name in value:
        fields.refuse(
            Code.DUPLICATE_KEY,
            f"`{where}{name}` is given in both its spellings. Send one of them.",
            where + name,
        )
    return value[snake]


def mapping(value: Mapping[str, Any], name: str, where: str = "") -> dict[str, Any]:
    """Read an optional object; absent and null are empty."""
    return fields.mapping({name: get(value, name, where)}, name, where)


def array(value: Mapping[str, Any], name: str, where: str = "") -> list[Any]:
    """Read an optional array; absent and null are empty."""
    return fields.array({name: get(value, name, where)}, name, where)


def text(value: Mapping[str, Any], name: str, where: str = "") -> str:
    """Read an optional string; absent and null are empty."""
    return fields.text({name: get(value, name, where)}, name, where) or ""


def texts(value: Mapping[str, Any], name: str, where: str = "") -> tuple[str, ...]:
    """Read an optional array of strings; absent and null are empty."""
    found = array(value, name, where)
    for index, item in enumerate(found):
        if type(item) is not str:
            fields.refuse_type(item, "a string", f"{where}{name}[{index}]")
    return tuple(found)


def integer(
    value: Mapping[str, Any], name: str, where: str = "", *, at_least: int = 0
) -> int | None:
    """Read an optional integer; null is absent."""
    found = get(value, name, where)
    if type(found) is float and found.is_integer():
        found = int(found)
    return fields.integer({name: found}, name, at_least=at_least, prefix=where)


def number(value: Mapping[str, Any], name: str, where: str = "") -> float | None:
    """Read an optional number; null is absent."""
    found: float | None = get(value, name, where)
    if found is not None and type(found) not in (int, float):
        fields.refuse_type(found, "a number", where + name)
    return found


def flag(value: Mapping[str, Any], name: str, where: str = "") -> bool | None:
    """Read an optional boolean; null is absent."""
    found: bool | None = get(value, name, where)
    if found is not None and type(found) is not bool:
        fields.refuse_type(found, "true or false", where + name)
    return found
