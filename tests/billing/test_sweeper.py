import asyncio
import threading
import time
import uuid

import pytest
from django.db import connection, connections, transaction

from accounts.timeids import uuid7
from billing import ledger, sweeper, vault, workers
from billing.models import Charge, Lease, Wallet, Worker
from billing.spool import SpooledSettle
from billing.store import dialect
from tests.billing import unfenced
from tests.billing.conftest import USD, charge_of, hold, open_bank, open_charge, run, settlement
from tests.billing.conftest import wallet as wallet_row

SOME = uuid.UUID(int=1)


def _seen(beat, *, boot=SOME, is_expired=True):
    return workers.Sighting(boot=boot, beat=beat, is_expired=is_expired)


def _leased(account, nusd):
    """Take a lease under a worker's life of its own; return its id."""
    boot = uuid.uuid4()
    workers.register(boot, ttl_s=30)
    fund = vault.Fund(ref=0, lease_id=None, api_key_id=None, left_nusd=0, holds=(nusd,))
    done = vault.work(vault.Order(boot=boot, wallet_id=account, funds=(fund,)))
    return done.funded[0].lease_id


class TestWatcher:
    def _times(self, start, end, step=1.0):
        return [start + step * n for n in range(int((end - start) / step) + 1)]

    def test_needs_one_whole_ttl_without_a_renewal(self):
        watcher = sweeper.Watcher(ttl_s=10)
        for now in self._times(100, 109):
            assert watcher.look([_seen(1)], now=now) == []
        assert watcher.look([_seen(1)], now=110) == [_seen(1)]

    def test_a_renewal_begins_anew(self):
        watcher = sweeper.Watcher(ttl_s=10)
        for now in self._times(100, 109):
            watcher.look([_seen(1)], now=now)
        for now in self._times(110, 119):
            assert watcher.look([_seen(2)], now=now) == []
        assert watcher.look([_seen(2)], now=120) == [_seen(2)]

    def test_an_outage_of_the_database_begins_anew(self):
        watcher = sweeper.Watcher(ttl_s=10)
        for now in self._times(100, 109):
            watcher.look([_seen(1)], now=now)
        watcher.forget()
        assert watcher.look([_seen(1)], now=110) == []

    def test_a_sweeper_that_was_stopped_itself_has_seen_nothing(self):
        watcher = sweeper.Watcher(ttl_s=10)
        watcher.look([_seen(1)], now=100)
        assert watcher.look([_seen(1)], now=200) == []

    def test_a_row_that_has_not_expired_is_alive(self):
        watcher = sweeper.Watcher(ttl_s=10)
        for now in self._times(100, 130):
            assert watcher.look([_seen(1, is_expired=False)], now=now) == []


@pytest.mark.django_db(transaction=True)
class TestWorkers:
    def test_condemns_only_the_expired_whose_beat_stands_still(self):
        boot = uuid.uuid4()
        workers.register(boot, ttl_s=30)
        (seen,) = workers.sightings()
        assert not workers.condemn(_seen(seen.beat, boot=boot))  # unexpired
        assert workers.is_alive(boot)
        workers.renew(boot, ttl_s=0)
        time.sleep(0.01)
        assert not workers.is_alive(boot)
        assert not workers.condemn(_seen(seen.beat, boot=boot))  # renewed since
        assert workers.renew(boot, ttl_s=0)  # expired, but nobody has ended it
        time.sleep(0.01)
        (seen,) = workers.sightings()
        assert seen.is_expired
        assert workers.condemn(seen)
        assert not workers.renew(boot, ttl_s=30)  # an ended life never comes back
        assert not workers.exists(boot)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("clean")
class TestReclaim:
    def test_a_dead_workers_lease_is_reclaimed_and_the_living_ones_is_not(
        self, make_wallet, tmp_path
    ):
        account = make_wallet(USD)

        async def main(call):
            async with open_bank(tmp_path) as bank:
                charge = await open_charge(bank, account, 1_000)
                assert await call(sweeper.reclaim_orphans) == 0
                (orphan,) = await call(lambda: list(Lease.objects.values_list("pk", flat=True)))
                assert not await call(lambda: vault.reclaim(orphan, wallet_id=account))
                await call(lambda: Worker.objects.all().delete())
                assert await call(sweeper.reclaim_orphans) == 1
                assert await call(sweeper.reclaim_orphans) == 0
                lease = await call(lambda: Lease.objects.get(pk=orphan))
                assert (lease.state, lease.spent_nusd) == ("reclaimed", 0)
                assert not await charge.settle(settlement(5))
            assert (await call(wallet_row, account)).leased_nusd == 0

        run(main)

    def test_a_whole_recovery_takes_the_ttl_and_little_more(self, make_wallet, tmp_path, settings):
        settings.LEASE_TTL_S = 1
        account = make_wallet(USD)
        dead = uuid.uuid4()
        workers.register(dead, ttl_s=1)
        Lease.objects.bulk_create(
            [Lease(worker=dead, wallet_id=account, amount_nusd=100, created_at="2026-01-01T00:00Z")]
        )
        Wallet.objects.filter(pk=account).update(leased_nusd=100)
        swept = sweeper.Sweeper(ttl_s=1, folder=tmp_path, store=dialect().Store())
        swept.start()
        try:
            for _ in range(300):
                if wallet_row(account).leased_nusd == 0:
                    break
                threading.Event().wait(0.02)
        finally:
            assert swept.stop(5)
        assert wallet_row(account).leased_nusd == 0
        assert not workers.exists(dead)

    def test_one_broken_lease_does_not_keep_the_others_waiting(self, make_wallet):
        broken, account = make_wallet(USD), make_wallet(USD)
        for wallet_id in (broken, account):
            Lease.objects.create(
                worker=uuid.uuid4(), wallet_id=wallet_id, amount_nusd=100,
                created_at="2026-01-01T00:00Z",
            )  # fmt: skip
        Wallet.objects.filter(pk=account).update(leased_nusd=100)
        assert sweeper.reclaim_orphans() == 1
        assert {f.rule for f in ledger.audit()} == {"I3"}
        Wallet.objects.filter(pk=broken).update(leased_nusd=100)
        assert sweeper.reclaim_orphans() == 1


@pytest.mark.django_db(transaction=True)
class TestLostLife:
    def test_a_worker_whose_life_was_ended_sends_nothing_until_its_old_charges_end(
        self, make_wallet, tmp_path, settings
    ):
        settings.LEASE_TTL_S = 6  # a busy machine may hold us up for a second or two
        account = make_wallet(USD)

        async def main(call):
            async with open_bank(tmp_path) as bank:
                old = bank.life.boot
                charge = await open_charge(bank, account, 1_000)
                await call(lambda: Worker.objects.all().delete())
                async with asyncio.timeout(30):
                    while not bank.life.is_lost:
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
                assert bank.life.is_lost
                assert not bank.life.is_confirmed()
                assert not bank.is_open()
                assert charge.is_fenced
                await call(sweeper.reclaim_orphans)
                assert not await charge.settle(settlement(10))
                async with asyncio.timeout(30):
                    while not bank.is_open():
                        await asyncio.sleep(0.01)
                assert bank.life.boot != old
                again = await open_charge(bank, account, 1_000)
                assert await again.settle(settlement(10))

        run(main)
        assert ledger.audit() == []


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
class TestFence:
    """A zombie's intent against a sweeper, in the order that a paused process brings about."""

    def _intend_after_reclaim(self, make_wallet, tmp_path):
        account = make_wallet(USD)

        async def main(call):
            async with open_bank(tmp_path) as bank:
                grant = await hold(bank, account, 1_000)
                await call(lambda: Worker.objects.all().delete())
                await call(sweeper.reclaim_orphans)
                charge = charge_of(bank, grant)
                return await charge.durable

        return run(main)

    def test_with_it_nothing_is_left_open(self, make_wallet, tmp_path):
        assert self._intend_after_reclaim(make_wallet, tmp_path) is False
        assert ledger.audit() == []

    def test_the_control_without_it_breaks_an_invariant(self, make_wallet, tmp_path):
        unfenced.install()
        try:
            assert self._intend_after_reclaim(make_wallet, tmp_path) is True
        finally:
            unfenced.remove()
        assert "I7" in {finding.rule for finding in ledger.audit()}

    def test_a_reclaim_waits_for_a_batch_that_holds_the_fence(self, make_wallet):
        """The sum of a lease's charges is read after its lock: it sees what was committed."""
        account = make_wallet(USD)
        lease_id = _leased(account, 1_000)
        Worker.objects.all().delete()
        reclaimed = threading.Event()

        def reclaim():
            vault.reclaim(lease_id, wallet_id=account)
            reclaimed.set()
            connections.close_all()

        thread = threading.Thread(target=reclaim)
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT id FROM billing_lease WHERE id = %s FOR SHARE", [lease_id])
            thread.start()
            assert not reclaimed.wait(0.2)
            Charge.objects.create(
                request_id=uuid7(), lease_id=lease_id, wallet_id=account, hold_nusd=900,
                checkpoint_nusd=800,
            )  # fmt: skip
        thread.join(5)
        assert reclaimed.is_set()
        assert Lease.objects.get(pk=lease_id).spent_nusd == 800
        assert ledger.audit() == []


@pytest.mark.django_db(transaction=True)
def test_a_spooled_settle_that_comes_after_the_sweep_credits(make_wallet, tmp_path):
    account = make_wallet(USD)
    request_id = uuid7()
    Charge.objects.create(
        request_id=request_id, lease_id=_leased(account, 1_000), wallet_id=account, hold_nusd=900,
        checkpoint_nusd=800,
    )  # fmt: skip
    Worker.objects.all().delete()
    assert sweeper.reclaim_orphans() == 1
    store = dialect().Store()
    late = SpooledSettle(request_id=request_id, settlement=settlement(300))
    for _ in range(2):
        sweeper._replay([late], store)
    store.close()
    row = wallet_row(account)
    assert row.credit_nusd - row.debit_nusd == USD - 300
    assert ledger.audit() == []
