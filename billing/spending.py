"""What an account spent, by day or hour: closed leases' hours and the charges of live ones.

Every figure comes from one statement, so that a lease that closes meanwhile counts once.
Hours are for the latest days; older ones are added up by day, and stand at its midnight.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from django.db import connection, transaction

from accounts import planned
from accounts.hours import KEPT_DAYS, day_sql, fold_sql, from_sql, hour_sql
from accounts.timeids import DAY, bound, midnight, moment
from billing.ledger import CORRECTION
from billing.models import Charge, LedgerAccount, LedgerEntry


class Part(Enum):
    """What sums are kept apart; the value is its column."""

    KEY = "api_key_id"
    ENDPOINT = "endpoint"


class Sum(NamedTuple):
    """What requests of one hour or day cost. `key_id` 0 and `endpoint` "": not known, or not asked.

    `at` is the beginning of the hour or day (UTC); `requests` counts those that were billed.
    """

    at: dt.datetime
    key_id: int
    endpoint: str
    requests: int
    cost_nusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the sums must add up to, nUSD; of the same instant as they."""

    # What the ledger took for requests since the account began.
    spent_nusd: int
    # What all hours since then add up to.
    hours_nusd: int
    is_frozen: bool

    @property
    def is_equal(self) -> bool:
        """True when the hours are the ledger's, to the nano-dollar."""
        return self.spent_nusd == self.hours_nusd


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Sums of a range of days, and the ledger that they were taken from."""

    sums: Sequence[Sum]
    # What of the sums is of leases that are not closed: spent, and not posted yet.
    live_nusd: int
    ledger: Ledger

    @property
    def total_nusd(self) -> int:
        """Everything that requests of these days cost."""
        return sum(one.cost_nusd for one in self.sums)


# Grouped by nothing that is constant: SQLite sorts by every column named, which takes longest.
_CLOSED = """
SELECT 'closed', {at}, {key}, {endpoint}, SUM(requests), SUM(cost_nusd)
FROM billing_spendhour h
WHERE wallet_id = %s AND hour >= %s AND hour < %s {only} GROUP BY {places}
"""
# As billing.closing bills them; goodwill is forgiven only when the lease closes.
_LIVE = """
SELECT 'live', {at}, {key}, {endpoint}, COUNT(*), SUM(c.cost_nusd)
FROM billing_lease l JOIN billing_charge c ON c.lease_id = l.id
WHERE l.wallet_id = %s AND l.state IN ('active', 'draining')
AND (c.state IN ('settled', 'estimated') OR c.cost_nusd > 0)
AND c.request_id >= %s AND c.request_id < %s {only} GROUP BY {places}
"""
_LEDGER = """
SELECT 'ledger', NULL, COALESCE(MAX(CASE WHEN frozen THEN 1 ELSE 0 END), 0), '',
    COALESCE((SELECT SUM(cost_nusd) FROM billing_spendhour WHERE wallet_id = %s), 0),
    COALESCE(MAX(spent_nusd), 0)
FROM billing_wallet WHERE account_id = %s
"""


def spent(
    account_id: int,
    *,
    since: dt.date,
    until: dt.date,
    parts: Collection[Part] = (),
    by_hour: bool = False,
    key_ids: Collection[int] | None = None,
) -> Spending:
    """Return what requests of the days from `since` to before `until` (UTC) cost; one query.

    `key_ids`: only what these keys spent; the ledger is that of the account all the same.
    """
    rows = planned.rows(*_statement(account_id, since, until, (parts, by_hour, key_ids)))
    (ledger,) = [row for row in rows if row[0] == "ledger"]
    times = {at: from_sql(at) for at in {row[1] for row in rows if row[0] != "ledger"}}
    return Spending(
        sums=[
            Sum(times[at], int(key_id), endpoint, int(requests), int(cost))
            for kind, at, key_id, endpoint, requests, cost in rows
            if kind != "ledger"
        ],
        live_nusd=sum(int(row[5]) for row in rows if row[0] == "live"),
        ledger=Ledger(
            spent_nusd=int(ledger[5]), hours_nusd=int(ledger[4]), is_frozen=bool(int(ledger[2]))
        ),
    )


def _statement(
    account_id: int,
    since: dt.date,
    until: dt.date,
    asked: tuple[Collection[Part], bool, Collection[int] | None],
) -> tuple[str, list[Any]]:
    """Return the statement and its values; what is not asked for is left constant."""
    parts, by_hour, key_ids = asked
    vendor = connection.vendor
    live_hour = hour_sql(vendor, "c.request_id")
    only = "" if key_ids is None else "AND FALSE"
    if key_ids:
        only = f"AND {{}}.api_key_id IN ({', '.join(['%s'] * len(key_ids))})"
    keys = list(key_ids or ())
    places = ", ".join(str(n) for n in (2, *(n for n, part in enumerate(Part, 3) if part in parts)))
    closed = _CLOSED.format(
        at="h.hour" if by_hour else day_sql(vendor, "h.hour"),
        key="h.api_key_id" if Part.KEY in parts else "0",
        endpoint="h.endpoint" if Part.ENDPOINT in parts else "''",
        only=only.format("h"),
        places=places,
    )
    live = _LIVE.format(
        at=live_hour if by_hour else day_sql(vendor, live_hour),
        key="COALESCE(c.api_key_id, 0)" if Part.KEY in parts else "0",
        endpoint="COALESCE(c.endpoint, '')" if Part.ENDPOINT in parts else "''",
        only=only.format("c"),
        places=places,
    )
    hours = [connection.ops.adapt_datetimefield_value(midnight(day)) for day in (since, until)]
    is_native = connection.features.has_native_uuid_field
    ids = [one if is_native else one.hex for one in map(bound, (since, until))]
    values = [account_id, *hours, *keys, account_id, *ids, *keys, account_id, account_id]
    return f"{closed} UNION ALL {live} UNION ALL {_LEDGER}", values


def fold(*, today: dt.date) -> int:
    """Add hours older than KEPT_DAYS up by day, at its midnight; return how many rows.

    What a lease that closes meanwhile adds to an old hour is not lost: it is folded another day.
    """
    before = midnight(today - (KEPT_DAYS - 1) * DAY)
    sqls = fold_sql(
        connection.vendor,
        "billing_spendhour",
        ["wallet_id", "api_key_id", "endpoint"],
        ["requests", "cost_nusd"],
    )
    changed = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for sql in sqls:
            cursor.execute(sql, [connection.ops.adapt_datetimefield_value(before)])
            changed += max(cursor.rowcount, 0)
    return changed


_ALL_CLOSED = """
SELECT wallet_id, {at}, SUM(cost_nusd) FROM billing_spendhour h
WHERE hour >= %s AND hour < %s GROUP BY 1, 2
"""
_ALL_LIVE = """
SELECT l.wallet_id, {at}, SUM(c.cost_nusd)
FROM billing_lease l JOIN billing_charge c ON c.lease_id = l.id
WHERE l.state IN ('active', 'draining')
AND (c.state IN ('settled', 'estimated') OR c.cost_nusd > 0)
AND c.request_id >= %s AND c.request_id < %s GROUP BY 1, 2
"""


def by_account(
    *, since: dt.date, until: dt.date, by_hour: bool
) -> Mapping[tuple[int, dt.datetime], int]:
    """Return what the ledger took by account and hour or day of the request, nUSD; two queries.

    Of closed and live leases, less what corrections gave back after a crash.
    """
    vendor = connection.vendor
    hour = hour_sql(vendor, "c.request_id")
    closed = _ALL_CLOSED.format(at="h.hour" if by_hour else day_sql(vendor, "h.hour"))
    live = _ALL_LIVE.format(at=hour if by_hour else day_sql(vendor, hour))
    adapt = connection.ops.adapt_datetimefield_value
    values: list[Any] = [adapt(midnight(day)) for day in (since, until)]
    is_native = connection.features.has_native_uuid_field
    values += [one if is_native else one.hex for one in map(bound, (since, until))]
    found: Counter[tuple[int, dt.datetime]] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(f"{closed} UNION ALL {live}", values)
        for account_id, at, cost in cursor.fetchall():
            found[account_id, from_sql(at)] += int(cost)
    for account_id, request_id, given in _corrections(since=since):
        at = moment(request_id).replace(minute=0, second=0, microsecond=0)
        if since <= at.date() < until:
            found[account_id, at if by_hour else midnight(at.date())] -= given
    return {key: cost for key, cost in found.items() if cost}


def net_costs(account_id: int, *, first: uuid.UUID, last: uuid.UUID) -> Mapping[uuid.UUID, int]:
    """Return what an account's charges cost in the end, ids from one to before another; nUSD.

    Without what was forgiven or given back. Charges that are open are not among them.
    """
    rows = Charge.objects.filter(
        wallet_id=account_id, request_id__gte=first, request_id__lt=last, cost_nusd__gt=0
    ).values_list("request_id", "cost_nusd", "reason", "corrected")
    corrections = _corrections(since=moment(first).date(), account_id=account_id)
    given = {request_id: amount for _, request_id, amount in corrections}
    is_forgiven = (Charge.Reason.GOODWILL, True)
    return {
        request_id: 0 if (reason, corrected) == is_forgiven else cost - given.get(request_id, 0)
        for request_id, cost, reason, corrected in rows
        if cost is not None
    }


def _corrections(
    *, since: dt.date, account_id: int | None = None
) -> list[tuple[int, uuid.UUID, int]]:
    """Return what was given back since then after crashes: account, request, nUSD."""
    rows = LedgerEntry.objects.filter(
        transaction__kind=CORRECTION,
        transaction__created_at__gte=midnight(since),
        account__kind=LedgerAccount.Kind.WALLET,
    )
    if account_id is not None:
        rows = rows.filter(account__owner_id=account_id)
    told = rows.values_list("account__owner_id", "transaction__ref", "amount_nusd")
    return [(owner, uuid.UUID(ref), amount) for owner, ref, amount in told if owner is not None]
