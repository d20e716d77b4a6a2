"""Many requests for the money of few: exactly those that can be paid reach the vendor."""

import asyncio
import collections
import string

import pytest

from tests.e2e import crash_client
from tests.e2e.crash_client import Wire
from tests.e2e.crash_site import Site
from tests.e2e.crash_vendor import Plan

pytestmark = pytest.mark.alone
PARALLEL = 500
PAID = 10
TOKENS = 50


def hold_nusd(site):
    """What one such request holds, read from the charge of one."""
    record = crash_client.run(one(site, site.key, Plan(number=1, is_stream=False, tokens=TOKENS)))
    assert record.is_delivered
    return site.charges()[record.request_id].hold_nusd


async def one(site, key, plan):
    wire = await Wire(site.port, key).open()
    record = await wire.call(plan, headers="X-Max-Tokens-Clamp: off\r\n")
    wire.close()
    return record


async def race(site, key, plans):
    """All connections stand first; then every request leaves at once."""
    wires = await asyncio.gather(*(Wire(site.port, key).open() for _ in plans))
    records = [
        wire.send(plan, headers="X-Max-Tokens-Clamp: off\r\n")
        for wire, plan in zip(wires, plans, strict=True)
    ]

    async def answer(wire, record):
        await wire.answer(record)
        wire.close()

    gathered = asyncio.gather(*map(answer, wires, records))
    async with asyncio.timeout(60):
        # The answers wait for the refusals: nobody is served by what an answer gives back.
        while sum(record.ended_at is None for record in records) > PAID:
            await asyncio.sleep(0.05)
    site.vendor.open_gate(plans[0].gate)
    await gathered
    return records


@pytest.mark.proof
@pytest.mark.parametrize("workers", [1, 4])
def test_money_for_ten_serves_ten_of_five_hundred(workers, tmp_path, proof_count):
    site = Site(tmp_path, workers=workers, LEASE_TTL_S="30", LEASE_ROTATION_S="15")
    try:
        site.start()
        hold = hold_nusd(site)
        for lap in range(proof_count(1, 20)):
            first = 1_000 + lap * PARALLEL
            plans = [
                # Numbers of one length: the hold counts the bytes of the body.
                Plan(number=n % 10, is_stream=False, tokens=TOKENS, gate=string.ascii_letters[lap])
                for n in range(first, first + PARALLEL)
            ]
            size = len(plans[0].request())
            alone = len(Plan(number=1, is_stream=False, tokens=TOKENS).request())
            assert size == alone
            usd = f"{hold * PAID // 10**9}.{hold * PAID % 10**9:09d}"
            (key,) = site.new_keys([f"race{lap}"], usd)
            before = site.vendor.dials()
            records = crash_client.run(race(site, key, plans))
            assert collections.Counter(r.status for r in records) == {200: PAID, 402: 490}
            assert site.vendor.dials() - before == PAID
            assert not site.breaches()
        site.gateway.manage("audit_ledger")
    finally:
        site.stop()
