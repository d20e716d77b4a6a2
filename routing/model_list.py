"""Searching, sorting and paging the models that a caller can reach."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from accounts.keys import Caller
from billing.usage import UnitClass
from routing import catalogue, model_sheets, planner, query_fields
from routing.model_sheets import Sheet
from routing.query_fields import Query

LIMIT_MAX = 1_000
LIMIT = 500
ALL = "all"
# By OpenRouter's words; what else it sorts by (speed, popularity, scores) is not known here.
SORTS: Mapping[str, Callable[[Sheet], int]] = {
    "pricing-low-to-high": lambda s: s.price(UnitClass.INPUT) + s.price(UnitClass.OUTPUT),
    "pricing-high-to-low": lambda s: -s.price(UnitClass.INPUT) - s.price(UnitClass.OUTPUT),
    "context-high-to-low": lambda s: -(s.context_tokens_max or 0),
    "newest": lambda s: -s.model.created,
}
PAGING = frozenset({"offset", "limit"})
FILTERS = frozenset(
    {
        "q",
        "supported_parameters",
        "input_modalities",
        "output_modalities",
        "model_authors",
        "providers",
        "context",
        "min_price",
        "max_price",
        "min_output_price",
        "max_output_price",
        "sort",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which models are asked for; each empty value means all of them."""

    words: str = ""
    parameters: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    context_tokens_min: int = 0
    # nUSD for a million tokens: input, output.
    price_min: tuple[int | None, int | None] = (None, None)
    price_max: tuple[int | None, int | None] = (None, None)
    sort: str = ""

    @classmethod
    def read(cls, query: Query) -> "Filters":
        """Read a URL's query. Raises: RelayError (400) naming the parameter."""
        # OpenRouter lists what answers in text unless asked for more (2026-08).
        outputs = query_fields.words(query, "output_modalities") or frozenset({"text"})
        return cls(
            words=query.get("q", "").strip().lower(),
            parameters=query_fields.words(query, "supported_parameters"),
            inputs=query_fields.words(query, "input_modalities"),
            outputs=frozenset() if ALL in outputs else outputs,
            authors=query_fields.words(query, "model_authors"),
            providers=frozenset(w.lower() for w in query_fields.words(query, "providers")),
            context_tokens_min=query_fields.integer(query, "context", at_least=1) or 0,
            price_min=_range(query, "min"),
            price_max=_range(query, "max"),
            sort=query_fields.choice(query, "sort", SORTS),
        )

    def pass_(self, sheet: Sheet) -> bool:
        """Tell whether a model is among those asked for."""
        return self._is_named(sheet) and self._is_able(sheet) and self._is_priced(sheet)

    def _is_named(self, sheet: Sheet) -> bool:
        model = sheet.model
        text = f"{model.slug} {model.name}".lower()
        vendors = [e.channel.vendor for e in sheet.endpoints]
        return (
            all(word in text for word in self.words.split())
            and (not self.authors or model.author in self.authors)
            and (
                not self.providers
                or any({v.slug, v.name.lower()} & self.providers for v in vendors)
            )
        )

    def _is_able(self, sheet: Sheet) -> bool:
        return (
            self.parameters.issubset(sheet.parameters)
            and self.inputs.issubset(sheet.inputs)
            and (not self.outputs or bool(self.outputs.intersection(sheet.outputs)))
            and (sheet.context_tokens_max or 0) >= self.context_tokens_min
        )

    def _is_priced(self, sheet: Sheet) -> bool:
        prices = sheet.price(UnitClass.INPUT), sheet.price(UnitClass.OUTPUT)
        over = zip(prices, self.price_min, strict=True)
        under = zip(prices, self.price_max, strict=True)
        return all(low is None or price >= low for price, low in over) and all(
            high is None or price <= high for price, high in under
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of the list is asked for."""

    offset: int = 0
    limit: int | None = None  # None: all of it

    @classmethod
    def read(cls, query: Query) -> "Page":
        """Read a URL's query. Raises: RelayError (400) naming the parameter."""
        offset = query_fields.integer(query, "offset", at_least=0)
        limit = query_fields.integer(query, "limit", at_least=1, at_most=LIMIT_MAX)
        if offset is None and limit is None:
            return cls()
        return cls(offset=offset or 0, limit=limit or LIMIT)


def reached(caller: Caller, *, at: dt.datetime) -> list[Sheet]:
    """Return the models that a caller's account can reach, by name."""
    found = []
    for model in catalogue.current().models.values():
        endpoints = planner.on_offer(model, caller=caller, at=at)
        if endpoints:
            found.append(model_sheets.sheet(model, endpoints, at=at))
    return sorted(found, key=lambda sheet: sheet.model.slug)


def chosen(sheets: Iterable[Sheet], filters: Filters) -> list[Sheet]:
    """Return those that pass, in the order that is asked for."""
    found = [sheet for sheet in sheets if filters.pass_(sheet)]
    return sorted(found, key=SORTS[filters.sort]) if filters.sort else found


def listing(sheets: list[Sheet], *, page: Page, query: Query, path: str) -> dict[str, Any]:
    """Return one page; `links.next` asks for the one after it, with the same filters."""
    end = len(sheets) if page.limit is None else page.offset + page.limit
    following = None
    if end < len(sheets):
        fields = {**query, "offset": end, "limit": page.limit}
        following = f"{path}?{urlencode(fields)}"
    return {
        "data": [sheet.item() for sheet in sheets[page.offset : end]],
        "total_count": len(sheets),
        "links": {"next": following},
    }


def _range(query: Query, end: str) -> tuple[int | None, int | None]:
    return (
        query_fields.amount(query, f"{end}_price"),
        query_fields.amount(query, f"{end}_output_price"),
    )
