"""Errors in the caller's own protocol, whole and in a stream (pure)."""

from typing import Any, assert_never

import orjson

from routing.error_codes import TABLE, Code, RelayError, Row
from routing.surfaces import Family, Surface
from routing.vendor_errors import from_vendor

__all__ = [
    "TABLE",
    "Code",
    "RelayError",
    "Row",
    "cannot_afford",
    "envelope",
    "from_vendor",
    "stream_event",
]

# Codes whose status the official SDKs would retry, although the answer cannot change.
_NEVER_RETRY = frozenset({Code.IDEMPOTENCY_CONFLICT, Code.SLOW_READER, Code.ABANDONED_COST})


def cannot_afford(*, requested_tokens: int, affordable_tokens: int, top_up_url: str) -> RelayError:
    """Tell of a balance that is too small, in the words that clients of OpenRouter parse."""
    return RelayError(
        code=Code.INSUFFICIENT_CREDIT,
        message=(
            "This request requires more credits, or fewer max_tokens. You requested up to "
            f"{requested_tokens} tokens, but can only afford {affordable_tokens}. "
            f"To increase, visit {top_up_url}"
        ),
        metadata={"provider_name": None},
    )


def envelope(
    error: RelayError, *, family: Family, surface: Surface | None = None, request_id: str
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body that tell this error in the caller's protocol."""
    headers = {"content-type": "application/json"}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    if error.code in _NEVER_RETRY:
        headers["x-should-retry"] = "false"
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.body is not None and surface is not Surface.PLATFORM:
        headers["content-type"] = error.content_type
        return error.status, headers, error.body
    body = orjson.dumps(_body(error, family=family, surface=surface, request_id=request_id))
    return error.status, headers, body


def stream_event(error: RelayError, *, surface: Surface, request_id: str) -> bytes:
    """Return the error as the last event of a stream; nothing may follow it."""
    match surface.family:
        case Family.ANTHROPIC:
            return b"event: error\ndata: " + _event_data(error, surface, request_id) + b"\n\n"
        case Family.GEMINI:
            return b"data: " + _event_data(error, surface, request_id) + b"\r\n\r\n"
        case Family.OPENAI:
            if surface is Surface.RESPONSES:
                return b"event: error\ndata: " + orjson.dumps(_responses(error)) + b"\n\n"
            data = _body(error, family=Family.OPENAI, surface=surface, request_id=request_id)
            # Programs that index `choices` blindly find one; those that look find the error.
            data["choices"] = [{"index": 0, "delta": {}, "finish_reason": "error"}]
            return b"data: " + orjson.dumps(data) + b"\n\n"
        case never:
            assert_never(never)


def _event_data(error: RelayError, surface: Surface, request_id: str) -> bytes:
    return orjson.dumps(_body(error, family=surface.family, surface=surface, request_id=request_id))


def _body(
    error: RelayError, *, family: Family, surface: Surface | None, request_id: str
) -> dict[str, Any]:
    if surface is Surface.PLATFORM:
        return _platform(error)
    match family:
        case Family.OPENAI:
            return {"error": _openai(error)}
        case Family.ANTHROPIC:
            return {
                "type": "error",
                "error": {"type": TABLE[error.code].anthropic_type, "message": error.message},
                "request_id": request_id,
            }
        case Family.GEMINI:
            return {"error": _gemini(error)}
        case never:
            assert_never(never)


def _openai(error: RelayError) -> dict[str, Any]:
    row = TABLE[error.code]
    return {
        "message": error.message,
        "type": row.openai_type,
        "param": error.param,
        "code": row.openai_code or error.code.value,
    }


def _responses(error: RelayError) -> dict[str, Any]:
    row = TABLE[error.code]
    return {
        "type": "error",
        "code": row.openai_code or error.code.value,
        "message": error.message,
        "param": error.param,
        "sequence_number": 0,
    }


def _gemini(error: RelayError) -> dict[str, Any]:
    details: list[dict[str, Any]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.code.value.upper(),
            "domain": "bananarouter",
        }
    ]
    if error.retry_after_s is not None:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": f"{error.retry_after_s}s",
            }
        )
    return {
        "code": error.status,
        "message": error.message,
        "status": TABLE[error.code].gemini_status,
        "details": details,
    }


def _platform(error: RelayError) -> dict[str, Any]:
    row = TABLE[error.code]
    metadata = {
        "error_type": row.error_type,
        "reason": error.code.value,
        **error.metadata,
    }
    return {"error": {"code": row.status, "message": error.message, "metadata": metadata}}
