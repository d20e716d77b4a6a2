"""A model of budgets that start over, against the real operations, while the clock is moved.

Two workers, one of them with a clock that is behind, draw on one key's daily, weekly, monthly and
total limits; windows turn while leases are live, workers are killed and late settles come. The
model knows in which windows each lease was taken: in no window may more be held and spent than
its limit, and what a budget counts is exactly what its window's leases cost.
"""

import datetime as dt
import uuid
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from accounts import keys, owners
from accounts.timeids import uuid7
from billing import budgets, ledger, queries, sweeper, vault, workers
from billing.batch import Batch
from billing.models import Budget, Charge, Lease, LedgerAccount, Worker
from billing.spool import SpooledSettle
from tests.billing.conftest import settlement
from tests.billing.test_ledger_machine import commit

LIMITS = {"daily": 1_000, "weekly": 2_500, "monthly": 6_000, "total": 20_000}
BEHIND = dt.timedelta(hours=5)  # far more than any clock is wrong: it must not matter for limits
START = dt.datetime(2026, 12, 26, 22, tzinfo=dt.UTC)
HOLDS = st.sampled_from([0, 1, 50, 200, 400, 600, 1_000, 1_001])
WHICH = st.integers(0, 1)


def windows_of(day):
    """In which windows a day is, reckoned apart from billing.windows."""
    year, week, _ = day.isocalendar()
    return {
        "daily": day.toordinal(), "weekly": (year, week), "monthly": (day.year, day.month),
        "total": None,
    }  # fmt: skip


@dataclass(eq=False)
class Life:
    boot: uuid.UUID
    lag: dt.timedelta
    lease: int | None = None


@dataclass(eq=False)
class Taken:
    """A lease as the model knows it; `until` as the worker was told."""

    life: Life
    windows: dict
    until: float
    amount: int = 0
    running: dict = field(default_factory=dict)  # request id -> [hold, checkpoint]
    spent: int = 0
    is_live: bool = True

    @property
    def left(self):
        return self.amount - self.spent - sum(hold for hold, _ in self.running.values())


class Windows(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.sandbox = transaction.atomic()
        self.sandbox.__enter__()
        self.clock = time_machine.travel(START, tick=False)
        self.traveller = self.clock.start()
        self.now = START
        user = owners.register(email=f"windows-{uuid.uuid4().hex}@example.com")
        self.account = owners.own_account(user)
        ledger.credit(
            account_id=self.account.pk, amount_nusd=10**9, ref=str(uuid.uuid4()),
            source=LedgerAccount.Kind.PROMOTION, actor="machine",
        )  # fmt: skip
        key, _ = keys.mint(account=self.account, created_by=user, name="k")
        self.key = key.pk
        budgets.set_limits(api_key_id=self.key, limits=LIMITS)
        self.taken = {}
        self.latest = windows_of(START.date())  # the newest window that a budget has seen
        self.lives = [self._live(dt.timedelta()), self._live(BEHIND)]
        self.estimated = {}  # request id -> (lease, cost)

    def teardown(self):
        self.clock.stop()
        transaction.set_rollback(True)
        self.sandbox.__exit__(None, None, None)

    def _live(self, lag):
        life = Life(boot=uuid.uuid4(), lag=lag)
        workers.register(life.boot, ttl_s=600)
        return life

    def _at(self, life):
        moment = self.now - life.lag
        self.traveller.move_to(moment, tick=False)
        return moment

    def _counted(self, period, window):
        """What leases of a window hold and cost."""
        of_window = [t for t in self.taken.values() if t.windows[period] == window]
        return sum(t.amount if t.is_live else t.spent for t in of_window)

    def _room(self):
        return min(
            limit - self._counted(period, self.latest[period]) for period, limit in LIMITS.items()
        )

    @initialize()
    def begin(self):
        pass

    @rule(days=st.sampled_from([0, 1, 1, 6, 27]), hours=st.sampled_from([-1, 1, 4, 6]))
    def travel(self, days, hours):
        """Go to a time near a midnight to come: where windows turn, and clocks disagree."""
        midnight = self.now.replace(hour=0) + dt.timedelta(days=days)
        self.now = max(self.now, midnight + dt.timedelta(hours=hours))

    @rule(which=WHICH, hold=HOLDS, ignores_the_end=st.booleans())
    def admit(self, which, hold, ignores_the_end):
        """Grant as the desk does; one that misses a window's end grants from the old lease."""
        life = self.lives[which]
        moment = self._at(life)
        lease = self.taken.get(life.lease)
        is_past = lease is not None and moment.timestamp() >= lease.until
        if lease is not None and is_past and not ignores_the_end:
            life.lease = lease = None
        if lease is None or lease.left < hold:
            lease = self._ask(life, lease, hold, moment)
        if lease is None:
            return
        item = SpooledSettle(
            request_id=uuid7(), settlement=settlement(0), lease_id=life.lease,
            wallet_id=self.account.pk, hold_nusd=hold,
        )  # fmt: skip
        assert item.request_id in commit(Batch(intents=[item])).intended
        lease.running[item.request_id] = [hold, 0]

    def _ask(self, life, lease, hold, moment):
        wish = vault.Fund(
            ref=0, lease_id=life.lease, api_key_id=self.key, left_nusd=lease.left if lease else 0,
            holds=(hold,),
        )  # fmt: skip
        order = vault.Order(boot=life.boot, wallet_id=self.account.pk, funds=(wish,))
        funded = vault.work(order).funded[0]
        for period, window in windows_of(moment.date()).items():
            if window is not None and window > self.latest[period]:
                self.latest[period] = window
        if lease is not None and lease.windows != self.latest:
            lease = life.lease = None  # it may not grow
        room = self._room() + (lease.left if lease else 0)
        if funded.lease_id is None or (lease is not None and funded.amount_nusd == lease.amount):
            assert hold > room, "refused, though the limits leave room"
            return None
        assert hold <= room, "admitted above a limit"
        if lease is None:
            assert funded.lease_id not in self.taken
            assert funded.until > moment.timestamp()
            life.lease = funded.lease_id
            lease = self.taken[funded.lease_id] = Taken(
                life=life, windows=dict(self.latest), until=funded.until
            )
        lease.amount = funded.amount_nusd
        return lease

    def _running(self):
        return [(t, r) for t in self.taken.values() for r in t.running]

    @rule(data=st.data(), cost=HOLDS, ends=st.booleans())
    def settle(self, data, cost, ends):
        running = self._running()
        if not running:
            return
        lease, request_id = data.draw(st.sampled_from(running))
        hold = lease.running[request_id][0]
        item = SpooledSettle(
            request_id=request_id, settlement=settlement(min(cost, hold)), lease_id=1,
            wallet_id=self.account.pk, hold_nusd=hold,
        )  # fmt: skip
        if not ends:
            item.checkpoint_nusd = min(cost, hold)
            commit(Batch(checkpoints=[item]))
            lease.running[request_id][1] = max(lease.running[request_id][1], min(cost, hold))
            return
        assert request_id in commit(Batch(settles=[item])).settled
        del lease.running[request_id]
        lease.spent += min(cost, hold)

    @rule(which=WHICH)
    def close(self, which):
        """Close a worker's leases that nothing runs on, twice."""
        life = self.lives[which]
        self._at(life)
        idle = [i for i, t in self.taken.items() if t.life is life and t.is_live and not t.running]
        order = vault.Order(boot=life.boot, wallet_id=self.account.pk, closes=tuple(idle))
        for _ in range(2):
            vault.work(order)
        for lease_id in idle:
            self.taken[lease_id].is_live = False
            self.taken[lease_id].amount = 0
            if life.lease == lease_id:
                life.lease = None

    @rule(which=WHICH)
    def give_back(self, which):
        life = self.lives[which]
        self._at(life)
        live = {i: t for i, t in self.taken.items() if t.life is life and t.is_live}
        targets = tuple((i, t.amount - t.left) for i, t in live.items())
        vault.work(vault.Order(boot=life.boot, wallet_id=self.account.pk, targets=targets))
        for lease_id, amount in targets:
            self.taken[lease_id].amount = amount

    @rule(which=WHICH)
    def crash(self, which):
        life = self.lives[which]
        self._at(life)
        Worker.objects.filter(boot=life.boot).delete()
        sweeper.reclaim_orphans()
        for lease_id, lease in self.taken.items():
            if lease.life is not life or not lease.is_live:
                continue
            for request_id, (_, checkpoint) in lease.running.items():
                lease.spent += checkpoint
                self.estimated[request_id] = (lease_id, checkpoint)
            lease.running, lease.is_live, lease.amount = {}, False, 0
        self.lives[which] = self._live(life.lag)

    @rule(data=st.data(), cost=HOLDS)
    def settle_late(self, data, cost):
        if not self.estimated:
            return
        request_id = data.draw(st.sampled_from(sorted(self.estimated)))
        lease_id, estimate = self.estimated[request_id]
        try:
            ledger.correct(request_id=request_id, cost_nusd=cost, actor="machine")
        except ledger.NothingToCorrect:
            return
        assert cost < estimate
        self.taken[lease_id].spent -= estimate - cost
        del self.estimated[request_id]

    @invariant()
    def money_is_whole(self):
        assert ledger.audit() == []

    @invariant()
    def no_window_is_above_its_limit(self):
        sums = defaultdict(int)
        for lease in self.taken.values():
            held = sum(hold for hold, _ in lease.running.values())
            for period, window in lease.windows.items():
                sums[period, window] += lease.spent + held
        for (period, window), total in sums.items():
            assert total <= LIMITS[period], (period, window)

    @invariant()
    def a_budget_counts_its_own_window(self):
        for budget in Budget.objects.all():
            window = self.latest[budget.period]
            if budget.period_start is not None:
                assert windows_of(budget.period_start)[budget.period] == window
            of_window = [t for t in self.taken.values() if t.windows[budget.period] == window]
            assert budget.spent_nusd == sum(t.spent for t in of_window if not t.is_live)
            assert budget.leased_nusd == sum(t.amount for t in self.taken.values() if t.is_live)

    @invariant()
    def what_is_shown_is_what_the_window_cost(self):
        shown = {
            one.period: one.spent_nusd
            for one in queries.key_limits(self.account.pk, now=self.now)[self.key]
        }
        today = windows_of(self.now.date())
        for period, window in self.latest.items():
            costs = [t.spent for t in self.taken.values() if t.windows[period] == window]
            assert shown[period] == (sum(costs) if window == today[period] else 0)


@pytest.mark.django_db
@pytest.mark.proof(n=20_000)
def test_limits_hold_in_every_window(proof_count):
    run_machine(
        Windows,
        settings=settings(
            max_examples=proof_count(30, 20_000),
            stateful_step_count=proof_count(30, 60),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    assert not Lease.objects.exists()
    assert not Charge.objects.exists()
