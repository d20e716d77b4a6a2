"""Anthropic's operations: messages and their count."""

from bananarouter.openapi import schema
from bananarouter.openapi.openai_schemas import COST, MODEL, PROVIDER, STREAM
from bananarouter.openapi.operation import EVENTS, JSON, Example, Kind, Operation, Operations, Tag
from bananarouter.openapi.schema import Json, array, integer, maybe, number, obj, ref, text
from routing.api import messages

_BLOCK = obj(
    {"type": text("`text`, `image`, `document`, `tool_use`, `tool_result`, `thinking` ...")},
    required=("type",),
)
_CONTENT = schema.either(text(), array(_BLOCK), description="A text, or blocks.")
_PROMPT: Json = {
    "model": MODEL,
    "messages": array(
        obj(
            {"role": text("`user` or `assistant`."), "content": _CONTENT},
            required=("role", "content"),
        ),
        "The conversation so far.",
        minItems=1,
    ),
    "system": _CONTENT,
    "tools": array(
        obj(
            {
                "name": text(),
                "description": text(),
                "input_schema": schema.anything("A JSON schema."),
            }
        )
    ),
    "tool_choice": schema.anything("Whether a tool must be called, and which."),
    "thinking": schema.anything("How much to reason."),
}
_TOKENS = maybe(integer(minimum=0))
_USAGE = obj(
    {
        "input_tokens": _TOKENS,
        "output_tokens": _TOKENS,
        "cache_creation_input_tokens": _TOKENS,
        "cache_read_input_tokens": _TOKENS,
        "cost": COST,
    }
)

SCHEMAS: dict[str, Json] = {
    "MessageRequest": obj(
        {
            **_PROMPT,
            "max_tokens": integer(
                "The most that may be written. Anthropic's own models want it.", minimum=0
            ),
            "stream": STREAM,
            "temperature": number(minimum=0, maximum=1),
            "top_p": number(minimum=0, maximum=1),
            "top_k": integer(minimum=0),
            "stop_sequences": array(text()),
            "metadata": schema.anything("`user_id` is replaced by a hash of your account."),
            "output_config": schema.anything("`effort`, and the `format` of the answer."),
            "service_tier": text(),
            "provider": PROVIDER,
        },
        required=("model", "messages"),
    ),
    "Message": obj(
        {
            "id": text(),
            "type": text(const="message"),
            "role": text(const="assistant"),
            "model": text(),
            "content": array(_BLOCK),
            "stop_reason": maybe(text("`end_turn`, `max_tokens`, `tool_use`, `refusal` ...")),
            "stop_sequence": maybe(text()),
            "usage": _USAGE,
        },
        required=("id", "type", "role", "content", "usage"),
    ),
    "MessageEvent": obj(
        {
            "type": text(
                "`message_start`, `content_block_delta`, `message_delta`, `message_stop`, "
                "`ping` ...; `error` at last."
            ),
            "message": obj({"id": text(), "usage": _USAGE}),
            "delta": schema.anything("What is new."),
            "usage": _USAGE,
        },
        required=("type",),
        description="The data of one event; the event has the same name.",
    ),
    "CountMessageTokensRequest": obj(_PROMPT, required=("model", "messages")),
    "MessageTokens": obj({"input_tokens": integer(minimum=0)}, required=("input_tokens",)),
}

_HELLO = [{"role": "user", "content": "Hello"}]

OPERATIONS: Operations = {
    messages.Messages: {
        "post": Operation(
            id="createMessage",
            tag=Tag.ANTHROPIC,
            kind=Kind.RELAYED,
            summary="Message",
            text="Answers a conversation. Every model takes it, whatever its vendor speaks.",
            request={JSON: ref("MessageRequest")},
            answers={JSON: ref("Message"), EVENTS: ref("MessageEvent")},
            examples=(
                Example(
                    name="message",
                    summary="A whole answer",
                    model="text",
                    body={"model": "{model}", "max_tokens": 100, "messages": _HELLO},
                    sdk="client.messages.create",
                ),
                Example(
                    name="stream",
                    summary="A stream",
                    model="text",
                    body={
                        "model": "{model}",
                        "max_tokens": 100,
                        "messages": _HELLO,
                        "stream": True,
                    },
                    sdk="client.messages.create",
                ),
            ),
        )
    },
    messages.CountTokens: {
        "post": Operation(
            id="countMessageTokens",
            tag=Tag.ANTHROPIC,
            kind=Kind.COUNT,
            summary="Count a message's tokens",
            text="Free of charge, for every model. `X-Token-Count` tells whose count it is.",
            request={JSON: ref("CountMessageTokensRequest")},
            answers={JSON: ref("MessageTokens")},
            platform_answers={JSON: ref("MessageTokens")},
            answer_text="The number of tokens.",
            examples=(
                Example(
                    name="count",
                    summary="A conversation counted",
                    model="text",
                    body={"model": "{model}", "messages": _HELLO},
                    sdk="client.messages.count_tokens",
                ),
            ),
        )
    },
}
