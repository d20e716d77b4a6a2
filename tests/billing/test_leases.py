import asyncio
import time

import pytest

from accounts.timeids import uuid7
from billing import budgets, charges, leases
from billing.grants import InsufficientCredit, MoneyUnavailable, WalletFrozen
from billing.models import Budget, Lease, Worker
from billing.wallets import set_frozen
from tests.billing.conftest import USD, charge_of, hold, open_bank, open_charge, run, settlement
from tests.billing.conftest import wallet as wallet_row

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean")]


async def _until(check, timeout_s=3):
    deadline = time.monotonic() + timeout_s
    while not (found := await check()):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)
    return found


def test_admits_the_last_nano_and_refuses_when_one_is_short(make_wallet, tmp_path):
    exact, short = make_wallet(1_000), make_wallet(999)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, exact, 1_000)
            with pytest.raises(InsufficientCredit) as caught:
                await hold(bank, short, 1_000)
            assert caught.value.available_nusd == 999
            assert not caught.value.is_in_flight
            assert caught.value.limit.name == "wallet"
            with pytest.raises(InsufficientCredit) as caught:
                await hold(bank, exact, 1)
            assert caught.value.is_in_flight
            assert caught.value.available_nusd == 0
            assert await charge.settle(settlement(1_000))
        assert (await call(wallet_row, exact)).debit_nusd == 1_000

    run(main)


@pytest.mark.parametrize("spent", [100, 60, 0])
def test_of_500_in_parallel_exactly_those_are_admitted_that_the_balance_covers(
    make_wallet, tmp_path, spent
):
    account = make_wallet(1_000)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            results = await asyncio.gather(
                *(hold(bank, account, 100) for _ in range(500)), return_exceptions=True
            )
            grants = [r for r in results if not isinstance(r, Exception)]
            assert len(grants) == 10
            refused = [r for r in results if isinstance(r, InsufficientCredit)]
            assert len(refused) == 490
            assert all(r.is_in_flight for r in refused)
            running = [charge_of(bank, grant) for grant in grants]
            assert await asyncio.gather(*(c.durable for c in running)) == [True] * 10
            ends = [c.settle(settlement(spent)) for c in running]
            assert await asyncio.gather(*ends) == [True] * 10
        row = await call(wallet_row, account)
        assert (row.debit_nusd, row.leased_nusd) == (10 * spent, 0)

    run(main)


def test_a_rich_wallet_is_leased_in_slices_and_admits_without_the_database(make_wallet, tmp_path):
    account = make_wallet(100 * USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            first = await hold(bank, account, 1_000)
            # 2 USD at most, though an eighth would be more.
            assert (await call(wallet_row, account)).leased_nusd == 2 * USD
            local = [
                bank.desk.try_admit(
                    wallet_id=account, api_key_id=1, budget_key_id=None, hold_nusd=1_000
                )
                for _ in range(1_000)
            ]
            assert {g.lease_id for g in local} == {first.lease_id}
            for grant in (first, *local):
                bank.desk.release(grant)
        row = await call(wallet_row, account)
        assert (row.leased_nusd, row.debit_nusd) == (0, 0)

    run(main)


def test_a_poor_wallet_gets_every_rest_back_at_once(make_wallet, tmp_path):
    account = make_wallet(1_000)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 900)
            assert await charge.settle(settlement(200))

            async def is_back():
                return (await call(wallet_row, account)).leased_nusd == 200

            await _until(is_back)
            other = await open_charge(bank, account, 800)
            assert await other.settle(settlement(800))

    run(main)


def test_who_waits_is_served_from_what_comes_back(make_wallet, tmp_path):
    account = make_wallet(1_000)

    async def main(_):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 1_000)
            ending = charge.settle(settlement(100))
            waiting = asyncio.create_task(hold(bank, account, 900))
            assert await ending
            with_money = await asyncio.wait_for(_again(bank, account, waiting), 3)
            bank.desk.release(with_money)

    async def _again(bank, account, waiting):
        try:
            return await waiting
        except InsufficientCredit:  # asked before the settle was there
            return await hold(bank, account, 900)

    run(main)


def test_a_key_cannot_spend_above_its_own_limit(make_wallet, make_key, tmp_path):
    account = make_wallet(10_000)
    key = make_key(account)
    budgets.set_limit(api_key_id=key, limit_nusd=1_000)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            results = await asyncio.gather(
                *(hold(bank, account, 300, api_key_id=key) for _ in range(20)),
                return_exceptions=True,
            )
            grants = [r for r in results if not isinstance(r, Exception)]
            assert len(grants) == 3
            assert {r.limit.name for r in results if isinstance(r, Exception)} == {"total"}
            assert {r.available_nusd for r in results if isinstance(r, Exception)} == {100}
            other = await hold(bank, account, 5_000)  # keys without a limit share the wallet
            assert other.lease_id != grants[0].lease_id
            bank.desk.release(other)
            running = [charge_of(bank, g) for g in grants]
            await asyncio.gather(*(c.durable for c in running))
            assert all(await asyncio.gather(*(c.settle(settlement(250)) for c in running)))
        budget = await call(Budget.objects.get)
        assert (budget.spent_nusd, budget.leased_nusd) == (750, 0)
        async with open_bank(tmp_path) as bank:
            with pytest.raises(InsufficientCredit) as caught:
                await hold(bank, account, 251, api_key_id=key)
            assert caught.value.available_nusd == 250
            assert not caught.value.is_in_flight

    run(main)


def test_a_frozen_wallet_admits_nothing_and_a_thawed_one_does(make_wallet, tmp_path):
    account = make_wallet(10 * USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            running = await open_charge(bank, account, 100)

            def freeze():
                assert set_frozen([account], is_frozen=True) == 1
                assert set_frozen([account], is_frozen=True) == 0

            await call(freeze)
            bank.desk.drain(account)  # what the change row's listener does
            with pytest.raises(WalletFrozen):
                await hold(bank, account, 100)
            assert await running.settle(settlement(100))  # what runs ends normally
            await call(lambda: set_frozen([account], is_frozen=False))
            bank.desk.release(await hold(bank, account, 100))

    run(main)


def test_an_unknown_wallet_has_nothing(make_wallet, tmp_path):
    async def main(_):
        async with open_bank(tmp_path) as bank:
            with pytest.raises(InsufficientCredit) as caught:
                await hold(bank, 123_456_789, 1)
            assert caught.value.available_nusd == 0

    run(main)


def test_a_lease_rotates_and_closes_with_its_last_charge(make_wallet, tmp_path, settings):
    settings.LEASE_ROTATION_S = 1
    account = make_wallet(10 * USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 100)
            lease = await call(Lease.objects.get)

            async def is_draining():
                return (await call(Lease.objects.get)).state == "draining"

            await _until(is_draining)
            # Its idle part went back; the hold stays.
            assert (await call(wallet_row, account)).leased_nusd == 100
            assert await charge.extend(150)  # allowed while draining
            assert await charge.settle(settlement(120))

            async def is_closed():
                return await call(Lease.objects.filter(pk=lease.pk, state="closed").exists)

            await _until(is_closed)
        closed = await call(lambda: Lease.objects.get(pk=lease.pk))
        assert (closed.spent_nusd, closed.amount_nusd) == (120, 150)

    run(main)


def test_a_cancelled_wait_leaves_no_hold_behind(make_wallet, tmp_path):
    account = make_wallet(1_000)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            for _ in range(20):
                task = asyncio.create_task(hold(bank, account, 1_000))
                await asyncio.sleep(0.001)
                task.cancel()
                (result,) = await asyncio.gather(task, return_exceptions=True)
                if isinstance(result, leases.Grant):  # served before the cancellation
                    bank.desk.release(result)

            async def is_free():
                return bank.desk.grants == 0

            await _until(is_free)
            grant = await hold(bank, account, 1_000)
            bank.desk.release(grant)
        assert (await call(wallet_row, account)).leased_nusd == 0

    run(main)


def test_a_negative_hold_is_a_mistake(make_wallet, tmp_path):
    account = make_wallet(1_000)

    async def main(_):
        async with open_bank(tmp_path) as bank:
            with pytest.raises(ValueError, match="never negative"):
                await hold(bank, account, -1)

    run(main)


def test_without_a_bank_there_is_no_money():
    async def main(_):
        asked = {"wallet_id": 1, "api_key_id": None, "budget_key_id": None, "hold_nusd": 1}
        assert leases.try_admit(**asked) is None
        with pytest.raises(MoneyUnavailable):
            await leases.admit(**asked)
        with pytest.raises(MoneyUnavailable):
            charges.open_charge(None, request_id=uuid7())

    run(main)


@pytest.mark.postgresql
class TestTwoWorkers:
    """Two banks stand for two processes: they share nothing but the database."""

    def test_never_admit_more_than_the_wallet_has(self, make_wallet, tmp_path):
        account = make_wallet(1_000)

        async def main(call):
            async with open_bank(tmp_path) as one, open_bank(tmp_path, install=False) as two:
                results = await asyncio.gather(
                    *(hold(b, account, 100) for _ in range(250) for b in (one, two)),
                    return_exceptions=True,
                )
                grants = [r for r in results if not isinstance(r, Exception)]
                assert len(grants) == 10
                assert all(isinstance(r, InsufficientCredit) for r in results if r not in grants)
                for bank in (one, two):
                    for grant in grants:
                        if bank.desk.lease_of(grant) is not None:
                            bank.desk.release(grant)
            assert (await call(wallet_row, account)).leased_nusd == 0

        run(main)

    def test_idle_credit_of_the_other_is_recalled_before_a_402(self, make_wallet, tmp_path):
        account = make_wallet(80_000)

        async def main(_):
            async with open_bank(tmp_path) as one, open_bank(tmp_path, install=False) as two:
                # Rich for this small hold: `one` takes a slice of an eighth.
                grant = await hold(one, account, 10)
                wanted = asyncio.create_task(hold(two, account, 75_000))
                await asyncio.sleep(0.05)
                assert not wanted.done()
                one.desk.give_back(account)  # what the change row's listener does
                two.desk.release(await wanted)
                one.desk.release(grant)

        run(main)

    def test_a_recall_waits_no_longer_than_promised(self, make_wallet, tmp_path):
        account = make_wallet(80_000)

        async def main(_):
            async with open_bank(tmp_path) as one, open_bank(tmp_path, install=False) as two:
                grant = await hold(one, account, 10)
                began = time.monotonic()
                with pytest.raises(InsufficientCredit):
                    await hold(two, account, 75_000)
                assert 0.2 <= time.monotonic() - began < 1
                one.desk.release(grant)

        run(main)

    def test_the_worker_rows_go_with_their_workers(self, tmp_path):
        async def main(call):
            async with open_bank(tmp_path), open_bank(tmp_path, install=False):
                assert await call(Worker.objects.count) == 2
            assert await call(Worker.objects.count) == 0

        run(main)


def test_what_costs_nothing_is_admitted_on_an_empty_wallet(make_wallet, tmp_path):
    account = make_wallet(0)

    async def main(_):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 0)
            assert await charge.settle(settlement(5))  # kept within the hold

    run(main)
