"""Which news a user hears, by which ways, and the one place that tells them.

`tell` writes what is to be said in the caller's transaction; accounts.deliveries sends it after
the commit. A text message costs the reader's attention: it is for urgent notices only, to a
verified number.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction

from accounts import deliveries
from accounts.models import (
    Account,
    Delivery,
    Membership,
    Notification,
    NotificationPreference,
    User,
)

WAYS: Final = ("email", "web", "sms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of news: its ways by default, those that stay on, and those that it can go."""

    name: str
    by_default: frozenset[str]
    always: frozenset[str] = frozenset()
    possible: frozenset[str] = frozenset({"email", "web"})


_BOTH: Final = frozenset({"email", "web"})
_ALL: Final = frozenset(WAYS)
KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        # Who takes over a user's account would switch it off first.
        Kind(name="security", by_default=_BOTH, always=frozenset({"email"}), possible=_ALL),
        Kind(name="low_balance", by_default=_BOTH, possible=_ALL),
        Kind(name="top_up", by_default=_BOTH),
        # Its number is needed for the books, and whoever asked waits for it.
        Kind(name="fapiao", by_default=_BOTH, always=frozenset({"email"})),
        Kind(name="price_change", by_default=_BOTH),
        Kind(name="deprecation", by_default=_BOTH),
        # What a user agreed to does not change without a word.
        Kind(name="policy_change", by_default=_BOTH, always=frozenset({"email", "web"})),
        Kind(name="incident", by_default=frozenset({"web"}), possible=_ALL),
        Kind(name="product", by_default=frozenset({"web"})),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """By which ways a user hears of a kind."""

    kind: Kind
    ways: frozenset[str]


# What a fact may be: small, and never what a request or an answer said.
Fact = str | int | bool | None
KEY_CHARS_MAX, FACT_CHARS_MAX, FACTS_MAX = 160, 200, 20


class NotSmall(ValueError):
    """A notice says more than a notice may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event to tell. Raises: KeyError for no kind of KINDS; NotSmall.

    `key` names the event: whoever was told of it is not told again. `name` is that of the words,
    templates/notices/<name>.txt, which the facts fill. `path` is where it leads on the site.
    """

    kind: str
    key: str
    name: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    path: str = "/overview"
    # True: worth a text message to those who chose them.
    is_urgent: bool = False

    def __post_init__(self) -> None:
        KINDS[self.kind]
        texts = [value for value in self.facts.values() if isinstance(value, str)]
        is_small = len(self.facts) <= FACTS_MAX and all(len(t) <= FACT_CHARS_MAX for t in texts)
        if not is_small or not 0 < len(self.key) <= KEY_CHARS_MAX:
            raise NotSmall(self.name)


def tell(
    *,
    user: User,
    notice: Notice,
    now: dt.datetime,
    account: Account | None = None,
    address: str = "",
) -> bool:
    """Tell a user of an event by the ways that they chose; False when they were told before.

    In the caller's transaction; it is sent after the commit, and a mail server that is away
    fails nothing. `account` is the one that it is about; `address` takes the mail instead of the
    user's own (of somebody who has just changed it, or wants it elsewhere).
    """
    by = ways(user, notice)
    with transaction.atomic():
        row, is_new = Notification.objects.get_or_create(
            user=user, key=notice.key, defaults=_row(notice, by, account=account, now=now)
        )
        if is_new:
            _write_deliveries([(row, by)], address=address, now=now)
    return is_new


def tell_many(*, users: Sequence[User], notice: Notice, now: dt.datetime) -> int:
    """Tell many users of one event as tell() does, in four queries; return how many are new to it.

    The caller's transaction sees to it that nobody else tells of this event. Raises:
    IntegrityError when somebody does.
    """
    told = Notification.objects.filter(key=notice.key, user__in=users)
    known = set(told.values_list("user_id", flat=True))
    new = [user for user in users if user.pk not in known]
    chosen = NotificationPreference.objects.filter(user__in=new, kind=notice.kind)
    choices = {row.user_id: row for row in chosen}
    by = [_ways_of(notice, choices.get(user.pk), has_phone=has_phone(user)) for user in new]
    with transaction.atomic():
        rows = Notification.objects.bulk_create(
            Notification(user=user, key=notice.key, **_row(notice, each, account=None, now=now))
            for user, each in zip(new, by, strict=True)
        )
        _write_deliveries(list(zip(rows, by, strict=True)), now=now)
    return len(rows)


def tell_account(
    *, account: Account, roles: Callable[[str], bool], notice: Notice, now: dt.datetime
) -> int:
    """Tell each active member whose role has the right; return how many were told now.

    `roles` is a question of accounts.roles: `roles.may_see_money`.
    """
    places = Membership.objects.filter(account=account, user__is_active=True)
    readers = [
        place.user for place in places.select_related("user").order_by("pk") if roles(place.role)
    ]
    return sum(tell(user=user, notice=notice, now=now, account=account) for user in readers)


def _row(
    notice: Notice, by: frozenset[str], *, account: Account | None, now: dt.datetime
) -> dict[str, Any]:
    return {
        "account": account,
        "kind": notice.kind,
        "name": notice.name,
        "facts": dict(notice.facts),
        "path": notice.path,
        "is_on_site": "web" in by,
        "created_at": now,
    }


def _write_deliveries(
    told: Sequence[tuple[Notification, frozenset[str]]], *, now: dt.datetime, address: str = ""
) -> None:
    made = [
        Delivery(
            notification=row,
            way=way,
            state=Delivery.State.WAITING,
            address=address if way == "email" else "",
            next_try_at=now,
            created_at=now,
        )
        for row, by in told
        for way in WAYS
        if way in by
    ]
    for one in made:
        if one.way == "web":  # it is there with its row
            one.state, one.next_try_at, one.done_at = Delivery.State.SENT, None, now
    Delivery.objects.bulk_create(made)
    for row in {one.notification for one in made if one.next_try_at}:
        deliveries.hurry(row)


def ways(user: User, notice: Notice) -> frozenset[str]:
    """Return by which ways a notice reaches a user; one query."""
    row = NotificationPreference.objects.filter(user=user, kind=notice.kind).first()
    return _ways_of(notice, row, has_phone=has_phone(user))


def _ways_of(
    notice: Notice, row: NotificationPreference | None, *, has_phone: bool
) -> frozenset[str]:
    found = _ways(KINDS[notice.kind], row, has_phone=has_phone)
    return found if notice.is_urgent else found - {"sms"}


def preferences(user: User) -> Sequence[Preference]:
    """Return a user's choice for every kind, the default where none was made; one query."""
    rows = {row.kind: row for row in NotificationPreference.objects.filter(user=user)}
    return [
        Preference(kind=kind, ways=_ways(kind, rows.get(name), has_phone=has_phone(user)))
        for name, kind in KINDS.items()
    ]


def _ways(kind: Kind, row: NotificationPreference | None, *, has_phone: bool) -> frozenset[str]:
    chosen = kind.by_default
    if row is not None:
        by = {"email": row.by_email, "web": row.by_web, "sms": row.by_sms}
        chosen = frozenset(way for way, is_on in by.items() if is_on)
    return _allowed(kind, chosen, has_phone=has_phone)


def _allowed(kind: Kind, chosen: Collection[str], *, has_phone: bool) -> frozenset[str]:
    ways = (frozenset(chosen) & kind.possible) | kind.always
    return ways if has_phone else ways - {"sms"}


def has_phone(user: User) -> bool:
    """Tell whether a text message can reach a user: the number is verified."""
    return bool(user.phone) and user.phone_verified_at is not None


def choose(user: User, chosen: Mapping[str, Collection[str]]) -> None:
    """Keep a user's choice for every kind; what is not possible, or always on, stays so."""
    rows = []
    for name, kind in KINDS.items():
        ways = _allowed(kind, chosen.get(name, ()), has_phone=has_phone(user))
        rows.append(
            NotificationPreference(
                user=user,
                kind=name,
                by_email="email" in ways,
                by_web="web" in ways,
                by_sms="sms" in ways,
            )
        )
    NotificationPreference.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["user", "kind"],
        update_fields=["by_email", "by_web", "by_sms"],
    )
