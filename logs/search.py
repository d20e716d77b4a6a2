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
FAILED = (FAILED_FROM, 599)
# How many rows one search may look at: first, and in all. Those of an account lie near each other,
# those of a key or a label each in another place.
FIRST_ROWS = 500
SCAN_ROWS_MAX = 4_000
SPARSE_ROWS_MAX = 2_500
# PostgreSQL plans each key's index in each partition: of more keys the first have to do.
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


def find(account_id: int, wanted: Wanted, *, rows_max: int) -> Found:
    """Return the newest requests that pass, at most `rows_max` (positive); four queries at most."""
    parts, rest, scan_rows_max = _along(account_id, wanted)
    if not parts:
        return Found(rows=[])
    if rest == Wanted():
        return _page(parts, wanted, rest, floor=None, rows_max=rows_max)
    # Most filters fill a page from a few rows: it would be a waste to measure out many.
    steps = [min(FIRST_ROWS, scan_rows_max)] if len(parts) == 1 else []
    found = Found(rows=[])
    for looked_at in (*steps, scan_rows_max):
        floor = _floor([_within(part, wanted) for part in parts], looked_at // len(parts))
        found = _page(parts, wanted, rest, floor=floor, rows_max=rows_max)
        if not found.is_cut:
            break
    return found


def _page(
    parts: Sequence[Rows], wanted: Wanted, rest: Wanted, *, floor: uuid.UUID | None, rows_max: int
) -> Found:
    bounds = replace(wanted, since=max(filter(None, (wanted.since, floor)), default=None))
    rows = _newest([_narrow(_within(part, bounds), rest) for part in parts], rows_max + 1)
    if len(rows) > rows_max:
        return Found(rows=rows[:rows_max], older=rows[rows_max - 1].request_id)
    return Found(rows=rows, older=floor, is_cut=floor is not None)


def _along(account_id: int, wanted: Wanted) -> tuple[list[Rows], Wanted, int]:
    """Choose the index; return its rows, a part for each of its values, and what it leaves.

    Last, how many rows may be looked at for the rest.
    """
    rest = replace(wanted, since=None, before=None)
    ours = RequestLog.objects.filter(account_id=account_id)
    if wanted.end_users:
        parts = [ours.filter(end_user=end_user) for end_user in wanted.end_users]
        return parts, replace(rest, end_users=()), SPARSE_ROWS_MAX
    if wanted.tag:
        return [ours.filter(tag=wanted.tag)], replace(rest, tag=""), SPARSE_ROWS_MAX
    if wanted.key_ids is not None:
        # Without the account: the planner must not take its index for theirs.
        keys = [RequestLog.objects.filter(api_key_id=pk) for pk in wanted.key_ids[:KEYS_MAX]]
        return keys, replace(rest, key_ids=None), SPARSE_ROWS_MAX
    if wanted.is_failure:
        failed = ours.filter(status__gte=FAILED_FROM)
        if wanted.status == FAILED:
            rest = replace(rest, status=None)
        # The index knows the status itself.
        is_read = replace(rest, status=None) != Wanted()
        return [failed], rest, SPARSE_ROWS_MAX if is_read else SCAN_ROWS_MAX
    return [ours], rest, SCAN_ROWS_MAX


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


def _floor(parts: Sequence[Rows], place: int) -> uuid.UUID | None:
    """Return the least id of the first `place` rows of each part; None: they have no more."""
    unseen = _newest_ids([part[place : place + 1] for part in parts], 1)
    return uuid.UUID(int=unseen[0].int + 1) if unseen else None


def _newest(parts: Sequence[Rows], rows_max: int) -> list[RequestLog]:
    if len(parts) == 1:
        return list(parts[0][:rows_max])
    ids = _newest_ids([part[:rows_max] for part in parts], rows_max)
    return list(RequestLog.objects.filter(request_id__in=ids).order_by("-request_id"))


def _newest_ids(parts: Sequence[Rows], rows_max: int) -> list[uuid.UUID]:
    """Return the newest ids of sliced parts; one query, which sorts what several parts gave."""
    if len(parts) == 1:
        return list(parts[0].values_list("request_id", flat=True))
    asked = [part.values("request_id").query.sql_with_params() for part in parts]
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) p{n}" for n, (sql, _) in enumerate(asked))  # noqa: S608
    values = [value for _, params in asked for value in params]
    found = RequestLog.objects.raw(
        f"SELECT request_id FROM ({union}) u ORDER BY request_id DESC LIMIT %s",  # noqa: S608
        [*values, rows_max],
    )
    return [row.request_id for row in found]
