import asyncio
import threading
import time

import pytest
from django.core.checks import run_checks
from django.db.backends.signals import connection_created

from accounts import changes
from accounts.models import ApiKey
from accounts.timeids import uuid7
from billing import bank, budgets, charges, leases, queries, sweeper
from billing.bank import BankBusy
from billing.checks import check_database, problems
from billing.models import Budget, Charge, Wallet, Worker
from tests.billing.conftest import USD, hold, open_bank, open_charge, run, settlement
from tests.billing.conftest import wallet as wallet_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_a_process_opens_admits_and_closes_its_bank(make_wallet, data_dir, clean):
    account = make_wallet(USD)

    async def main(call):
        assert not bank.is_open()
        assert not bank.may_send()
        await bank.start()
        try:
            assert bank.is_open()
            assert bank.may_send()
            asked = {"wallet_id": account, "api_key_id": 7, "budget_key_id": None, "hold_nusd": 50}
            assert leases.try_admit(**asked) is None
            grant = await leases.admit(**asked)
            leases.release(leases.try_admit(**asked))
            charge = charges.open_charge(grant, request_id=uuid7())
            assert await charge.durable
            assert await charge.settle(settlement(50))
            assert (await call(Charge.objects.get)).api_key_id == 7
        finally:
            assert await bank.stop()
        assert not bank.is_open()
        assert await bank.stop()  # again: nothing to do
        assert await call(Worker.objects.count) == 0

    run(main)


@pytest.mark.sqlite
def test_sqlite_has_one_gateway_process_and_the_next_takes_over_at_once(
    make_wallet, data_dir, clean
):
    account = make_wallet(USD)

    async def main(call):
        await bank.start()
        held, bank._lock_file = bank._lock_file, None
        with pytest.raises(BankBusy):  # as from another process
            bank._lock()
        bank._lock_file = held
        bank._unlock()  # kill -9: the lock goes with the process, the rows stay
        charge = await open_charge(bank._bank, account, 1_000)
        assert (await call(wallet_row, account)).leased_nusd > 0
        async with open_bank(data_dir):
            assert (await call(wallet_row, account)).leased_nusd == 0
        assert not await charge.settle(settlement(1))
        await bank.stop()

    run(main)


def test_frozen_wallets_and_recalls_come_by_the_change_row(make_wallet, data_dir, clean):
    account = make_wallet(100 * USD)

    async def main(call):
        listener = changes.Listener(poll_s=0.02)
        bank.connect(listener)
        await bank.start()
        listener.start()
        try:
            await asyncio.sleep(0.2)
            leases.release(await hold(bank._bank, account, 50))
            assert (await call(wallet_row, account)).leased_nusd == 2 * USD
            await call(changes.announce, changes.Change.Topic.RECALL, str(account))
            for _ in range(200):
                if (await call(wallet_row, account)).leased_nusd == 0:
                    break
                await asyncio.sleep(0.01)
            assert (await call(wallet_row, account)).leased_nusd == 0
        finally:
            await call(listener.stop)
            await bank.stop()

    run(main)


def test_a_clean_end_leaves_a_stuck_charge_to_the_sweeper(make_wallet, tmp_path, clean):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as opened:
            charge = await open_charge(opened, account, 1_000)
            assert not await opened.close(timeout_s=0.2)
            assert await call(Worker.objects.count) == 1
            assert (await call(Charge.objects.get)).state == "open"
            del charge
        await call(lambda: Worker.objects.all().delete())
        assert await call(sweeper.reclaim_orphans) == 1

    run(main)


def test_the_balance_counts_idle_credit_and_names_what_is_in_flight(make_wallet, tmp_path, clean):
    account = make_wallet(100 * USD)

    async def main(call):
        async with open_bank(tmp_path) as opened:
            ended = await open_charge(opened, account, 1_000)
            assert await ended.settle(settlement(400))
            running = await open_charge(opened, account, 300)
            assert await call(queries.balance, account) == queries.Balance(
                available_nusd=100 * USD - 700, in_flight_nusd=300, credit_nusd=100 * USD,
                spent_nusd=400,
            )  # fmt: skip
            assert await running.settle(settlement(0, state="voided"))
        assert (await call(queries.balance, account)).available_nusd == 100 * USD - 400
        assert (await call(queries.balance, 99_999_999)).available_nusd == 0

    run(main)


@pytest.mark.postgresql
def test_a_session_that_the_server_ended_while_we_were_held_up_costs_no_caller_anything(
    make_wallet, tmp_path, clean
):
    """PostgreSQL ends it after one second idle in a transaction, as under a stopped process."""
    account = make_wallet(USD)
    held_up = []

    def hold_up(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "FOR UPDATE" in sql and not held_up:
            held_up.append(sql)
            time.sleep(1.5)
        return result

    def slow_the_teller(connection, **_):
        if threading.current_thread().name == "teller":
            connection.execute_wrappers.append(hold_up)

    async def main(_):
        async with open_bank(tmp_path) as own:
            grant = await hold(own, account, 1_000)
            assert held_up
            own.desk.release(grant)

    connection_created.connect(slow_the_teller)
    try:
        run(main)
    finally:
        connection_created.disconnect(slow_the_teller)


def test_a_limit_is_set_changed_and_removed(make_wallet, make_key):
    account = make_wallet(USD)
    key = make_key(account)
    budgets.set_limit(api_key_id=key, limit_nusd=5)
    budgets.set_limit(api_key_id=key, limit_nusd=9)
    assert Budget.objects.get().limit_nusd == 9
    assert Budget.objects.get().api_key.has_budget
    budgets.remove_limit(api_key_id=key)
    assert not Budget.objects.exists()
    assert not ApiKey.objects.get(pk=key).has_budget
    with pytest.raises(budgets.BadLimit):
        budgets.set_limit(api_key_id=key, limit_nusd=-1)
    topics = set(changes.Change.objects.values_list("topic", "ref"))
    assert topics >= {("key", str(key)), ("wallet", str(account))}
    assert Wallet.objects.get(pk=account).credit_nusd == USD


class TestChecks:
    def test_the_deployment_as_it_is_passes(self):
        assert [m for m in run_checks() if m.id and m.id.startswith("billing")] == []
        assert check_database() == []

    @pytest.mark.parametrize(
        ("database", "code"),
        [
            ({"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}}, "billing.E003"),
            ({"ENGINE": "django.db.backends.mysql"}, "billing.E004"),
            ({"ENGINE": "x.postgresql", "ATOMIC_REQUESTS": True}, "billing.E002"),
        ],
    )
    def test_a_database_that_may_lose_money_is_an_error(self, database, code):
        assert [e.id for e in problems(database)] == [code]
