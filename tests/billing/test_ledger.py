import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import owners
from accounts.timeids import uuid7
from billing import ledger
from billing.models import (
    Charge,
    Lease,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Wallet,
)
from tests.billing.conftest import wallet

Kind = LedgerAccount.Kind


def _legs(account_id, amount):
    return (
        ledger.Leg(account=ledger.account_of(Kind.PROMOTION), amount_nusd=-amount),
        ledger.Leg(account=ledger.account_of(Kind.WALLET, owner_id=account_id), amount_nusd=amount),
    )


def _execute(statement):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def _post(account_id, amount, ref="one"):
    return ledger.post(kind="test", ref=ref, legs=_legs(account_id, amount), actor="test")


@pytest.mark.django_db
class TestPost:
    def test_moves_the_wallet_and_seals(self, make_wallet):
        account_id = make_wallet(100)
        posted = _post(account_id, 40)
        assert posted.sealed
        assert posted.entries.count() == 2
        assert wallet(account_id).credit_nusd == 140
        _post(account_id, -140, ref="two")
        assert wallet(account_id).debit_nusd == 140
        assert ledger.audit() == []

    def test_posts_a_kind_and_ref_once(self, make_wallet):
        account_id = make_wallet(0)
        _post(account_id, 40)
        with pytest.raises(ledger.AlreadyPosted):
            _post(account_id, 40)
        assert wallet(account_id).credit_nusd == 40
        assert LedgerTransaction.objects.filter(kind="test").count() == 1

    def test_refuses_to_take_one_nano_too_much(self, make_wallet):
        account_id = make_wallet(100)
        with pytest.raises(ledger.InsufficientBalance):
            _post(account_id, -101)
        assert not LedgerTransaction.objects.filter(kind="test").exists()
        assert wallet(account_id).debit_nusd == 0

    def test_leaves_leased_money_alone(self, make_wallet):
        account_id = make_wallet(100)
        Wallet.objects.filter(pk=account_id).update(leased_nusd=1)
        with pytest.raises(ledger.InsufficientBalance):
            _post(account_id, -100)

    @pytest.mark.parametrize("amounts", [(), (1,), (1, -2), (0, 0), (1, -1, 0)])
    def test_refuses_legs_that_are_none_or_do_not_balance(self, amounts):
        account = ledger.account_of(Kind.FEES)
        legs = [ledger.Leg(account=account, amount_nusd=a) for a in amounts]
        with pytest.raises(ledger.Unbalanced):
            ledger.post(kind="test", ref="x", legs=legs, actor="test")
        assert not LedgerTransaction.objects.exists()

    @pytest.mark.parametrize("amount", [0, -1])
    def test_credits_only_above_zero(self, make_wallet, amount):
        with pytest.raises(ledger.Unbalanced):
            ledger.credit(
                account_id=make_wallet(0), amount_nusd=amount, source=Kind.PROMOTION, ref="x",
                actor="test",
            )  # fmt: skip


def test_a_race_for_one_ref_posts_once(transactional_db, make_wallet):
    account_id = make_wallet(0)
    ledger.account_of(Kind.PROMOTION)
    results = []

    def try_it():
        try:
            _post(account_id, 7)
            results.append("posted")
        except ledger.AlreadyPosted:
            results.append("again")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=try_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == ["again"] * 5 + ["posted"]
    assert wallet(account_id).credit_nusd == 7


@pytest.mark.django_db
class TestTriggers:
    def test_entries_are_append_only(self, make_wallet):
        make_wallet(5)
        for statement in ("UPDATE billing_ledgerentry SET seq = seq + 7",
                          "DELETE FROM billing_ledgerentry",
                          "DELETE FROM billing_ledgertransaction"):  # fmt: skip
            with pytest.raises(DatabaseError, match="append-only"):
                _execute(statement)
        assert LedgerEntry.objects.count() == 2

    @pytest.mark.parametrize("change", ["ref = 'other'", "sealed = false", "sealed = true"])
    def test_a_sealed_posting_stays_as_it_is(self, make_wallet, change):
        make_wallet(5)
        with pytest.raises(DatabaseError, match="only ever sealed"):
            _execute(f"UPDATE billing_ledgertransaction SET {change}")  # noqa: S608

    def test_a_sealed_posting_takes_no_more_entries(self, make_wallet):
        make_wallet(5)
        entry = LedgerEntry.objects.first()
        with pytest.raises(DatabaseError, match="is sealed"), transaction.atomic():
            LedgerEntry.objects.create(
                transaction=entry.transaction, seq=9, account=entry.account, amount_nusd=1
            )

    def _open(self, *amounts, sealed=False):
        posting = LedgerTransaction.objects.create(
            id=uuid7(), kind="t", ref="t", created_at=timezone.now(), actor="t", sealed=sealed
        )
        for seq, amount in enumerate(amounts):
            LedgerEntry.objects.create(
                transaction=posting, seq=seq, amount_nusd=amount,
                account=ledger.account_of(Kind.FEES),
            )  # fmt: skip
        return posting

    def test_an_unbalanced_posting_cannot_be_sealed(self):
        posting = self._open(3, -2)
        with pytest.raises(DatabaseError, match="sum to 0"), transaction.atomic():
            LedgerTransaction.objects.filter(pk=posting.pk).update(sealed=True)
        assert {f.rule for f in ledger.audit()} == {"I1"}
        transaction.set_rollback(True)

    def test_a_posting_is_not_born_sealed(self):
        with pytest.raises(DatabaseError, match="after its entries"), transaction.atomic():
            self._open(sealed=True)


@pytest.mark.postgresql
@pytest.mark.parametrize("amounts", [(3, -2), (3, -3), ()])
def test_no_commit_leaves_a_posting_unsealed(transactional_db, amounts):
    with pytest.raises(DatabaseError, match=r"never sealed|sum to 0"), transaction.atomic():
        TestTriggers()._open(*amounts)
    assert not LedgerTransaction.objects.exists()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-(10**12), 10**12).filter(bool), max_size=8))
@pytest.mark.django_db
def test_a_wallet_is_the_sum_of_its_entries_and_never_below_zero(amounts):
    with transaction.atomic():
        user = owners.register(email="sum@example.com")
        account_id = owners.own_account(user).pk
        ledger.open_wallet(account_id)
        expected = 0
        for number, amount in enumerate(amounts):
            try:
                _post(account_id, amount, ref=str(number))
                expected += amount
            except ledger.InsufficientBalance:
                assert expected + amount < 0
        row = wallet(account_id)
        assert row.credit_nusd - row.debit_nusd == expected >= 0
        assert ledger.audit() == []
        transaction.set_rollback(True)


@pytest.mark.django_db
class TestAudit:
    """Each breach is made behind the application's back and must be found."""

    def _rules(self):
        return {finding.rule for finding in ledger.audit()}

    def _lease(self, account_id, **changed):
        values = {"worker": uuid7(), "amount_nusd": 10, "created_at": timezone.now()}
        return Lease.objects.create(wallet_id=account_id, **(values | changed))

    def test_finds_leased_money_without_a_lease(self, make_wallet):
        Wallet.objects.filter(pk=make_wallet(100)).update(leased_nusd=1)
        assert self._rules() == {"I3"}

    def test_finds_a_lease_that_the_wallet_does_not_know(self, make_wallet):
        self._lease(make_wallet(100))
        assert self._rules() == {"I3"}

    def test_finds_a_lease_spent_beyond_its_amount(self, make_wallet):
        account_id = make_wallet(100)
        lease = self._lease(account_id)
        Wallet.objects.filter(pk=account_id).update(leased_nusd=10)
        for hold in (6, 5):
            Charge.objects.create(
                request_id=uuid7(), lease_id=lease.pk, wallet_id=account_id, hold_nusd=hold
            )
        assert self._rules() == {"I4"}

    def test_finds_money_that_no_entry_explains(self, make_wallet):
        Wallet.objects.filter(pk=make_wallet(100)).update(credit_nusd=101)
        assert self._rules() == {"I5"}

    def test_finds_an_open_charge_on_a_closed_lease(self, make_wallet):
        account_id = make_wallet(100)
        lease = self._lease(account_id, state="closed", spent_nusd=0)
        Charge.objects.create(
            request_id=uuid7(), lease_id=lease.pk, wallet_id=account_id, hold_nusd=1
        )
        assert self._rules() == {"I7"}

    def test_finds_a_closed_lease_without_its_revenue(self, make_wallet):
        account_id = make_wallet(100)
        lease = self._lease(account_id, state="closed", spent_nusd=4)
        Charge.objects.create(
            request_id=uuid7(), lease_id=lease.pk, wallet_id=account_id, hold_nusd=4, cost_nusd=4,
            state="settled",
        )  # fmt: skip
        assert self._rules() == {"I10"}

    def test_the_command_exits_with_an_error_on_a_finding(self, make_wallet, capsys):
        account_id = make_wallet(100)
        call_command("audit_ledger")
        assert "clean" in capsys.readouterr().out
        Wallet.objects.filter(pk=account_id).update(credit_nusd=101)
        with pytest.raises(CommandError, match="1 breaches"):
            call_command("audit_ledger")
        assert f"I5 wallet {account_id} balance: expected 100, found 101" in capsys.readouterr().out
