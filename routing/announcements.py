"""What is said of models before it happens, and of incidents: to those whose accounts used them.

Everything here may run again at any time: whoever was told of an event is not told twice.
"""

import datetime as dt
from collections.abc import Collection, Iterator
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts import changes, notifications, roles
from accounts.models import Account, Change
from accounts.notifications import Notice
from accounts.timeids import DAY
from billing import price_changes
from billing.money import display_usd
from billing.price_changes import Rise
from logs.models import UsageHour
from routing.models import Endpoint, Incident, Model

USED_WITHIN: Final = 30 * DAY
INCIDENTS_MAX: Final = 50


def announce(*, now: dt.datetime) -> int:
    """Tell of prices that will rise and of models that will end; return how many were told."""
    told = sum(_tell_rise(rise, now=now) for rise in price_changes.coming(now=now))
    ending = Model.objects.filter(withdrawn_at__gt=now, is_enabled=True).order_by("pk")
    return told + sum(_tell_users([model.slug], _ending(model), now=now) for model in ending)


def keep_up(*, now: dt.datetime) -> int:
    """Tell of incidents, and end the models whose end has come; return how many were told."""
    told = sum(_tell_incident(one, now=now) for one in _untold()[:INCIDENTS_MAX])
    _withdraw(now=now)
    return told


def users_of(slugs: Collection[str], *, now: dt.datetime) -> Iterator[Account]:
    """Yield the active accounts that used one of these models in the last 30 days."""
    used = UsageHour.objects.filter(model__in=slugs, hour__gte=now - USED_WITHIN)
    ids = list(used.values_list("account_id", flat=True).distinct())
    yield from Account.objects.filter(pk__in=ids, is_active=True).order_by("pk").iterator()


def readers(slugs: Collection[str], *, now: dt.datetime) -> int:
    """Count the accounts that a notice about these models reaches."""
    return sum(1 for _ in users_of(slugs, now=now))


def _tell_users(slugs: Collection[str], notice: Notice, *, now: dt.datetime) -> int:
    return sum(
        notifications.tell_account(
            account=account, roles=roles.may_see_requests, notice=notice, now=now
        )
        for account in users_of(slugs, now=now)
    )


def _tell_rise(rise: Rise, *, now: dt.datetime) -> int:
    endpoint = Endpoint.objects.filter(slug=rise.endpoint, is_enabled=True)
    slug = endpoint.values_list("model__slug", flat=True).first()
    if slug is None:
        return 0
    facts: dict[str, notifications.Fact] = {"model": slug, "from": _minute(rise.valid_from)}
    for name, change in (("input", rise.input_nusd), ("output", rise.output_nusd)):
        if change is not None:
            facts |= {f"{name}_old": display_usd(change[0]), f"{name}_new": display_usd(change[1])}
    notice = Notice(
        kind="price_change",
        key=f"price:{slug}:{rise.valid_from:%Y%m%d%H%M}",
        name="price_rise",
        facts=facts,
        path=f"/models/{slug}",
    )
    return _tell_users([slug], notice, now=now)


def _ending(model: Model) -> Notice:
    ends_at = model.withdrawn_at
    if ends_at is None:
        raise AssertionError("only models with an end are announced")
    return Notice(
        kind="deprecation",
        key=f"ending:{model.slug}:{ends_at:%Y%m%d%H%M}",
        name="model_ending",
        facts={"model": model.slug, "at": _minute(ends_at)},
        path=f"/models/{model.slug}",
    )


@transaction.atomic
def _withdraw(*, now: dt.datetime) -> None:
    """Take off what was announced to end, on every worker within a second."""
    ended = Model.objects.filter(withdrawn_at__lte=now, is_enabled=True)
    if ended.update(is_enabled=False):
        changes.announce(Change.Topic.CATALOGUE)


# Incidents


def _untold() -> list[Incident]:
    is_new = Q(published_at__isnull=False, told_at=None)
    is_over = Q(resolved_at__isnull=False, told_at__isnull=False, resolution_told_at=None)
    return list(Incident.objects.filter(is_new | is_over).order_by("pk"))


def _tell_incident(incident: Incident, *, now: dt.datetime) -> int:
    """Tell of an incident, or of its end; all of it or nothing, so that none is left out."""
    is_first = incident.told_at is None
    with transaction.atomic():
        told = _tell_users(incident.slugs, _of_incident(incident, is_first=is_first), now=now)
        field = "told_at" if is_first else "resolution_told_at"
        Incident.objects.filter(pk=incident.pk).update(**{field: now})
    return told


def _of_incident(incident: Incident, *, is_first: bool) -> Notice:
    return Notice(
        kind="incident",
        key=f"incident:{incident.pk}" if is_first else f"incident-over:{incident.pk}",
        name="incident" if is_first else "incident_over",
        facts={
            "title_en": incident.title_en,
            "title_zh": incident.title_zh,
            "models": ", ".join(incident.slugs)[:180],
            "began": _minute(incident.began_at),
        },
        path="/status",
        is_urgent=is_first,
    )


def _minute(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
