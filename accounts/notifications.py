"""Which news a user hears, and by which ways.

A text message costs the reader's attention: it is for urgent kinds only, to a verified number.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from accounts.models import NotificationPreference, User

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
