"""A model of the ledger against the real operations on the database in use.

The machine plays two gateway workers, the vendor's costs, kill -9 and the sweeper. After every
step the invariants hold and every wallet is worth what the model says.
"""

import uuid
from dataclasses import dataclass, field

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from accounts import owners
from accounts.timeids import DAY, moment, uuid7
from billing import ledger, queries, spending, sweeper, vault, workers
from billing.batch import Batch
from billing.models import Charge, LedgerAccount, Worker
from billing.spool import SpooledSettle
from billing.store import dialect
from tests.billing.conftest import settlement

AMOUNTS = st.integers(1, 10_000) | st.integers(1, 10**11)
SMALL = st.integers(0, 2_000)


@dataclass(eq=False)
class Life:
    """A gateway worker: its boot, and its leases as it knows them."""

    boot: uuid.UUID
    leases: dict = field(default_factory=dict)
    is_dead: bool = False


@dataclass(eq=False)
class Running:
    """A charge as its worker knows it."""

    life: Life
    lease_id: int
    item: SpooledSettle
    checkpoint: int = 0


class Ledger(RuleBasedStateMachine):
    """Money in = wallets + revenue; nobody pays above a hold, or twice, or below zero."""

    charges = Bundle("charges")

    def __init__(self):
        super().__init__()
        self.sandbox = transaction.atomic()
        self.sandbox.__enter__()
        user = owners.register(email=f"machine-{uuid.uuid4().hex}@example.com")
        self.account = owners.own_account(user).pk
        ledger.open_wallet(self.account)
        self.worth = 0  # credited - what charges cost
        self.refunded = 0
        self.open = {}
        self.lives = [self._live(), self._live()]
        self.refs = 0
        self.ghosts = []

    def teardown(self):
        transaction.set_rollback(True)
        self.sandbox.__exit__(None, None, None)

    def _live(self):
        life = Life(boot=uuid.uuid4())
        workers.register(life.boot, ttl_s=600)
        return life

    @initialize(amount=st.integers(5_000, 10**10))
    def begin(self, amount):
        self.top_up(amount)

    @rule(amount=AMOUNTS)
    def top_up(self, amount):
        self.refs += 1
        ledger.credit(
            account_id=self.account, amount_nusd=amount, ref=f"{self.account}-{self.refs}",
            source=LedgerAccount.Kind.PROMOTION, actor="machine",
        )  # fmt: skip
        self.worth += amount

    @rule(target=charges, which=st.integers(0, 1), hold=SMALL | AMOUNTS)
    def admit(self, which, hold):
        life = self.lives[which]
        lease_id, left = next(iter(life.leases.items()), (None, 0))
        free = self._free()
        fund = vault.Fund(
            ref=0, lease_id=lease_id, api_key_id=None, left_nusd=left, holds=(hold,)
        )  # fmt: skip
        order = vault.Order(boot=life.boot, wallet_id=self.account, funds=(fund,))
        try:
            (funded,) = vault.work(order).funded
        except vault.WorkerExpired:
            assert life.is_dead
            return multiple()
        if funded.lease_id is None:
            assert hold > free + left
            return multiple()
        held = sum(
            r.item.hold_nusd for r in self.open.values()
            if r.lease_id == funded.lease_id
        )  # fmt: skip
        left = funded.amount_nusd - held - self._spent(funded.lease_id)
        life.leases = {funded.lease_id: left}
        if left < hold:
            return multiple()
        item = SpooledSettle(
            request_id=uuid7(), settlement=settlement(0), lease_id=funded.lease_id,
            wallet_id=self.account, hold_nusd=hold,
        )  # fmt: skip
        outcome = commit(Batch(intents=[item]))
        assert (item.request_id in outcome.intended) == (not life.is_dead)
        if life.is_dead:
            return multiple()
        life.leases[funded.lease_id] = left - hold
        running = Running(life=life, lease_id=funded.lease_id, item=item)
        self.open[item.request_id] = running
        return running

    def _free(self):
        row = queries.balance(self.account)
        return row.available_nusd

    def _spent(self, lease_id):
        ended = Charge.objects.filter(lease_id=lease_id, cost_nusd__isnull=False)
        return sum(ended.values_list("cost_nusd", flat=True))

    @rule(running=charges, cost=SMALL)
    def checkpoint(self, running, cost):
        running.item.checkpoint_nusd = cost
        commit(Batch(checkpoints=[running.item]))
        if running.item.request_id in self.open:
            running.checkpoint = max(running.checkpoint, min(cost, running.item.hold_nusd))

    @rule(running=charges, more=SMALL)
    def extend(self, running, more):
        is_open = running.item.request_id in self.open
        left = running.life.leases.get(running.lease_id, 0)
        if is_open and more > left:
            return
        running.item.wanted_hold_nusd = running.item.hold_nusd + more
        outcome = commit(Batch(extensions=[running.item]))
        assert (running.item.request_id in outcome.extended) == is_open
        if is_open:
            running.item.hold_nusd += more
            running.life.leases[running.lease_id] -= more

    @rule(running=charges, cost=SMALL, is_replay=st.booleans())
    def settle(self, running, cost, is_replay):
        paid = min(cost, running.item.hold_nusd)
        running.item.settlement = settlement(paid)
        was_open = self.open.pop(running.item.request_id, None) is not None
        outcome = commit(Batch(settles=[running.item]))
        assert (running.item.request_id in outcome.settled) == was_open
        if was_open:
            self.worth -= paid
            if running.lease_id in running.life.leases:
                running.life.leases[running.lease_id] += running.item.hold_nusd - paid
        if is_replay:
            commit(Batch(settles=[running.item]), is_replay=True)

    @rule(running=charges, cost=SMALL)
    def settle_late(self, running, cost):
        """A settle that comes from a spool after the sweep gives back, and takes nothing."""
        row = Charge.objects.get(pk=running.item.request_id)
        try:
            ledger.correct(request_id=row.pk, cost_nusd=cost, actor="machine")
        except ledger.NothingToCorrect:
            assert row.reason != "crash" or row.corrected or cost >= row.cost_nusd
        else:
            self.worth += row.cost_nusd - cost

    @rule(which=st.integers(0, 1))
    def give_back(self, which):
        life = self.lives[which]
        if life.is_dead:
            return
        targets = []
        for lease_id in list(life.leases):
            held = sum(r.item.hold_nusd for r in self.open.values() if r.lease_id == lease_id)
            targets.append((lease_id, held + self._spent(lease_id)))
            life.leases[lease_id] = 0
        order = vault.Order(boot=life.boot, wallet_id=self.account, targets=tuple(targets))
        for _ in range(2):  # a repeated order changes nothing
            vault.work(order)

    @rule(which=st.integers(0, 1))
    def close(self, which):
        life = self.lives[which]
        idle = tuple(
            lease for lease in life.leases
            if not any(r.lease_id == lease for r in self.open.values())
        )  # fmt: skip
        order = vault.Order(boot=life.boot, wallet_id=self.account, closes=idle)
        for _ in range(2):
            vault.work(order)
        for lease in idle:
            del life.leases[lease]

    @rule(which=st.integers(0, 1))
    def crash(self, which):
        """kill -9, and the sweeper ends the life: what is open ends at its checkpoint."""
        life = self.lives[which]
        Worker.objects.filter(boot=life.boot).delete()
        life.is_dead = True
        sweeper.reclaim_orphans()
        for running in [r for r in self.open.values() if r.life is life]:
            del self.open[running.item.request_id]
            self.worth -= running.checkpoint
        self.ghosts += life.leases
        life.leases = {}

    @rule(hold=SMALL)
    def zombie_intends(self, hold):
        """A stopped worker goes on: its lease was reclaimed, so its intent must be refused."""
        for lease_id in self.ghosts:
            item = SpooledSettle(
                request_id=uuid7(), settlement=settlement(0), lease_id=lease_id,
                wallet_id=self.account, hold_nusd=hold,
            )  # fmt: skip
            assert commit(Batch(intents=[item])).intended == set()

    @rule(which=st.integers(0, 1))
    def restart(self, which):
        if self.lives[which].is_dead:
            self.lives[which] = self._live()

    @rule(amount=AMOUNTS)
    def refund(self, amount):
        """Take money out: only what nobody holds."""
        self.refs += 1
        legs = (
            ledger.Leg(
                account=ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=self.account),
                amount_nusd=-amount,
            ),
            ledger.Leg(account=ledger.account_of(LedgerAccount.Kind.FEES), amount_nusd=amount),
        )
        ref = f"{self.account}-{self.refs}"
        try:
            ledger.post(kind="refund", ref=ref, legs=legs, actor="machine")
        except ledger.InsufficientBalance:
            return
        self.worth -= amount
        self.refunded += amount

    @invariant()
    def every_invariant_holds(self):
        assert ledger.audit() == []

    @invariant()
    def the_balance_is_the_models(self):
        balance = queries.balance(self.account)
        held = sum(r.item.hold_nusd for r in self.open.values())
        assert balance.in_flight_nusd == held
        assert balance.available_nusd == self.worth - held >= 0

    @invariant()
    def the_sums_by_hour_are_the_ledgers(self):
        today = moment(uuid7()).date()
        found = spending.spent(
            self.account, since=today - DAY, until=today + DAY, parts=list(spending.Part)
        )
        assert found.ledger.is_equal
        assert found.total_nusd == queries.balance(self.account).spent_nusd - self.refunded


def commit(batch, *, is_replay=False):
    """Write a batch as the store does, on Django's connection (which rolls back at the end)."""
    connection.ensure_connection()
    words = dialect()
    if connection.vendor == "sqlite":
        return words._write(connection.connection, batch, is_replay=is_replay)
    raw = connection.connection
    outcome = words.Outcome()
    targets = {
        words.INTENTS: outcome.intended, words.SETTLES: outcome.settled,
        words.EXTENSIONS: outcome.extended,
    }  # fmt: skip
    for sql, values in words._queries(batch):
        found = raw.execute(sql, values)
        if sql in targets:
            targets[sql].update(row[0] for row in found.fetchall())
    if is_replay:
        words._recognize(raw, batch, outcome)
    return outcome


@pytest.mark.django_db
@pytest.mark.proof(n=50_000)
def test_the_ledger_keeps_its_promises(proof_count):
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=proof_count(60, 50_000),
            stateful_step_count=proof_count(25, 50),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
