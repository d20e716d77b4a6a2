"""Which models are asked for: read from the URL, written back to it, applied to the shelf."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from bananarouter.pages.catalogue.offers import NO_TRAINING, Offer, Price
from billing.money import USD, BadAmount, parse_usd
from billing.usage import Unit

SEARCH_CHARS_MAX = 80
PRICE_USD_MAX = 1_000_000
PAGE_MAX = 1_000
# What a select offers; the URL takes any other number, too.
PRICES_USD = ("0.1", "0.5", "1", "3", "10")
CONTEXTS = ("8000", "32000", "128000", "200000", "1000000")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,40}").fullmatch
_COUNT = re.compile(r"[0-9]{1,12}").fullmatch

POLICIES: Mapping[str, str | Promise] = {
    "no-training": _("No training on it"),
    "30-days": _("Kept 30 days at most"),
    "not-kept": _("Not kept"),
}
SORTS: Mapping[str, str | Promise] = {
    "": _("Name"),
    "input": _("Input price"),
    "output": _("Output price"),
    "context": _("Longest context"),
    "newest": _("Newest"),
}


def _mtok(price: Price | None) -> float:
    """What sorts and ceilings compare: prices of a million tokens; all others come last."""
    return price.nusd if price is not None and price.unit is Unit.MTOK else inf


_ORDERS: Mapping[str, Callable[[Offer], Any]] = {
    "input": lambda offer: _mtok(offer.input),
    "output": lambda offer: _mtok(offer.output),
    "context": lambda offer: -(offer.context_tokens_max or 0),
    "newest": lambda offer: -offer.created,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What is asked for; each empty value means all of them."""

    search: str = ""
    vendor: str = ""
    takes: str = ""
    gives: str = ""
    price: str = ""  # US dollars for a million tokens of input
    context: str = ""
    where: str = ""
    data: str = ""
    sort: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: QueryDict) -> "Choices":
        """Read a URL's query; what makes no sense is left out."""
        page = query.get("page", "")
        return cls(
            search=" ".join(query.get("q", "").split())[:SEARCH_CHARS_MAX],
            vendor=_matching(query, "vendor", _WORD),
            takes=_matching(query, "takes", _WORD),
            gives=_matching(query, "gives", _WORD),
            price=_price(query),
            context=_matching(query, "context", _COUNT),
            where=_matching(query, "where", _WORD),
            data=_matching(query, "data", POLICIES.get),
            sort=_matching(query, "sort", _ORDERS.get),
            page=min(max(int(page), 1), PAGE_MAX) if _COUNT(page) else 1,
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether something other than the order is asked for."""
        return replace(self, sort="", page=1) != Choices()

    def query(self, *, page: int | None = None) -> str:
        """Write them as the query of a URL, nothing empty in it."""
        told = {
            "q": self.search, "vendor": self.vendor, "takes": self.takes, "gives": self.gives,
            "price": self.price, "context": self.context, "where": self.where,
            "data": self.data, "sort": self.sort,
            "page": str(page) if page is not None and page > 1 else "",
        }  # fmt: skip
        return urlencode({name: value for name, value in told.items() if value})

    @property
    def prices(self) -> Sequence[str]:
        """What the select of prices offers: what the URL asks for, too."""
        return _with(PRICES_USD, self.price)

    @property
    def contexts(self) -> Sequence[str]:
        """What the select of context lengths offers."""
        return _with(CONTEXTS, self.context)

    def apply(self, offers: Sequence[Offer]) -> list[Offer]:
        """Return those that pass, in the order asked for."""
        tests = self._tests()
        found = [offer for offer in offers if all(test(offer) for test in tests)]
        order = _ORDERS.get(self.sort)
        return sorted(found, key=order) if order else found

    def _tests(self) -> list[Callable[[Offer], bool]]:
        words = self.search.lower().split()
        tests: list[Callable[[Offer], bool]] = [
            lambda offer: all(word in offer.text for word in words)
        ]
        if self.vendor:
            tests.append(lambda offer: any(v.slug == self.vendor for v in offer.vendors))
        if self.takes:
            tests.append(lambda offer: self.takes in offer.inputs)
        if self.gives:
            tests.append(lambda offer: self.gives in offer.outputs)
        if self.where:
            # Every endpoint lies there: a request cannot go elsewhere.
            tests.append(lambda offer: offer.jurisdictions == (self.where,))
        return tests + self._limits()

    def _limits(self) -> list[Callable[[Offer], bool]]:
        tests: list[Callable[[Offer], bool]] = []
        if self.price:
            ceiling = parse_usd(self.price)
            tests.append(lambda offer: _mtok(offer.input) <= ceiling)
        if self.context:
            least = int(self.context)
            tests.append(lambda offer: (offer.context_tokens_max or 0) >= least)
        if self.data == "no-training":
            tests.append(lambda offer: offer.trains in NO_TRAINING)
        elif self.data:
            days = 30 if self.data == "30-days" else 0
            tests.append(lambda o: o.retention_days is not None and o.retention_days <= days)
        return tests


def _with(usual: Sequence[str], chosen: str) -> Sequence[str]:
    return usual if not chosen or chosen in usual else (chosen, *usual)


def _matching(query: QueryDict, name: str, test: Callable[[str], object]) -> str:
    value = query.get(name, "").strip()
    return value if value and test(value) else ""


def _price(query: QueryDict) -> str:
    text = query.get("price", "").strip().removeprefix("$")
    try:
        amount = parse_usd(text) if text and len(text) <= SEARCH_CHARS_MAX else 0
    except BadAmount:
        return ""
    return text if 0 < amount <= PRICE_USD_MAX * USD else ""
