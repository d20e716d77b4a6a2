"""What staff decide about lines that do not fit, and what it moves: clearing comes to zero."""

import datetime as dt

import pytest

from billing.models import LedgerTransaction, Order, StatementRow, Suspense
from billing.payments import reconciliation, staff_queue
from tests.billing.payments.conftest import NOW, refunded
from tests.billing.payments.test_reconciliation import DAY, LATER, balance, row

CENT = 10_000_000


@pytest.fixture
def read(books):
    """Return `read(*rows)`: import a statement with these lines; return those that wait."""

    def run(*lines, day=DAY):
        reconciliation.take("stripe", day, lines, now=LATER)
        return list(staff_queue.open_rows("stripe"))

    return run


def decide(waiting, resolution, *, note="Looked at") -> StatementRow:
    return staff_queue.resolve(waiting, resolution, actor="staff:1", note=note, now=NOW)


def choices(waiting) -> set[str]:
    return set(staff_queue.fitting(waiting))


def test_a_line_leaves_the_queue_once_with_actor_time_and_reason(read):
    (waiting,) = read(row(kind="other"))
    decide(waiting, "explained", note="A test of the bank")
    with pytest.raises(staff_queue.CannotResolve, match="resolved"):
        decide(waiting, "explained")
    found = StatementRow.objects.get()
    assert (found.resolution, found.resolved_by, found.note, found.resolved_at) == (
        "explained", "staff:1", "A test of the bank", NOW,
    )  # fmt: skip
    assert not staff_queue.open_rows().exists()
    assert not LedgerTransaction.objects.filter(kind__startswith="write_off").exists()


def test_which_decisions_there_are_depends_on_the_line(alice, pay, start, read):
    paid, unpaid, lacking = pay(alice), start(alice), pay(alice)
    lines = {one.row_ref: one for one in read(
        row(paid, amount_minor=990),
        row(paid, row_ref="again"),
        row(unpaid),
        row(row_ref="stranger", payment_ref="pi_stranger"),
        row(row_ref="back", kind="refund", amount_minor=-5, payment_ref="pi_stranger"),
        row(row_ref="bank", kind="dispute", amount_minor=-5, payment_ref="pi_stranger"),
    )}  # fmt: skip
    assert {name: choices(one) for name, one in lines.items()} == {
        f"row_{paid.number}": {"explained", "written_off"},
        "again": {"explained", "written_off"},
        f"local:{lacking.number}": {"explained", "written_off"},
        # The processor is asked about the order; it may yet credit it.
        f"row_{unpaid.number}": {"explained"},
        "stranger": {"explained", "suspended", "written_off"},
        "back": {"explained", "written_off"},
        "bank": {"explained"},
    }
    for name, wrong in (("bank", "written_off"), ("again", "suspended"), ("back", "settled")):
        with pytest.raises(staff_queue.CannotResolve, match="resolution"):
            decide(lines[name], wrong)


@pytest.mark.parametrize(
    ("changed", "held"),
    [({"amount_minor": 990}, 990), ({"amount_minor": 1_030}, 1_030), ({"status": "failed"}, 0)],
)
def test_what_is_written_off_leaves_in_clearing_what_the_processor_holds(
    alice, pay, read, changed, held
):
    (waiting,) = read(row(pay(alice), **changed))
    decide(waiting, "written_off")
    assert balance("clearing:stripe") == -held * CENT
    assert balance("platform_loss") == (held - 1_000) * CENT
    posting = LedgerTransaction.objects.get(kind="write_off")
    assert posting.actor == "staff:1"


def test_another_currency_is_written_off_in_both(alice, pay, read):
    (waiting,) = read(row(pay(alice), currency="EUR"))
    decide(waiting, "written_off")
    assert (balance("clearing:stripe"), balance("clearing:stripe", "EUR")) == (0, -1_000 * CENT)


def test_a_refund_that_differs_is_written_off(alice, pay, read):
    order = pay(alice)
    back = refunded(order, minor=400)
    (waiting,) = read(row(order), row(
        order, kind="refund", row_ref="b", refund_ref=back.id.hex, amount_minor=-390
    ))  # fmt: skip
    assert staff_queue.difference(waiting) == {"USD": 10}


def test_what_lacked_and_comes_later_is_booked_back(alice, pay, read):
    order = pay(alice)
    (waiting,) = read()
    decide(waiting, "written_off")
    assert balance("platform_loss") == -1_000 * CENT
    assert read(row(order), day=DAY + dt.timedelta(1)) == []
    assert (balance("platform_loss"), balance("clearing:stripe")) == (0, -1_000 * CENT)
    waiting.refresh_from_db()
    assert (waiting.resolution, waiting.resolved_by) == ("settled", "import")


def test_money_of_nobody_is_put_aside_once_and_a_late_notice_changes_nothing(read):
    (waiting,) = read(row(payment_ref="pi_stranger"))
    decide(waiting, "suspended")
    case = Suspense.objects.get()
    assert (case.ref, case.cause, case.is_posted) == ("paid:pi_stranger", "unmatched_row", True)
    assert (balance("suspense"), balance("clearing:stripe")) == (1_000 * CENT, -1_000 * CENT)
    StatementRow.objects.update(resolved_at=None, resolution="")
    with pytest.raises(staff_queue.CannotResolve, match="case"):
        decide(waiting, "suspended")
    assert balance("suspense") == 1_000 * CENT


def test_a_payment_that_came_twice_is_put_aside_for_its_order(alice, pay, read):
    order = pay(alice)
    (waiting,) = read(row(order), row(order, row_ref="2", payment_ref="pi_second"))
    decide(waiting, "suspended")
    assert Suspense.objects.get().order == Order.objects.get()
