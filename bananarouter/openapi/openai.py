"""OpenAI's operations on text: chat, completions, Responses, embeddings."""

from bananarouter.openapi import openai_schemas
from bananarouter.openapi.operation import EVENTS, JSON, Example, Kind, Operation, Operations, Tag
from bananarouter.openapi.schema import Json, ref
from routing.api import chat, embeddings, responses

SCHEMAS: dict[str, Json] = {**openai_schemas.CHAT, **openai_schemas.RESPONSES}

_HELLO = [{"role": "user", "content": "Hello"}]
_PLATFORM_CHAT: Json = {"allOf": [ref("ChatCompletion"), ref("OpenRouterChoiceFields")]}
_PLATFORM_COMPLETION: Json = {"allOf": [ref("Completion"), ref("OpenRouterChoiceFields")]}

OPERATIONS: Operations = {
    chat.ChatCompletions: {
        "post": Operation(
            id="createChatCompletion",
            tag=Tag.OPENAI,
            kind=Kind.RELAYED,
            summary="Chat completion",
            text="Answers a conversation. Every model takes it, whatever its vendor speaks.",
            request={JSON: ref("ChatCompletionRequest")},
            answers={JSON: ref("ChatCompletion"), EVENTS: ref("ChatCompletionChunk")},
            platform_request=ref("OpenRouterChatFields"),
            platform_answers={JSON: _PLATFORM_CHAT, EVENTS: ref("ChatCompletionChunk")},
            examples=(
                Example(
                    name="chat",
                    summary="A whole answer",
                    model="text",
                    body={"model": "{model}", "messages": _HELLO, "max_tokens": 100},
                    sdk="client.chat.completions.create",
                ),
                Example(
                    name="stream",
                    summary="A stream, with its usage at the end",
                    model="text",
                    body={
                        "model": "{model}",
                        "messages": _HELLO,
                        "stream": True,
                        "stream_options": {"include_usage": True},
                    },
                    sdk="client.chat.completions.create",
                ),
            ),
        )
    },
    chat.Completions: {
        "post": Operation(
            id="createCompletion",
            tag=Tag.OPENAI,
            kind=Kind.RELAYED,
            summary="Completion (legacy)",
            text="Goes to the vendor's own operation where the model has it, else by way of "
            "chat; what only a model that continues a text can do (`suffix`, `echo`) is then "
            "refused.",
            request={JSON: ref("CompletionRequest")},
            answers={JSON: ref("Completion"), EVENTS: ref("Completion")},
            platform_answers={JSON: _PLATFORM_COMPLETION, EVENTS: ref("Completion")},
            examples=(
                Example(
                    name="completion",
                    summary="A text continued",
                    model="text",
                    body={"model": "{model}", "prompt": "A banana is", "max_tokens": 50},
                    sdk="client.completions.create",
                ),
            ),
        )
    },
    responses.Responses: {
        "post": Operation(
            id="createResponse",
            tag=Tag.OPENAI,
            kind=Kind.RELAYED,
            summary="Response",
            text="OpenAI's Responses, without anything stored: `previous_response_id`, "
            "`conversation` and `store: true` are refused. Every model takes it.",
            request={JSON: ref("ResponseRequest")},
            answers={JSON: ref("Response"), EVENTS: ref("ResponseEvent")},
            examples=(
                Example(
                    name="response",
                    summary="A whole answer",
                    model="text",
                    body={"model": "{model}", "input": "Hello", "max_output_tokens": 100},
                    sdk="client.responses.create",
                ),
                Example(
                    name="stream",
                    summary="A stream",
                    model="text",
                    body={"model": "{model}", "input": "Hello", "stream": True},
                    sdk="client.responses.create",
                ),
            ),
        )
    },
    responses.InputTokens: {
        "post": Operation(
            id="countResponseInputTokens",
            tag=Tag.OPENAI,
            kind=Kind.COUNT,
            summary="Count a response's input tokens",
            text="Free of charge, for every model. `X-Token-Count` tells whose count it is.",
            request={JSON: ref("InputTokensRequest")},
            answers={JSON: ref("InputTokens")},
            platform_answers={JSON: ref("InputTokens")},
            answer_text="The number of tokens.",
            examples=(
                Example(
                    name="count",
                    summary="A text counted",
                    model="text",
                    body={"model": "{model}", "input": "Hello"},
                    sdk="client.responses.input_tokens.count",
                ),
            ),
        )
    },
    responses.Compact: {
        "post": Operation(
            id="compactResponse",
            tag=Tag.OPENAI,
            kind=Kind.RELAYED,
            summary="Compact a conversation",
            text="Goes to vendors that offer it, which is OpenAI; models of others are refused "
            "with `wrong_protocol`.",
            request={JSON: ref("CompactRequest")},
            answers={JSON: ref("Compaction")},
            answer_text="The conversation, made shorter.",
            examples=(
                Example(
                    name="compact",
                    summary="A conversation made shorter",
                    model="text",
                    body={"model": "{model}", "input": [{"role": "user", "content": "Hello"}]},
                    sdk="client.responses.compact",
                ),
            ),
        )
    },
    embeddings.Embeddings: {
        "post": Operation(
            id="createEmbeddings",
            tag=Tag.OPENAI,
            kind=Kind.RELAYED,
            summary="Embeddings",
            text="Models of Gemini's protocol answer as well.",
            request={JSON: ref("EmbeddingsRequest")},
            answers={JSON: ref("Embeddings")},
            answer_text="A vector for each input.",
            examples=(
                Example(
                    name="embeddings",
                    summary="Two texts",
                    model="embed",
                    body={"model": "{model}", "input": ["a banana", "a yellow fruit"]},
                    sdk="client.embeddings.create",
                ),
            ),
        )
    },
}
