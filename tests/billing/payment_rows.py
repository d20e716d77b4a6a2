"""Rows of the payment tables that break one named constraint each."""

import datetime as dt
import itertools
import uuid

from django.utils import timezone

from accounts.models import Account
from accounts.timeids import uuid7
from billing.models import (
    AutoTopUp,
    Debt,
    Dispute,
    MonthlyStatement,
    Order,
    PromotionCode,
    PromotionUse,
    Refund,
    StaffCredit,
    StatementImport,
    StatementRow,
    Suspense,
    WebhookEvent,
)

DAY = dt.date(2026, 1, 1)
_count = itertools.count(1)


def order(ids, **changed):
    now = timezone.now()
    values = {
        "id": uuid7(), "account_id": ids["wallet"], "idempotency_key": f"key-{next(_count)}",
        "processor": "stripe", "method": "checkout", "is_live": False, "currency": "USD",
        "net_minor": 10, "credit_nusd": 10, "created_at": now, "expires_at": now,
    }  # fmt: skip
    return Order(**(values | changed))


def _paid(ids):
    made = order(ids)
    made.save(force_insert=True)
    return made


def _refund(ids, **changed):
    values = {"id": uuid7(), "amount_minor": 1, "actor": "test", "created_at": timezone.now()}
    return Refund(order=changed.pop("order", None) or _paid(ids), **(values | changed))


def _dispute(ids, **changed):
    values = {"state": "open", "amount_minor": 1, "opened_at": timezone.now()}
    values |= {"dispute_ref": "d", "order": changed.pop("order", None) or _paid(ids)}
    return Dispute(**(values | changed))


def _code(**changed):
    now = timezone.now()
    values = {
        "code": "CODE", "amount_nusd": 1, "uses_max": 1, "starts_at": now, "ends_at": now,
        "created_by": "test",
    }  # fmt: skip
    return PromotionCode(**(values | changed))


def _twice(make):
    make().save(force_insert=True)
    return make()


def _same_order(ids, make):
    """Two rows of one order."""
    paid = _paid(ids)
    return _twice(lambda: make(paid))


def _use(ids):
    code = _code()
    code.save(force_insert=True)
    return _twice(
        lambda: PromotionUse(
            code=code, account_id=ids["wallet"], used_by="test", used_at=timezone.now()
        )
    )


def _row(**changed):
    return StatementRow(
        processor="stripe", row_ref="r", day=DAY, kind="payment", amount_minor=1, currency="USD",
        verdict="matched", **changed,
    )  # fmt: skip


def _given(ids, **changed):
    now = timezone.now()
    values = {
        "account_id": ids["wallet"], "amount_nusd": 1, "reason": "r", "form_id": uuid7(),
        "state": "given", "needs_second": True, "asked_by": "staff:1", "asked_at": now,
        "decided_by": "staff:2", "decided_at": now,
    }  # fmt: skip
    return StaffCredit(**(values | changed))


def _import():
    return StatementImport(
        processor="stripe", day=DAY, sha256=b"", rows=0, imported_at=timezone.now()
    )


def _event():
    return WebhookEvent(
        processor="stripe", event_id="e", kind="paid", sha256=b"", notice={},
        received_at=timezone.now(),
    )  # fmt: skip


def _month(ids):
    return MonthlyStatement(
        account_id=ids["wallet"], month=DAY, opening_nusd=0, closing_nusd=0, sums={},
        issued_at=timezone.now(),
    )  # fmt: skip


def _case():
    return Suspense(processor="stripe", ref="r", cause="unknown_order", opened_at=timezone.now())


CASES = {
    "order_idempotency_unique": lambda i: _twice(lambda: order(i, idempotency_key="same")),
    "order_payment_unique": lambda i: _twice(lambda: order(i, payment_ref="same")),
    "order_net_gt_0": lambda i: order(i, net_minor=0),
    "order_tax_gte_0": lambda i: order(i, tax_minor=-1),
    "order_credit_gt_0": lambda i: order(i, credit_nusd=0),
    "order_refunded_within": lambda i: order(i, refunded_minor=11),
    "webhook_event_unique": lambda _: _twice(_event),
    "refund_ref_unique": lambda i: _same_order(
        i, lambda paid: _refund(i, order=paid, refund_ref="same")
    ),
    "refund_form_unique": lambda i: _same_order(
        i, lambda paid: _refund(i, order=paid, form_id=uuid.UUID(int=1))
    ),
    "refund_amount_gt_0": lambda i: _refund(i, amount_minor=0),
    "refund_parts_gte_0": lambda i: _refund(i, wallet_nusd=-1),
    "dispute_unique": lambda i: _same_order(i, lambda paid: _dispute(i, order=paid)),
    "dispute_parts_gte_0": lambda i: _dispute(i, reserved_nusd=-1),
    "debt_gte_0": lambda i: Debt(account=Account.objects.get(pk=i["wallet"]), owed_nusd=-1),
    "suspense_unique": lambda _: _twice(_case),
    "statement_import_unique": lambda _: _twice(_import),
    "statement_row_unique": lambda _: _twice(_row),
    "statement_row_resolution": lambda _: _row(resolved_at=timezone.now()),
    "staff_credit_amount_gt_0": lambda i: _given(i, amount_nusd=0),
    "staff_credit_two_persons": lambda i: _given(i, decided_by="staff:1"),
    "staff_credit_decided": lambda i: _given(i, decided_at=None),
    "monthly_statement_unique": lambda i: _twice(lambda: _month(i)),
    "auto_top_up_within_cap": lambda i: AutoTopUp(
        account_id=i["wallet"], threshold_nusd=1, amount_minor=2, monthly_cap_minor=1
    ),
    "promotion_amount_gt_0": lambda _: _code(amount_nusd=0),
    "promotion_uses_within": lambda _: _code(uses=2),
    "promotion_use_unique": _use,
}
