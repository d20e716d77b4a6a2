"""Budgets that start over each day, week and month, while leases of the old window live on."""

import asyncio
import datetime as dt
import uuid

import pytest
import time_machine
from django.utils import timezone

from accounts.models import ApiKey
from accounts.timeids import uuid7
from billing import budgets, ledger, queries, vault, windows, workers
from billing.grants import InsufficientCredit
from billing.models import Budget, Charge, Lease, LeaseBudget
from tests.billing.conftest import USD, charge_of, hold, open_bank, open_charge, run, settlement

UTC = dt.UTC
NIGHT = dt.datetime(2026, 11, 29, 23, 59, 50, tzinfo=UTC)  # a Sunday, before a week turns


@pytest.mark.parametrize(
    ("moment", "day", "week", "month"),
    [
        ("2026-11-30T00:00:00", "2026-11-30", "2026-11-30", "2026-11-01"),
        ("2026-11-29T23:59:59", "2026-11-29", "2026-11-23", "2026-11-01"),
        ("2027-01-01T00:00:00", "2027-01-01", "2026-12-28", "2027-01-01"),
        ("2028-02-29T12:00:00", "2028-02-29", "2028-02-28", "2028-02-01"),
    ],
)
def test_days_weeks_and_months_begin_in_utc(moment, day, week, month):
    at = dt.datetime.fromisoformat(moment).replace(tzinfo=UTC)
    begun = [windows.start(period, at) for period in windows.PERIODS]
    assert [str(one) for one in begun] == [day, week, month, "None"]
    elsewhere = at.astimezone(dt.timezone(dt.timedelta(hours=-9)))
    assert windows.start("daily", elsewhere) == begun[0]


@pytest.mark.parametrize(
    ("period", "first", "end"),
    [
        ("daily", "2026-12-31", "2027-01-01"), ("weekly", "2026-12-28", "2027-01-04"),
        ("monthly", "2026-12-01", "2027-01-01"), ("monthly", "2027-02-01", "2027-03-01"),
        ("monthly", "2026-10-01", "2026-11-01"),
    ],
)  # fmt: skip
def test_a_window_ends_where_the_next_begins(period, first, end):
    found = windows.end(period, dt.date.fromisoformat(first))
    assert found == dt.datetime.fromisoformat(end).replace(tzinfo=UTC)
    assert windows.start(period, found) == found.date()
    assert windows.start(period, found - dt.timedelta(microseconds=1)) == dt.date.fromisoformat(
        first
    )


def test_what_holds_in_total_never_starts_over():
    assert windows.start("total", NIGHT) is None
    assert windows.end("total", None) is None


# One worker's orders, step by step


@pytest.fixture
def account(make_wallet):
    return make_wallet(100 * USD)


@pytest.fixture
def key(make_key, account):
    return make_key(account)


@pytest.fixture
def boot(db):
    found = uuid.uuid4()
    workers.register(found, ttl_s=600)
    return found


def fund(boot, account, key, nusd, *, lease=None, left=0, **options):
    wish = vault.Fund(
        ref=0, lease_id=lease, api_key_id=key, left_nusd=left, holds=(nusd,), **options
    )
    return vault.work(vault.Order(boot=boot, wallet_id=account, funds=(wish,))).funded[0]


def charge(lease, account, key, cost):
    Charge.objects.create(
        request_id=uuid7(), lease_id=lease, wallet_id=account, api_key_id=key, hold_nusd=cost,
        cost_nusd=cost, state="settled", reason="normal",
    )  # fmt: skip


def close(boot, account, lease):
    vault.work(vault.Order(boot=boot, wallet_id=account, closes=(lease,)))


def limit(key, **limits):
    budgets.set_limits(api_key_id=key, limits=limits)


def budget(period="daily"):
    return Budget.objects.get(period=period)


@pytest.mark.django_db
class TestTurn:
    def test_the_first_taker_turns_and_an_old_lease_is_not_counted_again(self, boot, account, key):
        with time_machine.travel(NIGHT, tick=False) as clock:
            limit(key, daily=100, total=1_000)
            old = fund(boot, account, key, 70)
            charge(old.lease_id, account, key, 60)
            clock.shift(20)
            new = fund(boot, account, key, 100)
            assert new.lease_id not in (None, old.lease_id)
            assert (budget().spent_nusd, budget().leased_nusd) == (0, 170)
            assert ledger.audit() == []
            close(boot, account, old.lease_id)
            assert (budget().spent_nusd, budget().leased_nusd) == (0, 100)
            assert budget("total").spent_nusd == 60
            charge(new.lease_id, account, key, 80)
            close(boot, account, new.lease_id)
            assert (budget().spent_nusd, budget().leased_nusd) == (80, 0)
            assert budget("total").spent_nusd == 140
        assert ledger.audit() == []

    def test_a_lease_that_closes_before_anybody_turns_is_counted_to_its_own_window(
        self, boot, account, key
    ):
        with time_machine.travel(NIGHT, tick=False) as clock:
            limit(key, daily=100)
            old = fund(boot, account, key, 70)
            charge(old.lease_id, account, key, 60)
            clock.shift(20)
            close(boot, account, old.lease_id)
            assert (budget().period_start, budget().spent_nusd) == (NIGHT.date(), 60)
            assert fund(boot, account, key, 100).lease_id is not None
            assert (str(budget().period_start), budget().spent_nusd) == ("2026-11-30", 0)

    def test_the_new_window_has_its_whole_limit_while_old_requests_run(self, boot, account, key):
        with time_machine.travel(NIGHT, tick=False) as clock:
            limit(key, daily=100)
            assert fund(boot, account, key, 100).lease_id is not None
            assert fund(boot, account, key, 1).lease_id is None
            clock.shift(20)
            new = fund(boot, account, key, 60)
            assert new.lease_id is not None
            assert fund(boot, account, key, 41).lease_id is None
            grown = fund(boot, account, key, 40, lease=new.lease_id)
            assert (grown.lease_id, grown.amount_nusd) == (new.lease_id, 100)
            assert budget().leased_nusd == 200
            assert fund(boot, account, key, 1).lease_id is None
        assert ledger.audit() == []

    def test_a_lease_of_an_old_window_does_not_grow(self, boot, account, key):
        with time_machine.travel(NIGHT, tick=False) as clock:
            limit(key, daily=100)
            old = fund(boot, account, key, 50)
            clock.shift(20)
            new = fund(boot, account, key, 30, lease=old.lease_id, left=50)
            assert new.lease_id not in (None, old.lease_id)
            assert new.amount_nusd == 30
            assert Lease.objects.get(pk=old.lease_id).amount_nusd == 50
            extended = fund(boot, account, None, 10, lease=old.lease_id, is_extension=True)
            assert extended.lease_id is None
        assert ledger.audit() == []

    def test_a_clock_that_is_behind_turns_nothing_back(self, boot, account, key):
        with time_machine.travel(NIGHT + dt.timedelta(seconds=20), tick=False):
            limit(key, daily=100)
            ahead = fund(boot, account, key, 80)
            charge(ahead.lease_id, account, key, 80)
            close(boot, account, ahead.lease_id)
        with time_machine.travel(NIGHT, tick=False):
            behind = fund(boot, account, key, 30)
            assert behind.lease_id is None
            assert behind.limit.left_nusd == 20
            assert fund(boot, account, key, 20).lease_id is not None
        assert (str(budget().period_start), budget().spent_nusd) == ("2026-11-30", 80)

    def test_a_reclaimed_lease_is_counted_to_its_own_window(self, boot, account, key):
        with time_machine.travel(NIGHT, tick=False) as clock:
            limit(key, daily=100)
            old = fund(boot, account, key, 70)
            charge(old.lease_id, account, key, 60)
            clock.shift(20)
            fund(boot, account, key, 10)
            workers.remove(boot)
            assert vault.reclaim(old.lease_id, wallet_id=account)
            assert (budget().spent_nusd, budget().leased_nusd) == (0, 10)
        assert ledger.audit() == []

    def test_a_late_correction_gives_nothing_back_to_another_window(self, boot, account, key):
        with time_machine.travel(NIGHT, tick=False) as clock:
            limit(key, daily=100, monthly=100)
            old = fund(boot, account, key, 70)
            charge(old.lease_id, account, key, 60)
            Charge.objects.update(reason="crash", state="estimated")
            close(boot, account, old.lease_id)
            clock.shift(20)
            new = fund(boot, account, key, 30)
            charge(new.lease_id, account, key, 30)
            close(boot, account, new.lease_id)
            estimated = Charge.objects.get(reason="crash")
            ledger.correct(request_id=estimated.pk, cost_nusd=20, actor="test")
            assert budget().spent_nusd == 30
            assert budget("monthly").spent_nusd == 50
        assert ledger.audit() == []

    def test_several_budgets_hold_at_once_and_the_tightest_is_named(self, boot, account, key):
        with time_machine.travel(NIGHT, tick=False) as clock:
            limit(key, daily=100, weekly=150, monthly=220, total=10_000)
            named = []
            for _ in range(3):
                clock.shift(dt.timedelta(days=1))
                while (found := fund(boot, account, key, 50)).lease_id is not None:
                    charge(found.lease_id, account, key, 50)
                    close(boot, account, found.lease_id)
                named.append((found.limit.name, found.limit.left_nusd))
            assert named == [("daily", 0), ("weekly", 0), ("weekly", 0)]
        assert ledger.audit() == []

    def test_of_two_limits_that_are_used_up_the_one_that_lasts_longer_is_named(
        self, boot, account, key
    ):
        with time_machine.travel(NIGHT, tick=False):
            limit(key, daily=50, monthly=50)
            found = fund(boot, account, key, 50)
            charge(found.lease_id, account, key, 50)
            close(boot, account, found.lease_id)
            short = fund(boot, account, key, 1).limit
            assert (short.name, short.amount_nusd, short.left_nusd) == ("monthly", 50, 0)
            assert short.resets_at == dt.datetime(2026, 12, 1, tzinfo=UTC)
            limit(key, total=50)
            assert fund(boot, account, key, 1).limit.name == "total"
            assert fund(boot, account, key, 1).limit.resets_at is None


# Limits are set, changed and taken away


@pytest.mark.django_db
class TestLimits:
    def test_a_new_limit_counts_what_was_spent_in_its_window(self, boot, account, key):
        with time_machine.travel(NIGHT - dt.timedelta(days=1), tick=False) as clock:
            for _ in range(2):
                found = fund(boot, account, None, 50)
                charge(found.lease_id, account, key, 50)
                charge(found.lease_id, account, None, 0)
                close(boot, account, found.lease_id)
                clock.shift(dt.timedelta(days=1))
            clock.shift(dt.timedelta(days=-1))
            limit(key, daily=70, weekly=170, total=500)
            spent = dict(Budget.objects.values_list("period", "spent_nusd"))
            assert spent == {"daily": 50, "weekly": 100, "total": 100}
            assert fund(boot, account, key, 21).limit.name == "daily"
            assert fund(boot, account, key, 20).lease_id is not None

    def test_a_changed_limit_keeps_what_was_spent(self, boot, account, key):
        limit(key, daily=100)
        found = fund(boot, account, key, 60)
        charge(found.lease_id, account, key, 60)
        close(boot, account, found.lease_id)
        limit(key, daily=50)
        assert (budget().limit_nusd, budget().spent_nusd) == (50, 60)
        assert fund(boot, account, key, 1).lease_id is None
        limit(key, daily=None, total=None)
        assert not ApiKey.objects.get(pk=key).has_budget

    def test_a_limit_may_go_while_leases_draw_on_it(self, boot, account, key):
        limit(key, daily=100, weekly=100)
        found = fund(boot, account, key, 60)
        limit(key, daily=None)
        assert ledger.audit() == []
        charge(found.lease_id, account, key, 60)
        close(boot, account, found.lease_id)
        assert Budget.objects.get().spent_nusd == 60
        assert ApiKey.objects.get(pk=key).has_budget
        assert ledger.audit() == []

    def test_periods_that_are_not_named_stay(self, key):
        limit(key, daily=1, total=2)
        limit(key, daily=3)
        assert dict(Budget.objects.values_list("period", "limit_nusd")) == {"daily": 3, "total": 2}

    def test_a_limit_below_zero_is_none(self, key):
        with pytest.raises(budgets.BadLimit):
            limit(key, daily=1, weekly=-1)
        assert not Budget.objects.exists()

    def test_a_window_that_nobody_turned_yet_is_shown_as_begun(self, boot, account, key):
        with time_machine.travel(NIGHT, tick=False) as clock:
            limit(key, daily=100, monthly=300)
            found = fund(boot, account, key, 60)
            charge(found.lease_id, account, key, 60)
            told = queries.key_limits(account, now=timezone.now())[key]
            assert [(one.period, one.left_nusd) for one in told] == [
                ("daily", 40),
                ("monthly", 240),
            ]
            clock.shift(20)
            told = queries.key_limits(account, now=timezone.now())[key]
            assert [(one.period, one.left_nusd) for one in told] == [
                ("daily", 100), ("monthly", 240)
            ]  # fmt: skip
            assert told[0].resets_at == dt.datetime(2026, 12, 1, tzinfo=UTC)
            fund(boot, account, key, 10)  # turned, while the old lease lives
            assert queries.key_limits(account, now=timezone.now())[key][0].spent_nusd == 0


# A worker's desk


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("clean")
class TestDesk:
    def test_the_limit_starts_over_under_a_running_request(self, account, key, tmp_path):
        with time_machine.travel(NIGHT) as clock:
            limit(key, daily=1_000)

            async def main(call):
                async with open_bank(tmp_path) as bank:
                    running = await open_charge(bank, account, 1_000, api_key_id=key)
                    with pytest.raises(InsufficientCredit) as caught:
                        await hold(bank, account, 1, api_key_id=key)
                    assert caught.value.is_in_flight
                    assert caught.value.limit.name == "daily"
                    assert caught.value.limit.resets_at == dt.datetime(2026, 11, 30, tzinfo=UTC)
                    clock.shift(20)
                    grant = await hold(bank, account, 1_000, api_key_id=key)
                    assert grant.lease_id != running.lease_id
                    assert await running.settle(settlement(900))
                    own = charge_of(bank, grant)
                    assert await own.durable
                    assert await own.settle(settlement(300))
                return await call(budget)

            found = run(main)
        assert (found.spent_nusd, found.leased_nusd) == (300, 0)

    def test_nothing_is_granted_from_a_lease_whose_window_ended(self, account, key, tmp_path):
        asked = {"wallet_id": account, "api_key_id": key, "budget_key_id": key, "hold_nusd": 10}
        with time_machine.travel(NIGHT) as clock:
            limit(key, daily=50 * USD)

            async def main(call):
                async with open_bank(tmp_path) as bank:
                    first = await hold(bank, account, 10, api_key_id=key)
                    second = bank.desk.try_admit(**asked)
                    assert second.lease_id == first.lease_id
                    clock.shift(20)
                    assert bank.desk.try_admit(**asked) is None
                    third = await hold(bank, account, 10, api_key_id=key)
                    assert third.lease_id != first.lease_id
                    for grant in (first, second, third):
                        bank.desk.release(grant)
                return await call(lambda: list(LeaseBudget.objects.values_list("period_start")))

            days = run(main)
        assert [str(day) for (day,) in days] == ["2026-11-29", "2026-11-30"]

    def test_an_idle_lease_goes_back_when_its_window_ends(self, account, key, tmp_path):
        with time_machine.travel(NIGHT) as clock:
            limit(key, daily=50 * USD)

            async def main(call):
                async with open_bank(tmp_path) as bank:
                    bank.desk.release(await hold(bank, account, 10, api_key_id=key))
                    assert (await call(budget)).leased_nusd > 0
                    clock.shift(20)
                    for _ in range(300):
                        if (await call(budget)).leased_nusd == 0:
                            return
                        await asyncio.sleep(0.01)
                    raise AssertionError("the lease lives on")

            run(main)

    def test_keys_that_share_limits_share_a_lease(self, account, key, make_key, tmp_path):
        newer = make_key(account)
        ApiKey.objects.filter(pk=newer).update(limits_of=key)
        limit(newer, daily=100)
        assert set(ApiKey.objects.values_list("has_budget", flat=True)) == {True}
        assert Budget.objects.get().api_key_id == key

        async def main(call):
            async with open_bank(tmp_path) as bank:
                grants = [
                    await bank.desk.admit(
                        wallet_id=account, api_key_id=one, budget_key_id=key, hold_nusd=50
                    )
                    for one in (key, newer)
                ]
                assert grants[0].lease_id == grants[1].lease_id
                assert [grant.api_key_id for grant in grants] == [key, newer]
                with pytest.raises(InsufficientCredit):
                    await bank.desk.admit(
                        wallet_id=account, api_key_id=newer, budget_key_id=key, hold_nusd=1
                    )
                for grant in grants:
                    bank.desk.release(grant)

        run(main)
