"""kill -9 of real workers at every moment of a payment; then every nano-dollar is looked at."""

import asyncio
import collections
import itertools
import os
import signal
import time

import pytest

from tests.e2e import crash_audit, crash_client
from tests.e2e.crash_phases import (
    IN_FLIGHT,
    IN_FLIGHT_MIN,
    PHASES,
    Victim,
    new_gate,
    open_of,
    until,
)
from tests.e2e.crash_site import TTL_S, Site

pytestmark = pytest.mark.alone
WORKERS = 4
RECOVERY_S_MAX = TTL_S + 5
KILLS = 30
EACH_MIN = 3
WIRES = IN_FLIGHT + 4
BYSTANDING = 10


class Tally:
    """What all rounds together came to."""

    def __init__(self):
        self.kills = collections.Counter()
        self.missed = collections.Counter()
        self.recovery_s = []
        self.found = collections.Counter()

    def lines(self):
        by_phase = ", ".join(f"{name} {n}" for name, n in sorted(self.kills.items()))
        yield f"kills: {sum(self.kills.values())} ({by_phase})"
        yield f"missed their moment: {dict(self.missed)}"
        yield f"recovery s: max {max(self.recovery_s, default=0):.1f}"
        yield f"requests: {dict(sorted(self.found.items()))}"


async def one_round(site, phase_type, tally):
    *victims, bystander = await staffed(site, has_own_wallets=phase_type.has_own_wallets)
    began = site.new_round()
    phase = phase_type(site, victims)
    phase.gates.append(new_gate())
    bystander.send(BYSTANDING, gate=phase.gates[0], streams_wait=False)
    await until(lambda: open_of(site, bystander) == BYSTANDING, "the intents of the survivor")
    async with phase.reach():
        at = time.monotonic()
        for victim in victims:
            os.kill(victim.pid, signal.SIGKILL)
        # A statement that waits in the database goes on without its client once the lock is
        # free: what counts is how it stood until then.
        for victim in victims:
            in_flight = await asyncio.to_thread(phase.count, victim)
            (tally.kills if in_flight >= IN_FLIGHT_MIN else tally.missed)[phase.name] += 1
    await asyncio.gather(*(task for victim in victims for task in victim.tasks))
    await asyncio.to_thread(site.await_recovery, phase.boots(), timeout_s=RECOVERY_S_MAX + 20)
    tally.recovery_s.append(time.monotonic() - at)
    for gate in phase.gates:
        site.vendor.open_gate(gate)
    await asyncio.gather(*bystander.tasks)
    suffering = [record for record in bystander.records if not record.is_delivered]
    assert not suffering, suffering
    found = collections.Counter()
    records = [*phase.all(), *bystander.records]
    await asyncio.to_thread(
        crash_audit.check, site, records, since=began, killed_at=at, found=found
    )
    # Only there may a commit be reached whose answer is lost with the process.
    assert phase.name == "settling" or not found[crash_audit.LOST], found
    tally.found += found


async def staffed(site, *, has_own_wallets):
    """Return all workers, each with connections of its own and a lease."""
    pids = await asyncio.to_thread(site.await_workers)
    wires = await crash_client.spread(site.port, site.key, pids, each=WIRES)
    workers = [Victim(site=site, pid=pid, wires=wires[pid]) for pid in pids]
    for worker, key in zip(workers, site.own_keys, strict=True):
        for wire in worker.wires:
            wire.key = key if has_own_wallets else site.key
        await worker.warm()
    return workers


@pytest.mark.proof
def test_no_kill_loses_or_invents_a_nano_dollar(tmp_path, proof_count, capsys):
    site = Site(tmp_path, workers=WORKERS)
    tally = Tally()
    try:
        site.start()
        wanted = proof_count(KILLS, 1_000)
        for number in itertools.count():
            if sum(tally.kills.values()) >= wanted:
                break
            assert number < wanted, (tally.kills, tally.missed)
            crash_client.run(one_round(site, PHASES[number % len(PHASES)], tally))
        site.gateway.manage("audit_ledger")
    finally:
        site.stop()
        with capsys.disabled():
            for line in tally.lines():
                print(f"\ncrash: {line}", end="")  # noqa: T201
    assert min(tally.kills[phase.name] for phase in PHASES) >= EACH_MIN
    assert max(tally.recovery_s) <= RECOVERY_S_MAX
