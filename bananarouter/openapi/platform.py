"""Our own records under /api/v1: the key that asks, the account's credit, one request."""

from bananarouter.openapi import schema
from bananarouter.openapi.operation import (
    JSON,
    Example,
    Kind,
    Operation,
    Operations,
    Parameter,
    Tag,
)
from bananarouter.openapi.schema import Json, flag, integer, maybe, number, obj, ref, text
from routing.api import account

_USD = number("US dollars.")
_EXACT = text("US dollars, exactly.", pattern=r"^-?[0-9]+(\.[0-9]+)?$")
_TOKENS = integer(minimum=0)

SCHEMAS: dict[str, Json] = {
    "Key": obj(
        {
            "label": text("Its name and its last four characters."),
            "limit": maybe(number("US dollars in total; null: none.")),
            "limit_remaining": maybe(_USD),
            "limit_reset": {"type": "null", "description": "A limit never starts over."},
            "usage": _USD,
            "usage_daily": _USD,
            "usage_weekly": _USD,
            "usage_monthly": _USD,
            "is_free_tier": flag("Whether the account may use demo models only."),
            "is_management_key": flag(),
            "expires_at": maybe(text(format="date-time")),
        },
        required=("label", "limit", "limit_remaining", "usage", "expires_at"),
    ),
    "Credits": obj(
        {
            "total_credits": number("All that was ever put in, in US dollars."),
            "total_usage": number("All that was ever charged, in US dollars."),
            "balance": {**_EXACT, "description": "What can be spent now, exactly."},
            "in_flight": {**_EXACT, "description": "What is held for running requests, exactly."},
        },
        required=("total_credits", "total_usage", "balance", "in_flight"),
    ),
    "Generation": obj(
        {
            "id": text(pattern="^gen-[0-9a-f]{32}$"),
            "model": maybe(text()),
            "provider_name": maybe(text()),
            "created_at": text(format="date-time"),
            "streamed": flag(),
            "status": integer("The HTTP status of the answer."),
            "finish_reason": maybe(text()),
            "error_code": maybe(schema.ref("ErrorCode")),
            "tokens_prompt": _TOKENS,
            "tokens_completion": _TOKENS,
            "native_tokens_reasoning": _TOKENS,
            "native_tokens_cached": _TOKENS,
            "is_estimated": flag("Whether we counted, for want of the vendor's count."),
            "total_cost": _USD,
            "cost_usd": _EXACT,
            "latency": maybe(integer("Milliseconds to the first byte.")),
            "generation_time": maybe(integer("Milliseconds in all.")),
        },
        required=("id", "status", "total_cost", "cost_usd", "created_at"),
    ),
}


def data_of(name: str) -> Json:
    """Describe `{"data": ...}`."""
    return obj({"data": ref(name)}, required=("data",))


OPERATIONS: Operations = {
    account.Key: {
        "get": Operation(
            id="getKey",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="The key that asks",
            answers={JSON: data_of("Key")},
            answer_text="Its label, limit and usage.",
            examples=(Example(name="key", summary="The key that asks"),),
        )
    },
    account.Credits: {
        "get": Operation(
            id="getCredits",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="The account's credit",
            answers={JSON: data_of("Credits")},
            answer_text="Credit, usage and what is left.",
            examples=(Example(name="credits", summary="The account's credit"),),
        )
    },
    account.Generation: {
        "get": Operation(
            id="getGeneration",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="One request",
            text="Its record appears within a second and is kept 30 days.",
            parameters=(
                Parameter(
                    name="id",
                    is_required=True,
                    text="A generation id, as in the header `X-Generation-Id`.",
                ),
            ),
            answers={JSON: data_of("Generation")},
            answer_text="The record of the request.",
            more_errors=(400, 404),
            examples=(
                Example(
                    name="generation",
                    summary="What a request cost",
                    query={"id": "{generation}"},
                ),
            ),
        )
    },
}
