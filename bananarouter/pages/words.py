"""Our enums in people's words: what a class, an ending, an outcome or an error code means."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import countries
from accounts.models import Consent, ContactRequest, Membership
from billing.models import Attempt, Budget, Charge
from billing.usage import UnitClass
from routing.error_codes import Code
from routing.surfaces import Surface

Words = str | Promise

CLASSES: dict[UnitClass, Words] = {
    UnitClass.INPUT: _("Input"),
    UnitClass.CACHE_READ: _("Input, read from cache"),
    UnitClass.CACHE_WRITE: _("Input, written to cache"),
    UnitClass.OUTPUT: _("Output"),
    UnitClass.REASONING: _("Reasoning"),
}

SURFACES: dict[str, Words] = {
    Surface.CHAT: "OpenAI Chat Completions",
    Surface.COMPLETIONS: "OpenAI Completions",
    Surface.RESPONSES: "OpenAI Responses",
    Surface.INPUT_TOKENS: "OpenAI Responses input_tokens",
    Surface.COMPACT: "OpenAI Responses compact",
    Surface.EMBEDDINGS: "OpenAI Embeddings",
    Surface.IMAGES: "OpenAI Images",
    Surface.IMAGE_EDITS: "OpenAI Image edits",
    Surface.IMAGE_VARIATIONS: "OpenAI Image variations",
    Surface.SPEECH: "OpenAI Speech",
    Surface.TRANSCRIPTIONS: "OpenAI Transcriptions",
    Surface.TRANSLATIONS: "OpenAI Translations",
    Surface.MODERATIONS: "OpenAI Moderations",
    Surface.RERANK: "Rerank",
    Surface.MESSAGES: "Anthropic Messages",
    Surface.COUNT_TOKENS: "Anthropic count_tokens",
    Surface.GENERATE: "Gemini generateContent",
    Surface.GEMINI_COUNT: "Gemini countTokens",
    Surface.GEMINI_EMBED: "Gemini embedContent",
    Surface.GEMINI_BATCH_EMBED: "Gemini batchEmbedContents",
    Surface.MODELS: _("List of models"),
    Surface.PLATFORM: _("Account API"),
}

ROLES: dict[str, Words] = {
    Membership.Role.OWNER: _("owner"),
    Membership.Role.ADMIN: _("admin"),
    Membership.Role.DEVELOPER: _("developer"),
    Membership.Role.BILLING: _("billing"),
}

ROLE_TEXTS: dict[str, Words] = {
    Membership.Role.OWNER: _("Owner: everything, and who else owns the account"),
    Membership.Role.ADMIN: _("Admin: members, all keys, money and settings"),
    Membership.Role.DEVELOPER: _("Developer: own keys, and the requests that they made"),
    Membership.Role.BILLING: _("Billing: money, and all requests and usage; no keys"),
}

PURPOSES: dict[str, Words] = {
    Consent.Purpose.PRIVACY: _("Privacy policy"),
    Consent.Purpose.TERMS: _("Terms of use"),
    Consent.Purpose.CROSS_BORDER: _("Transfer across borders"),
    Consent.Purpose.DEBUG: _("Debug mode"),
}

# What the user's own page says of a tracked request.
REQUEST_STATES: dict[str, Words] = {
    ContactRequest.State.OPEN: _("open"),
    ContactRequest.State.ANSWERED: _("answered"),
    ContactRequest.State.CLOSED: _("closed"),
}

# Where a vendor is, when that is no country.
_PLACES: dict[str, Words] = {
    "EU": _("European Union"),
    "operator": _("Servers of the operator of this site"),
    "unknown": _("Not stated by the vendor"),
}

STATES: dict[str, Words] = {
    Charge.State.OPEN: _("in flight"),
    Charge.State.SETTLED: _("settled"),
    Charge.State.ESTIMATED: _("estimated"),
    Charge.State.VOIDED: _("not charged"),
}

REASONS: dict[str, Words] = {
    Charge.Reason.NORMAL: _("The answer was complete; its tokens were charged."),
    Charge.Reason.NO_USAGE: _(
        "The vendor sent no token counts, so they were counted here. "
        "The charge can only become lower."
    ),
    Charge.Reason.CLIENT_GONE: _(
        "You closed the connection. Only what was delivered until then was charged."
    ),
    Charge.Reason.DRAINED: _(
        "You closed the connection, but this vendor bills the whole answer. "
        "It was read to its end and charged."
    ),
    Charge.Reason.UPSTREAM_ERROR: _("The vendor failed before it answered. Nothing was charged."),
    Charge.Reason.GOODWILL: _("The vendor failed in the middle. We do not charge you for it."),
    Charge.Reason.CUT: _(
        "The answer was cut at a limit of money or time. Only what was delivered was charged."
    ),
    Charge.Reason.CRASH: _(
        "Our server stopped in the middle. Only what was recorded as delivered was charged."
    ),
    Charge.Reason.REFUSED: _("The request was refused. Nothing was charged."),
}

PERIODS: dict[str, Words] = {
    Budget.Period.DAILY: _("today"),
    Budget.Period.WEEKLY: _("this week"),
    Budget.Period.MONTHLY: _("this month"),
    Budget.Period.TOTAL: _("in total"),
}

OUTCOMES: dict[str, Words] = {
    Attempt.Outcome.DELIVERED: _("answered"),
    Attempt.Outcome.CONNECT_ERROR: _("could not be reached"),
    Attempt.Outcome.TIMEOUT: _("took too long"),
    Attempt.Outcome.RATE_LIMITED: _("too busy (rate limit)"),
    Attempt.Outcome.VENDOR_ERROR: _("failed"),
    Attempt.Outcome.AUTH_REFUSED: _("refused our credential"),
    Attempt.Outcome.ABANDONED: _("given up, since the request had ended"),
}

FAILURES: dict[Words, tuple[Code, ...]] = {
    _("The body cannot be read as JSON. Check what the client sends."): (
        Code.INVALID_JSON,
        Code.INVALID_UTF8,
        Code.DUPLICATE_KEY,
        Code.TOO_DEEP,
        Code.TOO_MANY_ITEMS,
    ),
    _("A field of the request is missing or wrong. The message of the answer names it."): (
        Code.MISSING_FIELD,
        Code.INVALID_TYPE,
        Code.INVALID_VALUE,
        Code.INVALID_HEADER,
        Code.UNKNOWN_BETA,
    ),
    _("The request refers to something stored at a vendor, which is never passed on."): (
        Code.VENDOR_HANDLE,
    ),
    _("Something in the request has no price or no highest cost, so it cannot be paid for."): (
        Code.UNPRICED,
        Code.UNBOUNDED,
    ),
    _(
        "This model cannot be reached in the protocol of this API. Use the protocol of its vendor."
    ): (Code.WRONG_PROTOCOL,),
    _("The request asks for something that this model's vendor has no word for."): (
        Code.UNSUPPORTED,
    ),
    _("The key cannot be used: missing, unknown, expired or revoked. Make a new one under Keys."): (
        Code.MISSING_KEY,
        Code.INVALID_KEY,
        Code.EXPIRED_KEY,
        Code.DISABLED_KEY,
    ),
    _("The request came without TLS. Send it to the https address."): (Code.HTTPS_REQUIRED,),
    _("The key may not be used from this address."): (Code.IP_NOT_ALLOWED,),
    _("The key may not use this model. Make a key that allows it."): (Code.MODEL_NOT_ALLOWED,),
    _("Key or account allow vendors in other places only, so it was sent nowhere."): (
        Code.JURISDICTION,
    ),
    _("The account may not do this now. Ask the operator of this site."): (
        Code.ACCOUNT_INACTIVE,
        Code.PERMISSION_DENIED,
    ),
    _("The balance was frozen. Billing says why, and what ends it."): (Code.WALLET_FROZEN,),
    _("The balance was below the most that this request could cost. Lower max_tokens."): (
        Code.INSUFFICIENT_CREDIT,
    ),
    _("Other requests in flight held the balance. Send it again when they are done."): (
        Code.IN_FLIGHT,
    ),
    _("The key has reached a spending limit. Raise it under Keys, or wait until it starts over."): (
        Code.KEY_LIMIT,
    ),
    _(
        "Trial money, or a card's first payment in its first hours, buys cheap models only. "
        "Choose a cheaper one, or see under Billing until when."
    ): (Code.TRIAL_MODEL,),
    _("The cost limit that the request itself set was reached."): (Code.COST_CAP,),
    _("There is no such model or address here. Check its name."): (
        Code.MODEL_NOT_FOUND,
        Code.NOT_FOUND,
        Code.METHOD_NOT_ALLOWED,
    ),
    _("The request did not arrive, or its answer was not read, in time. Check the connection."): (
        Code.REQUEST_TIMEOUT,
        Code.SLOW_READER,
    ),
    _("The same idempotency key came with another request."): (Code.IDEMPOTENCY_CONFLICT,),
    _("The request is too large. Make it smaller."): (
        Code.BODY_TOO_LARGE,
        Code.HEADERS_TOO_LARGE,
        Code.VENDOR_TOO_LARGE,
    ),
    _("The content type or encoding is not supported. Send plain JSON."): (
        Code.UNSUPPORTED_MEDIA_TYPE,
        Code.UNSUPPORTED_ENCODING,
    ),
    _("Too many requests, at once or in a minute. Wait as Retry-After says, then send again."): (
        Code.RATE_LIMITED,
        Code.CONCURRENCY,
        Code.AUTH_FAILURES,
        Code.ABANDONED_COST,
    ),
    _("We could not serve the request at that moment. Send it again."): (
        Code.OVERLOADED,
        Code.MONEY_UNAVAILABLE,
        Code.DATABASE_UNAVAILABLE,
        Code.SERVER_RESTARTING,
        Code.NO_ENDPOINT,
        Code.DEADLINE,
        Code.INTERNAL,
    ),
    _("The conversation is longer than the model can read. Shorten it."): (Code.CONTEXT_LENGTH,),
    _("The vendor could not use an image. Check its format, size and address."): (
        Code.INVALID_IMAGE,
        Code.UNSUPPORTED_IMAGE,
        Code.IMAGE_TOO_LARGE,
        Code.IMAGE_DOWNLOAD,
    ),
    _("The vendor refused the content by its own policy."): (Code.CONTENT_POLICY,),
    _("The vendor refused the request. The message of the answer says why."): (
        Code.VENDOR_REFUSED,
    ),
    _("The vendor failed, not you. Send the request again."): (
        Code.UPSTREAM_AUTH,
        Code.UPSTREAM_MODEL,
        Code.UPSTREAM_RATE_LIMIT,
        Code.UPSTREAM_OVERLOADED,
        Code.UPSTREAM_TIMEOUT,
        Code.UPSTREAM_CONNECT,
        Code.UPSTREAM_INVALID,
        Code.UPSTREAM_ERROR,
        Code.STREAM_INTERRUPTED,
    ),
}
_FAILURE_BY_CODE = {code.value: words for words, codes in FAILURES.items() for code in codes}


def failure(error_code: str | None) -> Words:
    """Say what an error code means and what to do; empty for none, or one from the future."""
    return _FAILURE_BY_CODE.get(error_code or "", "")


def jurisdiction(code: str) -> Words:
    """Name the place of a vendor: a country, or what stands for one."""
    return _PLACES.get(code) or countries.name(code)
