"""Security alerts: each event is told exactly once, to the user or to those who manage the key."""

import datetime as dt
import logging
from typing import Final

from django.db import transaction

from accounts import countries, networks, notifications, roles
from accounts.keytext import NoPepper
from accounts.models import ApiKey, KeyNetwork, Membership, Notification, User
from accounts.notifications import Notice
from accounts.timeids import midnight, uuid7

logger = logging.getLogger(__name__)

SECURITY: Final = "security"
SECURITY_PATH: Final = "/settings/security"
SWEPT_MAX: Final = 200
# Programs make keys for each of their customers: so many are told one by one in a day.
KEYS_TOLD_MAX: Final = 20
# A key whose caller moves is one notice too many: so many new networks are told in a day, and so
# many new countries.
NETWORKS_TOLD_MAX: Final = 5


def credential_changed(
    user: User, name: str, *, device: str, now: dt.datetime, address: str = ""
) -> None:
    """Tell that a password, factor, address or connection changed; `name` is of templates/notices.

    `address` is the older one of a user who has just changed it.
    """
    notice = Notice(
        kind=SECURITY,
        key=f"{name}:{uuid7()}",
        name=name,
        facts={"device": device, "at": _minute(now)},
        path=SECURITY_PATH,
        is_urgent=True,
    )
    notifications.tell(user=user, notice=notice, address=address, now=now)


def logged_in(user: User, *, device: str, address: str, now: dt.datetime) -> bool:
    """Note a log-in, and tell of it when its device and network are new; True when told."""
    try:
        new = networks.note_device(user, family=device, address=address, now=now)
    except NoPepper:
        logger.warning("log-ins are not compared: there is no pepper")
        return False
    if new is None:
        return False
    where = countries.both_names(new.country)
    notice = Notice(
        kind=SECURITY,
        key=f"device:{new.digest.hex()}",
        name="new_country" if new.is_abroad else "new_device",
        facts={"device": device or "?", "at": _minute(now), **where},
        path="/accounts/sessions/",
        is_urgent=True,
    )
    return notifications.tell(user=user, notice=notice, now=now)


def sweep(*, now: dt.datetime) -> int:
    """Tell of keys that were made and of networks that are new; return how many were told."""
    fresh = ApiKey.objects.filter(is_announced=False).select_related("account", "created_by")
    seen = KeyNetwork.objects.filter(is_told=False).select_related("api_key__account")
    told = sum(_announce(key, now=now) for key in fresh.order_by("pk")[:SWEPT_MAX])
    return told + sum(_compare(row, now=now) for row in seen.order_by("pk")[:SWEPT_MAX])


@transaction.atomic
def _announce(key: ApiKey, *, now: dt.datetime) -> int:
    rows = ApiKey.objects.filter(pk=key.pk, is_announced=False)
    if not rows.update(is_announced=True):
        return 0
    if key.is_demo or key.purpose != ApiKey.Purpose.API:
        return 0
    today = Notification.objects.filter(
        account=key.account_id, name="key_made", created_at__gte=midnight(now.date())
    )
    if today.values("key").distinct().count() < KEYS_TOLD_MAX:
        maker = key.created_by.get_full_name() if key.created_by else ""
        notice = _of_key(key, "key_made", f"key-made:{key.pk}", maker=maker)
    else:
        day_key = f"keys-made:{key.account_id}:{now:%Y-%m-%d}"
        notice = _of_key(key, "keys_made", day_key, count=KEYS_TOLD_MAX)
    return tell_managers(key, notice, now=now)


@transaction.atomic
def _compare(row: KeyNetwork, *, now: dt.datetime) -> int:
    if not KeyNetwork.objects.filter(pk=row.pk, is_told=False).update(is_told=True):
        return 0
    others = KeyNetwork.objects.filter(api_key=row.api_key_id, pk__lt=row.pk)
    known = list(others.order_by().values_list("country", flat=True).distinct())
    is_playground = row.api_key.purpose != ApiKey.Purpose.API or row.api_key.is_demo
    if is_playground or not known:  # the first one is where the key lives
        return 0
    # Countries have a bound of their own: networks at home must not drown one far away.
    is_abroad = networks.is_abroad(row.country, known)
    kind, name = ("key-country", "key_country") if is_abroad else ("key-network", "key_network")
    event = f"{kind}:{row.api_key_id}:"
    today = Notification.objects.filter(
        account=row.api_key.account_id,
        key__startswith=event,
        created_at__gte=midnight(now.date()),
    )
    if today.values("key").distinct().count() >= NETWORKS_TOLD_MAX:
        return 0
    facts = {"at": _minute(row.seen_at), **countries.both_names(row.country)}
    notice = _of_key(row.api_key, name, f"{event}{row.pk}", is_urgent=True, **facts)
    return tell_managers(row.api_key, notice, now=now)


def _of_key(
    key: ApiKey, name: str, event: str, *, is_urgent: bool = False, **facts: notifications.Fact
) -> Notice:
    about = {"key_name": key.name, "last_four": key.last_four, "account": key.account.name}
    return Notice(
        kind=SECURITY,
        key=event,
        name=name,
        facts={**about, **facts},
        path="/keys",
        is_urgent=is_urgent,
    )


def tell_managers(key: ApiKey, notice: Notice, *, now: dt.datetime) -> int:
    """Tell those who manage the account's keys, and who made this one while a member."""
    told = notifications.tell_account(
        account=key.account, roles=roles.may_manage_keys, notice=notice, now=now
    )
    maker = Membership.objects.filter(
        account=key.account_id, user=key.created_by_id, user__is_active=True
    )
    for place in maker.select_related("user"):
        told += notifications.tell(user=place.user, notice=notice, now=now, account=key.account)
    return told


def _minute(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
