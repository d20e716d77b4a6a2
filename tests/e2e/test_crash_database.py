"""The database is away for longer than a lease lives; nobody's answer is billed wrongly."""

import asyncio
import collections
import time

import pytest

from accounts import keytext
from tests.e2e import crash_audit, crash_client, crash_phases
from tests.e2e.crash_client import Wire
from tests.e2e.crash_phases import Victim, open_of, until
from tests.e2e.crash_site import TTL_S, Site
from tests.e2e.crash_vendor import OUTPUT_NUSD, Plan

pytestmark = pytest.mark.alone
WORKERS = 2
AWAY_S = 2 * TTL_S + 2
REFUSED_S_MAX = 2.0
BACK_S_MAX = 5.0
SHORT = 10  # tokens of answers that end while the workers may still send
# Well-formed, never made: nobody can know while the database is away.
UNKNOWN_KEY = keytext.draw()


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, workers=WORKERS)
    try:
        yield site.start()
    finally:
        site.stop()


async def outage(site, *, stop, found):
    pids = await asyncio.to_thread(site.await_workers)
    wires = await crash_client.spread(site.port, site.key, pids, each=40)
    workers = [Victim(site=site, pid=pid, wires=wires[pid]) for pid in pids]
    for worker in workers:
        await worker.warm()
    began = site.new_round()
    soon, later = crash_phases.new_gate(), crash_phases.new_gate()
    for worker in workers:
        worker.send(9, gate=soon, tokens=SHORT, streams_wait=False)
        worker.send(9, gate=later, tokens=150, streams_wait=False)
    await until(lambda: all(open_of(site, w) == 18 for w in workers), "the intents")
    records = [record for worker in workers for record in worker.records]
    streams = [record for record in records if record.plan.is_stream]
    # A worker may have confirmed its life up to a third of the TTL ago: one second is left.
    ripe = [r for r in streams if r.plan.tokens == SHORT]
    await until(lambda: all(r.tokens() >= SHORT - 2 for r in ripe), "all but the last tokens")
    await asyncio.to_thread(stop)
    stopped_at = time.monotonic()
    site.vendor.open_gate(soon)
    await refused(site, stopped_at + TTL_S)
    site.vendor.open_gate(later)
    await refused(site, stopped_at + AWAY_S)
    await asyncio.to_thread(site.postgresql.start)
    back_at = time.monotonic()
    wire = await Wire(site.port, site.key).open()
    while not (await wire.call(Plan(number=0, is_stream=False, tokens=1))).is_delivered:
        assert time.monotonic() < back_at + BACK_S_MAX, "it does not serve again"
        await asyncio.sleep(0.05)
    found["back after ms"] = max(found["back after ms"], int((time.monotonic() - back_at) * 1000))
    await asyncio.gather(*(task for worker in workers for task in worker.tasks))
    await until(lambda: site.open_charges() == 0, "the spooled settles")
    judge(site, records, since=began, found=found)


def judge(site, records, *, since, found):
    """Complete answers are paid in full, cut ones up to the cut; nothing was guessed."""
    crash_audit.check(site, records, since=since, found=found)
    charges = site.charges()
    for record in records:
        charge = charges[record.request_id]
        assert charge.reason != "crash", (charge, record)
        if record.plan.tokens == SHORT:
            assert record.is_delivered, record
        elif record.plan.is_stream:
            assert not record.is_whole
            assert charge.reason == "cut"
            least = record.tokens(until=record.ended_at - crash_audit.LOST_S_MAX)
            assert charge.cost_nusd // OUTPUT_NUSD >= least, (charge, record)
        else:
            assert record.status == 503
            assert charge.cost_nusd == 0


async def refused(site, until_moment):
    """Ask all the while, with a known key and an unknown one: 503, at once, never 401."""
    while time.monotonic() < until_moment:
        for key in (site.key, site.own_keys[0], UNKNOWN_KEY):
            wire = await Wire(site.port, key).open()
            asked_at = time.monotonic()
            record = await wire.call(Plan(number=0, is_stream=False, tokens=1))
            took_s = time.monotonic() - asked_at
            assert record.status == 503, (record, bytes(record.body))
            assert int(record.headers["retry-after"]) >= 1
            assert took_s <= REFUSED_S_MAX, took_s
        await asyncio.sleep(0.2)


@pytest.mark.proof
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_outage_estimates_nobody(how, site, proof_count, capsys):
    found = collections.Counter()
    for _ in range(proof_count(1, 25)):
        crash_client.run(outage(site, stop=getattr(site.postgresql, how), found=found))
    site.gateway.manage("audit_ledger")
    with capsys.disabled():
        print(f"\ncrash: outages ({how}): {dict(sorted(found.items()))}", end="")  # noqa: T201
