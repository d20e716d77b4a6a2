"""Workers that sleep beyond their lease and wake: fenced, without a byte; and not so without."""

import asyncio
import collections
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests import gateways
from tests.e2e import crash_audit, crash_client, crash_phases
from tests.e2e.crash_client import Wire
from tests.e2e.crash_phases import Victim, numbers, open_of, until
from tests.e2e.crash_site import TTL_S, Site
from tests.e2e.crash_vendor import Plan

pytestmark = pytest.mark.alone
WORKERS = 2
PAUSES = 5
PAUSE_S = 2 * TTL_S + 0.5
RUNNING = 21  # two thirds of them streams, the others are answered while the worker sleeps
LATE = 6  # intents that the pause keeps from their commit
STREAM_TOKENS = 120
INTENTS_LOCKED = "LOCK TABLE billing_charge IN EXCLUSIVE MODE"


class Lone:
    """A worker beside the supervised ones, on the same database, which may be paused."""

    def __init__(self, site, module):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.log = (site.gateway.folder / "lone.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--fd", str(self.listener.fileno())],
            cwd=gateways.ROOT,
            env={**site.gateway.environment, "DATA_DIR": str(site.gateway.folder / "data")},
            pass_fds=[self.listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listener.close()
        self.log.close()


async def asleep(site, victim, *, gate):
    """Put the worker to sleep with streams under way and intents before their commit."""
    victim.send(RUNNING, gate=gate, tokens=STREAM_TOKENS, streams_wait=False)
    await until(lambda: open_of(site, victim) >= RUNNING, "the intents")
    streams = [record for record in victim.records if record.plan.is_stream]
    await until(lambda: all(r.tokens() >= 3 for r in streams), "the first tokens")
    async with crash_phases.lock(site, INTENTS_LOCKED, delay_s=0.8):
        late = victim.send(LATE, gate=gate, tokens=5)
        await until(lambda: site.vendor.waiting(gate, numbers(late)) == LATE, "the dials")
        os.kill(victim.pid, signal.SIGSTOP)
        at = time.monotonic()
    return at, late


async def one_pause(site, lone, found):
    wires = [await Wire(lone.port, site.key).open() for _ in range(RUNNING + LATE + 1)]
    victim = Victim(site=site, pid=lone.process.pid, wires=wires)
    await victim.warm()
    began, gate = site.new_round(), crash_phases.new_gate()
    stopped_at, late = await asleep(site, victim, gate=gate)
    await asyncio.sleep(PAUSE_S)
    await asyncio.to_thread(site.await_recovery, victim.boots, timeout_s=10)
    reclaimed = set(site.charges())
    os.kill(victim.pid, signal.SIGCONT)
    woken_at = time.monotonic()
    await asyncio.sleep(1)  # what waits for its commit has the time to reach it
    broken = [*site.breaches(), *(key for key in site.charges() if key not in reclaimed)]
    site.vendor.open_gate(gate)
    await asyncio.gather(*victim.tasks)
    if broken:
        return broken
    for record in victim.records[:RUNNING]:
        if record.plan.is_stream:
            assert not record.bytes_after(woken_at), "a fenced worker sent something"
            assert not record.is_whole
        else:
            assert record.status == 503, record
    for record in late:  # held again under a new lease, or refused
        assert record.is_delivered or record.status == 503, record
    await asyncio.to_thread(
        crash_audit.check, site, victim.records, since=began, killed_at=stopped_at, found=found
    )
    await serves_again(await Wire(lone.port, site.key).open())
    return []


async def serves_again(wire):
    async with asyncio.timeout(10):
        while not (await wire.call(Plan(number=0, is_stream=False, tokens=1))).is_delivered:
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("pause"), workers=WORKERS)
    try:
        yield site.start()
    finally:
        site.stop()


@pytest.mark.proof
def test_a_worker_that_wakes_after_its_lease_sends_nothing(site, proof_count, capsys):
    found = collections.Counter()
    pauses = proof_count(PAUSES, 200)
    with Lone(site, "bananarouter.serve") as lone:
        for _ in range(pauses):
            assert crash_client.run(one_pause(site, lone, found)) == []
    site.gateway.manage("audit_ledger")
    with capsys.disabled():
        print(f"\ncrash: pauses: {pauses}, requests: {dict(sorted(found.items()))}", end="")  # noqa: T201


def test_without_the_fence_the_same_pause_breaks_invariants(site):
    """Comes last: what it breaks stays broken."""
    with Lone(site, "tests.e2e.unfenced_worker") as lone:
        broken = crash_client.run(one_pause(site, lone, collections.Counter()))
    assert any(isinstance(found, tuple) and found[0] == "I7" for found in broken), broken
