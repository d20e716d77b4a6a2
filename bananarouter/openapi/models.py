"""The lists of models, in the shape of the protocol that asks."""

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
from bananarouter.openapi.schema import Json, array, flag, integer, maybe, obj, ref, text
from routing.api import models
from routing.api.models import ANTHROPIC_PAGE, GEMINI_PAGE, PAGE_MAX

_SHAPES = (
    "Under /v1beta, and where the key comes as `x-goog-api-key`, the shape is Gemini's; with an "
    "`anthropic-version` header it is Anthropic's; else OpenAI's."
)
_TOKENS = maybe(integer(minimum=0))

SCHEMAS: dict[str, Json] = {
    "OpenAIModel": obj(
        {
            "id": text("`author/slug`."),
            "object": text(const="model"),
            "created": integer("Seconds since 1970."),
            "owned_by": text("The author."),
            "shutdown_date": maybe(text("The day (UTC) on which it ends.", format="date")),
        },
        required=("id", "object", "created", "owned_by"),
    ),
    "AnthropicModel": obj(
        {
            "type": text(const="model"),
            "id": text(),
            "display_name": text(),
            "created_at": text(format="date-time"),
            "max_input_tokens": _TOKENS,
            "max_tokens": _TOKENS,
        },
        required=("type", "id", "display_name", "created_at"),
    ),
    "GeminiModel": obj(
        {
            "name": text(pattern="^models/"),
            "baseModelId": text(),
            "version": text(),
            "displayName": text(),
            "supportedGenerationMethods": array(text()),
            "inputTokenLimit": integer(),
            "outputTokenLimit": integer(),
        },
        required=("name", "displayName", "supportedGenerationMethods"),
    ),
    "OpenAIModels": obj(
        {"object": text(const="list"), "data": array(ref("OpenAIModel"))},
        required=("object", "data"),
    ),
    "AnthropicModels": obj(
        {
            "data": array(ref("AnthropicModel")),
            "has_more": flag(),
            "first_id": maybe(text()),
            "last_id": maybe(text()),
        },
        required=("data", "has_more", "first_id", "last_id"),
    ),
    "GeminiModels": obj(
        {"models": array(ref("GeminiModel")), "nextPageToken": text()}, required=("models",)
    ),
}


def _page(name: str, words: str, default: int) -> Parameter:
    return Parameter(
        name=name,
        text=words,
        schema=schema.integer(minimum=1, maximum=PAGE_MAX, default=default),
    )


OPERATIONS: Operations = {
    models.Models: {
        "get": Operation(
            id="listModels",
            tag=Tag.MODELS,
            kind=Kind.LIST,
            summary="Models of your key",
            text=_SHAPES,
            parameters=(
                _page("limit", "Anthropic's shape: how many.", ANTHROPIC_PAGE),
                Parameter(name="after_id", text="Anthropic's shape: those after this one."),
                Parameter(name="before_id", text="Anthropic's shape: those before this one."),
                _page("pageSize", "Gemini's shape: how many.", GEMINI_PAGE),
                Parameter(name="pageToken", text="Gemini's shape: `nextPageToken` of the last."),
            ),
            answers={
                JSON: schema.either(
                    ref("OpenAIModels"), ref("AnthropicModels"), ref("GeminiModels")
                )
            },
            answer_text="The models that this key may use, by name.",
            examples=(
                Example(name="models", summary="OpenAI's shape", sdk="client.models.list"),
                Example(
                    name="anthropic",
                    summary="Anthropic's shape",
                    headers={"anthropic-version": "2023-06-01"},
                    query={"limit": "5"},
                ),
            ),
        )
    },
    models.OneModel: {
        "get": Operation(
            id="getModel",
            tag=Tag.MODELS,
            kind=Kind.LIST,
            summary="One model",
            text=_SHAPES,
            parameters=(
                Parameter(
                    name="name",
                    place="path",
                    text="Any of the model's names; the slash of `author/slug` unescaped.",
                ),
            ),
            answers={
                JSON: schema.either(ref("OpenAIModel"), ref("AnthropicModel"), ref("GeminiModel"))
            },
            answer_text="The model.",
            more_errors=(404,),
            examples=(
                Example(
                    name="model",
                    summary="OpenAI's shape",
                    model="text",
                    path={"name": "{model}"},
                    sdk='client.models.retrieve("{model}")',
                ),
            ),
        )
    },
}
