"""Where personal data lies: each app declares its models, and nothing may lie undeclared.

An app names its declarations in its AppConfig: `personal_data = "billing.stores"`. That module has
`STORES`, and `IMPERSONAL`: models about nobody, each with the reason. accounts/checks.py refuses a
model or a column that is in neither. Export and erasure walk over the same declarations.
"""

import enum
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from allauth.account.models import EmailAddress
from django.apps import apps
from django.db.models import Count, Model, Q, QuerySet
from django.utils.functional import Promise

from accounts.models import Account, ApiKey, Membership, User


class Ending(enum.StrEnum):
    """What becomes of a row when its user is erased."""

    ERASED = "erased"
    PSEUDONYMIZED = "pseudonymized"  # it stays, and nothing in it leads to a person
    KEPT = "kept"  # as it is, because a law asks for it


class Withheld(enum.StrEnum):
    """Why a column is in no export."""

    SEALED = "sealed"  # opens something, or is the digest or seal of what does
    INNER = "inner"  # a number or mark that means nothing outside our database
    OTHERS = "others"  # says something about another person
    PLATFORM = "platform"  # what we and our vendors settle between us


class Retention(enum.StrEnum):
    """The classes that say how long a row may stay; logs has the table of days."""

    ACCOUNT = "account"  # as long as the account lives
    SESSION = "session"
    CONSENTS = "consents"
    CONTACT = "contact"
    NOTIFICATIONS = "notifications"
    STAFF_LOG = "staff_log"
    REQUESTS = "requests"
    SUMS = "sums"
    PAYMENTS = "payments"
    BOOKS = "books"
    EXPORTS = "exports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A person, and the accounts whose rows are about that person.

    A colleague's rows are the colleague's: of an account with several members a person gets what
    was made with the person's own keys, and the account's money only as its one owner.
    """

    user_id: int
    # Verified, in lower case: an address that anybody may type proves nothing.
    emails: tuple[str, ...] = ()
    # Accounts without any other member.
    alone: tuple[int, ...] = ()
    # Accounts that nobody else owns: those above, and some with members.
    owned: tuple[int, ...] = ()
    # Every account in which rows of this person may stand.
    reach: tuple[int, ...] = ()
    # False for an erasure (accounts/erasure.py): what lives on in others' accounts is theirs.
    counts_elsewhere: bool = True

    def keys(self) -> QuerySet[ApiKey]:
        """Return the keys that this person made, here and in accounts left long ago."""
        orphans = Q(account_id__in=self.alone, created_by=None)
        return ApiKey.objects.filter(Q(created_by_id=self.user_id) | orphans)

    def made(self, *, account: str, key: str, unknown: int | None = None) -> Q:
        """Return the condition for rows made with this person's keys, by names of two columns.

        `unknown` stands in the key's column where no key was known: such a row is the person's
        in an account without other members only. The account comes first, as in the indexes.
        """
        keyless = Q(**{f"{key}__isnull": True}) if unknown is None else Q(**{key: unknown})
        mine = Q(**{f"{key}__in": self.keys().values("pk")})
        return Q(**{f"{account}__in": self.reach}) & (
            mine | (Q(**{f"{account}__in": self.alone}) & keyless)
        )


Rows = Callable[[Subject], QuerySet[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One kind of row about a person: what an export shows of it, and what erasure does to it."""

    name: str  # its files' name in an export
    title: str | Promise
    model: type[Model]
    rows: Rows
    # What is exported, by Django's names; "order__number" counts for the column `order_id`.
    fields: tuple[str, ...]
    # Every other column, and why it is not exported.
    withheld: Mapping[str, Withheld] = field(default_factory=dict)
    retention: Retention
    ending: Ending
    # Why it ends so; with its legal basis where the row stays.
    why: str
    # Erasure: columns of rows that stay, and what they are set to; a function is given what stands
    # there and returns what it becomes.
    clears: Mapping[str, Any] = field(default_factory=dict)
    # Erasure: a step of its own instead; returns how many rows it ended.
    erase: Callable[[Subject], int] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The exported fields as a file names them."""
        return tuple(name.replace("__", "_") for name in self.fields)


BOOKS_WHY: Final = (
    "Commercial and tax law asks for the books (GDPR Art. 17(3)(b); Accounting Law of the PRC,"
    " Art. 23): amounts stay, under a random pseudonym."
)


def names(text: str) -> tuple[str, ...]:
    """Return the names in a text, for long lists of them."""
    return tuple(text.split())


def apart(
    *, inner: str = "", sealed: str = "", others: str = "", platform: str = ""
) -> Mapping[str, Withheld]:
    """Return the columns that are not exported, by the reason (Withheld) that each list has."""
    lists = {
        Withheld.INNER: inner,
        Withheld.SEALED: sealed,
        Withheld.OTHERS: others,
        Withheld.PLATFORM: platform,
    }
    return {name: why for why, text in lists.items() for name in names(text)}


def subject_of(user: User) -> Subject:
    """Return who a user is to the declarations, as memberships stand now."""
    owners = Count("memberships", filter=Q(memberships__role=Membership.Role.OWNER))
    places = Membership.objects.filter(user=user)
    mine = places.filter(role=Membership.Role.OWNER).values("account")
    counted = Account.objects.filter(pk__in=mine).annotate(
        owners=owners, people=Count("memberships")
    )
    owned = dict(counted.filter(owners=1).values_list("pk", "people"))
    made = ApiKey.objects.filter(created_by=user).values_list("account_id", flat=True).distinct()
    verified = EmailAddress.objects.filter(user=user, verified=True)
    return Subject(
        user_id=user.pk,
        emails=tuple(sorted({row.email.lower() for row in verified})),
        alone=tuple(sorted(pk for pk, people in owned.items() if people == 1)),
        owned=tuple(sorted(owned)),
        reach=tuple(sorted({*places.values_list("account_id", flat=True), *made})),
    )


def stores() -> tuple[Store, ...]:
    """Return the stores of all apps, in the apps' order."""
    return tuple(store for declared in _declarations() for store in declared.STORES)


def impersonal() -> dict[type[Model], str]:
    """Return the models that are about nobody, each with the reason."""
    return {
        model: why for declared in _declarations() for model, why in declared.IMPERSONAL.items()
    }


def unnamed_columns(store: Store) -> list[str]:
    """Return a model's columns that a store neither exports nor withholds."""
    named = {*store.withheld, *(name.partition("__")[0] for name in store.fields)}
    return [
        column.attname
        for column in store.model._meta.concrete_fields
        if not {column.name, column.attname} & named
    ]


def _declarations() -> Iterable[Any]:
    for config in apps.get_app_configs():
        if name := getattr(config, "personal_data", ""):
            yield importlib.import_module(name)
