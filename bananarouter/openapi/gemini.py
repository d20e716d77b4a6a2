"""Gemini's operations: generating, counting, embedding. The path names the model."""

from typing import Any

from bananarouter.openapi import schema
from bananarouter.openapi.operation import (
    EVENTS,
    JSON,
    Example,
    Kind,
    Operation,
    Operations,
    Parameter,
    Tag,
)
from bananarouter.openapi.schema import Json, array, integer, number, obj, ref, text
from routing.api import gemini

_MODEL = Parameter(
    name="model",
    place="path",
    text="`author/slug`, its slash unescaped, or the vendor's bare or dated name.",
)
_ALT = Parameter(
    name="alt",
    text="`sse`: server-sent events, as Google's SDKs ask. `json`: one array that grows.",
    schema=schema.text(enum=["json", "sse"], default="json"),
)
_PART = schema.anything("`text`, `inlineData`, `fileData`, `functionCall` ...")
_CONTENT = obj({"role": text("`user` or `model`."), "parts": array(_PART)})
_TOKENS = integer(minimum=0)
_USAGE = obj(
    {
        "promptTokenCount": _TOKENS,
        "candidatesTokenCount": _TOKENS,
        "thoughtsTokenCount": _TOKENS,
        "cachedContentTokenCount": _TOKENS,
        "totalTokenCount": _TOKENS,
    }
)
_PROMPT: Json = {
    "contents": array(_CONTENT, "The conversation so far."),
    "systemInstruction": _CONTENT,
    "tools": array(schema.anything("`functionDeclarations`, `googleSearch` ...")),
    "toolConfig": schema.anything("Whether a function must be called, and which."),
    "generationConfig": obj(
        {
            "maxOutputTokens": integer("The most that may be written.", minimum=0),
            "candidateCount": integer(minimum=1, maximum=128),
            "temperature": number(minimum=0, maximum=2),
            "topP": number(),
            "topK": number(),
            "stopSequences": array(text()),
            "responseMimeType": text(),
            "responseJsonSchema": schema.anything("The answer's schema."),
            "thinkingConfig": schema.anything("How much to reason."),
        }
    ),
}
_EMBED: Json = {
    "content": _CONTENT,
    "outputDimensionality": integer("How long the vector shall be.", minimum=1),
    "taskType": text(),
    "title": text(),
}
_VECTOR = obj({"values": array(number())}, required=("values",))

SCHEMAS: dict[str, Json] = {
    "GenerateContentRequest": obj(
        _PROMPT, required=("contents",), description="Keys may come in snake_case as well."
    ),
    "GenerateContentResponse": obj(
        {
            "candidates": array(
                obj(
                    {
                        "content": _CONTENT,
                        "finishReason": text("`STOP`, `MAX_TOKENS`, `SAFETY` ..."),
                        "index": integer(),
                    }
                )
            ),
            "usageMetadata": _USAGE,
            "modelVersion": text(),
            "responseId": text(),
            "error": schema.anything("What ended a stream, in an error's own shape."),
        }
    ),
    "CountTokensRequest": obj(
        {"contents": array(_CONTENT), "generateContentRequest": ref("GenerateContentRequest")}
    ),
    "CountTokensResponse": obj({"totalTokens": _TOKENS}, required=("totalTokens",)),
    "EmbedContentRequest": obj(_EMBED, required=("content",)),
    "EmbedContentResponse": obj({"embedding": _VECTOR}, required=("embedding",)),
    "BatchEmbedContentsRequest": obj(
        {"requests": array(obj({"model": text(), **_EMBED}, required=("content",)), minItems=1)},
        required=("requests",),
    ),
    "BatchEmbedContentsResponse": obj({"embeddings": array(_VECTOR)}, required=("embeddings",)),
}

_HELLO = [{"role": "user", "parts": [{"text": "Hello"}]}]
_BODY = {"contents": _HELLO, "generationConfig": {"maxOutputTokens": 100}}
_CALL = 'model="{model}", contents="Hello"'


def _operation(id_: str, summary: str, kind: Kind, **told: Any) -> dict[str, Operation]:
    """Return the one method of an operation."""
    parameters = (_MODEL, *told.pop("parameters", ()))
    operation = Operation(
        id=id_, tag=Tag.GEMINI, kind=kind, summary=summary, parameters=parameters, **told
    )
    return {"post": operation}


# The views by their operation, since the URLs hold them made up (`as_view`).
_VIEWS = {name: view.cls for name, view in gemini.OPERATIONS.items()}

OPERATIONS: Operations = {
    _VIEWS["generateContent"]: _operation(
        "generateContent",
        "Generate",
        Kind.RELAYED,
        text="Answers a conversation. Every model takes it, whatever its vendor speaks.",
        request={JSON: ref("GenerateContentRequest")},
        answers={JSON: ref("GenerateContentResponse")},
        examples=(
            Example(
                name="generate",
                summary="A whole answer",
                model="text",
                body=_BODY,
                path={"model": "{model}"},
                sdk=f"client.models.generate_content({_CALL})",
            ),
        ),
    ),
    _VIEWS["streamGenerateContent"]: _operation(
        "streamGenerateContent",
        "Generate, as a stream",
        Kind.RELAYED,
        text="With `?alt=sse` server-sent events, without it one JSON array that grows.",
        parameters=(_ALT,),
        request={JSON: ref("GenerateContentRequest")},
        answers={
            EVENTS: ref("GenerateContentResponse"),
            JSON: array(ref("GenerateContentResponse")),
        },
        examples=(
            Example(
                name="stream",
                summary="Server-sent events",
                model="text",
                body=_BODY,
                path={"model": "{model}"},
                query={"alt": "sse"},
                sdk=f"client.models.generate_content_stream({_CALL})",
            ),
            Example(
                name="array",
                summary="One array that grows",
                model="text",
                body=_BODY,
                path={"model": "{model}"},
            ),
        ),
    ),
    _VIEWS["countTokens"]: _operation(
        "countTokens",
        "Count tokens",
        Kind.COUNT,
        text="Free of charge, for every model. `X-Token-Count` tells whose count it is.",
        request={JSON: ref("CountTokensRequest")},
        answers={JSON: ref("CountTokensResponse")},
        answer_text="The number of tokens.",
        examples=(
            Example(
                name="count",
                summary="A conversation counted",
                model="text",
                body={"contents": _HELLO},
                path={"model": "{model}"},
                sdk=f"client.models.count_tokens({_CALL})",
            ),
        ),
    ),
    _VIEWS["embedContent"]: _operation(
        "embedContent",
        "Embedding",
        Kind.RELAYED,
        text="Models of OpenAI's protocol answer as well.",
        request={JSON: ref("EmbedContentRequest")},
        answers={JSON: ref("EmbedContentResponse")},
        answer_text="The vector.",
        examples=(
            Example(
                name="embedding",
                summary="A text",
                model="gemini_embed",
                body={"content": {"parts": [{"text": "a banana"}]}},
                path={"model": "{model}"},
            ),
        ),
    ),
    _VIEWS["batchEmbedContents"]: _operation(
        "batchEmbedContents",
        "Embeddings",
        Kind.RELAYED,
        text="Models of OpenAI's protocol answer as well.",
        request={JSON: ref("BatchEmbedContentsRequest")},
        answers={JSON: ref("BatchEmbedContentsResponse")},
        answer_text="A vector for each request.",
        examples=(
            Example(
                name="embeddings",
                summary="Two texts",
                model="gemini_embed",
                body={
                    "requests": [
                        {"model": "models/{model}", "content": {"parts": [{"text": words}]}}
                        for words in ("a banana", "a yellow fruit")
                    ]
                },
                path={"model": "{model}"},
                sdk='client.models.embed_content(\n    model="{model}", '
                'contents=["a banana", "a yellow fruit"]\n)',
            ),
        ),
    ),
}
