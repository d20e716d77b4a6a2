"""Bring the price source's changes into dated cards, for every endpoint that it prices."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import changes
from accounts.models import Change
from billing import rates
from billing.rates import Proposal
from routing import model_prices, vendor_files
from routing.models import Endpoint
from routing.surfaces import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a run found; one line for each endpoint."""

    changed: tuple[str, ...]
    unknown: tuple[str, ...]
    endpoints: int


@transaction.atomic
def run() -> Synced:
    """Propose a card wherever a price changed, and tell every worker once.

    Prices that an operator stated stay. What the source no longer knows keeps its last card.
    """
    now = timezone.now()
    rows = list(Endpoint.objects.exclude(priced_as="").select_related("channel"))
    announced = rates.scheduled([row.slug for row in rows], after=now)
    proposals: list[Proposal] = []
    unknown: list[str] = []
    for row in rows:
        terms = model_prices.of_reference(
            row.priced_as,
            vendor=vendor_files.get(row.channel.vendor),
            family=Family(row.channel.protocol),
            at=now,
        )
        if terms is None:
            unknown.append(f"{row.slug}: no price of {row.priced_as} is known")
            continue
        proposals.extend(
            model_prices.proposals(
                row.slug,
                quotes=terms.quotes,
                source=terms.source,
                announced=announced.get(row.slug, ()),
            )
        )
    made = rates.propose_all(proposals, markup_ppm=settings.MARKUP_PPM)
    if made:
        changes.announce(Change.Topic.CATALOGUE)
    return Synced(
        changed=tuple(f"{card.endpoint}: new prices from {card.valid_from:%F %R}" for card in made),
        unknown=tuple(unknown),
        endpoints=len(rows),
    )
