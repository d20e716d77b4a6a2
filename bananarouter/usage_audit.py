"""The sums of the log against the ledger, by account and hour, to the nano-dollar.

Billing and logs never see each other, so the comparison stands here. They differ where a charge
ended after its row was written (a sweeper's estimate, goodwill, a late correction), and where a
worker died before it wrote the row.
"""

import datetime as dt
import enum
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from accounts.hours import KEPT_DAYS
from accounts.timeids import DAY, bound, midnight
from billing import spending
from logs import queries, rollups

HOUR = dt.timedelta(hours=1)


class Cause(enum.StrEnum):
    """Why a request's row and its charge differ."""

    COST = "cost"  # both stand, with different costs
    NO_ROW = "no_row"  # charged, and its row was never written
    NO_CHARGE = "no_charge"  # its row has a cost that nobody was charged


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One account's hour (or day, where hours are added up) whose sums differ; nUSD."""

    account_id: int
    at: dt.datetime
    span: dt.timedelta
    logged_nusd: int
    charged_nusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request behind a difference; nUSD."""

    request_id: uuid.UUID
    cause: Cause
    logged_nusd: int
    charged_nusd: int


def differences(*, since: dt.date, until: dt.date, today: dt.date) -> list[Difference]:
    """Return where sums differ, of the days from `since` to before `until` (UTC); six queries.

    What settles while this runs may show as a difference once: ask again.
    """
    first_hourly = max(since, today - (KEPT_DAYS - 1) * DAY)
    spans = [(since, min(until, first_hourly), DAY), (first_hourly, until, HOUR)]
    found = []
    for start, end, span in spans:
        if start >= end:
            continue
        by_hour = span is HOUR
        charged = spending.by_account(since=start, until=end, by_hour=by_hour)
        logged = queries.costs(since=start, until=end, by_hour=by_hour)
        found += [
            Difference(
                account_id=account_id,
                at=at,
                span=span,
                logged_nusd=logged.get((account_id, at), 0),
                charged_nusd=charged.get((account_id, at), 0),
            )
            for account_id, at in sorted({*charged, *logged})
            if logged.get((account_id, at), 0) != charged.get((account_id, at), 0)
        ]
    return found


def requests(difference: Difference) -> Iterator[Request]:
    """Yield the requests that make a difference, oldest first; three queries.

    None: the rows and charges agree, so the sums themselves are wrong (rollups.rebuild), or the
    rows are gone.
    """
    first = _first_id(difference.at)
    last = _first_id(difference.at + difference.span)
    charged = spending.net_costs(difference.account_id, first=first, last=last)
    logged = queries.request_costs(difference.account_id, first=first, last=last)
    for request_id in sorted({*charged, *logged}):
        was, owed = logged.get(request_id, 0), charged.get(request_id, 0)
        if was == owed:
            continue
        cause = Cause.COST
        if request_id not in logged:
            cause = Cause.NO_ROW
        elif request_id not in charged:
            cause = Cause.NO_CHARGE
        yield Request(request_id=request_id, cause=cause, logged_nusd=was, charged_nusd=owed)


def correct(found: list[Request]) -> int:
    """Give rows that stand what their charges ended at; return how many. The ledger is right."""
    costs: Mapping[uuid.UUID, int] = {
        one.request_id: one.charged_nusd for one in found if one.cause is not Cause.NO_ROW
    }
    return rollups.correct(costs)


def _first_id(at: dt.datetime) -> uuid.UUID:
    millis = (at - midnight(at.date())) // dt.timedelta(milliseconds=1)
    return uuid.UUID(int=bound(at.date()).int + (millis << 80))
