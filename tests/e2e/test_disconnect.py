"""Clients that leave at every stage: who closes what, who pays what, what stays behind."""

import asyncio
import time

import pytest

from tests.e2e import crash_client, crash_phases
from tests.e2e.crash_client import Wire
from tests.e2e.crash_phases import until
from tests.e2e.crash_site import Site
from tests.e2e.crash_vendor import INPUT_NUSD, OUTPUT_NUSD, Plan

pytestmark = pytest.mark.alone
CLOSED_S_MAX = 1.0
CANCELS, CANCELS_FULL = 200, 1_000
CONCURRENCY = 50
PARALLEL = 40
TOKENS = 100
GAP_S = 0.02


@pytest.fixture(scope="module", params=["stop", "drain"])
def site(request, tmp_path_factory):
    """A gateway of one worker, whose channel does this when a client leaves."""
    site = Site(
        tmp_path_factory.mktemp("disconnect"),
        workers=1,
        LEASE_TTL_S="30",
        LEASE_ROTATION_S="15",
        KEY_CONCURRENCY=str(CONCURRENCY),
        ABANDONED_NUSD_PER_DAY="1000000000000",
    )
    site.rule = request.param
    try:
        yield site.start(on_disconnect=request.param)
    finally:
        site.stop()


class Left:
    """A request whose client left, as vendor and database saw it."""

    def __init__(self, site, plan, request_ids):
        self.site = site
        self.plan = plan
        self._before = request_ids
        self.left_at = time.monotonic()

    @property
    def exchange(self):
        found = [e for e in self.site.vendor.exchanges if Plan.of(e).number == self.plan.number]
        assert len(found) <= 1, "dialed twice"
        return found[0] if found else None

    async def closed(self):
        """Wait for the vendor's end; return how it ended and after how long."""
        await until(lambda: self.exchange.end, "the vendor's end")
        return self.exchange.end, time.monotonic() - self.left_at

    async def charge(self):
        """Wait for the one charge of the request, ended."""
        found = []

        def is_ended():
            charges = self.site.charges()
            found[:] = [charges[key] for key in charges.keys() - self._before]
            assert len(found) <= 1
            return bool(found) and found[0].state != "open"

        await until(is_ended, "the charge's end")
        return found[0]


@pytest.fixture
def leaving(site):
    """Return `leave(plan, stage)`: what became of a request whose client left at the stage."""

    async def leave(*, stage, how="close", **options):
        await until(lambda: site.open_charges() == 0, "quiet")
        site.new_round()
        site.vendor.forget()
        gate = crash_phases.new_gate()
        plan = Plan(number=1, gate=gate if options.pop("waits", False) else "", **options)
        before = set(site.charges())
        wire = await Wire(site.port, site.key).open()
        await stage(site, wire, plan)
        left = Left(site, plan, before)
        getattr(wire, how)()
        left.gate = gate
        return left

    return leave


async def half_a_body(site, wire, plan):
    body = plan.request()
    wire.writer.write(wire.head(len(body)) + body[: len(body) // 2])
    await asyncio.sleep(0.1)


async def before_the_head(site, wire, plan):
    wire.send(plan)
    await until(lambda: site.vendor.waiting(plan.gate, {plan.number}) == 1, "the dial")
    await until(lambda: site.open_charges() == 1, "the intent")


def after_tokens(count):
    async def stage(site, wire, plan):
        record = wire.send(plan)
        await wire.head_of(record)
        while record.tokens() < count:
            await wire.chunk(record)

    return stage


async def after_everything(site, wire, plan):
    record = await wire.call(plan)
    assert record.is_delivered


def is_stopped(left, end, took_s):
    assert end == "gone"
    assert took_s <= CLOSED_S_MAX, f"the vendor went on for {took_s:.2f} s"


def test_before_its_body_is_whole_nothing_happens(site, leaving):
    async def main():
        left = await leaving(stage=half_a_body)
        await asyncio.sleep(0.3)
        assert left.exchange is None
        assert site.open_charges() == 0
        assert not set(site.charges()) - left._before

    crash_client.run(main())


@pytest.mark.parametrize("how", ["close", "reset"])
def test_before_the_head_a_stream_is_stopped_and_free(site, leaving, how):
    async def main():
        left = await leaving(stage=before_the_head, waits=True, tokens=TOKENS, how=how)
        is_stopped(left, *await left.closed())
        charge = await left.charge()
        assert (charge.state, charge.reason, charge.cost_nusd) == ("voided", "client_gone", 0)

    crash_client.run(main())


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("count", [1, 7, 60])
def test_after_some_events_the_channels_rule_decides(site, leaving, count, how):
    async def main():
        left = await leaving(stage=after_tokens(count), tokens=TOKENS, gap_s=GAP_S, how=how)
        end, took_s = await left.closed()
        charge = await left.charge()
        if site.rule == "drain":
            assert end == "whole"
            assert (charge.state, charge.reason) == ("settled", "drained")
            assert charge.cost_nusd == left.plan.price_nusd
            return
        is_stopped(left, end, took_s)
        assert (charge.state, charge.reason) == ("estimated", "client_gone")
        sent = bytes(left.exchange.sent).count(b'"content":" word"')
        assert count <= charge.cost_nusd // OUTPUT_NUSD <= sent
        assert charge.cost_nusd % OUTPUT_NUSD <= len(left.plan.request()) * INPUT_NUSD

    crash_client.run(main())


def test_after_the_last_byte_everything_is_normal(site, leaving):
    async def main():
        left = await leaving(stage=after_everything, tokens=TOKENS)
        assert (await left.closed())[0] == "whole"
        charge = await left.charge()
        assert (charge.state, charge.reason) == ("settled", "normal")
        assert charge.cost_nusd == left.plan.price_nusd

    crash_client.run(main())


def test_a_whole_answer_is_read_to_its_end_and_paid(site, leaving):
    async def main():
        left = await leaving(stage=before_the_head, waits=True, is_stream=False, tokens=TOKENS)
        await asyncio.sleep(0.5)
        site.vendor.open_gate(left.gate)
        assert (await left.closed())[0] == "whole"
        charge = await left.charge()
        assert (charge.state, charge.reason) == ("settled", "drained")
        assert charge.cost_nusd == left.plan.price_nusd

    crash_client.run(main())


def test_while_the_intent_waits_for_its_commit_nothing_stays_open(site, leaving):
    """The future of the intent must survive its client."""

    async def slow_intent(site, wire, plan):
        locked = crash_phases.lock(site, "LOCK TABLE billing_charge IN EXCLUSIVE MODE", delay_s=0)
        async with locked:
            wire.send(plan)
            await until(lambda: bool(site.vendor.of("crash-model")), "the dial")
            await asyncio.sleep(0.2)  # the vendor has answered: only the intent is missing
            wire.close()
            await asyncio.sleep(0.1)

    async def main():
        left = await leaving(stage=slow_intent, tokens=TOKENS, gap_s=GAP_S)
        charge = await left.charge()
        assert charge.cost_nusd == 0
        assert site.rule == "drain" or (charge.state, charge.reason) == ("voided", "client_gone")

    crash_client.run(main())


async def cancels(site, count):
    """Leave `count` requests at moments all over their life, a few at a time."""
    gate = asyncio.Semaphore(PARALLEL)
    site.new_round()

    async def one(n):
        async with gate:
            wire = await Wire(site.port, site.key).open()
            plan = Plan(number=n % 800 + 1, is_stream=n % 4 < 3, tokens=10, gap_s=0.01)
            reading = asyncio.ensure_future(wire.answer(wire.send(plan)))
            await asyncio.sleep((n % 37) / 37 * 0.2)
            if n % 2:
                wire.reset()
            else:
                wire.close()
            await reading

    await asyncio.gather(*map(one, range(count)))


def test_cancels_leave_no_connection_and_no_slot_behind(site, proof_count):
    async def main():
        await cancels(site, proof_count(CANCELS, CANCELS_FULL))
        await until(lambda: site.open_charges() == 0, "the charges' ends")
        # A connection that is kept serves again; one that was cancelled is closed. None is lost.
        await until(lambda: is_idle(site), "the vendor's connections to be idle")
        records = await asyncio.gather(*(served(site) for _ in range(CONCURRENCY)))
        assert all(record.is_delivered for record in records), "a slot is lost"

    crash_client.run(main())
    assert not site.breaches()
    site.gateway.manage("audit_ledger")


def is_idle(site):
    running = [e for e in site.vendor.exchanges if e.ended_at is None and not e.end]
    return not running and site.vendor.open_connections <= PARALLEL


async def served(site):
    wire = await Wire(site.port, site.key).open()
    return await wire.call(Plan(number=900, is_stream=False, tokens=1))
