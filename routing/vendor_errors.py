"""What a vendor's error means: our fault, the caller's, or another endpoint's turn (pure)."""

import email.utils
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from routing.error_codes import Code, RelayError
from routing.surfaces import Family

_RETRY_AFTER_S_MAX = 86_400
_MESSAGE_CHARS_MAX = 2_000
_PASSED_BYTES_MAX = 256 * 1024

# Our own account, key or contract is the reason. Exact codes, or words at the *start* of the
# message: further in it may be the caller's own text, who must not be able to fail our key.
_OUR_FAULT_CODES = frozenset(
    {
        "API_KEY_INVALID",
        "API_KEY_SERVICE_BLOCKED",
        "CONSUMER_SUSPENDED",
        "BILLING_DISABLED",
        "invalid_api_key",
        "authentication_error",
        "permission_error",
        "billing_error",
        "insufficient_quota",
        "account_deactivated",
        "billing_hard_limit_reached",
        "1112",  # Z.AI: account locked (vendor's error page, unverified)
        "1113",  # Z.AI: balance empty, told as a 429
    }
)
_OUR_FAULT_TEXT = re.compile(
    r"(incorrect|invalid|missing|expired) api[ _-]?key|api[ _-]?key (not valid|expired|not found)"
    r"|your credit balance is too low|user location is not supported"
    r"|insufficient (balance|quota|credit)",
    re.IGNORECASE,
)
_MODEL_CODES = frozenset(
    {"model_not_found", "not_found_error", "NOT_FOUND", "DeploymentNotFound", "model_not_available"}
)
_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
_CONTEXT_TEXT = re.compile(
    r"exceeds the maximum number of tokens|prompt is too long|maximum context length"
    r"|token limit reached|exceed(s|ed)? .{0,40}context (window|length|limit)",
    re.IGNORECASE,
)
_DOWNLOAD_TEXT = re.compile(
    r"cannot fetch content from the provided url|(failed|unable) to download|"
    r"error while downloading|unable to download the file",
    re.IGNORECASE,
)
_POLICY_CODES = frozenset(
    {
        "content_policy_violation",
        "content_filter",
        "moderation_blocked",
        "ResponsibleAIPolicyViolation",
    }
)
_BUSY_CODES = frozenset({"overloaded_error", "UNAVAILABLE", "overloaded", "model_overloaded"})
_IMAGE_CODES: Mapping[str, Code] = {
    "invalid_image": Code.INVALID_IMAGE,
    "invalid_base64_image": Code.INVALID_IMAGE,
    "invalid_image_url": Code.INVALID_IMAGE,
    "image_parse_error": Code.INVALID_IMAGE,
    "empty_image_file": Code.INVALID_IMAGE,
    "image_too_small": Code.INVALID_IMAGE,
    "invalid_image_format": Code.UNSUPPORTED_IMAGE,
    "invalid_image_mode": Code.UNSUPPORTED_IMAGE,
    "unsupported_image_media_type": Code.UNSUPPORTED_IMAGE,
    "image_too_large": Code.IMAGE_TOO_LARGE,
    "image_file_too_large": Code.IMAGE_TOO_LARGE,
    "failed_to_download_image": Code.IMAGE_DOWNLOAD,
    "image_file_not_found": Code.IMAGE_DOWNLOAD,
}
_STATUS_OF_WORD: Mapping[str, int] = {
    "invalid_request_error": 400,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "RESOURCE_EXHAUSTED": 429,
    "api_error": 500,
    "server_error": 500,
    "INTERNAL": 500,
    "timeout_error": 504,
    "DEADLINE_EXCEEDED": 504,
}
_OUR_FAULT_STATUSES = frozenset({401, 402, 403, 407, 434, 435})
_BY_STATUS: Mapping[int, Code] = {
    405: Code.UPSTREAM_MODEL,
    410: Code.UPSTREAM_MODEL,
    408: Code.UPSTREAM_TIMEOUT,
    504: Code.UPSTREAM_TIMEOUT,
    524: Code.UPSTREAM_TIMEOUT,
    429: Code.UPSTREAM_RATE_LIMIT,
    498: Code.UPSTREAM_OVERLOADED,  # Groq: flex tier over capacity
    503: Code.UPSTREAM_OVERLOADED,
    529: Code.UPSTREAM_OVERLOADED,
}
# Statuses of a request that is the caller's own to mend.
_REQUEST_FAULTS: Mapping[int, Code] = {
    400: Code.VENDOR_REFUSED,
    404: Code.VENDOR_REFUSED,
    409: Code.VENDOR_REFUSED,
    413: Code.VENDOR_TOO_LARGE,
    422: Code.VENDOR_REFUSED,
    424: Code.VENDOR_REFUSED,
}

# What may tell whose account serves: keys and their tails, organizations, projects, hosts.
_SECRETS = re.compile(
    rb"[\w.-]*\*{4,}[\w.-]*"
    rb"|\b(?:sk|pk|gsk|xai|hf|AIza|bnr_live|bce-v3/ALTAK)[-_/A-Za-z0-9]{12,}"
    rb"|\b(?:org|proj|user|acct|req-org)[-_][A-Za-z0-9]{8,}"
    rb"|\bprojects/[\w-]+|\bproject_number:\d+|\bproject \d{6,}"
    rb"|\b(?:team|organization|workspace|subscription)[ /:][0-9a-f]{8}-[0-9a-f-]{27}"
    rb"|\baccounts/(?!fireworks\b)[\w-]+"
    rb"|[\w-]+\.(?:openai\.azure|services\.ai\.azure|cognitiveservices\.azure)\.com"
    rb"|[\w.+-]+@[\w-]+\.[\w.-]+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    is_readable: bool = False
    message: str = ""
    param: str | None = None
    words: frozenset[str] = frozenset()  # type, code, status and reasons, as the vendor spells
    number: int | None = None  # an HTTP status told inside the body
    wait_s: float | None = None


def from_vendor(
    *, status: int, headers: Mapping[str, str], body: bytes, family: Family
) -> RelayError:
    """Tell what a vendor's error answer means for us and for the caller.

    `status` may be 200: then the body, or one event of a stream, holds the error. Nothing of
    a vendor's refusal of *our* credential or account is passed on.
    """
    facts = _read(body)
    told = status if status >= 400 else _status_in_body(facts)
    code = _classify(told, facts)
    if code in _REQUEST_CODES:
        return _request_fault(code, told, facts, body)
    wait_s = _wait_s(headers, facts) if code in _WAITING else None
    return RelayError(
        code=code,
        message=_MESSAGES[code],
        retry_after_s=wait_s,
        is_retryable=True,
        vendor_status=status,
        metadata={"provider_code": told, "family": family.value},
    )


def _classify(status: int, facts: _Facts) -> Code:
    words = facts.words
    if status in _OUR_FAULT_STATUSES and not words & _POLICY_CODES:
        return Code.UPSTREAM_AUTH
    if words & _OUR_FAULT_CODES or _OUR_FAULT_TEXT.match(facts.message):
        return Code.UPSTREAM_AUTH
    if words & _MODEL_CODES:
        return Code.UPSTREAM_MODEL
    if words & _BUSY_CODES:
        return Code.UPSTREAM_OVERLOADED
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return _classify_request(facts, status) if 400 <= status < 500 else _failure(facts)


def _failure(facts: _Facts) -> Code:
    return Code.UPSTREAM_ERROR if facts.is_readable else Code.UPSTREAM_INVALID


def _classify_request(facts: _Facts, status: int) -> Code:
    if facts.words & _POLICY_CODES:
        return Code.CONTENT_POLICY
    if facts.words & _CONTEXT_CODES or _CONTEXT_TEXT.search(facts.message):
        return Code.CONTEXT_LENGTH
    image = next((_IMAGE_CODES[word] for word in facts.words if word in _IMAGE_CODES), None)
    if image is not None:
        return image
    if _DOWNLOAD_TEXT.search(facts.message):
        return Code.IMAGE_DOWNLOAD
    if status == 404 and facts.param in (None, "model"):
        return Code.UPSTREAM_MODEL  # any other 404 is about something that the request names
    return _REQUEST_FAULTS.get(status, Code.UPSTREAM_ERROR)


_REQUEST_CODES = frozenset(
    {
        Code.CONTENT_POLICY,
        Code.CONTEXT_LENGTH,
        Code.INVALID_IMAGE,
        Code.UNSUPPORTED_IMAGE,
        Code.IMAGE_TOO_LARGE,
        Code.IMAGE_DOWNLOAD,
        Code.VENDOR_TOO_LARGE,
        Code.VENDOR_REFUSED,
    }
)
_WAITING = frozenset({Code.UPSTREAM_RATE_LIMIT, Code.UPSTREAM_OVERLOADED})
_MESSAGES: Mapping[Code, str] = {
    Code.UPSTREAM_AUTH: (
        "The vendor refused our own access to this model. That is our fault, not your key's; "
        "nothing was charged. We are told of it: try again later, or use another model."
    ),
    Code.UPSTREAM_MODEL: (
        "The vendor says that it no longer serves this model to us. That is our fault; nothing "
        "was charged. Use another model, or try again later."
    ),
    Code.UPSTREAM_RATE_LIMIT: (
        "Every vendor of this model limits our rate at the moment; nothing was charged. "
        "Wait as long as Retry-After says, then try again."
    ),
    Code.UPSTREAM_OVERLOADED: (
        "The vendor of this model is overloaded; nothing was charged. Try again shortly."
    ),
    Code.UPSTREAM_TIMEOUT: (
        "The vendor of this model did not answer in time; nothing was charged. Try again, "
        "or ask for a shorter answer."
    ),
    Code.UPSTREAM_INVALID: (
        "The vendor of this model sent an answer that cannot be read; nothing was charged. "
        "Try again."
    ),
    Code.UPSTREAM_ERROR: (
        "The vendor of this model failed to answer; nothing was charged. Try again."
    ),
}


def _request_fault(code: Code, status: int, facts: _Facts, body: bytes) -> RelayError:
    """The caller can mend it: hand over the vendor's own words, without our account in them."""
    is_passed = facts.is_readable and len(body) <= _PASSED_BYTES_MAX
    message = _SECRETS.sub(b"[removed]", facts.message.encode()).decode(errors="replace")
    return RelayError(
        code=code,
        message=message[:_MESSAGE_CHARS_MAX]
        or "The vendor refused the request without saying why. Check its fields and try again.",
        param=facts.param,
        vendor_status=status,
        body=_SECRETS.sub(b"[removed]", body) if is_passed else None,
    )


def _status_in_body(facts: _Facts) -> int:
    if facts.number is not None:
        return facts.number
    told = (_STATUS_OF_WORD[word] for word in facts.words if word in _STATUS_OF_WORD)
    return max(told, default=502)


def _read(body: bytes) -> _Facts:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _Facts()
    if isinstance(parsed, list):  # Gemini streams arrays, errors included
        parsed = parsed[0] if parsed else None
    if not isinstance(parsed, dict):
        return _Facts()
    error = _error_object(parsed)
    return _Facts(
        is_readable=True,
        message=_message(error),
        param=error["param"] if isinstance(error.get("param"), str) else None,
        words=frozenset(_words(error)),
        number=_number(error),
        wait_s=_retry_delay_s(error),
    )


def _error_object(parsed: dict[str, Any]) -> dict[str, Any]:
    """Find the object that tells the error, in all the places where vendors put it."""
    inner = parsed.get("error")
    if isinstance(inner, dict):
        return inner
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        return inner[0]
    if isinstance(inner, str):  # xAI, Ollama: the text itself, its code beside it
        return {**parsed, "message": inner}
    response = parsed.get("response")
    if isinstance(response, dict) and isinstance(response.get("error"), dict):
        found: dict[str, Any] = response["error"]  # Responses: `response.failed`
        return found
    base = parsed.get("base_resp")
    if isinstance(base, dict):  # MiniMax: HTTP 200 with its own status
        return {"message": base.get("status_msg"), "code": base.get("status_code")}
    return parsed


def _message(error: dict[str, Any]) -> str:
    for name in ("message", "detail", "msg", "reason"):
        told = error.get(name)
        if isinstance(told, list) and told and isinstance(told[0], dict):
            told = told[0].get("msg")
        if isinstance(told, str) and told:
            return told
    return ""


def _words(error: dict[str, Any]) -> Iterator[str]:
    for name in ("type", "code", "status", "reason"):
        word = error.get(name)
        if isinstance(word, str):
            yield word
    inner = error.get("innererror")
    if isinstance(inner, dict) and isinstance(inner.get("code"), str):
        yield inner["code"]
    for detail in _details(error):
        if isinstance(detail.get("reason"), str):
            yield detail["reason"]


def _number(error: dict[str, Any]) -> int | None:
    for name in ("code", "status_code", "status"):
        told = error.get(name)
        if isinstance(told, str) and told.isdigit() and len(told) == 3:
            told = int(told)
        if isinstance(told, int) and not isinstance(told, bool) and 400 <= told < 600:
            return told
    return None


def _details(error: dict[str, Any]) -> list[dict[str, Any]]:
    details = error.get("details")
    if not isinstance(details, list):
        return []
    return [detail for detail in details if isinstance(detail, dict)]


def _retry_delay_s(error: dict[str, Any]) -> float | None:
    for detail in _details(error):
        delay = detail.get("retryDelay")
        if isinstance(delay, str):
            return _float(delay.removesuffix("s"))
    return None


def _wait_s(headers: Mapping[str, str], facts: _Facts) -> int | None:
    """Return how long to wait, in whole seconds rounded up, as far as the vendor tells."""
    known = {name.lower(): value for name, value in headers.items()}
    millis = _float(known.get("retry-after-ms", ""))
    waits = (
        None if millis is None else millis / 1000,
        _float(known.get("retry-after", "")),
        _until_s(known.get("retry-after", ""), known.get("date", "")),
        facts.wait_s,
    )
    wait = next((wait for wait in waits if wait is not None), None)
    return None if wait is None else min(max(math.ceil(wait), 0), _RETRY_AFTER_S_MAX)


def _until_s(moment: str, now: str) -> float | None:
    """Read the date form of Retry-After against the vendor's own clock."""
    try:
        return (
            email.utils.parsedate_to_datetime(moment) - email.utils.parsedate_to_datetime(now)
        ).total_seconds()
    except (TypeError, ValueError):
        return None


def _float(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
