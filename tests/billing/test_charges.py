import asyncio

import pytest

from billing import sweeper, vault, workers
from billing.charges import AttemptRow
from billing.models import Attempt, Charge, GoodwillDay, Lease, LedgerEntry, LedgerTransaction
from billing.models import Worker as WorkerRow
from tests.billing.conftest import USD, charge_of, hold, open_bank, open_charge, run, settlement
from tests.billing.conftest import wallet as wallet_row

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean")]


def _row(charge) -> Charge:
    return Charge.objects.get(pk=charge.request_id)


def _sweep(boot):
    """End a worker's life as a sweeper does once the time is up."""
    WorkerRow.objects.filter(boot=boot).delete()
    return sweeper.reclaim_orphans()


def test_a_charge_goes_from_intent_to_settle(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = charge_of(bank, await hold(bank, account, 1_000))
            assert not charge.durable.done()
            assert await charge.durable
            row = await call(_row, charge)
            assert (row.state, row.hold_nusd, row.cost_nusd) == ("open", 1_000, None)
            charge.checkpoint(400)
            charge.checkpoint(300)  # never goes down
            attempts = (
                {"n": 1, "endpoint": "demo/a@one", "outcome": "timeout", "vendor_cost_nusd": 5},
                {"n": 2, "endpoint": "demo/a@two", "outcome": "delivered", "vendor_cost_nusd": 9},
            )
            rows = tuple(AttemptRow(**a) for a in attempts)
            ending = charge.settle(settlement(700, attempts=rows))
            assert charge.settle(settlement(1)) is ending  # once
            assert await ending
            row = await call(_row, charge)
            assert (row.state, row.reason, row.cost_nusd) == ("settled", "normal", 700)
            assert (row.endpoint, row.rate_card, row.vendor_cost_nusd) == ("demo/echo@demo", 1, 350)
            assert row.usage == '{"total_tokens":3}'
            stored = await call(lambda: list(Attempt.objects.order_by("n").values_list("n")))
            assert stored == [(1,), (2,)]

    run(main)


@pytest.mark.parametrize(("asked", "paid"), [(1_001, 1_000), (1 << 60, 1_000), (-5, 0)])
def test_a_cost_is_kept_within_zero_and_the_hold(make_wallet, tmp_path, asked, paid):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 1_000)
            assert await charge.settle(settlement(asked, vendor_cost_nusd=0))
            assert (await call(_row, charge)).cost_nusd == paid

    run(main)


def test_a_settle_before_its_intent_is_answered_follows_it(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = charge_of(bank, await hold(bank, account, 1_000))
            ending = charge.settle(settlement(0, state="voided", reason="upstream_error"))
            assert await ending
            assert (await call(_row, charge)).state == "voided"

    run(main)


def test_checkpoints_are_what_is_paid_after_a_crash(make_wallet, tmp_path):
    account = make_wallet(1_000)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 900)
            silent = await open_charge(bank, account, 100)
            for cost in range(100, 700, 100):
                charge.checkpoint(cost)
            charge.checkpoint(5_000)  # never above the hold
            charge.checkpoint(650)
            for _ in range(300):
                if (await call(_row, charge)).checkpoint_nusd == 900:
                    break
            assert await call(_sweep, bank.life.boot) == 1
            row = await call(_row, charge)
            assert (row.state, row.reason, row.cost_nusd) == ("estimated", "crash", 900)
            row = await call(_row, silent)
            assert (row.state, row.cost_nusd) == ("estimated", 0)
            # The zombie's settle is refused, and says so.
            assert not await charge.settle(settlement(900))
            assert not await silent.settle(settlement(50))
        assert (await call(wallet_row, account)).debit_nusd == 900

    run(main)


def test_a_late_settle_only_ever_credits(make_wallet, tmp_path):
    account = make_wallet(1_000)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 900)
            charge.checkpoint(600)
            while (await call(_row, charge)).checkpoint_nusd != 600:
                pass
            await call(_sweep, bank.life.boot)
            assert not await charge.settle(settlement(250))
            for _ in range(300):
                if (await call(_row, charge)).corrected:
                    break
        row = await call(wallet_row, account)
        assert row.credit_nusd - row.debit_nusd == 750
        row = await call(_row, charge)
        assert (row.cost_nusd, row.corrected) == (600, True)  # the charge itself is immutable
        posted = await call(lambda: LedgerTransaction.objects.get(kind="correction"))
        assert posted.ref == str(charge.request_id)

    run(main)


@pytest.mark.parametrize("state", ["draining", "closed", "reclaimed"])
def test_the_fence_refuses_intents_on_a_lease_that_is_not_active(make_wallet, tmp_path, state):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            grant = await hold(bank, account, 1_000)

            def change():
                if state == "draining":
                    Lease.objects.update(state=state)
                elif state == "closed":
                    order = vault.Order(
                        boot=bank.life.boot, wallet_id=account, closes=(grant.lease_id,)
                    )
                    vault.work(order)
                else:
                    assert _sweep(bank.life.boot) == 1

            await call(change)
            charge = charge_of(bank, grant)
            assert await charge.durable is False
            assert not await call(Charge.objects.exists)
            assert not await charge.settle(settlement(10))

    run(main)


def test_the_fence_refuses_intents_of_an_expired_worker(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            grant = await hold(bank, account, 1_000)
            await call(lambda: workers.renew(bank.life.boot, ttl_s=0))
            charge = charge_of(bank, grant)
            assert await charge.durable is False
            assert not await call(Charge.objects.exists)
            await call(lambda: workers.renew(bank.life.boot, ttl_s=30))
            again = charge_of(bank, await hold(bank, account, 1_000))
            assert await again.durable
            assert await again.settle(settlement(1_000))

    run(main)


def test_an_extension_is_durable_before_it_is_granted(make_wallet, tmp_path):
    account = make_wallet(1_000)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 400)
            assert await charge.extend(300)  # less than it has
            assert await charge.extend(900)
            assert (await call(_row, charge)).hold_nusd == 900
            assert not await charge.extend(1_001)
            assert charge.hold_nusd == 900
            assert await charge.extend(1_000)
            assert await charge.settle(settlement(1_000))
        assert (await call(wallet_row, account)).debit_nusd == 1_000

    run(main)


def test_an_extension_after_the_sweep_is_refused(make_wallet, tmp_path):
    account = make_wallet(100 * USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 400)
            await call(_sweep, bank.life.boot)
            assert not await charge.extend(900)
            assert not await charge.settle(settlement(400))

    run(main)


def test_a_settle_during_an_extension_follows_it(make_wallet, tmp_path):
    account = make_wallet(1_000)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 400)
            extending = asyncio.create_task(charge.extend(900))
            await asyncio.sleep(0)
            assert await charge.settle(settlement(400))
            await extending
            assert (await call(_row, charge)).cost_nusd == 400

    run(main)


def test_goodwill_is_given_whole_up_to_the_accounts_day(make_wallet, tmp_path, settings):
    settings.GOODWILL_NUSD_PER_DAY = 1_000
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            for delivered in (600, 500, 300):  # 500 does not fit any more, 300 does
                charge = await open_charge(bank, account, 2_000)
                end = settlement(0, state="voided", reason="goodwill", goodwill_nusd=delivered)
                assert await charge.settle(end)
            normal = await open_charge(bank, account, 2_000)
            assert await normal.settle(settlement(50))
        assert (await call(wallet_row, account)).debit_nusd == 550
        assert (await call(GoodwillDay.objects.get)).given_nusd == 900
        loss = await call(lambda: LedgerEntry.objects.get(account__kind="platform_loss"))
        assert loss.amount_nusd == -900
        waived = await call(
            lambda: sorted(
                Charge.objects.filter(corrected=True).values_list("cost_nusd", flat=True)
            )
        )
        assert waived == [300, 600]

    run(main)


@pytest.mark.parametrize("text", ['a"b', "a\\b", "{a,b}", "NULL", "", "é漢", "a'b", '\\"'])
def test_texts_are_stored_as_they_are(make_wallet, tmp_path, text):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            running = [await open_charge(bank, account, 1_000) for _ in range(2)]
            rows = (AttemptRow(n=1, endpoint=text, outcome="delivered"),)
            first = settlement(7, endpoint=text, usage_raw=text, attempts=rows)
            ends = [running[0].settle(first), running[1].settle(settlement(8, endpoint=None))]
            assert await asyncio.gather(*ends) == [True, True]
            stored = await call(_row, running[0])
            assert (stored.endpoint, stored.usage) == (text, text)
            assert (await call(Attempt.objects.get)).endpoint == text
            assert (await call(_row, running[1])).endpoint is None

    run(main)


def test_a_text_that_the_database_refuses_does_not_cost_the_money(make_wallet, tmp_path):
    account = make_wallet(USD)

    async def main(call):
        async with open_bank(tmp_path) as bank:
            charge = await open_charge(bank, account, 1_000)
            assert await charge.settle(settlement(7, endpoint="e" * 251 + "\0"))
            assert (await call(_row, charge)).cost_nusd == 7

    run(main)
