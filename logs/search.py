"""The list of an account's requests: filtered, newest first, page by page, at a bounded cost.

Each list is read along one index (ADR 23): of the end user, of the tag, of each key, of failures,
or of all requests of the account. What the index does not know is looked at row by row, and at
most SCAN_ROWS_MAX of them at a time: where that is not enough, the answer says where to go on.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from logs.models import RequestLog

FAILED_FROM = 400
SCAN_ROWS_MAX = 20_000
# A list along more indexes than this would be no list: the newest keys have to do.
KEYS_MAX = 200

Rows = QuerySet[RequestLog]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which requests are asked for; an empty value means all of them."""

    # First and last status, both included.
    status: tuple[int, int] | None = None
    model: str = ""
    vendor: str = ""
    tag: str = ""
    # Hashes, any of which will do.
    end_users: tuple[str, ...] = ()
    # None: whichever key. The caller has made sure that they are keys of the account.
    key_ids: tuple[int, ...] | None = None
    # Ids: from the first on, and before the second.
    since: uuid.UUID | None = None
    before: uuid.UUID | None = None

    @property
    def is_failure(self) -> bool:
        """Whether only failures are asked for, which have an index of their own."""
        return self.status is not None and self.status[0] >= FAILED_FROM


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of a list."""

    rows: Sequence[RequestLog]
    # Where the next page begins: before this id. None: there is nothing older.
    older: uuid.UUID | None = None
    # True when the search stopped at its bound, not because the page is full.
    is_cut: bool = False


def find(account_id: int, wanted: Wanted, *, rows_max: int) -> Found:
    """Return the newest requests that pass, at most `rows_max` (positive); two queries at most."""
    parts, rest = _along(account_id, wanted)
    if not parts:
        return Found(rows=[])
    floor = _floor([_within(part, wanted) for part in parts]) if rest != Wanted() else None
    bounds = replace(wanted, since=max(filter(None, (wanted.since, floor)), default=None))
    rows = _newest([_narrow(_within(part, bounds), rest) for part in parts], rows_max + 1)
    if len(rows) > rows_max:
        return Found(rows=rows[:rows_max], older=rows[rows_max - 1].request_id)
    return Found(rows=rows, older=floor, is_cut=floor is not None)


def _along(account_id: int, wanted: Wanted) -> tuple[list[Rows], Wanted]:
    """Choose the index; return its rows, a part for each of its values, and what it leaves."""
    rest = replace(wanted, since=None, before=None)
    ours = RequestLog.objects.filter(account_id=account_id)
    if wanted.end_users:
        parts = [ours.filter(end_user=end_user) for end_user in wanted.end_users]
        return parts, replace(rest, end_users=())
    if wanted.tag:
        return [ours.filter(tag=wanted.tag)], replace(rest, tag="")
    if wanted.key_ids is not None:
        # Without the account: the planner must not take its index for theirs.
        keys = [RequestLog.objects.filter(api_key_id=pk) for pk in wanted.key_ids[:KEYS_MAX]]
        return keys, replace(rest, key_ids=None)
    if wanted.is_failure:
        failed = ours.filter(status__gte=FAILED_FROM)
        is_all = wanted.status == (FAILED_FROM, 599)
        return [failed], replace(rest, status=None) if is_all else rest
    return [ours], rest


def _within(rows: Rows, wanted: Wanted) -> Rows:
    if wanted.since is not None:
        rows = rows.filter(request_id__gte=wanted.since)
    if wanted.before is not None:
        rows = rows.filter(request_id__lt=wanted.before)
    return rows.order_by("-request_id")


def _narrow(rows: Rows, rest: Wanted) -> Rows:
    if rest.status is not None:
        rows = rows.filter(status__gte=rest.status[0], status__lte=rest.status[1])
    if rest.model:
        rows = rows.filter(model=rest.model)
    if rest.vendor:
        rows = rows.filter(vendor=rest.vendor)
    if rest.tag:
        rows = rows.filter(tag=rest.tag)
    if rest.key_ids is not None:
        rows = rows.filter(api_key_id__in=rest.key_ids)
    return rows


def _floor(parts: Sequence[Rows]) -> uuid.UUID | None:
    """Return the least id that a search may look at; None: it may look at all rows."""
    place = max(SCAN_ROWS_MAX // len(parts), 1)
    unseen = _newest([part.only("request_id")[place : place + 1] for part in parts], 1)
    return uuid.UUID(int=unseen[0].request_id.int + 1) if unseen else None


def _newest(parts: Sequence[Rows], rows_max: int) -> list[RequestLog]:
    """Return the newest rows of several indexes, read in one query, each no further than needed."""
    parts = [part if part.query.is_sliced else part[:rows_max] for part in parts]
    if len(parts) == 1:
        return list(parts[0])
    asked = [part.query.sql_with_params() for part in parts]
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) p{n}" for n, (sql, _) in enumerate(asked))  # noqa: S608
    values = [value for _, params in asked for value in params]
    return list(
        RequestLog.objects.raw(
            f"SELECT * FROM ({union}) u ORDER BY request_id DESC LIMIT %s",  # noqa: S608
            [*values, rows_max],
        )
    )
