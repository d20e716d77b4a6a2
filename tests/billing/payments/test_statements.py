"""Monthly statements: the ledger's own difference, locked once issued, quick with many postings."""

import datetime as dt
import time

import pytest

from accounts.models import Account
from accounts.timeids import uuid7_at
from billing import ledger
from billing.ledger import Leg
from billing.models import (
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    MonthlyStatement,
    Order,
    Wallet,
)
from billing.payments import statements
from tests import factories

Kind = LedgerAccount.Kind
NOVEMBER, DECEMBER, JANUARY = dt.date(2026, 11, 1), dt.date(2026, 12, 1), dt.date(2027, 1, 1)
USD = 1_000_000_000


def at(year, month, day=1, hour=0, minute=0, second=0) -> dt.datetime:
    return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)


def post(account, amount, *, now, kind="top_up", ref=None):
    other = Kind.FEES if amount < 0 else Kind.CLEARING_STRIPE
    ledger.open_wallet(account.pk)
    legs = (
        Leg(account=ledger.account_of(Kind.WALLET, owner_id=account.pk), amount_nusd=amount),
        Leg(account=ledger.account_of(other), amount_nusd=-amount),
    )
    ledger.post(kind=kind, ref=ref or f"{now}{amount}", legs=legs, actor="tests", now=now)


@pytest.fixture
def account(books):
    made = factories.account_of(factories.user("carol"))
    Account.objects.filter(pk=made.pk).update(created_at=at(2026, 9))
    return made


def test_a_statement_is_the_ledgers_difference_of_its_month(account):
    post(account, 10 * USD, now=at(2026, 10, 31, 23, 59, 59))
    post(account, 5 * USD, now=at(2026, 11))
    post(account, -2 * USD, kind="refund", now=at(2026, 11, 12))
    post(account, -1 * USD, kind="refund", now=at(2026, 11, 30, 23, 59, 59))
    post(account, 7 * USD, now=at(2026, 12))
    row = statements.issue(account, NOVEMBER, now=at(2026, 12, 1, 6))
    assert (row.opening_nusd, row.closing_nusd) == (10 * USD, 12 * USD)
    assert statements.of(row).by_kind == {"top_up": 5 * USD, "refund": -3 * USD}
    shown = statements.lines(account.pk, NOVEMBER)
    assert [line.amount_nusd for line in shown] == [-1 * USD, -2 * USD, 5 * USD]
    assert row.opening_nusd + sum(line.amount_nusd for line in shown) == row.closing_nusd


def test_an_issued_statement_never_changes_and_the_next_one_tells_what_came_late(account):
    post(account, 10 * USD, now=at(2026, 11, 5))
    before = vars(statements.issue(account, NOVEMBER, now=at(2026, 12, 2))).copy()
    post(account, 3 * USD, now=at(2026, 11, 30), ref="late")
    post(account, 4 * USD, now=at(2026, 12, 5))
    again = vars(statements.issue(account, NOVEMBER, now=at(2026, 12, 3)))
    assert {**before, "_state": None} == {**again, "_state": None}
    december = statements.issue(account, DECEMBER, now=at(2027, 1, 2))
    assert statements.of(december).by_kind == {"top_up": 4 * USD, statements.EARLIER: 3 * USD}
    assert (december.opening_nusd, december.closing_nusd) == (10 * USD, 17 * USD)
    # What came late is told once.
    january = statements.issue(account, JANUARY, now=at(2027, 2, 2))
    assert (january.opening_nusd, january.closing_nusd) == (17 * USD, 17 * USD)
    assert january.sums == {}
    wallet = Wallet.objects.get(pk=account.pk)
    assert january.closing_nusd == wallet.credit_nusd - wallet.debit_nusd


def test_no_month_is_closed_before_its_margin_is_over(account):
    post(account, USD, now=at(2026, 11, 5))
    with pytest.raises(statements.TooEarly):
        statements.issue(account, NOVEMBER, now=at(2026, 12, 1, 5, 59))
    assert statements.issue_due(now=at(2026, 12, 1, 5, 59)) == 0
    assert statements.issue_due(now=at(2026, 12, 1, 6)) == 1


def test_the_sweep_issues_each_month_once_for_whoever_had_money(
    account, django_assert_max_num_queries
):
    poor = factories.account_of(factories.user("dave"))
    late = factories.account_of(factories.user("erin"))
    Account.objects.filter(pk__in=[poor.pk, late.pk]).update(created_at=at(2026, 9))
    ledger.open_wallet(poor.pk)
    post(account, USD, now=at(2026, 10, 5))
    post(late, USD, now=at(2026, 12, 1, 1))
    with django_assert_max_num_queries(30):
        assert statements.issue_due(now=at(2026, 12, 2)) == 2
    rows = MonthlyStatement.objects.order_by("month").values_list("account_id", "month")
    assert list(rows) == [(account.pk, dt.date(2026, 10, 1)), (account.pk, NOVEMBER)]
    assert statements.issue_due(now=at(2026, 12, 2)) == 0


def test_a_statement_keeps_the_names_of_its_time(account):
    post(account, USD, now=at(2026, 11, 5))
    row = statements.issue(account, NOVEMBER, now=at(2026, 12, 2))
    assert row.facts["account"] == account.name
    assert row.facts["seller"]["name"] == "BananaRouter"


def test_top_ups_are_in_the_month_in_which_they_were_credited(alice, pay):
    order = pay(alice, now=at(2026, 11, 30, 23, 59, 59))
    assert statements.so_far(alice.pk, now=at(2026, 11, 30)).by_kind == {
        "top_up": order.credit_nusd
    }
    assert statements.so_far(alice.pk, now=at(2026, 12)).by_kind == {}
    assert statements.so_far(alice.pk, now=at(2026, 12)).opening_nusd == order.credit_nusd
    assert Order.objects.get().state == "paid"


def test_pages_of_lines_are_quick_and_lose_nothing(account, proof_count):
    """100,000 postings in a month: a page takes 50 ms at most."""
    count = proof_count(1_000, 100_000)
    for place in range(3):
        post(account, USD, now=at(2026, 11, 2, 0, 0, place))
    wallet = ledger.account_of(Kind.WALLET, owner_id=account.pk)
    other = ledger.account_of(Kind.CLEARING_STRIPE)
    for start in range(0, count, 1_000):
        rows = [
            LedgerTransaction(
                id=uuid7_at(moment), kind="top_up", ref=f"many {number}", actor="t",
                created_at=moment,
            )
            for number in range(start, start + 1_000)
            for moment in [at(2026, 11, 3) + dt.timedelta(seconds=number)]
        ]  # fmt: skip
        LedgerTransaction.objects.bulk_create(rows)
        LedgerEntry.objects.bulk_create(
            LedgerEntry(transaction=row, seq=seq, account=side, amount_nusd=amount)
            for row in rows
            for seq, (side, amount) in enumerate(((wallet, 5), (other, -5)))
        )
    LedgerTransaction.objects.filter(sealed=False).update(sealed=True)
    Wallet.objects.filter(pk=account.pk).update(credit_nusd=3 * USD + 5 * count)
    lines, started = statements.lines(account.pk, NOVEMBER), time.perf_counter()
    for _ in range(10):
        second = statements.lines(account.pk, NOVEMBER, before=lines[-1].id)
    assert (time.perf_counter() - started) / 10 < 0.05
    assert len({line.id for line in [*lines, *second]}) == 100
    assert sum(line.amount_nusd for line in statements.all_lines(account.pk, NOVEMBER)) == (
        3 * USD + 5 * count
    )
