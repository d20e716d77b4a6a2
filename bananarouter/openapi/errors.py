"""Errors in each protocol's envelope, generated from the one table of codes."""

from collections.abc import Iterable, Mapping
from typing import Final

import orjson
from django.utils.translation import override

from bananarouter.openapi import headers, schema
from bananarouter.openapi.operation import JSON, Kind, Operation
from bananarouter.openapi.schema import Json
from bananarouter.pages import words
from routing import errors
from routing.error_codes import TABLE, Code, RelayError
from routing.surfaces import Family

_ID: Final = "gen-01a2177a75ca7dec9fbb6a27cc880850"
_RETRY_AFTER_S: Final = 2
_WAITING_HELPS: Final = frozenset({408, 429, 503})

# Who may call, and how often: every operation.
_CALLERS: Final = frozenset(
    {
        Code.MISSING_KEY,
        Code.INVALID_KEY,
        Code.EXPIRED_KEY,
        Code.DISABLED_KEY,
        Code.HTTPS_REQUIRED,
        Code.IP_NOT_ALLOWED,
        Code.ACCOUNT_INACTIVE,
        Code.PERMISSION_DENIED,
        Code.RATE_LIMITED,
        Code.AUTH_FAILURES,
        Code.DATABASE_UNAVAILABLE,
        Code.SERVER_RESTARTING,
        Code.INTERNAL,
    }
)
# What the server answers to what is no request of a documented operation.
NOWHERE: Final = frozenset({Code.METHOD_NOT_ALLOWED, Code.HEADERS_TOO_LARGE})
_OF_LISTS: Final = frozenset({Code.MODEL_NOT_FOUND})
_OF_RECORDS: Final = frozenset(
    {
        Code.INVALID_JSON,
        Code.INVALID_UTF8,
        Code.DUPLICATE_KEY,
        Code.TOO_DEEP,
        Code.TOO_MANY_ITEMS,
        Code.MISSING_FIELD,
        Code.INVALID_TYPE,
        Code.INVALID_VALUE,
        Code.NOT_FOUND,
        Code.MODEL_NOT_FOUND,
        Code.BODY_TOO_LARGE,
        Code.UNSUPPORTED_ENCODING,
    }
)
# What reading a body of any protocol can end in, short of sending it.
_OF_ESTIMATES: Final = (_OF_RECORDS - {Code.NOT_FOUND}) | {
    Code.INVALID_HEADER,
    Code.UNKNOWN_BETA,
    Code.VENDOR_HANDLE,
    Code.UNPRICED,
    Code.UNBOUNDED,
    Code.WRONG_PROTOCOL,
    Code.UNSUPPORTED,
    Code.MODEL_NOT_ALLOWED,
    Code.CONCURRENCY,
}
_OF_KIND: Final[Mapping[Kind, frozenset[Code]]] = {
    Kind.RELAYED: frozenset(Code) - NOWHERE - {Code.NOT_FOUND},
    Kind.COUNT: frozenset(Code) - NOWHERE - {Code.NOT_FOUND},
    Kind.LIST: _CALLERS | _OF_LISTS,
    Kind.PLATFORM: _CALLERS | _OF_RECORDS,
    Kind.ESTIMATE: _CALLERS | _OF_ESTIMATES,
}
# Of what only some operations of a kind have, an operation says itself which it has.
_ON_DEMAND: Final[Mapping[Kind, frozenset[int]]] = {
    Kind.LIST: frozenset({404}),
    Kind.PLATFORM: frozenset({400, 404, 413, 415}),
}

_CODE = "One of our codes, or a vendor's own in what is passed on from it."
SCHEMAS: Final[Mapping[str, Json]] = {
    "ErrorCode": schema.text("What went wrong.", enum=[code.value for code in Code]),
    "OpenAIError": schema.obj(
        {
            "error": schema.obj(
                {
                    "message": schema.text("What happened, why, and what to do."),
                    "type": schema.maybe(schema.text()),
                    "param": schema.maybe(schema.text("The field that is wrong.")),
                    "code": schema.maybe(
                        schema.text(f"{_CODE} `insufficient_credit` is `insufficient_quota` here.")
                    ),
                },
                required=("message",),
            )
        },
        required=("error",),
    ),
    "AnthropicError": schema.obj(
        {
            "type": schema.text(const="error"),
            "error": schema.obj(
                {
                    "type": schema.text(),
                    "message": schema.text("What happened, why, and what to do."),
                    "error_type": schema.text("OpenRouter's word for it, under /api/v1 only."),
                },
                required=("type", "message"),
            ),
            "request_id": schema.maybe(schema.text("The generation id.")),
        },
        required=("type", "error"),
    ),
    "GeminiError": schema.obj(
        {
            "error": schema.obj(
                {
                    "code": schema.integer("The HTTP status."),
                    "message": schema.text("What happened, why, and what to do."),
                    "status": schema.text("Google's word for the status."),
                    "details": schema.array(
                        schema.obj(
                            {
                                "@type": schema.text(),
                                "reason": schema.text("Our code, in capitals."),
                                "domain": schema.text(),
                                "retryDelay": schema.text(),
                            }
                        )
                    ),
                },
                required=("code", "message", "status"),
            )
        },
        required=("error",),
    ),
    "PlatformError": schema.obj(
        {
            "error": schema.obj(
                {
                    "code": schema.integer("The HTTP status."),
                    "message": schema.text("What happened, why, and what to do."),
                    "metadata": schema.obj(
                        {
                            "error_type": schema.text("OpenRouter's word for it."),
                            "reason": schema.ref("ErrorCode"),
                        },
                        required=("error_type", "reason"),
                    ),
                },
                required=("code", "message"),
            )
        },
        required=("error",),
    ),
}
_NAMES: Final[Mapping[Family, str]] = {
    Family.OPENAI: "OpenAI",
    Family.ANTHROPIC: "Anthropic",
    Family.GEMINI: "Gemini",
}


def responses() -> dict[str, Json]:
    """Return every error that the document points to, by its name."""
    return {
        _name(kind, family, status, is_platform=is_platform): _response(
            codes, family, is_platform=is_platform
        )
        for kind, known in _OF_KIND.items()
        for family in Family
        for is_platform in (False, True)
        for status, codes in by_status(known).items()
    }


def pointers(operation: Operation, family: Family, *, is_platform: bool) -> Json:
    """Point to the errors that an operation can answer, by status."""
    left_out = _ON_DEMAND.get(operation.kind, frozenset()) - set(operation.more_errors)
    return {
        str(status): {"$ref": f"#/components/responses/{name}"}
        for status in by_status(_OF_KIND[operation.kind])
        if status not in left_out
        for name in (_name(operation.kind, family, status, is_platform=is_platform),)
    }


def by_status(codes: Iterable[Code]) -> dict[int, list[Code]]:
    """Sort codes by their HTTP status, lowest first."""
    found: dict[int, list[Code]] = {}
    for code in sorted(codes, key=lambda code: (TABLE[code].status, list(Code).index(code))):
        found.setdefault(TABLE[code].status, []).append(code)
    return found


def advice(code: Code) -> str:
    """Say in English what a code means and what to do."""
    with override("en"):
        return str(words.failure(code.value))


def _name(kind: Kind, family: Family, status: int, *, is_platform: bool) -> str:
    # Counting can fail as any call of a model can.
    shared = Kind.RELAYED if kind is Kind.COUNT else kind
    envelope = f"Platform{_NAMES[family]}" if is_platform else _NAMES[family]
    return f"{envelope}.{shared.name.lower()}.{status}"


def _response(codes: list[Code], family: Family, *, is_platform: bool) -> Json:
    is_own = is_platform and family is Family.OPENAI
    shape = "PlatformError" if is_own else f"{_NAMES[family]}Error"
    told = ", ".join(f"`{code.value}`" for code in codes)
    return {
        "description": f"{told}.",
        "headers": headers.pointers(headers.OF_ERRORS),
        "content": {
            JSON: {
                "schema": schema.ref(shape),
                "examples": {
                    code.value: {"value": _example(code, family, is_platform=is_platform)}
                    for code in codes
                },
            }
        },
    }


def _example(code: Code, family: Family, *, is_platform: bool) -> Json:
    waits = _RETRY_AFTER_S if TABLE[code].status in _WAITING_HELPS else None
    _, _, body = errors.envelope(
        RelayError(code=code, message=advice(code), retry_after_s=waits),
        family=family,
        request_id=_ID,
        is_platform=is_platform,
    )
    found: Json = orjson.loads(body)
    return found
