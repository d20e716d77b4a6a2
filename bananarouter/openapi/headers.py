"""Our own headers, both ways; docs/wire.md tells the same and a test compares."""

from collections.abc import Mapping

from bananarouter.openapi import schema
from bananarouter.openapi.operation import Kind, Parameter, Tag
from bananarouter.openapi.schema import Json
from logs.labels import LABEL_PATTERN

_ON_OFF: Json = {"enum": ["on", "off"], "default": "on"}

SENT: Mapping[str, Parameter] = {
    found.name: found
    for found in (
        Parameter(
            name="X-Max-Cost-USD",
            place="header",
            text="The most that this request may cost, in US dollars. A request that could cost "
            "more is refused with `cost_cap_reached` before anything is sent.",
            schema=schema.text(pattern=r"^[0-9]+(\.[0-9]+)?$", examples=["0.05"]),
        ),
        Parameter(
            name="X-Max-Tokens-Clamp",
            place="header",
            text="`off`: rather refuse than send a lower output limit when the balance covers "
            "less than the model could write.",
            schema=schema.text(**_ON_OFF),
        ),
        Parameter(
            name="X-Keep-Alive",
            place="header",
            text="`off`: no comment lines in a stream that is silent.",
            schema=schema.text(**_ON_OFF),
        ),
        Parameter(
            name="X-Tag",
            place="header",
            text="A label of your own for this request: the pages filter and sum by it. It is "
            "kept with the request and sent to no vendor.",
            schema=schema.text(pattern=LABEL_PATTERN, examples=["checkout/search"]),
        ),
        Parameter(
            name="OpenAI-Beta",
            place="header",
            text="Passed on when known, else refused.",
        ),
        Parameter(
            name="anthropic-version",
            place="header",
            text="Passed on. In lists of models it asks for Anthropic's shape.",
            schema=schema.text(examples=["2023-06-01"]),
        ),
        Parameter(
            name="anthropic-beta",
            place="header",
            text="Passed on, value by value. One that is unknown, or that works with things "
            "stored at the vendor, is refused with `unknown_beta`.",
        ),
    )
}
_LABELS = ("X-Tag",)
_PAID = ("X-Max-Cost-USD", "X-Max-Tokens-Clamp", "X-Keep-Alive")
_READ: Mapping[Kind, tuple[str, ...]] = {
    Kind.RELAYED: (*_LABELS, *_PAID),
    Kind.COUNT: _LABELS,
}
_OF_PROTOCOL: Mapping[Tag, tuple[str, ...]] = {
    Tag.OPENAI: ("OpenAI-Beta",),
    Tag.ANTHROPIC: ("anthropic-version", "anthropic-beta"),
}

RETURNED: Mapping[str, Json] = {
    "X-Generation-Id": {
        "description": "On every answer of the API. `GET /api/v1/generation?id=` tells what "
        "became of the request and what it cost.",
        "schema": schema.text(pattern="^gen-[0-9a-f]{32}$"),
    },
    "X-Vendor": {
        "description": "Who answered: the vendor's short name.",
        "schema": schema.text(examples=["openai"]),
    },
    "X-Jurisdiction": {
        "description": "Whose law the vendor is under: a country's code, or `operator`.",
        "schema": schema.text(examples=["US"]),
    },
    "X-Cost-USD": {
        "description": "What was charged, exactly, in US dollars. Not on streams, whose cost is "
        "known at their end: ask `/api/v1/generation`.",
        "schema": schema.text(pattern=r"^[0-9]+(\.[0-9]+)?$", examples=["0.000105"]),
    },
    "X-Max-Tokens-Clamped": {
        "description": "The output limit that was sent, where the balance covered no more.",
        "schema": schema.integer(minimum=1),
    },
    "X-Dropped-Parameters": {
        "description": "Fields of the request that only tune the answer and that the vendor's "
        "protocol has no word for, separated by commas.",
        "schema": schema.text(examples=["seed, logprobs"]),
    },
    "X-Token-Count": {
        "description": "Whose count it is: the vendor's own, or our estimate.",
        "schema": schema.text(enum=["vendor", "estimate"]),
    },
    "X-Debug-Capture": {
        "description": "`on` while debug mode of the key is on: the bodies of the request and of "
        "its answer are kept, encrypted, for who made the key.",
        "schema": schema.text(enum=["on"]),
    },
    "Retry-After": {
        "description": "Seconds to wait, where waiting helps.",
        "schema": schema.integer(minimum=0),
    },
}
_DEBUG = "X-Debug-Capture"
_ANSWERED = ("X-Generation-Id", "X-Vendor", "X-Jurisdiction", "X-Cost-USD")
_OF_KIND: Mapping[Kind, tuple[str, ...]] = {
    Kind.RELAYED: (*_ANSWERED, "X-Max-Tokens-Clamped", "X-Dropped-Parameters", _DEBUG),
    Kind.COUNT: (*_ANSWERED, "X-Token-Count", _DEBUG),
    Kind.LIST: ("X-Generation-Id", _DEBUG),
    Kind.PLATFORM: ("X-Generation-Id", _DEBUG),
    Kind.ESTIMATE: ("X-Generation-Id", _DEBUG),
}
OF_ERRORS = ("X-Generation-Id", "Retry-After", _DEBUG)


def taken(kind: Kind, tag: Tag) -> list[Parameter]:
    """Return the request headers that an operation reads."""
    if kind is Kind.LIST:
        return [SENT["anthropic-version"]]
    names = (*_READ.get(kind, ()), *_OF_PROTOCOL.get(tag, ()))
    return [SENT[name] for name in names]


def given(kind: Kind) -> Json:
    """Point to the headers of a successful answer."""
    return pointers(_OF_KIND[kind])


def pointers(names: tuple[str, ...]) -> Json:
    """Point to headers of the document."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
