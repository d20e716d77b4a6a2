"""What processors hold for us: it must come to nothing when they have paid out (I9)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet, Sum

from accounts.timeids import bound
from billing.models import LedgerAccount, LedgerEntry
from billing.payments import statements

Kind = LedgerAccount.Kind
CLEARING = (Kind.CLEARING_STRIPE, Kind.CLEARING_ALIPAY, Kind.CLEARING_WECHATPAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """A processor's month in one currency, in billionths of its unit.

    Negative: the processor holds so much for us. opening + all sums = closing.
    """

    processor: str
    currency: str
    opening: int
    closing: int
    by_kind: Mapping[str, int]

    @property
    def is_zero(self) -> bool:
        """Tell whether everything was paid out."""
        return self.closing == 0


def of_month(month: dt.date) -> list[Clearing]:
    """Return the clearing accounts in a UTC month, by name; `month` is its first day."""
    accounts = {row.pk: row for row in LedgerAccount.objects.filter(kind__in=CLEARING, owner=None)}
    start, end = bound(month), bound(statements.next_month(month))
    entries = LedgerEntry.objects.filter(account_id__in=accounts).order_by()
    before = entries.filter(transaction_id__lt=start).values("account_id")
    opening = {row["account_id"]: row["sum"] for row in before.annotate(sum=Sum("amount_nusd"))}
    by_kind: dict[int, dict[str, int]] = {}
    during = entries.filter(transaction_id__gte=start, transaction_id__lt=end)
    for row in during.values("account_id", "transaction__kind").annotate(sum=Sum("amount_nusd")):
        by_kind.setdefault(row["account_id"], {})[row["transaction__kind"]] = int(row["sum"])
    found = []
    for pk, account in accounts.items():
        sums, first = by_kind.get(pk, {}), int(opening.get(pk) or 0)
        found.append(
            Clearing(
                processor=account.kind.removeprefix("clearing:"),
                currency=account.currency,
                opening=first,
                closing=first + sum(sums.values()),
                by_kind=sums,
            )
        )
    return sorted(found, key=lambda one: (one.processor, one.currency))


def postings(processor: str, currency: str, month: dt.date) -> QuerySet[LedgerEntry]:
    """Return what a month moved in a processor's clearing account, oldest first."""
    entries = LedgerEntry.objects.filter(
        account__kind=f"clearing:{processor}",
        account__currency=currency,
        account__owner=None,
        transaction_id__gte=bound(month),
        transaction_id__lt=bound(statements.next_month(month)),
    )
    return entries.select_related("transaction").order_by("transaction_id", "seq")
