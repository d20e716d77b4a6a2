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
    error: RelayError,
    *,
    family: Family,
    surface: Surface | None = None,
    request_id: str,
    is_platform: bool = False,
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body that tell this error in the caller's protocol.

    `is_platform`: under /api/v1, where OpenRouter's vocabulary is told, too.
    """
    is_platform = is_platform or surface is Surface.PLATFORM
    headers = {"content-type": "application/json"}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    # Claude Code repeats a 401 for minutes unless it is told not to (2.1.332, tried 2026-11).
    if error.code in _NEVER_RETRY or error.status == 401:
        headers["x-should-retry"] = "false"
    if error.body is not None and not is_platform:
        headers["content-type"] = error.content_type
        return error.status, headers, error.body
    told = _body(error, family=family, request_id=request_id, is_platform=is_platform)
    return error.status, headers, orjson.dumps(told)


def stream_event(
    error: RelayError, *, surface: Surface, request_id: str, is_platform: bool = False
) -> bytes:
    """Return the error as the last event of a stream; nothing may follow it."""
    data = _body(error, family=surface.family, request_id=request_id, is_platform=is_platform)
    match surface.family:
        case Family.ANTHROPIC:
            return b"event: error\ndata: " + orjson.dumps(data) + b"\n\n"
        case Family.GEMINI:
            return b"data: " + orjson.dumps(data) + b"\r\n\r\n"
        case Family.OPENAI:
            if surface is Surface.RESPONSES:
                told = _responses(error, is_platform=is_platform)
                return b"event: error\ndata: " + orjson.dumps(told) + b"\n\n"
            # Programs that index `choices` blindly find one; those that look find the error.
            data["choices"] = [{"index": 0, "delta": {}, "finish_reason": "error"}]
            return b"data: " + orjson.dumps(data) + b"\n\n"
        case never:
            assert_never(never)


def _body(
    error: RelayError, *, family: Family, request_id: str, is_platform: bool
) -> dict[str, Any]:
    match family:
        case Family.OPENAI:
            return _platform(error) if is_platform else {"error": _openai(error)}
        case Family.ANTHROPIC:
            row = TABLE[error.code]
            inner = {"type": row.anthropic_type, "message": error.message}
            if is_platform:
                inner["error_type"] = row.error_type
            return {"type": "error", "error": inner, "request_id": request_id}
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


def _responses(error: RelayError, *, is_platform: bool) -> dict[str, Any]:
    row = TABLE[error.code]
    extra = {"error_type": row.error_type} if is_platform else {}
    return {
        **extra,
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
