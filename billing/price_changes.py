"""Prices that will rise: cards that begin later and ask more than the one in force."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from billing.models import RateCard
from billing.pricing import STANDARD
from billing.rates import PLAN
from billing.usage import Unit, UnitClass

# Class, unit, tier and service tier of a price.
_Place = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """From a moment on, an endpoint costs more; prices are nUSD per million tokens.

    None: the endpoint does not sell by tokens of this class.
    """

    endpoint: str
    valid_from: dt.datetime
    input_nusd: tuple[int, int] | None  # before, then
    output_nusd: tuple[int, int] | None


def coming(*, now: dt.datetime) -> Sequence[Rise]:
    """Return the rises that are dated and not yet in force, each against what holds before it."""
    later = RateCard.objects.filter(plan=PLAN, valid_from__gt=now).order_by("valid_from", "pk")
    found = []
    for card in later:
        before = (
            RateCard.objects.filter(
                plan=PLAN, endpoint=card.endpoint, valid_from__lt=card.valid_from
            )
            .order_by("-valid_from", "-pk")
            .first()
        )
        if before is None:
            continue  # a new endpoint: nobody used it
        old, new = _prices(before), _prices(card)
        if any(new[place] > old.get(place, new[place]) for place in new):
            found.append(
                Rise(
                    endpoint=card.endpoint,
                    valid_from=card.valid_from,
                    input_nusd=_change(old, new, UnitClass.INPUT),
                    output_nusd=_change(old, new, UnitClass.OUTPUT),
                )
            )
    return found


def _prices(card: RateCard) -> Mapping[_Place, int]:
    rows = card.rates.values_list(
        "unit_class", "unit", "tier_from", "service_tier", "nusd_per_unit"
    )
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}


def _change(
    old: Mapping[_Place, int], new: Mapping[_Place, int], unit_class: UnitClass
) -> tuple[int, int] | None:
    place = (unit_class.value, Unit.MTOK.value, 0, STANDARD)
    return (old[place], new[place]) if place in old and place in new else None
