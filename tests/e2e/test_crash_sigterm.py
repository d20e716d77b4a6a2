"""SIGTERM with streams under way: all of them end well, and nothing is left behind."""

import asyncio
import signal

import pytest

from tests.e2e import crash_audit, crash_client
from tests.e2e.crash_client import Wire
from tests.e2e.crash_phases import until
from tests.e2e.crash_site import Site
from tests.e2e.crash_vendor import OUTPUT_NUSD, Plan

pytestmark = pytest.mark.alone
WORKERS = 2
STREAMS = 50
GAP_S = 0.05


async def drained(site, *, tokens):
    """Stop the gateway with open streams; return their records and its exit code."""
    wires = await crash_client.spread(site.port, site.key, site.pids(), each=STREAMS // WORKERS)
    plans = (Plan(number=n + 1, tokens=tokens, gap_s=GAP_S) for n in range(STREAMS))
    every = [wire for each in wires.values() for wire in each]
    records = [wire.send(plan) for wire, plan in zip(every, plans, strict=True)]
    answers = [asyncio.ensure_future(w.answer(r)) for w, r in zip(every, records, strict=True)]
    await until(lambda: all(r.tokens() >= 5 for r in records), "the first tokens")
    site.gateway.signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    with pytest.raises(ConnectionError):
        await Wire(site.port, site.key).open()
    await asyncio.gather(*answers)
    # One signal alone: a second one would mean haste.
    return records, await asyncio.to_thread(site.gateway.process.wait, 40)


def is_empty(site):
    """Nothing of the workers is left in the database."""
    assert site.rows("SELECT count(*) FROM billing_worker") == [(0,)]
    live = "SELECT count(*) FROM billing_lease WHERE state IN ('active', 'draining')"
    assert site.rows(live) == [(0,)]
    assert not site.open_charges()
    return True


def started(folder, **environment):
    return Site(folder, workers=WORKERS, LEASE_TTL_S="30", LEASE_ROTATION_S="15", **environment)


def test_streams_finish_within_the_drain(tmp_path):
    site = started(tmp_path, DRAIN_TIMEOUT_S="30")
    try:
        site.start()
        since = site.new_round()
        records, code = crash_client.run(drained(site, tokens=80))
        assert code == 0
        assert all(record.is_delivered for record in records)
        crash_audit.check(site, records, since=since)
        assert is_empty(site)
    finally:
        site.stop()


def test_streams_beyond_the_drain_are_told_and_pay_what_came(tmp_path):
    site = started(tmp_path, DRAIN_TIMEOUT_S="2")
    try:
        site.start()
        since = site.new_round()
        records, code = crash_client.run(drained(site, tokens=900))
        assert code == 0
        charges = site.charges()
        for record in records:
            assert record.is_whole
            assert b"server_restarting" in record.body.rpartition(b"data: ")[2]
            charge = charges[record.request_id]
            assert (charge.state, charge.reason) == ("settled", "cut")
            assert charge.cost_nusd // OUTPUT_NUSD == record.tokens()
        crash_audit.check(site, records, since=since)
        assert is_empty(site)
    finally:
        site.stop()
