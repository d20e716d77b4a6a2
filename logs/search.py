"""The list of an account's requests: filtered, newest first, page by page, at a bounded cost.

Each list is read along one index (ADR 23): of the end user, of the tag, of each key, of failures,
or of all requests of the account. What the index does not know is looked at row by row, and at
most SCAN_ROWS_MAX of them at a time: where that is not enough, the answer says where to go on.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from logs.models import RequestLog

FAILED_FROM = 400
FAILED = (FAILED_FROM, 599)
# How many rows one search may look at: first, and in all. Those of an account lie near each other,
# those of a key or a label each in another place.
FIRST_ROWS = 500
SCAN_ROWS_MAX = 4_000
SPARSE_ROWS_MAX = 2_500
# Each key's index is read by itself: of more keys the first have to do.
KEYS_MAX = 20

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Along:
    """Rows that are read along one index: all that it has, or those of each of some values."""

    rows: Rows
    column: str = ""
    values: Sequence[int] | Sequence[str] = ()
    # What the index does not know, and how many rows may be looked at for it.
    rest: Wanted
    scan_rows_max: int

    @property
    def width(self) -> int:
        """How many parts there are."""
        return len(self.values) if self.column else 1

    @property
    def parts(self) -> Sequence[Rows]:
        """The rows of each value."""
        if not self.column:
            return [self.rows]
        return [self.rows.filter(**{self.column: value}) for value in self.values]


def find(account_id: int, wanted: Wanted, *, rows_max: int) -> Found:
    """Return the newest requests that pass, at most `rows_max` (positive); four queries at most."""
    along = _along(account_id, wanted)
    if not along.width:
        return Found(rows=[])
    if along.rest == Wanted():
        return _page(along, wanted, floor=None, rows_max=rows_max)
    # Most filters fill a page from a few rows: it would be a waste to measure out many.
    steps = [min(FIRST_ROWS, along.scan_rows_max)] if along.width == 1 else []
    found = Found(rows=[])
    for looked_at in (*steps, along.scan_rows_max):
        floor = _floor(along, wanted, looked_at // along.width)
        found = _page(along, wanted, floor=floor, rows_max=rows_max)
        if not found.is_cut:
            break
    return found


def _page(along: _Along, wanted: Wanted, *, floor: uuid.UUID | None, rows_max: int) -> Found:
    bounds = replace(wanted, since=max(filter(None, (wanted.since, floor)), default=None))
    asked = replace(along, rows=_narrow(_within(along.rows, bounds), along.rest))
    rows = _newest(asked, rows_max + 1)
    if len(rows) > rows_max:
        return Found(rows=rows[:rows_max], older=rows[rows_max - 1].request_id)
    return Found(rows=rows, older=floor, is_cut=floor is not None)


def _along(account_id: int, wanted: Wanted) -> _Along:
    """Choose the index."""
    rest = replace(wanted, since=None, before=None)
    ours = RequestLog.objects.filter(account_id=account_id)
    if wanted.end_users:
        return _Along(
            rows=ours, column="end_user", values=wanted.end_users,
            rest=replace(rest, end_users=()), scan_rows_max=SPARSE_ROWS_MAX,
        )  # fmt: skip
    if wanted.tag:
        rest = replace(rest, tag="")
        tagged = ours.filter(tag=wanted.tag)
        return _Along(rows=tagged, rest=rest, scan_rows_max=SPARSE_ROWS_MAX)
    if wanted.key_ids is not None:
        # Without the account: the planner must not take its index for theirs.
        return _Along(
            rows=RequestLog.objects.all(), column="api_key_id", values=wanted.key_ids[:KEYS_MAX],
            rest=replace(rest, key_ids=None), scan_rows_max=SPARSE_ROWS_MAX,
        )  # fmt: skip
    if wanted.is_failure:
        failed = ours.filter(status__gte=FAILED_FROM)
        if wanted.status == FAILED:
            rest = replace(rest, status=None)
        # The index knows the status itself.
        is_read = replace(rest, status=None) != Wanted()
        scan_rows_max = SPARSE_ROWS_MAX if is_read else SCAN_ROWS_MAX
        return _Along(rows=failed, rest=rest, scan_rows_max=scan_rows_max)
    return _Along(rows=ours, rest=rest, scan_rows_max=SCAN_ROWS_MAX)


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


def _floor(along: _Along, wanted: Wanted, place: int) -> uuid.UUID | None:
    """Return the least id of the first `place` rows of each part; None: they have no more."""
    within = replace(along, rows=_within(along.rows, wanted))
    unseen = _newest_ids(within, slice(place, place + 1), 1)
    return uuid.UUID(int=unseen[0].int + 1) if unseen else None


def _newest(along: _Along, rows_max: int) -> list[RequestLog]:
    if along.width == 1:
        return list(along.parts[0][:rows_max])
    ids = _newest_ids(along, slice(rows_max), rows_max)
    return list(RequestLog.objects.filter(request_id__in=ids).order_by("-request_id"))


def _newest_ids(along: _Along, of_each: slice, rows_max: int) -> list[uuid.UUID]:
    """Return the newest ids of a slice of each part; one query, which sorts what they gave."""
    if along.width == 1:
        return list(along.parts[0][of_each].values_list("request_id", flat=True))
    if connection.vendor == "postgresql":
        sql, values = _lateral(along, of_each)
    else:
        sql, values = _union([part[of_each] for part in along.parts])
    found = RequestLog.objects.raw(
        f"SELECT request_id FROM ({sql}) u ORDER BY request_id DESC LIMIT %s",  # noqa: S608
        [*values, rows_max],
    )
    return [row.request_id for row in found]


def _union(parts: Sequence[Rows]) -> tuple[str, list[Any]]:
    asked = [part.values("request_id").query.sql_with_params() for part in parts]
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) p{n}" for n, (sql, _) in enumerate(asked))  # noqa: S608
    return union, [value for _, params in asked for value in params]


def _lateral(along: _Along, of_each: slice) -> tuple[str, list[Any]]:
    """As a union, planned once: PostgreSQL plans each part of that in each day's partition."""
    each = RawSQL("of_each.value", ())
    part = along.rows.filter(**{along.column: each})[of_each]
    sql, params = part.values("request_id").query.sql_with_params()
    kind = "bigint" if isinstance(along.values[0], int) else "text"
    values = f"unnest(%s::{kind}[]) AS of_each(value)"
    return (
        f"SELECT p.request_id FROM {values} CROSS JOIN LATERAL ({sql}) p",  # noqa: S608
        [list(along.values), *params],
    )
