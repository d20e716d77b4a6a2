"""The catalogue under /api/v1, in OpenRouter's shapes: models, their endpoints, vendors."""

from collections.abc import Mapping
from typing import Any, Final

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
from bananarouter.openapi.platform import data_of
from bananarouter.openapi.schema import Json, array, integer, maybe, obj, ref, text
from routing.api import catalogue
from routing.model_list import LIMIT, LIMIT_MAX, SORTS

_TOKENS = maybe(integer(minimum=0))
_DECIMAL = text("US dollars, exactly.", pattern=r"^[0-9]+(\.[0-9]+)?$")
_PRICING = obj(
    {
        "prompt": {**_DECIMAL, "description": "A prompt token."},
        "completion": {**_DECIMAL, "description": "A token of the answer."},
        "input_cache_read": {**_DECIMAL, "description": "A prompt token, read from a cache."},
        "input_cache_write": {**_DECIMAL, "description": "A prompt token, written to a cache."},
        "overrides": array(
            obj({"min_prompt_tokens": integer()}), "What is dearer from a number of tokens on."
        ),
    },
    required=("prompt", "completion"),
    description="In US dollars for one, as text, markup included.",
)
_ARCHITECTURE = obj(
    {
        "modality": maybe(text()),
        "input_modalities": array(text()),
        "output_modalities": array(text()),
    },
    required=("input_modalities", "output_modalities"),
)

SCHEMAS: dict[str, Json] = {
    "Model": obj(
        {
            "id": text("`author/slug`."),
            "name": text(),
            "created": integer("Seconds since 1970."),
            "context_length": _TOKENS,
            "architecture": _ARCHITECTURE,
            "pricing": _PRICING,
            "top_provider": obj({"context_length": _TOKENS, "max_completion_tokens": _TOKENS}),
            "supported_parameters": array(text()),
            "expiration_date": maybe(
                text("The day (UTC) on which the model ends; null: none.", format="date")
            ),
        },
        required=(
            "id",
            "name",
            "created",
            "architecture",
            "pricing",
            "supported_parameters",
            "expiration_date",
        ),
        description="What is not known is null.",
    ),
    "Models": obj(
        {
            "data": array(ref("Model")),
            "total_count": integer("How many there are on all pages."),
            "links": obj({"next": maybe(text("The next page."))}),
        },
        required=("data", "total_count"),
    ),
    "ModelEndpoints": obj(
        {
            "id": text(),
            "name": text(),
            "endpoints": array(
                obj(
                    {
                        "name": text(),
                        "provider_name": text(),
                        "tag": text("The vendor's short name."),
                        "jurisdiction": text(),
                        "protocol": text(),
                        "context_length": _TOKENS,
                        "max_completion_tokens": _TOKENS,
                        "pricing": _PRICING,
                        "supported_parameters": array(text()),
                    },
                    required=("provider_name", "tag", "jurisdiction", "protocol", "pricing"),
                ),
                "The first is tried first.",
            ),
        },
        required=("id", "name", "endpoints"),
    ),
    "Provider": obj(
        {
            "name": text(),
            "slug": text(),
            "privacy_policy_url": maybe(text()),
            "terms_of_service_url": maybe(text()),
            "jurisdiction": maybe(text()),
            "trains": text("Whether it says that it trains on what API customers send."),
            "retention": text("What it says that it keeps."),
            "reviewed_on": text("When we read that.", format="date"),
        },
        required=("name", "slug", "trains", "retention", "reviewed_on"),
    ),
    "ModelCount": obj({"count": integer(minimum=0)}, required=("count",)),
}

_WORDS: Final[Mapping[str, str]] = {
    "q": "All of these words in the name or slug.",
    "supported_parameters": "With all of these parameters, separated by commas.",
    "input_modalities": "That take all of these.",
    "output_modalities": "That answer in one of these, or `all`; `text` unless given.",
    "model_authors": "Of one of these authors.",
    "providers": "At one of these vendors, by name or slug.",
}
_BOUNDS: Final[Mapping[str, str]] = {
    "min_price": "A million prompt tokens cost at least so many US dollars.",
    "max_price": "A million prompt tokens cost at most so many US dollars.",
    "min_output_price": "A million tokens of answers cost at least so many US dollars.",
    "max_output_price": "A million tokens of answers cost at most so many US dollars.",
}
_OUTPUTS = Parameter(name="output_modalities", text=_WORDS["output_modalities"])
PAGING: Final = (
    Parameter(name="offset", text="How many to pass over.", schema=integer(minimum=0)),
    Parameter(
        name="limit",
        text=f"How many; {LIMIT} where only `offset` is given, all where neither is.",
        schema=integer(minimum=1, maximum=LIMIT_MAX),
    ),
)
FILTERS: Final = (
    *(Parameter(name=name, text=words) for name, words in _WORDS.items()),
    Parameter(
        name="context", text="A context of at least so many tokens.", schema=integer(minimum=1)
    ),
    *(
        Parameter(name=name, text=words, schema=schema.number(minimum=0))
        for name, words in _BOUNDS.items()
    ),
    Parameter(name="sort", text="By name unless given.", schema=text(enum=sorted(SORTS))),
)
_NAME = Parameter(
    name="name",
    place="path",
    text="Any of the model's names; the slash of `author/slug` unescaped.",
)
_ONE_MODEL = {"name": "{model}"}


def _operation(id_: str, summary: str, **told: Any) -> dict[str, Operation]:
    """Return the one method of a list."""
    common: dict[str, Any] = {"tag": Tag.CATALOGUE, "kind": Kind.PLATFORM, "more_errors": (400,)}
    return {"get": Operation(id=id_, summary=summary, **{**common, **told})}


OPERATIONS: Operations = {
    catalogue.Models: _operation(
        "listCatalogue",
        "Models, with prices",
        text="What the account can reach, with prices from the rate cards in force. Prices are "
        "those of the endpoint that is tried first.",
        parameters=(*FILTERS, *PAGING),
        answers={JSON: ref("Models")},
        answer_text="The models.",
        examples=(
            Example(
                name="models",
                summary="The cheapest three",
                query={"sort": "pricing-low-to-high", "limit": "3"},
            ),
        ),
    ),
    catalogue.Count: _operation(
        "countCatalogue",
        "How many models",
        parameters=(_OUTPUTS,),
        answers={JSON: data_of(ref("ModelCount"))},
        answer_text="The number.",
        examples=(Example(name="count", summary="All models", query={"output_modalities": "all"}),),
    ),
    catalogue.UserModels: _operation(
        "listKeyModels",
        "Models of your key, with prices",
        parameters=PAGING,
        answers={JSON: ref("Models")},
        answer_text="The models that this key may use.",
        examples=(Example(name="models", summary="The models of your key"),),
    ),
    catalogue.OneModel: _operation(
        "getCatalogueModel",
        "One model, with prices",
        parameters=(_NAME,),
        answers={JSON: data_of(ref("Model"))},
        answer_text="The model.",
        more_errors=(400, 404),
        examples=(Example(name="model", summary="One model", model="text", path=_ONE_MODEL),),
    ),
    catalogue.Endpoints: _operation(
        "listEndpoints",
        "A model's endpoints",
        text="Where a model can be had: vendor, jurisdiction, protocol, prices, limits.",
        parameters=(_NAME,),
        answers={JSON: data_of(ref("ModelEndpoints"))},
        answer_text="The model with its endpoints.",
        more_errors=(400, 404),
        examples=(Example(name="endpoints", summary="One model", model="text", path=_ONE_MODEL),),
    ),
    catalogue.Providers: _operation(
        "listProviders",
        "Vendors",
        text="The vendors behind the models that the account can reach, and what they say of "
        "your data.",
        answers={JSON: data_of(array(ref("Provider")))},
        answer_text="The vendors, by name.",
        examples=(Example(name="providers", summary="All vendors"),),
    ),
}
