"""A first call that works: the models that an account can chat with, and one to begin with."""

import datetime as dt

from accounts.keys import Caller
from accounts.models import Account
from billing import rates
from billing.pricing import STANDARD
from billing.usage import UnitClass
from routing import catalogue, planner
from routing.catalogue import Snapshot
from routing.models import Channel

# Prices may begin at any moment; what is shown follows soon.
KEPT = dt.timedelta(minutes=1)
# Whether simulated, the dearest price, the name.
_Found = tuple[bool, int, str]
# By whether the account is a demo's, and whether trial money pays: as of a catalogue and a moment.
_kept: dict[tuple[bool, bool], tuple[Snapshot, dt.datetime, list[_Found]]] = {}


def has_demo_vendor() -> bool:
    """Tell whether this deployment runs the simulated vendor."""
    return Channel.objects.filter(is_demo=True, is_enabled=True).exists()


def model_for(account: Account, *, now: dt.datetime) -> str | None:
    """Return the cheapest model that answers the account in text; no query.

    One that trial money buys, if there is one, and a real one before a simulated one. None when
    nothing can be reached.
    """
    found = _answering(account, now=now, is_trial=True)
    if not found and not account.is_trial:
        found = _answering(account, now=now, is_trial=False)
    return min(found)[2] if found else None


def chat_models(account: Account, *, now: dt.datetime) -> list[str]:
    """Return the models that answer the account in text, by name; no query."""
    found = _answering(account, now=now, is_trial=account.is_trial)
    return sorted(slug for _, _, slug in found)


def _answering(account: Account, *, now: dt.datetime, is_trial: bool) -> list[_Found]:
    """Return which models write text; looked up once for all accounts alike, for a minute.

    Over thousands of models it takes longer than a page may.
    """
    kind = (account.is_demo, is_trial)
    snapshot = catalogue.current()
    kept = _kept.get(kind)
    if kept is None or kept[0] is not snapshot or not kept[1] <= now < kept[1] + KEPT:
        caller = _caller(account, is_trial=is_trial)
        kept = _kept[kind] = (snapshot, now, _find(snapshot, caller, now=now))
    return kept[2]


def _find(snapshot: Snapshot, caller: Caller, *, now: dt.datetime) -> list[_Found]:
    found = []
    for model in snapshot.models.values():
        for endpoint in planner.on_offer(model, caller=caller, at=now)[:1]:
            card = rates.card_for(endpoint.slug, at=now)
            dearest = card.dearest_nusd_per_mtok
            if dearest is not None and (UnitClass.OUTPUT, STANDARD) in card.rates:
                found.append((endpoint.channel.is_demo, dearest, model.slug))
    return found


def _caller(account: Account, *, is_trial: bool) -> Caller:
    """Return who calls with a key of the account that restricts nothing."""
    return Caller(
        key_id=0,
        account_id=account.pk,
        key_is_demo=False,
        account_is_demo=account.is_demo,
        allowed_models=(),
        has_budget=False,
        requests_per_minute_max=None,
        concurrency_max=None,
        last_four="",
        is_trial=is_trial,
    )
