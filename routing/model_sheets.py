"""What is known of models, endpoints and vendors, in OpenRouter's shapes (read 2026-08).

Unknown is null, or left out of a list: nothing is guessed. What goes in and comes out of a model
is told by its prices, since nothing is served without one, and by its vendor's file.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from billing import rates
from billing.pricing import STANDARD, RateCard
from billing.usage import UnitClass
from routing import price_tags
from routing.catalogue import Endpoint, Model
from routing.vendor_files import STATED, Abilities, Vendor

IN_SERVICE = 0  # OpenRouter's EndpointStatus: what is listed here can be called
_INPUTS: Mapping[str, tuple[UnitClass, ...]] = {
    "text": (UnitClass.INPUT, UnitClass.CHARACTERS, UnitClass.SEARCH_UNIT),
    "audio": (UnitClass.AUDIO_INPUT, UnitClass.AUDIO_DURATION),
}
_OUTPUTS: Mapping[str, tuple[UnitClass, ...]] = {
    "text": (UnitClass.OUTPUT,),
    "image": (UnitClass.IMAGE, UnitClass.IMAGE_OUTPUT),
    "audio": (UnitClass.AUDIO_OUTPUT,),
    "speech": (UnitClass.CHARACTERS,),
    "transcription": (UnitClass.AUDIO_DURATION,),
    "rerank": (UnitClass.SEARCH_UNIT,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A model with the endpoints that can answer a caller, best first (at least one)."""

    model: Model
    endpoints: tuple[Endpoint, ...]
    cards: tuple[RateCard, ...]  # of each endpoint, now

    @property
    def context_tokens_max(self) -> int | None:
        """The largest window over the endpoints."""
        known = [e.context_tokens_max for e in self.endpoints if e.context_tokens_max is not None]
        return max(known, default=None)

    @property
    def inputs(self) -> list[str]:
        """What may go in, as far as prices and vendor files tell."""
        stated = [name for e in self.endpoints for name in _abilities(e).inputs]
        return list(dict.fromkeys([*_modalities(_INPUTS, self.cards), *stated]))

    @property
    def outputs(self) -> list[str]:
        """What comes out; a model of which only input is paid for makes vectors.

        What is free of charge tells nothing.
        """
        found = _modalities(_OUTPUTS, self.cards)
        return found or (["embeddings"] if self.price(UnitClass.INPUT) else [])

    @property
    def parameters(self) -> list[str]:
        """The parameters that some endpoint is known to take."""
        pairs = zip(self.endpoints, self.cards, strict=True)
        return sorted({name for endpoint, card in pairs for name in _parameters(endpoint, card)})

    def price(self, unit_class: UnitClass) -> int:
        """Return what a million tokens cost at the first endpoint, in nUSD."""
        return price_tags.per_mtok_nusd(self.cards[0], unit_class)

    def item(self) -> dict[str, Any]:
        """Return the model as GET /models lists it."""
        model, top = self.model, self.endpoints[0]
        return {
            "id": model.slug,
            "canonical_slug": model.slug,
            "hugging_face_id": None,
            "name": model.name,
            "created": model.created,
            "description": None,
            "context_length": self.context_tokens_max,
            "architecture": self.architecture(),
            "pricing": price_tags.pricing(self.cards[0]),
            "top_provider": {
                "context_length": top.context_tokens_max,
                "max_completion_tokens": top.output_tokens_max,
                "is_moderated": None,
            },
            "per_request_limits": None,
            "supported_parameters": self.parameters,
            "default_parameters": None,
            "supported_voices": None,
            "knowledge_cutoff": None,
            "expiration_date": model.shutdown_date,
            "links": {"details": f"/api/v1/models/{model.slug}/endpoints"},
        }

    def listing(self) -> dict[str, Any]:
        """Return the model with each of its endpoints."""
        pairs = zip(self.endpoints, self.cards, strict=True)
        return {
            "id": self.model.slug,
            "name": self.model.name,
            "created": self.model.created,
            "description": None,
            "architecture": self.architecture(),
            "endpoints": [self._endpoint(endpoint, card) for endpoint, card in pairs],
        }

    def architecture(self) -> dict[str, Any]:
        """Return what goes in and comes out."""
        return {
            "modality": f"{'+'.join(self.inputs)}->{'+'.join(self.outputs)}"
            if self.outputs
            else None,
            "input_modalities": self.inputs,
            "output_modalities": self.outputs,
            "tokenizer": None,
            "instruct_type": None,
        }

    def _endpoint(self, endpoint: Endpoint, card: RateCard) -> dict[str, Any]:
        channel = endpoint.channel
        return {
            "name": f"{channel.vendor.name} | {self.model.slug}",
            "model_id": self.model.slug,
            "model_name": self.model.name,
            "provider_name": channel.vendor.name,
            "tag": channel.vendor.slug,
            "jurisdiction": channel.jurisdiction,
            "protocol": channel.family.value,
            "quantization": None,
            "context_length": endpoint.context_tokens_max,
            "max_completion_tokens": endpoint.output_tokens_max,
            "max_prompt_tokens": None,
            "pricing": price_tags.pricing(card),
            "supported_parameters": _parameters(endpoint, card),
            "supports_implicit_caching": None,
            "status": IN_SERVICE,
            "uptime_last_5m": None,
            "uptime_last_30m": None,
            "uptime_last_1d": None,
            "latency_last_30m": None,
            "throughput_last_30m": None,
        }


def sheet(model: Model, endpoints: tuple[Endpoint, ...], *, at: dt.datetime) -> Sheet:
    """Return a model's sheet over endpoints that have a price then. Raises: NoCard."""
    cards = tuple(rates.card_for(endpoint.slug, at=at) for endpoint in endpoints)
    return Sheet(model=model, endpoints=endpoints, cards=cards)


def provider(vendor: Vendor) -> dict[str, Any]:
    """Return what a vendor's file tells, in the shape of GET /providers."""
    return {
        "name": vendor.name,
        "slug": vendor.slug,
        "privacy_policy_url": _page(vendor.privacy_url),
        "terms_of_service_url": _page(vendor.terms_url),
        "status_page_url": None,
        # The files tell whose law holds, which need not be where the head office is.
        "headquarters": None,
        "datacenters": None,
        "jurisdiction": None if vendor.jurisdiction in STATED else vendor.jurisdiction,
        "trains": vendor.trains,
        "retention": vendor.retention,
        "reviewed_on": vendor.reviewed_on.isoformat(),
    }


def _page(url: str) -> str | None:
    return None if url in STATED else url


def _modalities(names: Mapping[str, tuple[UnitClass, ...]], cards: Iterable[RateCard]) -> list[str]:
    priced = {unit_class for card in cards for unit_class, tier in card.rates if tier == STANDARD}
    return [name for name, classes in names.items() if priced.intersection(classes)]


def _parameters(endpoint: Endpoint, card: RateCard) -> list[str]:
    """Tell what the vendor's file states, and what our billing vouches for."""
    found = set(_abilities(endpoint).parameters)
    if (UnitClass.OUTPUT, STANDARD) in card.rates:
        found.add("max_tokens")
    if (UnitClass.WEB_SEARCH, STANDARD) in card.rates:
        found.add("web_search_options")
    return sorted(found)


def _abilities(endpoint: Endpoint) -> Abilities:
    return endpoint.channel.vendor.abilities_of(endpoint.upstream_name)
