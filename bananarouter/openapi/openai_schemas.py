"""Shapes of OpenAI's protocol: chat, completions, Responses, embeddings."""

from bananarouter.openapi import schema
from bananarouter.openapi.schema import Json, array, flag, integer, maybe, number, obj, ref, text

MODEL = text(
    "`author/slug`, or the vendor's bare or dated name. `GET /v1/models` lists those of your key.",
    examples=["openai/gpt-5-mini"],
)
STREAM = flag("Answer in server-sent events.", default=False)
PROVIDER = obj(
    {
        "require_parameters": flag(
            "Refuse what the vendor has no word for instead of dropping it.", default=False
        )
    },
    description="How to choose among vendors.",
)
_TIER = maybe(text("A tier that has a rate; another is refused with `unpriced`."))
_TEXT_OR_PARTS = schema.either(
    text(),
    array(
        obj(
            {
                "type": text("`text`, `image_url`, `input_audio`, `file` and others."),
                "text": text(),
                "image_url": obj({"url": text("A data URL or a link."), "detail": text()}),
            },
            required=("type",),
        )
    ),
    {"type": "null"},
    description="A text, or parts: text, pictures, sound, documents.",
)
_CALLS = array(
    obj(
        {
            "id": text(),
            "type": text("`function` or `custom`."),
            "function": obj({"name": text(), "arguments": text("JSON, as text.")}),
        }
    )
)
_TOKENS = integer(minimum=0)
COST = number("What was charged, in US dollars; by translation, and under /api/v1.")
CHAT_USAGE = obj(
    {
        "prompt_tokens": _TOKENS,
        "completion_tokens": _TOKENS,
        "total_tokens": _TOKENS,
        "cost": COST,
        "prompt_tokens_details": maybe(obj({"cached_tokens": _TOKENS})),
        "completion_tokens_details": maybe(obj({"reasoning_tokens": _TOKENS})),
    },
    required=("prompt_tokens", "total_tokens"),
)
_FINISH = maybe(text("`stop`, `length`, `tool_calls`, `content_filter`; `error` ends a stream."))

_SAMPLING: Json = {
    "temperature": maybe(number(minimum=0, maximum=2)),
    "top_p": maybe(number(minimum=0, maximum=1)),
    "n": maybe(integer("Answers to the same request.", minimum=1, maximum=128)),
    "seed": maybe(integer()),
    "stop": schema.either(text(), array(text()), {"type": "null"}),
    "presence_penalty": maybe(number()),
    "frequency_penalty": maybe(number()),
    "user": text(),
    "service_tier": _TIER,
    "provider": PROVIDER,
}

CHAT: dict[str, Json] = {
    "ChatCompletionRequest": obj(
        {
            "model": MODEL,
            "messages": array(
                obj(
                    {
                        "role": text("`system`, `developer`, `user`, `assistant` or `tool`."),
                        "content": _TEXT_OR_PARTS,
                        "tool_calls": _CALLS,
                        "tool_call_id": text(),
                    },
                    required=("role",),
                ),
                "The conversation so far.",
                minItems=1,
            ),
            "stream": STREAM,
            "stream_options": obj(
                {"include_usage": flag("Send a last chunk with the usage.", default=False)}
            ),
            "max_completion_tokens": maybe(integer("The most that may be written.", minimum=0)),
            "max_tokens": maybe(integer("The older name of the same.", minimum=0)),
            "tools": array(
                obj(
                    {
                        "type": text("`function` or `custom`: tools that you run."),
                        "function": obj(
                            {
                                "name": text(),
                                "description": text(),
                                "parameters": schema.anything("A JSON schema."),
                                "strict": maybe(flag()),
                            },
                            required=("name",),
                        ),
                    }
                )
            ),
            "tool_choice": schema.either(text(), schema.anything("The tool to call.")),
            "parallel_tool_calls": flag(),
            "response_format": obj(
                {"type": text("`text`, `json_object` or `json_schema`.")}, required=("type",)
            ),
            "reasoning_effort": maybe(text("How much to reason: `low`, `medium`, `high` ...")),
            "web_search_options": schema.anything("Search the web, where it has a price."),
            "logprobs": maybe(flag()),
            "top_logprobs": maybe(integer(minimum=0)),
            "store": maybe({"const": False, "description": "Nothing is stored."}),
            **_SAMPLING,
        },
        required=("model", "messages"),
    ),
    "ChatCompletion": obj(
        {
            "id": text(),
            "object": text(const="chat.completion"),
            "created": integer("Seconds since 1970."),
            "model": text(),
            "choices": array(
                obj(
                    {
                        "index": integer(),
                        "message": obj(
                            {
                                "role": text(),
                                "content": _TEXT_OR_PARTS,
                                "refusal": maybe(text()),
                                "tool_calls": _CALLS,
                            }
                        ),
                        "finish_reason": _FINISH,
                    },
                    required=("index", "message"),
                )
            ),
            "usage": CHAT_USAGE,
        },
        required=("id", "object", "created", "model", "choices"),
    ),
    "ChatCompletionChunk": obj(
        {
            "id": text(),
            "object": text(const="chat.completion.chunk"),
            "created": integer(),
            "model": text(),
            "choices": array(
                obj(
                    {
                        "index": integer(),
                        "delta": obj({"content": maybe(text()), "tool_calls": _CALLS}),
                        "finish_reason": _FINISH,
                    },
                    required=("index", "delta"),
                )
            ),
            "usage": maybe(CHAT_USAGE),
            "error": schema.anything("What ended the stream, in an error's own shape."),
        },
        required=("choices",),
        description="The data of one event. `data: [DONE]` ends a stream that is whole.",
    ),
    "CompletionRequest": obj(
        {
            "model": MODEL,
            "prompt": schema.either(
                text(),
                array(schema.either(text(), integer(), array(integer()))),
                description="The text to complete. Token numbers and lists: only where the "
                "model's vendor has this operation.",
            ),
            "stream": STREAM,
            "stream_options": obj({"include_usage": flag(default=False)}),
            "max_tokens": maybe(integer("The most that may be written.", minimum=0)),
            "logprobs": maybe(integer(minimum=0)),
            **_SAMPLING,
        },
        required=("model", "prompt"),
    ),
    "Completion": obj(
        {
            "id": text(),
            "object": text(const="text_completion"),
            "created": integer(),
            "model": text(),
            "choices": array(
                obj(
                    {"index": integer(), "text": text(), "finish_reason": _FINISH},
                    required=("index", "text"),
                )
            ),
            "usage": maybe(CHAT_USAGE),
        },
        required=("object", "choices"),
        description="Also the data of one event of a stream.",
    ),
    # What /api/v1 adds.
    "OpenRouterChatFields": obj(
        {
            "models": array(text(), "Other models to fall back on, in this order.", maxItems=10),
            "plugins": array(
                obj({"id": text("`web` searches the web.")}, required=("id",)),
            ),
        }
    ),
    "OpenRouterChoiceFields": obj(
        {
            "id": text("The generation id.", pattern="^gen-"),
            "provider": text("Who answered."),
            "choices": array(obj({"native_finish_reason": maybe(text("The vendor's word."))})),
            "usage": obj({"cost": COST, "is_byok": flag()}, required=("cost",)),
        },
        required=("id", "provider"),
    ),
    "OpenRouterCost": obj(
        {
            "usage": obj(
                {"cost": COST, "total_cost": COST, "is_byok": flag()},
                description="With the cost in it, where the vendor tells a usage.",
            )
        }
    ),
}

_RESPONSES_USAGE = obj(
    {
        "input_tokens": _TOKENS,
        "input_tokens_details": obj({"cached_tokens": _TOKENS}),
        "output_tokens": _TOKENS,
        "output_tokens_details": obj({"reasoning_tokens": _TOKENS}),
        "total_tokens": _TOKENS,
        "cost": COST,
    },
    required=("input_tokens", "output_tokens"),
)
_INPUT = schema.either(
    text(),
    array(schema.anything("A message, a call, a call's output, reasoning ...")),
    description="A text, or the items of the conversation so far: nothing is stored, so send "
    "them all.",
)
_RESPONSES_FIELDS: Json = {
    "model": MODEL,
    "input": _INPUT,
    "instructions": maybe(text("What a system message would say.")),
    "tools": array(obj({"type": text()}, required=("type",))),
    "tool_choice": schema.either(text(), schema.anything("The tool to call.")),
    "reasoning": maybe(obj({"effort": maybe(text()), "summary": maybe(text())})),
    "text": obj({"format": obj({"type": text()}), "verbosity": maybe(text())}),
}

RESPONSES: dict[str, Json] = {
    "ResponseRequest": obj(
        {
            **_RESPONSES_FIELDS,
            "stream": STREAM,
            "max_output_tokens": maybe(integer("The most that may be written.", minimum=0)),
            "temperature": maybe(number(minimum=0, maximum=2)),
            "top_p": maybe(number(minimum=0, maximum=1)),
            "parallel_tool_calls": flag(),
            "include": maybe(array(text())),
            "service_tier": _TIER,
            "store": maybe({"const": False, "description": "Nothing is stored."}),
            "background": maybe({"const": False, "description": "Nothing runs unwatched."}),
            "provider": PROVIDER,
        },
        required=("model", "input"),
    ),
    "Response": obj(
        {
            "id": text(),
            "object": text(const="response"),
            "created_at": integer(),
            "status": text("`completed`, `incomplete` or `failed`."),
            "model": text(),
            "output": array(
                obj(
                    {"type": text("`message`, `reasoning`, `function_call` ...")},
                    required=("type",),
                )
            ),
            "usage": maybe(_RESPONSES_USAGE),
        },
        required=("id", "object", "output"),
    ),
    "ResponseEvent": obj(
        {
            "type": text("`response.created`, `response.output_text.delta` ...; `error` at last."),
            "sequence_number": integer(),
            "response": ref("Response"),
        },
        required=("type",),
        description="The data of one event; the event has the same name.",
    ),
    "InputTokensRequest": obj(_RESPONSES_FIELDS, required=("model",)),
    "InputTokens": obj(
        {"object": text(const="response.input_tokens"), "input_tokens": _TOKENS},
        required=("object", "input_tokens"),
    ),
    "CompactRequest": obj(
        {"model": MODEL, "input": _INPUT, "instructions": maybe(text())},
        required=("model", "input"),
    ),
    "Compaction": obj(
        {
            "id": text(),
            "object": text(const="response.compaction"),
            "created_at": integer(),
            "output": array(obj({"type": text()}, required=("type",)), "Send these on."),
            "usage": _RESPONSES_USAGE,
        },
        required=("object", "output", "usage"),
    ),
    "EmbeddingsRequest": obj(
        {
            "model": MODEL,
            "input": schema.either(
                text(),
                array(schema.either(text(), integer(), array(integer()))),
                description="A text, several, or token numbers (of OpenAI's protocol only).",
            ),
            "dimensions": maybe(integer("How long the vectors shall be.", minimum=1)),
            "encoding_format": text(enum=["float", "base64"], default="float"),
            "user": text(),
        },
        required=("model", "input"),
    ),
    "Embeddings": obj(
        {
            "object": text(const="list"),
            "data": array(
                obj(
                    {
                        "object": text(const="embedding"),
                        "index": integer(),
                        "embedding": schema.either(array(number()), text("Base64.")),
                    },
                    required=("index", "embedding"),
                )
            ),
            "model": text(),
            "usage": obj({"prompt_tokens": _TOKENS, "total_tokens": _TOKENS, "cost": COST}),
        },
        required=("object", "data"),
    ),
}
