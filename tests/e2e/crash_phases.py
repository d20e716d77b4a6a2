"""Bringing workers to a named moment of a payment, so that they can be killed there.

The moments are made from outside: the vendor waits at a gate, or a lock of our own makes the
worker's statement wait in the database. The product knows nothing of it.
"""

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from tests.e2e import crash_client
from tests.e2e.crash_client import Record, Wire
from tests.e2e.crash_site import ROTATION_S, Site
from tests.e2e.crash_vendor import Plan

IN_FLIGHT = 24
IN_FLIGHT_MIN = 20
STREAMS = 16
TOKENS = 40
GAP_S = 0.1
# A stream's events are a role, its tokens, a finish, usage and [DONE].
FINISH_AT = TOKENS + 1
WAIT_S = 20.0
LOCK_TIMEOUT_S = 0.5  # of the product's connections


@dataclass(kw_only=True)
class Victim:
    """A worker about to die and the requests that it holds."""

    site: Site
    pid: int
    wires: list[Wire]
    boots: set[uuid.UUID] = field(default_factory=set)
    records: list[Record] = field(default_factory=list)
    tasks: list[asyncio.Task[Record]] = field(default_factory=list)

    async def warm(self) -> None:
        """Make the worker take a lease, and learn which life it leads."""
        wire = self.wires.pop()
        record = await wire.call(Plan(number=0, is_stream=False, tokens=1))
        assert record.status == 200, record.body
        self.boots = await asyncio.to_thread(self.site.boots, [record.request_id])
        wire.close()

    def send(
        self, count: int, *, gate: str = "", at: int = 0, tokens: int = TOKENS,
        streams_wait: bool = True,
    ) -> list[Record]:  # fmt: skip
        """Send requests, two thirds of them streams, each on a connection of its own.

        Whole answers wait at the gate before their head, streams before event `at`.
        """
        sent = []
        for n in range(count):
            is_stream = n % 3 < 2
            plan = Plan(
                number=self.site.number(),
                is_stream=is_stream,
                tokens=tokens,
                gap_s=GAP_S,
                gate=gate if streams_wait or not is_stream else "",
                at=at if is_stream else 0,
            )
            wire = self.wires.pop()
            record = wire.send(plan)
            sent.append(record)
            self.tasks.append(asyncio.ensure_future(wire.answer(record)))
        self.records += sent
        return sent


def numbers(records: list[Record]) -> set[int]:
    return {record.plan.number for record in records}


async def until(check: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
    """Wait for something, without standing in the way of the clients."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await asyncio.to_thread(check):
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(f"waited {timeout_s} s in vain for {what}") from error


def open_of(site: Site, victim: Victim) -> int:
    """Return how many of a worker's charges are open."""
    return site.rows(
        "SELECT count(*) FROM billing_charge c JOIN billing_lease l ON l.id = c.lease_id"
        " WHERE c.state = 'open' AND l.worker = ANY(%s)",
        list(victim.boots),
    )[0][0]


@contextlib.asynccontextmanager
async def lock(
    site: Site, sql: str, *values: object, delay_s: float | None = None
) -> AsyncIterator[None]:
    """Hold the locks of a statement; entering and leaving do not block the clients.

    Released at once, or when PostgreSQL has noticed that the waiting worker is dead, or later
    than the product waits for a lock: so what the server had read already is sometimes
    committed and sometimes not.
    """
    holding = site.holding(sql, *values)
    await asyncio.to_thread(holding.__enter__)
    try:
        yield
    finally:
        delays = (0, 0.25, LOCK_TIMEOUT_S + 0.2) if delay_s is None else (delay_s,)
        await asyncio.sleep(random.choice(delays))
        await asyncio.to_thread(holding.__exit__, None, None, None)


def new_gate() -> str:
    return uuid.uuid4().hex[:8]


class Phase:
    """A moment. `prepare` brings the victims there; `holds` is entered before the last step."""

    name = ""
    has_own_wallets = False  # of each worker; else all workers lease from one

    def __init__(self, site: Site, victims: list[Victim]) -> None:
        self.site = site
        self.victims = victims
        self.gates: list[str] = []

    def gate(self) -> str:
        self.gates.append(new_gate())
        return self.gates[-1]

    def boots(self) -> list[uuid.UUID]:
        return [boot for victim in self.victims for boot in victim.boots]

    def all(self) -> list[Record]:
        return [record for victim in self.victims for record in victim.records]

    @contextlib.asynccontextmanager
    async def reach(self) -> AsyncIterator[None]:
        """Bring the victims to the moment; they are to be killed inside."""
        raise NotImplementedError
        yield

    async def durable(self, each: int) -> None:
        """Wait until each victim has so many open charges."""
        await until(lambda: all(open_of(self.site, v) >= each for v in self.victims), "the intents")

    async def waiting(self, gate: str, count: int) -> None:
        await until(
            lambda: self.site.vendor.waiting(gate, numbers(self.all())) >= count, "the dials"
        )

    async def blocked(self, word: str) -> None:
        """Wait until a statement of each victim waits for our lock."""
        port = self.site.postgresql.port

        def all_wait() -> bool:
            waiting = self.site.blocked(word)
            return all(crash_client.outgoing(v.pid, port) & waiting for v in self.victims)

        await until(all_wait, f"{word} to wait", timeout_s=10)

    def count(self, victim: Victim) -> int:
        """Return how many of a dead victim's requests were at the moment."""
        return sum(not record.is_delivered for record in victim.records)


class BeforeIntent(Phase):
    """The vendor is dialled, the intent waits for its commit."""

    name = "before intent"

    @contextlib.asynccontextmanager
    async def reach(self) -> AsyncIterator[None]:
        gate = self.gate()
        for victim in self.victims:
            victim.send(2, gate=gate)
        await self.durable(2)
        async with lock(
            self.site,
            "SELECT id FROM billing_lease WHERE worker = ANY(%s) AND state = 'active' FOR UPDATE",
            self.boots(),
        ):
            for victim in self.victims:
                victim.send(IN_FLIGHT, gate=gate)
            await self.waiting(gate, (IN_FLIGHT + 2) * len(self.victims))
            yield

    def count(self, victim: Victim) -> int:
        assert {record.request_id for record in victim.records} == {None}
        return len(victim.records) - open_of(self.site, victim)


class Dialed(Phase):
    """The intent stands, the vendor is silent."""

    name = "dialled"

    @contextlib.asynccontextmanager
    async def reach(self) -> AsyncIterator[None]:
        gate = self.gate()
        for victim in self.victims:
            victim.send(IN_FLIGHT, gate=gate)
        await self.waiting(gate, IN_FLIGHT * len(self.victims))
        await self.durable(IN_FLIGHT)
        yield

    def count(self, victim: Victim) -> int:
        return open_of(self.site, victim)


class Streaming(Phase):
    """Events pass; whole answers are still awaited."""

    name = "streaming"

    @contextlib.asynccontextmanager
    async def reach(self) -> AsyncIterator[None]:
        gate = self.gate()
        for victim in self.victims:
            victim.send(IN_FLIGHT, gate=gate, at=FINISH_AT)
        await self.durable(IN_FLIGHT)
        await until(
            lambda: all(r.tokens() >= 3 for r in self.all() if r.plan.is_stream), "the first tokens"
        )
        await asyncio.sleep(random.uniform(0, 2.5))
        yield

    def count(self, victim: Victim) -> int:
        return open_of(self.site, victim)


class Settling(Phase):
    """The answers have ended, their settles wait for the commit."""

    name = "settling"

    @contextlib.asynccontextmanager
    async def reach(self) -> AsyncIterator[None]:
        gate = self.gate()
        for victim in self.victims:
            victim.send(IN_FLIGHT, gate=gate, at=FINISH_AT)
        await self.waiting(gate, IN_FLIGHT * len(self.victims))
        await self.durable(IN_FLIGHT)
        async with lock(
            self.site,
            "SELECT request_id FROM billing_charge WHERE state = 'open' AND lease_id IN"
            " (SELECT id FROM billing_lease WHERE worker = ANY(%s)) FOR UPDATE",
            self.boots(),
        ):
            self.site.vendor.open_gate(gate)
            await self.blocked("update billing_charge")
            await asyncio.sleep(random.uniform(0.05, 0.15))
            yield

    def count(self, victim: Victim) -> int:
        return open_of(self.site, victim)


class Closing(Phase):
    """A lease is being closed, half its statements done, while another one is in use."""

    name = "closing"
    # One wallet is closed on by one worker at a time.
    has_own_wallets = True

    @contextlib.asynccontextmanager
    async def reach(self) -> AsyncIterator[None]:
        first, second = self.gate(), self.gate()
        for victim in self.victims:
            victim.send(3, gate=first, at=FINISH_AT)
        await self.durable(3)
        await self.waiting(first, 3 * len(self.victims))
        await until(lambda: all(map(self._drains, self.victims)), "the rotation")
        for victim in self.victims:
            victim.send(IN_FLIGHT, gate=second)
        await self.durable(IN_FLIGHT + 3)
        async with lock(
            self.site, "LOCK TABLE billing_ledgertransaction IN SHARE ROW EXCLUSIVE MODE"
        ):
            self.site.vendor.open_gate(first)
            await self.blocked("billing_ledgertransaction")
            yield

    def _drains(self, victim: Victim) -> bool:
        return bool(
            self.site.rows(
                "SELECT 1 FROM billing_lease WHERE worker = ANY(%s) AND state = 'draining'",
                list(victim.boots),
            )
        )

    def count(self, victim: Victim) -> int:
        closing = self._drains(victim)
        return open_of(self.site, victim) if closing else 0


PHASES: tuple[type[Phase], ...] = (BeforeIntent, Dialed, Streaming, Settling, Closing)
assert ROTATION_S < WAIT_S
