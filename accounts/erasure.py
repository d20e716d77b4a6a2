"""Empties every declared store of a person (accounts/personal_data.py); names go, sums stay.

The caller holds one transaction around it: a person is erased whole or not at all. Rows go in the
opposite order of their declaration: what points at a row goes before it. Accounts that others
live on in are theirs: what stands there stays, without the person.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Q, QuerySet

from accounts import personal_data
from accounts.models import Account, ApiKey, ContactRequest, Invitation, User
from accounts.personal_data import Ending, Store, Subject
from accounts.traces import Search

# A million rows take longer than a page may.
TIMEOUT_S: Final = 600
ROWS_AT_ONCE: Final = 500
SCRUB_WHY: Final = "Texts in which somebody else wrote the name; the rest of them stays."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of one store, without a name."""

    store: str
    ending: str
    rows: int
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return it as certificates hold it."""
        return {"store": self.store, "ending": self.ending, "rows": self.rows, "why": self.why}


class Leaver(Subject):
    """A person whose own accounts end whole, with what others once made in them."""

    def keys(self) -> QuerySet[ApiKey]:
        """Return every key of the accounts that end."""
        return ApiKey.objects.filter(account_id__in=self.alone)

    def made(self, *, account: str, key: str, unknown: int | None = None) -> Q:  # noqa: ARG002
        """Return the condition for every row of the accounts that end."""
        return Q(**{f"{account}__in": self.alone})


def leaver(user: User, account_ids: Iterable[int]) -> Leaver:
    """Return who leaves, with the accounts that end."""
    known, ending = personal_data.subject_of(user), tuple(sorted(account_ids))
    return Leaver(
        user_id=user.pk,
        emails=known.emails,
        alone=ending,
        owned=ending,
        reach=ending,
        counts_elsewhere=False,
    )


def erase(subject: Leaver, search: Search) -> Sequence[Ended]:
    """Empty every store of a person; again, it finds nothing. Caller holds a transaction."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{TIMEOUT_S}s'")
    scrubbed = _scrub(subject, search)
    # What staff noted is found by the rows that it is about: before they go.
    stores = list(reversed(personal_data.stores()))
    stores.sort(key=lambda one: one.model is not LogEntry)
    ended = [_end(store, subject) for store in stores]
    return [scrubbed, *ended]


def _end(store: Store, subject: Subject) -> Ended:
    if store.erase is not None:
        rows = store.erase(subject)
    elif store.ending is Ending.ERASED:
        rows = _delete(store.rows(subject))
    elif store.clears:
        rows = _clear(store.rows(subject), store.clears)
    else:
        rows = store.rows(subject).count()
    return Ended(store=store.name, ending=store.ending.value, rows=rows, why=store.why)


def _delete(rows: QuerySet[Any]) -> int:
    """Delete rows; what hangs on them by the database's own rule is counted in its own store."""
    model = rows.model
    ids = rows.order_by().values("pk")
    _all, by_model = QuerySet(model).filter(pk__in=ids).delete()
    return int(by_model.get(model._meta.label, 0))


def _clear(rows: QuerySet[Any], values: Mapping[str, Any]) -> int:
    """Set columns of rows that stay; a function makes the new value of the old one."""
    made = sorted(name for name, value in values.items() if callable(value))
    plain = {name: value for name, value in values.items() if name not in made}
    everything: QuerySet[Any] = QuerySet(rows.model)
    if not made:
        ids = rows.order_by().values("pk")
        return int(everything.filter(pk__in=ids).update(**plain))
    kept = list(rows.values_list("pk", *made))
    for pk, *before in kept:
        new = {name: values[name](value) for name, value in zip(made, before, strict=True)}
        everything.filter(pk=pk).update(**plain, **new)
    return len(kept)


def _scrub(subject: Subject, search: Search) -> Ended:
    """Take the person's name out of what is not the person's own."""
    elsewhere = ApiKey.objects.filter(created_by_id=subject.user_id)
    rows = _rename(elsewhere.exclude(account_id__in=subject.alone), search, lambda pk: f"key {pk}")
    joined = Account.objects.filter(memberships__user_id=subject.user_id)
    rows += _rename(joined.exclude(pk__in=subject.alone), search, lambda pk: f"account {pk}")
    # What somebody wrote from one of these addresses without logging in.
    written = ContactRequest.objects.filter(email__in=subject.emails)
    rows += _delete(written.exclude(user_id=subject.user_id))
    rows += _delete(Invitation.objects.filter(account_id__in=subject.alone))
    rows += _forget_staff_notes(search)
    return Ended(store="texts_of_others", ending="pseudonymized", rows=rows, why=SCRUB_WHY)


def _rename(rows: QuerySet[Any], search: Search, name: Callable[[int], str]) -> int:
    found = [pk for pk, said in rows.values_list("pk", "name") if search.in_value(said)]
    for pk in found:
        QuerySet(rows.model).filter(pk=pk).update(name=name(pk))
    return len(found)


def _forget_staff_notes(search: Search) -> int:
    """Empty what the staff site noted of things that carry the name."""
    texts = LogEntry.objects.values_list("pk", "object_repr", "change_message")
    found = [
        pk
        for pk, *said in texts.iterator(chunk_size=ROWS_AT_ONCE)
        if any(search.in_value(text) for text in said)
    ]
    return LogEntry.objects.filter(pk__in=found).update(object_repr="", change_message="")
