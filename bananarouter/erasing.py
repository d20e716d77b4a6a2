"""Empties every store of a user who leaves, inside the database and outside of it.

First the list that a restored backup is held against, then what lies outside, each step one that
may be repeated while the user's row still says who it is; last the database, in one transaction.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from accounts import closures, erased, erasure, personal_data, traces
from accounts.erasure import Leaver
from accounts.models import Account, ApiKey, Closure, User
from accounts.traces import Place, Search, Trace
from bananarouter import closing_mail
from billing.payments import closures as money
from logs.archive import erasure as archive
from logs.archive import tracing
from logs.archive.base import Away, Refused
from logs.archive.watermarks import Busy
from logs.models import RequestLog

State = Closure.State
REPLAY: Final = "replay"
EVERYTHING: Final = (1 << 63) - 1


class Unreachable(Exception):
    """A store outside the database cannot be asked now; the rest is done in a later call."""


class Left(RuntimeError):
    """Rows of the person are left after their store was emptied: nothing is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A store that the database's transaction does not reach."""

    name: str
    why: str
    # It may be repeated. Raises: Unreachable, base.ProcessorError.
    erase: Callable[[Leaver, Search, dt.datetime], int]


def _from_archive(subject: Leaver, now: dt.datetime) -> int:
    """Delete the rows of the accounts that end, and the keys of their names."""
    try:
        return sum(archive.erase(account_id=pk, now=now).rows for pk in subject.alone)
    except (Away, Busy) as error:
        raise Unreachable("archive") from error


OUTSIDE: Final = (
    Outside(
        name="payment_customers",
        why="Who pays is known to the payment service as long as it keeps a card.",
        erase=lambda subject, _, __: money.forget_customers(subject.alone),
    ),
    Outside(
        name="archive",
        why="Its rows bear a name of one day; they go, and so do the keys of these names.",
        erase=lambda subject, _, now: _from_archive(subject, now),
    ),
    Outside(
        name="cache",
        why="Counters of log-ins and of what was typed, gone by themselves within a day.",
        erase=lambda _, search, __: traces.drop_from_cache(search),
    ),
)


def carry_out(closure: Closure, *, now: dt.datetime) -> None:
    """Erase the user of a closure that has begun; again, it goes on where it stopped.

    Raises: Unreachable, base.ProcessorError, django.db.Error, Left.
    """
    user = closure.user
    if closure.state != State.CLOSING or user is None:
        return
    subject = erasure.leaver(user, closure.account_ids)
    if not closure.certificate.get("mailed"):
        closing_mail.begun(closure, user)
        _keep(closure, mailed=True)
    erased.note(settings.ERASURE.list_file, entry(closure, user, subject))
    search = Search(traces.of(user, subject))
    outside = dict(closure.certificate.get("outside", {}))
    for store in OUTSIDE:
        # What an earlier call did counts as well.
        outside[store.name] = outside.get(store.name, 0) + store.erase(subject, search, now)
        _keep(closure, outside=outside)
    _empty(closure, subject, search, now=now)
    # What a request that was still running wrote meanwhile.
    traces.drop_from_cache(search)
    traces.settle_pages()


def entry(closure: Closure, user: User, subject: Leaver) -> erased.Entry:
    """Return the line by which a restored backup knows who is to be erased again."""
    return erased.Entry(
        closure=closure.public_id.hex,
        user_id=user.pk,
        mark=erased.mark(user),
        account_ids=subject.alone,
        at=closure.asked_at.isoformat(),
    )


def _keep(closure: Closure, **progress: Any) -> None:
    closure.certificate = {**closure.certificate, **progress}
    closure.save(update_fields=["certificate"])


def _empty(closure: Closure, subject: Leaver, search: Search, *, now: dt.datetime) -> None:
    """Empty the database's stores and end the closure: whole, or not at all."""
    with transaction.atomic():
        locked = Closure.objects.select_for_update().get(pk=closure.pk)
        if locked.state != State.CLOSING:  # another worker was here
            closure.refresh_from_db()
            return
        ended = [_leave_requests(subject), *erasure.erase(subject, search)]
        if left := left_over(subject):
            raise Left(", ".join(left))
        closure.refresh_from_db()
        closure.user, closure.state, closure.ended_at = None, State.CLOSED, now
        closure.account_ids, closure.paused_key_ids = [], []
        closure.language = "en"
        closure.certificate = certificate(closure, ended)
        closure.save()


def _leave_requests(subject: Leaver) -> erasure.Ended:
    """Take the person out of requests in accounts that others live on in."""
    keys = ApiKey.objects.filter(created_by_id=subject.user_id).exclude(
        account_id__in=subject.alone
    )
    rows = RequestLog.objects.filter(api_key_id__in=list(keys.values_list("pk", flat=True)))
    return erasure.Ended(
        store="requests_in_accounts_of_others",
        ending="pseudonymized",
        rows=rows.update(source_ip=None),
        why="What an organization was billed for is its own; the addresses go.",
    )


def left_over(subject: Leaver) -> list[str]:
    """Name the stores that must be empty and are not."""
    return [
        store.name
        for store in personal_data.stores()
        if store.ending is personal_data.Ending.ERASED
        and store.erase is None
        and store.rows(subject).exists()
    ]


def certificate(closure: Closure, ended: Sequence[erasure.Ended]) -> dict[str, Any]:
    """Return what was done, store by store: it names nobody."""
    outside = closure.certificate.get("outside", {})
    return {
        "outside": outside,
        "stores": [
            *(
                {"store": one.name, "ending": "erased", "rows": outside[one.name], "why": one.why}
                for one in OUTSIDE
                if one.name in outside
            ),
            *(one.to_json() for one in ended),
        ],
    }


def places(search: Search) -> Iterator[Place]:
    """Look for traces in everything that this installation stores. Raises: Unreachable."""
    yield from traces.in_database(search)
    yield from traces.in_database_files(search)
    yield from traces.in_cache(search)
    yield from traces.in_folder(settings.DATA_DIR, search, but=[settings.SECRETS_DIR])
    try:
        yield from tracing.places(search)
    except (Away, Refused) as error:
        raise Unreachable("archive") from error


def searched() -> tuple[Sequence[str], Sequence[str]]:
    """Name the stores that places() looks into, and those out of its reach."""
    archive, unreached = tracing.searched()
    stores = [f"database ({connection.vendor})", "cache", f"files of {settings.DATA_DIR}"]
    if archive:
        stores.append(f"archive {archive}")
    return stores, [f"archive {name}, which the settings name no more" for name in unreached]


def traces_of(user: User, subject: Leaver) -> Sequence[Trace]:
    """Collect what leads to a person, with the names that the archive has for them."""
    return [*traces.of(user, subject), *tracing.of(subject.alone)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a restored backup made necessary."""

    erased: int
    # Accounts of several people that have no owner any more: staff appoint one.
    ownerless: Sequence[int]


def replay(*, now: dt.datetime) -> Replayed:
    """Erase again whom a restored backup brought back, by the list that is kept apart from it.

    Raises: Unreachable, base.ProcessorError, django.db.Error, Left.
    """
    count, ownerless = 0, set[int]()
    for found in erased.read(settings.ERASURE.list_file):
        user = User.objects.filter(pk=found.user_id).first()
        if user is None or erased.mark(user) != found.mark:  # gone, or somebody else's number
            continue
        ownerless |= {account.pk for account in closures.owned_alone(user)}
        carry_out(_again(user, found, now=now), now=now)
        count += 1
    return Replayed(erased=count, ownerless=sorted(ownerless))


def _again(user: User, found: erased.Entry, *, now: dt.datetime) -> Closure:
    """Shut the doors again and take what the backup says is left: it was settled then."""
    own = Account.objects.filter(pk__in=found.account_ids, memberships__user=user)
    ids = sorted(own.values_list("pk", flat=True))
    with transaction.atomic():
        closure = closures.begin_again(
            user,
            public_id=uuid.UUID(hex=found.closure),
            account_ids=ids,
            asked_at=dt.datetime.fromisoformat(found.at),
            now=now,
        )
        money.forfeit(ids, nusd_max=EVERYTHING, actor=REPLAY, now=now)
    return closure
