"""Monthly statements: an account's month in the ledger, locked once issued.

A month is cut out of the ledger by the ids of its postings, which carry their time, so the sums
of a statement are the ledger's own difference. A posting that comes for a month after its
statement was issued changes no statement: the next one has a line for it (`EARLIER`).
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q, Sum

from accounts.models import Account, BillingDetails
from accounts.timeids import DAY, bound, midnight
from billing.models import LedgerAccount, LedgerEntry, MonthlyStatement, Wallet
from billing.payments import receipts

# Leases of the month's last minutes are closed by then.
MARGIN = dt.timedelta(hours=6)
# A system that was away for so many months issues what it missed.
MONTHS_BACK = 3
BATCH, ISSUED_MAX = 200, 20_000
LINES_MAX = 500
# What was posted to earlier months after their statements were issued.
EARLIER = "earlier"


class TooEarly(ValueError):
    """The month has not ended, or only just."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """An account's month in nUSD: opening + all sums = closing."""

    month: dt.date
    opening_nusd: int
    closing_nusd: int
    # By kind of posting: "top_up", "lease" (requests), "credit:promotion", ...
    by_kind: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A posting as an account's statement shows it."""

    id: uuid.UUID
    at: dt.datetime
    kind: str
    ref: str
    amount_nusd: int


def next_month(month: dt.date) -> dt.date:
    """Return the first day of the month after."""
    return (month.replace(day=1) + 32 * DAY).replace(day=1)


def previous_month(month: dt.date) -> dt.date:
    """Return the first day of the month before."""
    return (month.replace(day=1) - DAY).replace(day=1)


def issue(account: Account, month: dt.date, *, now: dt.datetime) -> MonthlyStatement | None:
    """Issue an account's statement of a month, once; None when it never had money by then.

    `month` is its first day. Raises: TooEarly.
    """
    _check_time(month, now)
    _issue([account.pk], month, now=now)
    return MonthlyStatement.objects.filter(account=account, month=month).first()


def _check_time(month: dt.date, now: dt.datetime) -> None:
    if now < midnight(next_month(month)) + MARGIN:
        raise TooEarly(str(month))


def issue_due(*, now: dt.datetime) -> int:
    """Issue what is due of the months that ended, oldest first; return how many."""
    months = [previous_month((now - MARGIN).astimezone(dt.UTC).date())]
    while len(months) < MONTHS_BACK:
        months.append(previous_month(months[-1]))
    issued = 0
    for month in reversed(months):
        for account_ids in _lacking(month):
            if issued >= ISSUED_MAX:
                return issued
            issued += _issue(account_ids, month, now=now)
    return issued


def _lacking(month: dt.date) -> Iterator[list[int]]:
    """Yield accounts that had money and have no statement of the month, in batches."""
    issued = MonthlyStatement.objects.filter(month=month).values("account_id")
    rows = Wallet.objects.filter(
        credit_nusd__gt=0, account__created_at__lt=midnight(next_month(month))
    )
    rows = rows.exclude(pk__in=issued).order_by("pk")
    latest = 0
    while batch := list(rows.filter(pk__gt=latest).values_list("pk", flat=True)[:BATCH]):
        yield batch
        latest = batch[-1]


def _issue(account_ids: Sequence[int], month: dt.date, *, now: dt.datetime) -> int:
    """Write the statements of some accounts; a constant number of queries."""
    accounts = Account.objects.in_bulk(account_ids)
    details = BillingDetails.objects.in_bulk(account_ids)
    rows = [
        MonthlyStatement(
            account_id=account_id,
            month=month,
            opening_nusd=sums.opening_nusd,
            closing_nusd=sums.closing_nusd,
            sums={kind: str(amount) for kind, amount in sums.by_kind.items()},
            facts=receipts.parties(accounts[account_id], details.get(account_id)),
            issued_at=now,
        )
        for account_id, sums in _sums(account_ids, month).items()
        if sums.opening_nusd or sums.by_kind
    ]
    # Two sweeps at once: the first one's statement stands.
    MonthlyStatement.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _sums(account_ids: Sequence[int], month: dt.date) -> dict[int, Sums]:
    wallets = LedgerAccount.objects.filter(
        kind=LedgerAccount.Kind.WALLET, owner_id__in=account_ids, currency="USD"
    )
    owners = dict(wallets.values_list("pk", "owner_id"))
    start, end = bound(month), bound(next_month(month))
    entries = LedgerEntry.objects.filter(account_id__in=owners, transaction_id__lt=end)
    by_kind: dict[int, dict[str, int]] = {}
    grouped = entries.filter(transaction_id__gte=start).values("account_id", "transaction__kind")
    for row in grouped.order_by().annotate(sum=Sum("amount_nusd")):
        sums = by_kind.setdefault(owners[row["account_id"]] or 0, {})
        if row["sum"]:
            sums[row["transaction__kind"]] = int(row["sum"])
    issued = MonthlyStatement.objects.filter(
        account_id__in=account_ids, month=previous_month(month)
    )
    previous = {row.account_id: row for row in issued}
    before = _before(owners, previous, month)
    found = {}
    for account_id in account_ids:
        sums, known = by_kind.get(account_id, {}), previous.get(account_id)
        opening = known.closing_nusd if known else before.get(account_id, 0)
        if late := before.get(account_id, 0) - opening:
            sums[EARLIER] = late
        found[account_id] = Sums(
            month=month,
            opening_nusd=opening,
            closing_nusd=opening + sum(sums.values()),
            by_kind=sums,
        )
    return found


def _before(
    owners: Mapping[int, int | None],
    previous: Mapping[int, MonthlyStatement],
    month: dt.date,
) -> dict[int, int]:
    """Return what the ledger says of the time before a month, by account.

    Where the month before has a statement, only that month is added up again.
    """
    start = bound(month)
    is_known = [pk for pk, owner in owners.items() if owner in previous]
    others = [pk for pk in owners if pk not in set(is_known)]
    rows = LedgerEntry.objects.filter(transaction_id__lt=start).filter(
        Q(account_id__in=others)
        | Q(account_id__in=is_known, transaction_id__gte=bound(previous_month(month)))
    )
    grouped = rows.values("account_id").order_by().annotate(sum=Sum("amount_nusd"))
    found = {owners[row["account_id"]] or 0: int(row["sum"]) for row in grouped}
    for account_id, row in previous.items():
        base = row.opening_nusd + int(row.sums.get(EARLIER, 0))
        found[account_id] = base + found.get(account_id, 0)
    return found


def of(row: MonthlyStatement) -> Sums:
    """Return the sums of an issued statement. No query."""
    return Sums(
        month=row.month,
        opening_nusd=row.opening_nusd,
        closing_nusd=row.closing_nusd,
        by_kind={kind: int(amount) for kind, amount in row.sums.items()},
    )


def so_far(account_id: int, *, now: dt.datetime) -> Sums:
    """Return the sums of the month that runs, as they stand now."""
    return _sums([account_id], now.astimezone(dt.UTC).date().replace(day=1))[account_id]


def lines(
    account_id: int, month: dt.date, *, before: uuid.UUID | None = None, limit: int = 50
) -> list[Line]:
    """Return an account's postings of a month, newest first; `before`: the last id that is known.

    Two queries, each by an index, whatever the account's size.
    """
    end = min(before, bound(next_month(month))) if before else bound(next_month(month))
    wallet = LedgerAccount.objects.filter(
        kind=LedgerAccount.Kind.WALLET, owner_id=account_id, currency="USD"
    )
    # An id, not a subquery: only so the index gives the order, too.
    rows = LedgerEntry.objects.filter(
        account_id=wallet.values_list("pk", flat=True).first(),
        transaction_id__gte=bound(month),
        transaction_id__lt=end,
    )
    fields = ("transaction_id", "transaction__created_at", "transaction__kind", "transaction__ref")
    found = rows.order_by("-transaction_id").values_list(*fields, "amount_nusd")
    return [
        Line(id=pk, at=at, kind=kind, ref=ref, amount_nusd=amount)
        for pk, at, kind, ref, amount in found[: min(limit, LINES_MAX)]
    ]


def all_lines(account_id: int, month: dt.date) -> Iterator[Line]:
    """Yield every posting of a month, newest first, page by page."""
    page = lines(account_id, month, limit=LINES_MAX)
    while page:
        yield from page
        page = lines(account_id, month, before=page[-1].id, limit=LINES_MAX)
