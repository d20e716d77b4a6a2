import asyncio
import sqlite3
import time

import psycopg
import pytest
from django.db import connection

from billing import ledger, spool
from billing.bank import Bank
from billing.batch import Batch
from billing.batcher import Away, write
from billing.charges import AttemptRow
from billing.models import Attempt, Charge
from billing.store import dialect
from tests.billing.conftest import USD, charge_of, hold, open_bank, open_charge, run, settlement
from tests.billing.conftest import wallet as wallet_row
from tests.faults import Proxy

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean")]


def _states():
    return sorted(Charge.objects.values_list("state", "cost_nusd"))


def test_one_bad_row_does_not_spoil_the_others_of_its_batch(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            running = [await open_charge(bank, account, 1_000) for _ in range(20)]
            ends = []
            for number, charge in enumerate(running):
                # What no database takes: the text part is dropped, the money stands.
                changed = {"vendor_cost_nusd": 1 << 70} if number in (3, 11) else {}
                rows = (AttemptRow(n=1, endpoint="e", outcome="delivered"),)
                ends.append(charge.settle(settlement(number, attempts=rows, **changed)))
            assert await asyncio.gather(*ends) == [True] * 20
        assert [cost for _, cost in await call(_states)] == list(range(20))
        assert await call(Attempt.objects.count) == 18

    run(main)


def test_an_intent_that_the_database_refuses_is_refused_alone(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(_):
        async with open_bank(tmp_path) as bank:
            running = []
            for number in range(8):
                charge = charge_of(bank, await hold(bank, account, 1_000))
                if number == 5:
                    charge.api_key_id = 1 << 70
                running.append(charge)
            answers = await asyncio.gather(*(c.durable for c in running))
            assert answers == [n != 5 for n in range(8)]
            await asyncio.gather(*(c.settle(settlement(1)) for c in running))

    run(main)


def test_items_of_one_tick_share_commits(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(_):
        async with open_bank(tmp_path) as bank:
            store = bank.batcher._store
            sizes, commit = [], store.commit

            def counting(batch, *, is_replay):
                sizes.append(len(batch))
                return commit(batch, is_replay=is_replay)

            store.commit = counting
            grants = [await hold(bank, account, 10) for _ in range(600)]
            running = [charge_of(bank, grant) for grant in grants]
            assert all(await asyncio.gather(*(c.durable for c in running)))
            assert sum(sizes) == 600
            assert max(sizes) == 256
            assert len(sizes) < 60
            assert all(await asyncio.gather(*(c.settle(settlement(1)) for c in running)))

    run(main)


def test_a_replay_of_a_committed_batch_changes_nothing(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 1_000)
            store = dialect().Store()
            intents, settles = Batch(intents=[charge]), Batch(settles=[charge])

            def again():
                assert store.commit(intents, is_replay=False).intended == set()
                assert store.commit(intents, is_replay=True).intended == {charge.request_id}
                # Admitted again on another lease: the row of the first try is not its own.
                other = spool.SpooledSettle(
                    request_id=charge.request_id, settlement=settlement(0),
                    lease_id=charge.lease_id + 1, wallet_id=account,
                )  # fmt: skip
                again = Batch(intents=[other])
                assert store.commit(again, is_replay=True).intended == set()

            await call(again)
            assert await charge.settle(settlement(700))

            def settle_again():
                assert store.commit(settles, is_replay=False).settled == set()
                assert store.commit(settles, is_replay=True).settled == {charge.request_id}
                assert store.commit(intents, is_replay=True).intended == set()  # it has ended
                store.close()

            await call(settle_again)
            assert await call(_states) == [("settled", 700)]

    run(main)


@pytest.mark.sqlite
class TestFullDisk:
    """SQLite's page limit is the real error of a full disk, for this connection alone."""

    def _fill(self, bank, pages):
        def change():
            bank.batcher._store._connect().execute(f"PRAGMA max_page_count = {pages}")

        return change

    def test_settles_are_spooled_and_intents_refused_until_there_is_room(
        self, make_wallet, tmp_path
    ):
        account = make_wallet(USD)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")  # what earlier tests deleted left room in the file

        async def main(call):
            async with open_bank(tmp_path) as bank:
                running = [await open_charge(bank, account, 1_000) for _ in range(30)]
                await asyncio.to_thread(self._fill(bank, 1))
                long = '{"n":' + "1" * 4_000 + "}"
                ends = [c.settle(settlement(5, usage_raw=long)) for c in running]
                assert await asyncio.gather(*ends) == [True] * 30
                assert not bank.is_open()
                assert {state for state, _ in await call(_states)} == {"open"}
                assert len(list(tmp_path.glob("*.jsonl"))) == 1
                await asyncio.to_thread(self._fill(bank, 1_000_000_000))
                for _ in range(300):
                    if bank.is_open():
                        break
                    await asyncio.sleep(0.02)
                assert bank.is_open()
                assert set(await call(_states)) == {("settled", 5)}
                assert not list(tmp_path.glob("*.jsonl"))

        run(main)

    def test_a_full_spool_acknowledges_nothing(self, make_wallet, tmp_path, settings):
        settings.SPOOL_BYTES_MAX = 100
        account = make_wallet(USD)

        async def main(call):
            async with open_bank(tmp_path) as bank:
                charge = await open_charge(bank, account, 1_000)
                await asyncio.to_thread(self._fill(bank, 1))
                ending = charge.settle(settlement(5, usage_raw="1" * 3_000_000))
                await asyncio.sleep(0.5)
                assert not ending.done()
                await asyncio.to_thread(self._fill(bank, 1_000_000_000))
                assert await asyncio.wait_for(ending, 3)
            assert await call(_states) == [("settled", 5)]

        run(main)


@pytest.mark.postgresql
class TestUnknownCommit:
    """The connection is cut between COMMIT and its answer, by a proxy on the wire."""

    @pytest.fixture
    def proxy(self):
        wired = connection.settings_dict
        proxy = Proxy(int(wired["PORT"] or 5432)).start()
        yield proxy
        proxy.stop()

    async def _through(self, bank: Bank, proxy: Proxy) -> None:
        """Let the batcher's connection run through the proxy from now on."""
        wired = connection.settings_dict
        old = wired["HOST"], wired["PORT"]
        wired["HOST"], wired["PORT"] = "127.0.0.1", str(proxy.port)

        def reconnect():
            bank.batcher._store.close()
            bank.batcher._store._connect()

        try:
            await asyncio.to_thread(reconnect)
        finally:
            wired["HOST"], wired["PORT"] = old

    def test_is_replayed_by_key_without_a_double(self, make_wallet, tmp_path, proxy):
        account = make_wallet(USD)

        async def main(call):
            async with open_bank(tmp_path) as bank:
                for _ in range(10):
                    await self._through(bank, proxy)
                    charge = charge_of(bank, await hold(bank, account, 1_000))
                    assert await charge.durable
                    await asyncio.to_thread(proxy.set, reset_after=0)
                    second = charge_of(bank, await hold(bank, account, 1_000))
                    ending = charge.settle(settlement(7))
                    assert await ending
                    assert await second.durable
                    proxy.heal()
                    assert await second.settle(settlement(3))
            states = await call(_states)
            assert states == [("settled", 3)] * 10 + [("settled", 7)] * 10
            assert (await call(wallet_row, account)).debit_nusd == 100

        run(main)


@pytest.mark.postgresql
def test_running_streams_settle_while_the_server_is_down(transactional_db, tmp_path, postgresql):
    """Row 21 of the fault table, on a server of its own: kill -9 under running charges."""
    wired = connection.settings_dict
    store = dialect().Store()
    port = wired["PORT"]
    wired["PORT"] = str(postgresql.port)
    wired["NAME"], name = "postgres", wired["NAME"]
    try:
        assert store.commit(Batch(), is_replay=False).settled == set()
        postgresql.kill()
        began = time.monotonic()
        with pytest.raises(Away):
            write(store, Batch(), is_replay=False)
        assert time.monotonic() - began < 2
        postgresql.start()
        write(store, Batch(), is_replay=True)
    finally:
        store.close()
        wired["PORT"], wired["NAME"] = port, name


def test_tells_errors_that_pass_from_those_that_stay():
    store = dialect().Store()
    if connection.vendor == "postgresql":
        passing, away = psycopg.errors.LockNotAvailable(), psycopg.errors.AdminShutdown()
        refused = psycopg.errors.CheckViolation()
        gone = psycopg.OperationalError("connection reset")
        assert store.is_away(gone)
    else:
        passing, away, refused = (sqlite3.OperationalError() for _ in range(3))
        passing.sqlite_errorcode = sqlite3.SQLITE_BUSY
        away.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        refused.sqlite_errorcode = sqlite3.SQLITE_CONSTRAINT
    assert store.is_passing(passing)
    assert not store.is_away(passing)
    assert store.is_away(away)
    assert not store.is_passing(refused)
    assert not store.is_away(refused)
    assert not store.is_away(OverflowError())


def test_a_dead_workers_spool_is_settled_by_the_next(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            first = await open_charge(bank, account, 1_000)
            second = await open_charge(bank, account, 1_000)
            first._settlement = settlement(400)
            dead = spool.Spool(tmp_path, boot=first.request_id, bytes_max=1 << 20)
            dead.write([first])
            path = tmp_path / f"{first.request_id}.jsonl"
            await call(bank.sweeper.sweep)
            assert path.exists()  # its owner lives: the lock is held
            with path.open("ab") as file:
                file.write(b'{"request_id": "cut off in the mid')
            dead.release()
            await call(bank.sweeper.sweep)
            assert not path.exists()
            assert not await first.settle(settlement(999))
            assert await second.settle(settlement(1))
            assert await call(_states) == [("settled", 1), ("settled", 400)]
        assert await call(ledger.audit) == []

    run(main)
