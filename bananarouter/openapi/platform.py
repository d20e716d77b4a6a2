"""Our own records under /api/v1: keys, credit, requests, activity, estimates."""

from bananarouter.openapi import schema
from bananarouter.openapi.key_fields import KEY_FIELDS, KEY_NEEDED, LIMIT, NAME, RESET
from bananarouter.openapi.operation import (
    JSON,
    Example,
    Kind,
    Operation,
    Operations,
    Parameter,
    Tag,
)
from bananarouter.openapi.schema import Json, array, flag, integer, maybe, number, obj, ref, text
from routing.api import account, keys
from routing.api import estimate as estimate_api

EXACT = text("US dollars, exactly.", pattern=r"^-?[0-9]+(\.[0-9]+)?$")
_USD = number("US dollars.")
_TOKENS = integer(minimum=0)
_PRICE = maybe(
    obj(
        {"min": EXACT, "max": EXACT, "currency": text(const="USD")},
        required=("min", "max", "currency"),
        description="From a prompt in the cache without an answer to the most that is held.",
    )
)
_ENDPOINT: Json = {
    "endpoint_id": text(),
    "provider_name": text(),
    "jurisdiction": text(),
    "protocol": text(),
}

SCHEMAS: dict[str, Json] = {
    "Key": obj(
        {
            **KEY_FIELDS,
            "is_free_tier": flag("Whether the account may use demo models only."),
            "is_management_key": flag(),
            "rate_limit": obj({"requests": integer(), "interval": text(), "note": text()}),
        },
        required=(*KEY_NEEDED, "is_management_key"),
    ),
    "ManagedKey": obj(
        {
            "hash": text("Names the key, and verifies nothing."),
            "name": text(),
            "disabled": flag(),
            "created_at": text(format="date-time"),
            **KEY_FIELDS,
        },
        required=("hash", "name", "disabled", "created_at", *KEY_NEEDED),
    ),
    "NewKeyRequest": obj(
        {
            "name": NAME,
            "limit": LIMIT,
            "expires_at": maybe(text("A moment to come, in UTC.", format="date-time")),
            "limit_reset": maybe(RESET),
        },
        required=("name",),
    ),
    "ChangeKeyRequest": obj(
        {
            "name": NAME,
            "limit": LIMIT,
            "disabled": flag("May be undone."),
            "limit_reset": maybe(RESET),
        }
    ),
    "NewKey": obj(
        {"data": ref("ManagedKey"), "key": text("The key itself: shown this once.")},
        required=("data", "key"),
    ),
    "Deleted": obj({"deleted": flag(const=True)}, required=("deleted",)),
    "Credits": obj(
        {
            "total_credits": number("All that was ever put in, in US dollars."),
            "total_usage": number("All that was ever charged, in US dollars."),
            "balance": {**EXACT, "description": "What can be spent now, exactly."},
            "in_flight": {**EXACT, "description": "What is held for running requests, exactly."},
        },
        required=("total_credits", "total_usage", "balance", "in_flight"),
    ),
    "Generation": obj(
        {
            "id": text(pattern="^gen-[0-9a-f]{32}$"),
            "model": maybe(text()),
            "provider_name": maybe(text()),
            "vendor": maybe(text()),
            "jurisdiction": maybe(text()),
            "surface": text("What was called, as the request log names it."),
            "created_at": text(format="date-time"),
            "streamed": flag(),
            "cancelled": flag("Whether you left before the end."),
            "status": integer("The HTTP status of the answer."),
            "finish_reason": maybe(text()),
            "error_code": maybe(ref("ErrorCode")),
            "tag": maybe(text("What `X-Tag` said.")),
            "end_user": maybe(
                text(
                    "A keyed hash of the end user that the body named; "
                    "the name itself is not kept.",
                    pattern="^[0-9a-f]{32}$",
                )
            ),
            "tokens_prompt": _TOKENS,
            "tokens_completion": _TOKENS,
            "native_tokens_reasoning": _TOKENS,
            "native_tokens_cached": _TOKENS,
            "is_estimated": flag("Whether we counted, for want of the vendor's count."),
            "total_cost": _USD,
            "cost_usd": EXACT,
            "charge": maybe(obj({"state": text(), "reason": maybe(text())})),
            "provider_responses": array(
                obj({"endpoint_id": text(), "outcome": maybe(text())}), "Whom we asked, in order."
            ),
            "latency": maybe(integer("Milliseconds to the first byte.")),
            "generation_time": maybe(integer("Milliseconds in all.")),
        },
        required=("id", "status", "total_cost", "cost_usd", "created_at"),
        description="What is not kept (headers of yours, the vendor's own id) is null.",
    ),
    "ActivityRow": obj(
        {
            "date": text("A day of UTC.", format="date"),
            "model": maybe(text()),
            "endpoint_id": text(),
            "provider_name": maybe(text()),
            "requests": integer(),
            "usage": _USD,
            "usage_usd": EXACT,
            "prompt_tokens": _TOKENS,
            "completion_tokens": _TOKENS,
            "reasoning_tokens": _TOKENS,
        },
        required=("date", "endpoint_id", "requests", "usage", "usage_usd"),
    ),
    "Estimate": obj(
        {
            "model": text(),
            "price": _PRICE,
            "prompt_tokens": _TOKENS,
            "endpoints": array(
                obj(
                    {
                        **_ENDPOINT,
                        "price": _PRICE,
                        "prompt_tokens_max": _TOKENS,
                        "completion_tokens_max": _TOKENS,
                    },
                    required=("endpoint_id", "price"),
                ),
                "Those that may answer.",
            ),
            "excluded": array(
                obj(
                    {**_ENDPOINT, "reason": ref("ErrorCode"), "message": text()},
                    required=("endpoint_id", "reason", "message"),
                ),
                "Those that will not be tried, and why.",
            ),
        },
        required=("model", "price", "prompt_tokens", "endpoints", "excluded"),
    ),
    "EstimateRequest": schema.either(
        ref("ChatCompletionRequest"),
        ref("CompletionRequest"),
        ref("ResponseRequest"),
        ref("EmbeddingsRequest"),
        ref("MessageRequest"),
        ref("GenerateContentRequest"),
        description="The body of the call whose price is asked for.",
    ),
}


def data_of(shape: Json) -> Json:
    """Describe `{"data": ...}`."""
    return obj({"data": shape}, required=("data",))


_HASH = Parameter(name="public_hash", place="path", text="A key's `hash`.")
_MANAGES = "For management keys, which an operator makes."
_ONE_KEY = {"public_hash": "{hash}"}

OPERATIONS: Operations = {
    account.Key: {
        "get": Operation(
            id="getKey",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="The key that asks",
            answers={JSON: data_of(ref("Key"))},
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
            answers={JSON: data_of(ref("Credits"))},
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
            answers={JSON: data_of(ref("Generation"))},
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
    account.Activity: {
        "get": Operation(
            id="getActivity",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="Activity",
            text="What was billed in 30 days, today included: a row for each day, model and "
            "endpoint. The sums agree with the ledger.",
            parameters=(
                Parameter(name="date", text="One day of UTC.", schema=text(format="date")),
                Parameter(name="api_key_hash", text="One key's requests, by its `hash`."),
            ),
            answers={JSON: data_of(array(ref("ActivityRow")))},
            answer_text="The rows, the latest day first.",
            more_errors=(400, 404),
            examples=(Example(name="activity", summary="All days"),),
        )
    },
    estimate_api.Estimate: {
        "post": Operation(
            id="estimate",
            tag=Tag.PLATFORM,
            kind=Kind.ESTIMATE,
            summary="Price of a request",
            text="Takes the body of a call under /api/v1 and sends, holds and charges nothing. "
            "It counts as a request for the limits of rate.",
            parameters=(
                Parameter(
                    name="surface",
                    text="What would be called.",
                    schema=text(
                        enum=[surface.value for surface in estimate_api.SURFACES], default="chat"
                    ),
                ),
                Parameter(name="model", text="For `surface=generate`, whose body names none."),
            ),
            request={JSON: ref("EstimateRequest")},
            answers={JSON: data_of(ref("Estimate"))},
            answer_text="What the call would cost, and at which endpoints.",
            examples=(
                Example(
                    name="estimate",
                    summary="A chat completion",
                    model="text",
                    body={
                        "model": "{model}",
                        "messages": [{"role": "user", "content": "Hello"}],
                        "max_tokens": 100,
                    },
                ),
            ),
        )
    },
    keys.Keys: {
        "get": Operation(
            id="listKeys",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="Keys",
            text=_MANAGES,
            parameters=(
                Parameter(
                    name="offset",
                    text="How many to pass over.",
                    schema=integer(minimum=0, default=0),
                ),
                Parameter(
                    name="include_disabled",
                    text="Disabled ones too.",
                    schema=text(enum=["true", "false"], default="false"),
                ),
            ),
            answers={JSON: data_of(array(ref("ManagedKey")))},
            answer_text="100 ordinary keys of the account, the newest first.",
            more_errors=(400,),
            examples=(Example(name="keys", summary="The account's keys"),),
        ),
        "post": Operation(
            id="createKey",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="Make a key",
            text=_MANAGES,
            request={JSON: ref("NewKeyRequest")},
            status=201,
            answers={JSON: ref("NewKey")},
            answer_text="The key, and its text this once.",
            more_errors=(400, 413, 415),
            examples=(
                Example(
                    name="create",
                    summary="A key with a limit of 5 dollars a day",
                    body={"name": "laptop", "limit": 5, "limit_reset": "daily"},
                ),
            ),
        ),
    },
    keys.OneKey: {
        "get": Operation(
            id="getManagedKey",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="One key",
            text=_MANAGES,
            parameters=(_HASH,),
            answers={JSON: data_of(ref("ManagedKey"))},
            answer_text="The key.",
            more_errors=(404,),
            examples=(Example(name="key", summary="One key", path=_ONE_KEY),),
        ),
        "patch": Operation(
            id="changeKey",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="Change a key",
            text=f"{_MANAGES} Holds on every worker within a second.",
            parameters=(_HASH,),
            request={JSON: ref("ChangeKeyRequest")},
            answers={JSON: data_of(ref("ManagedKey"))},
            answer_text="The key as it is now.",
            more_errors=(400, 404, 413, 415),
            examples=(
                Example(
                    name="disable",
                    summary="A key disabled",
                    path=_ONE_KEY,
                    body={"disabled": True},
                ),
            ),
        ),
        "delete": Operation(
            id="deleteKey",
            tag=Tag.PLATFORM,
            kind=Kind.PLATFORM,
            summary="Revoke a key",
            text=f"{_MANAGES} Holds on every worker within a second, for good.",
            parameters=(_HASH,),
            answers={JSON: ref("Deleted")},
            answer_text="It is revoked.",
            more_errors=(404,),
            examples=(Example(name="delete", summary="A key revoked", path=_ONE_KEY),),
        ),
    },
}
