"""Every named constraint of the money tables, violated on the database in use."""

import datetime as dt
import re
import uuid

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from accounts.timeids import bound, uuid7
from billing import charges, ledger
from billing.models import (
    Attempt,
    Budget,
    Charge,
    GoodwillDay,
    Lease,
    LeaseBudget,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Rate,
    RateCard,
    SpendHour,
    Wallet,
)
from tests.billing import payment_rows

pytestmark = pytest.mark.django_db


def _lease(wallet_id, **changed):
    values = {"worker": uuid.uuid4(), "amount_nusd": 10, "created_at": timezone.now()}
    return Lease(wallet_id=wallet_id, **(values | changed))


def _charge(**changed):
    values = {"request_id": uuid7(), "lease_id": 1, "wallet_id": 1, "hold_nusd": 10}
    return Charge(**(values | changed))


def _twice(make):
    make().save(force_insert=True)
    return make()


def _card():
    return RateCard.objects.create(endpoint="a@b", valid_from=timezone.now(), source="test")


def _budget(ids, **changed):
    return Budget(api_key_id=ids["key"], limit_nusd=5, **changed)


def _posting():
    return LedgerTransaction(
        id=uuid7(), kind="k", ref="r", created_at=timezone.now(), actor="test"
    )  # fmt: skip


def _entry(**changed):
    posting = LedgerTransaction.objects.filter(ref="r").first()
    if posting is None:
        posting = _posting()
        posting.save(force_insert=True)
    account = ledger.account_of(LedgerAccount.Kind.FEES)
    return LedgerEntry(**({"transaction": posting, "seq": 0, "account": account,
                           "amount_nusd": 1} | changed))  # fmt: skip


def _rate(card, **changed):
    values = {"unit_class": "input", "unit": "mtok", "nusd_per_unit": 1, "vendor_nusd_per_unit": 1}
    return Rate(card=card, **(values | changed))


def _lease_budget(ids):
    lease, budget = _lease(ids["wallet"]), _budget(ids)
    lease.save()
    budget.save()
    return _twice(lambda: LeaseBudget(lease=lease, budget=budget))


def _attempt():
    request_id = uuid7()
    return _twice(lambda: Attempt(request_id=request_id, n=1, endpoint="e", outcome="delivered"))


def _card_again():
    card = _card()
    return RateCard(endpoint=card.endpoint, valid_from=card.valid_from, source="test")


def _rate_again():
    card = _card()
    return _twice(lambda: _rate(card))


CASES = {
    "wallet_leased_gte_0": lambda i: Wallet(account_id=i["bare"], leased_nusd=-1),
    "wallet_reserved_gte_0": lambda i: Wallet(account_id=i["bare"], reserved_nusd=-1),
    "wallet_available_gte_0": lambda i: Wallet(
        account_id=i["bare"], credit_nusd=10, debit_nusd=5, leased_nusd=3, reserved_nusd=3
    ),
    "budget_leased_gte_0": lambda i: _budget(i, leased_nusd=-1),
    "budget_spent_gte_0": lambda i: _budget(i, spent_nusd=-1),
    "budget_window_when_recurring": lambda i: _budget(i, period="daily"),
    "budget_key_period_unique": lambda i: _twice(lambda: _budget(i)),
    "lease_amount_gte_0": lambda i: _lease(i["wallet"], amount_nusd=-1),
    "lease_spent_within_amount": lambda i: _lease(i["wallet"], spent_nusd=11, state="closed"),
    "lease_spent_when_closed": lambda i: _lease(i["wallet"], spent_nusd=1, state="active"),
    "charge_hold_gte_0": lambda _: _charge(hold_nusd=-1, checkpoint_nusd=-1),
    "charge_cost_within_hold": lambda _: _charge(cost_nusd=11, state="settled"),
    "charge_checkpoint_within_hold": lambda _: _charge(checkpoint_nusd=11),
    "charge_cost_when_ended": lambda _: _charge(state="settled"),
    "goodwill_given_gte_0": lambda i: GoodwillDay(
        wallet_id=i["wallet"], day=dt.date(2026, 1, 1), given_nusd=-1
    ),
    "goodwill_day_unique": lambda i: _twice(
        lambda: GoodwillDay(wallet_id=i["wallet"], day=dt.date(2026, 1, 1))
    ),
    "spend_hour_unique": lambda i: _twice(
        lambda: SpendHour(wallet_id=i["wallet"], hour=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    ),
    "ledger_account_wallet_has_owner": lambda i: LedgerAccount(kind="fees", owner_id=i["wallet"]),
    "ledger_account_owned_unique": lambda i: _twice(
        lambda: LedgerAccount(kind="wallet", owner_id=i["bare"])
    ),
    "ledger_account_platform_unique": lambda _: _twice(lambda: LedgerAccount(kind="tax")),
    "ledger_transaction_unique": lambda _: _twice(_posting),
    "ledger_entry_not_zero": lambda _: _entry(amount_nusd=0),
    "ledger_entry_unique": lambda _: _twice(_entry),
    "lease_budget_unique": _lease_budget,
    "attempt_unique": lambda _: _attempt(),
    "rate_card_unique": lambda _: _card_again(),
    "rate_unique": lambda _: _rate_again(),
    "rate_not_negative": lambda _: _rate(_card(), nusd_per_unit=-1),
    **payment_rows.CASES,
}


IMPLIED = {"charge_hold_gte_0": "charge_checkpoint_within_hold"}


@pytest.fixture
def ids(make_wallet, make_key):
    paid, bare = make_wallet(100), make_wallet(0)
    Wallet.objects.filter(pk=bare).delete()
    LedgerAccount.objects.filter(owner_id=bare).delete()
    return {"wallet": paid, "bare": bare, "key": make_key(paid)}


@pytest.mark.parametrize("name", CASES)
def test_refuses_a_row_that_breaks(name, ids):
    with transaction.atomic():
        row = CASES[name](ids)
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            row.save(force_insert=True)
        transaction.set_rollback(True)  # an unsealed posting may not last
    if connection.vendor == "postgresql" or not name.endswith("unique"):
        # A hold below zero breaks the checkpoint's bound as well; either may be named.
        assert {name, IMPLIED.get(name, name)} & set(re.findall(r"\w+", str(caught.value)))


def test_every_constraint_has_its_case():
    names = {
        constraint.name
        for model in apps.get_app_config("billing").get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, models.CheckConstraint | models.UniqueConstraint)
    }
    assert names - set(CASES) == set()


@pytest.mark.postgresql
def test_a_charge_lies_in_the_partition_of_its_day_and_the_rest_in_the_default(db):
    today = dt.datetime.now(dt.UTC).date()
    assert charges.ensure_partitions(days=2) == 3
    assert charges.ensure_partitions(days=2) == 3  # again: nothing to do
    old = uuid.UUID(int=bound(dt.date(2001, 1, 1)).int | 7)
    for request_id in (uuid7(), old):
        _charge(request_id=request_id).save(force_insert=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT request_id, tableoid::regclass::text FROM billing_charge")
        where = dict(cursor.fetchall())
        cursor.execute(
            "SELECT reloptions FROM pg_class WHERE relname = %s", [f"billing_charge_{today:%Y%m%d}"]
        )
        assert cursor.fetchone()[0] == ["fillfactor=70"]
    assert where.pop(old) == "billing_charge_default"
    assert list(where.values()) == [f"billing_charge_{today:%Y%m%d}"]
