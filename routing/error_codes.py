"""The one table of errors: our code -> HTTP status and each protocol's own words (pure)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Code(enum.StrEnum):
    """What went wrong; also the only error text that the request log keeps (32 characters)."""

    # The body cannot be read
    INVALID_JSON = "invalid_json"
    INVALID_UTF8 = "invalid_utf8"
    DUPLICATE_KEY = "duplicate_key"
    TOO_DEEP = "too_deep"
    TOO_MANY_ITEMS = "too_many_items"
    # A field is wrong
    MISSING_FIELD = "missing_required_parameter"
    INVALID_TYPE = "invalid_type"
    INVALID_VALUE = "invalid_value"
    INVALID_HEADER = "invalid_header"
    UNKNOWN_BETA = "unknown_beta"
    VENDOR_HANDLE = "vendor_handle"
    UNPRICED = "unpriced"
    UNBOUNDED = "unbounded_cost"
    WRONG_PROTOCOL = "wrong_protocol"
    UNSUPPORTED = "unsupported_parameter"  # it has no word in the vendor's wire format
    # Who is calling
    MISSING_KEY = "missing_api_key"
    INVALID_KEY = "invalid_api_key"
    EXPIRED_KEY = "expired_api_key"
    DISABLED_KEY = "disabled_api_key"
    HTTPS_REQUIRED = "https_required"
    IP_NOT_ALLOWED = "ip_not_allowed"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    JURISDICTION = "jurisdiction_not_allowed"
    ACCOUNT_INACTIVE = "account_inactive"
    PERMISSION_DENIED = "permission_denied"
    # Money
    INSUFFICIENT_CREDIT = "insufficient_credit"
    IN_FLIGHT = "in_flight"
    KEY_LIMIT = "key_limit_reached"
    TRIAL_MODEL = "trial_model"
    COST_CAP = "cost_cap_reached"
    WALLET_FROZEN = "wallet_frozen"
    # What is asked for is not there, or not like this
    MODEL_NOT_FOUND = "model_not_found"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    HEADERS_TOO_LARGE = "headers_too_large"
    # Limits
    RATE_LIMITED = "rate_limit_exceeded"
    CONCURRENCY = "concurrency_limit"
    AUTH_FAILURES = "auth_failures"
    ABANDONED_COST = "abandoned_cost"
    # We cannot serve now
    OVERLOADED = "overloaded"
    MONEY_UNAVAILABLE = "money_unavailable"
    DATABASE_UNAVAILABLE = "database_unavailable"
    SERVER_RESTARTING = "server_restarting"
    NO_ENDPOINT = "no_endpoint"
    DEADLINE = "deadline_exceeded"
    SLOW_READER = "slow_reader"
    INTERNAL = "internal_error"
    # The vendor refused the request, and the request is the reason
    CONTEXT_LENGTH = "context_length_exceeded"
    INVALID_IMAGE = "invalid_image"
    UNSUPPORTED_IMAGE = "unsupported_image_format"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_DOWNLOAD = "image_download_failed"
    CONTENT_POLICY = "content_policy_violation"
    VENDOR_TOO_LARGE = "vendor_body_too_large"
    VENDOR_REFUSED = "vendor_refused"
    # The vendor failed, or we towards the vendor
    UPSTREAM_AUTH = "upstream_auth"
    UPSTREAM_MODEL = "upstream_model_missing"
    UPSTREAM_RATE_LIMIT = "upstream_rate_limit"
    UPSTREAM_OVERLOADED = "upstream_overloaded"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_CONNECT = "upstream_unreachable"
    UPSTREAM_INVALID = "upstream_invalid_answer"
    UPSTREAM_ERROR = "upstream_error"
    STREAM_INTERRUPTED = "stream_interrupted"


@dataclass(frozen=True, slots=True)
class Row:
    """How one code is told: HTTP status, then OpenAI, Anthropic, Gemini, OpenRouter words."""

    status: int
    openai_type: str
    anthropic_type: str
    gemini_status: str
    error_type: str
    openai_code: str = ""  # "": our own code


_INVALID = Row(
    400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT", "invalid_request"
)
_KEY = Row(
    401, "invalid_request_error", "authentication_error", "UNAUTHENTICATED", "authentication"
)
_FORBIDDEN = Row(
    403, "invalid_request_error", "permission_error", "PERMISSION_DENIED", "permission_denied"
)
_PAY = Row(402, "insufficient_quota", "billing_error", "RESOURCE_EXHAUSTED", "payment_required")
_MISSING = Row(404, "invalid_request_error", "not_found_error", "NOT_FOUND", "not_found")
_LIMIT = Row(
    429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED", "rate_limit_exceeded"
)
_BUSY = Row(503, "server_error", "overloaded_error", "UNAVAILABLE", "provider_overloaded")
_AWAY = Row(503, "server_error", "api_error", "UNAVAILABLE", "provider_unavailable")
_BAD_GATEWAY = Row(502, "server_error", "api_error", "INTERNAL", "provider_unavailable")
_TIMEOUT = Row(504, "server_error", "timeout_error", "DEADLINE_EXCEEDED", "timeout")


def _like(row: Row, status: int, error_type: str, *, openai_code: str = "") -> Row:
    return Row(
        status, row.openai_type, row.anthropic_type, row.gemini_status, error_type, openai_code
    )


_ROWS: Mapping[Row, tuple[Code, ...]] = {
    _INVALID: (
        Code.INVALID_JSON,
        Code.INVALID_UTF8,
        Code.DUPLICATE_KEY,
        Code.TOO_DEEP,
        Code.TOO_MANY_ITEMS,
        Code.MISSING_FIELD,
        Code.INVALID_TYPE,
        Code.INVALID_VALUE,
        Code.INVALID_HEADER,
        Code.UNKNOWN_BETA,
        Code.VENDOR_HANDLE,
        Code.UNPRICED,
        Code.UNBOUNDED,
        Code.WRONG_PROTOCOL,
        Code.UNSUPPORTED,
        Code.VENDOR_REFUSED,
    ),
    _KEY: (Code.MISSING_KEY, Code.INVALID_KEY, Code.EXPIRED_KEY, Code.DISABLED_KEY),
    _FORBIDDEN: (
        Code.HTTPS_REQUIRED,
        Code.IP_NOT_ALLOWED,
        Code.MODEL_NOT_ALLOWED,
        Code.JURISDICTION,
        Code.ACCOUNT_INACTIVE,
        Code.PERMISSION_DENIED,
        Code.WALLET_FROZEN,
    ),
    _like(_PAY, 402, "payment_required", openai_code="insufficient_quota"): (
        Code.INSUFFICIENT_CREDIT,
    ),
    _PAY: (Code.IN_FLIGHT, Code.KEY_LIMIT, Code.TRIAL_MODEL, Code.COST_CAP),
    _MISSING: (Code.MODEL_NOT_FOUND, Code.NOT_FOUND),
    _like(_INVALID, 405, "invalid_request"): (Code.METHOD_NOT_ALLOWED,),
    Row(408, "invalid_request_error", "timeout_error", "DEADLINE_EXCEEDED", "timeout"): (
        Code.REQUEST_TIMEOUT,
        Code.SLOW_READER,
    ),
    Row(409, "invalid_request_error", "invalid_request_error", "ABORTED", "precondition_failed"): (
        Code.IDEMPOTENCY_CONFLICT,
    ),
    _like(_INVALID, 413, "payload_too_large"): (Code.BODY_TOO_LARGE, Code.VENDOR_TOO_LARGE),
    _like(_INVALID, 415, "invalid_request"): (
        Code.UNSUPPORTED_MEDIA_TYPE,
        Code.UNSUPPORTED_ENCODING,
    ),
    _like(_INVALID, 431, "invalid_request"): (Code.HEADERS_TOO_LARGE,),
    _LIMIT: (
        Code.RATE_LIMITED,
        Code.CONCURRENCY,
        Code.AUTH_FAILURES,
        Code.ABANDONED_COST,
    ),
    _like(_LIMIT, 429, "rate_limit_exceeded", openai_code="rate_limit_exceeded"): (
        Code.UPSTREAM_RATE_LIMIT,
    ),
    _BUSY: (Code.OVERLOADED, Code.UPSTREAM_OVERLOADED),
    _AWAY: (
        Code.MONEY_UNAVAILABLE,
        Code.DATABASE_UNAVAILABLE,
        Code.SERVER_RESTARTING,
        Code.NO_ENDPOINT,
        Code.UPSTREAM_MODEL,
    ),
    _TIMEOUT: (Code.DEADLINE, Code.UPSTREAM_TIMEOUT),
    Row(500, "server_error", "api_error", "INTERNAL", "server"): (Code.INTERNAL,),
    _like(_INVALID, 400, "context_length_exceeded"): (Code.CONTEXT_LENGTH,),
    _like(_INVALID, 400, "invalid_image"): (Code.INVALID_IMAGE,),
    _like(_INVALID, 400, "unsupported_image_format"): (Code.UNSUPPORTED_IMAGE,),
    _like(_INVALID, 400, "image_too_large"): (Code.IMAGE_TOO_LARGE,),
    _like(_INVALID, 400, "image_download_failed"): (Code.IMAGE_DOWNLOAD,),
    Row(
        403,
        "content_policy_violation",
        "invalid_request_error",
        "INVALID_ARGUMENT",
        "content_policy_violation",
    ): (Code.CONTENT_POLICY,),
    _BAD_GATEWAY: (
        Code.UPSTREAM_AUTH,
        Code.UPSTREAM_CONNECT,
        Code.UPSTREAM_INVALID,
        Code.UPSTREAM_ERROR,
        Code.STREAM_INTERRUPTED,
    ),
}
TABLE: Mapping[Code, Row] = {code: row for row, codes in _ROWS.items() for code in codes}


@dataclass(kw_only=True, eq=False)
class RelayError(Exception):
    """A refusal or a failure, to be told in the caller's own protocol.

    `message` is for the caller: what happened, why, what to do; never a secret. It is stored
    nowhere. `body` is a vendor's own 4xx body, cleaned, that goes out as it is with
    `vendor_status`. `is_retryable`: another endpoint may answer (before the first byte).
    """

    code: Code
    message: str
    param: str | None = None
    retry_after_s: int | None = None
    is_retryable: bool = False
    vendor_status: int | None = None
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    metadata: Mapping[str, object] = field(default_factory=dict)  # /api/v1's `error.metadata`

    def __str__(self) -> str:
        return self.code.value

    @property
    def status(self) -> int:
        """The HTTP status that the caller gets."""
        if self.body is not None and self.vendor_status is not None:
            return self.vendor_status
        return TABLE[self.code].status
