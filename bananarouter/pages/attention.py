"""What needs attention in an account: money, models, keys, what a vendor asks of its owner."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import territories
from accounts.models import Account, ApiKey
from billing import holds, queries
from billing.money import CENT, display_usd
from logs import queries as logs_queries
from routing import catalogue

EXPIRES_WITHIN = dt.timedelta(days=7)
# A balance that lasts for fewer days at the pace of the last week is low.
LASTS_DAYS_MIN = 3
PACE_DAYS = 7
# A key whose limit is used to so many percent, or which fails so often, is told.
USED_PERCENT = 90
FAILED_PERCENT = 50
FAILED_OF_MIN = 10
# Who used a model within so long is told that it ends (as by mail: routing.announcements).
MODELS_USED_WITHIN = dt.timedelta(days=30)
NOTES_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing to look at. `kind`: "bad" stops requests now, "warn" will."""

    kind: str
    label: str
    text: str
    href: str = ""
    action: str = ""


def of_money(
    balance: queries.Balance, *, week_nusd: int, freeze: holds.Freeze | None
) -> list[Note]:
    """Say what is wrong with an account's money; `week_nusd` is what its last 7 days cost."""
    if freeze is not None:
        return [of_freeze(freeze)]
    if balance.available_nusd <= 0:
        text = _("Requests are refused until money is added.")
        return [_add(Note(kind="bad", label=_("No balance"), text=text))]
    days = PACE_DAYS * balance.available_nusd // week_nusd if week_nusd > 0 else LASTS_DAYS_MIN
    if days >= LASTS_DAYS_MIN:
        return []
    text = _("At the pace of the last 7 days it is used up in less than a day.")
    if days:
        text = _("At the pace of the last 7 days it lasts for %(days)d days.") % {"days": days}
    return [_add(Note(kind="warn", label=_("Low balance"), text=text))]


def of_freeze(freeze: holds.Freeze) -> Note:
    """Say why a balance is frozen, and what ends that."""
    if freeze.owes_only:
        # Rounded up: who pays what is written here has paid it.
        owed_nusd = -(-freeze.owed_nusd // CENT) * CENT
        text = _(
            "%(owed)s is owed after a refund or a dispute, and every request is refused until it "
            "is paid. Add at least as much; what is above it is credit."
        ) % {"owed": display_usd(owed_nusd)}
        return _add(Note(kind="bad", label=_("Balance frozen"), text=text))
    if freeze.cause is holds.Cause.DISPUTE:
        text = _(
            "The bank of a payer disputes a payment, and every request is refused until it has "
            "decided. If the payment stands, this ends by itself."
        )
        href, action = reverse("billing_history"), _("Orders")
    else:
        text = _("Every request is refused until the operator of this site lifts it.")
        if freeze.cause is holds.Cause.LOST:
            text = _(
                "A dispute about a payment was lost. Every request is refused until the operator "
                "of this site lifts it."
            )
        href, action = reverse("contact"), _("Write to us")
    return Note(kind="bad", label=_("Balance frozen"), text=text, href=href, action=action)


def _add(note: Note) -> Note:
    """Lead to where money is added: who is told of the balance may add to it."""
    return replace(note, href=reverse("billing"), action=_("Add money"))


def of_models(account_id: int, *, key_ids: Collection[int] | None, now: dt.datetime) -> list[Note]:
    """Say which of the models that were used will end, the next one first.

    Of all keys, or of some. One query, where any model ends.
    """
    models = catalogue.current().models.values()
    ending = {m.slug: m.withdrawn_at for m in models if m.withdrawn_at and m.withdrawn_at > now}
    if not ending:
        return []
    since = (now - MODELS_USED_WITHIN).date()
    used, _vendors = logs_queries.used(account_id, since=since, key_ids=key_ids)
    found = sorted((ending[slug], slug) for slug in used if slug in ending)
    return [_ending(slug, ends_at) for ends_at, slug in found[:NOTES_MAX]]


def _ending(slug: str, ends_at: dt.datetime) -> Note:
    text = _("“%(model)s” ends at %(at)s UTC. Choose another model before that.") % {
        "model": slug,
        "at": f"{ends_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
    }
    href = reverse("model", args=[slug])
    return Note(
        kind="warn", label=_("Model ends"), text=text, href=href, action=_("Look at the model")
    )


def of_territory(account: Account) -> list[Note]:
    """Say that a vendor on offer asks where the account is and who owns it; no query."""
    if not territories.is_due(account):
        return []
    text = _("Vendors that do not sell everywhere ask where you are and who owns the account.")
    href = reverse("organization_territory")
    return [Note(kind="warn", label=_("Not stated"), text=text, href=href, action=_("State it"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """How many of a key's latest requests failed."""

    failed: int
    requests: int

    @property
    def is_failing(self) -> bool:
        """True when most fail, and they are enough to tell."""
        is_enough = self.requests >= FAILED_OF_MIN
        return is_enough and 100 * self.failed >= FAILED_PERCENT * self.requests


def of_keys(
    account_id: int,
    failures: Mapping[int, Failures],
    *,
    key_ids: Collection[int] | None,
    now: dt.datetime,
) -> list[Note]:
    """Say which keys end soon or fail; of all keys, or of some. Three queries."""
    limits = _used(account_id, now=now)
    failing = {key_id: found for key_id, found in failures.items() if found.is_failing}
    ends_soon = Q(expires_at__gt=now, expires_at__lte=now + EXPIRES_WITHIN)
    keys = ApiKey.objects.filter(
        ends_soon | Q(pk__in=[*limits, *failing]) | Q(limits_of__in=[*limits]),
        account=account_id, disabled_at=None, purpose=ApiKey.Purpose.API,
    )  # fmt: skip
    if key_ids is not None:
        keys = keys.filter(pk__in=key_ids)
    notes = []
    for key in keys.order_by("expires_at", "pk")[:NOTES_MAX]:
        if limit := limits.get(key.limits_key_id):
            notes.append(_near_limit(key, limit))
        if key.expires_at is not None and now < key.expires_at <= now + EXPIRES_WITHIN:
            notes.append(_expiring(key, key.expires_at))
        if found := failing.get(key.pk):
            notes.append(_failing(key, found))
    return notes[:NOTES_MAX]


def _used(account_id: int, *, now: dt.datetime) -> dict[int, queries.KeyLimit]:
    """Return the limit that is used up most, of each key that has used one up for the most part."""
    found = {}
    for key_id, limits in queries.key_limits(account_id, now=now).items():
        near = [one for one in limits if 100 * one.spent_nusd >= USED_PERCENT * one.limit_nusd]
        if near:
            found[key_id] = min(near, key=lambda one: one.left_nusd)
    return found


def _near_limit(key: ApiKey, limit: queries.KeyLimit) -> Note:
    text = _("“%(name)s” has spent %(spent)s of %(limit)s.") % {
        "name": key.name,
        "spent": display_usd(limit.spent_nusd),
        "limit": display_usd(limit.limit_nusd),
    }
    is_over = limit.left_nusd <= 0
    label = _("Limit reached") if is_over else _("Limit near")
    return _of_key(kind="bad" if is_over else "warn", label=label, text=text)


def _expiring(key: ApiKey, expires_at: dt.datetime) -> Note:
    text = _("“%(name)s” stops working on %(at)s UTC.") % {
        "name": key.name,
        "at": f"{expires_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
    }
    return _of_key(kind="warn", label=_("Key expires"), text=text)


def _failing(key: ApiKey, found: Failures) -> Note:
    text = _("“%(name)s”: %(failed)d of %(requests)d requests failed since yesterday.") % {
        "name": key.name,
        "failed": found.failed,
        "requests": found.requests,
    }
    return Note(
        kind="warn",
        label=_("Key fails"),
        text=text,
        href=f"{reverse('requests')}?status=failed",
        action=_("Failed requests"),
    )


def _of_key(*, kind: str, label: str, text: str) -> Note:
    return Note(kind=kind, label=label, text=text, href=reverse("keys"), action=_("Keys"))
