"""The emulated vendor of the crash proofs: each prompt says what its own answer does."""

import asyncio
import json
import threading
from dataclasses import dataclass

from tests import scripts
from tests.emulator import Exchange, Script, Vendor, _head

MODEL = "crash-model"
TOKEN = " word"  # one token of o200k, however many stand in a row
# Within what the hold allows for the prompt: its bytes and the vendor's preamble.
PROMPT_BASE, NUMBER_MAX = 100, 900
# USD for a million tokens. A hundred prompt tokens cost less than a thousandth of an output
# token, so that an estimate's cost tells how many tokens were counted as delivered.
PRICES = {"input": "0.001", "output": "10"}
INPUT_NUSD, OUTPUT_NUSD = 1, 10_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one request asks of the vendor; it travels as the prompt's text.

    The answer waits at `gate` before its event `at` (0: before the head), if there is a gate.
    """

    number: int
    is_stream: bool = True
    tokens: int = 20
    gap_s: float = 0.0
    gate: str = ""
    at: int = 0

    @property
    def prompt_tokens(self) -> int:
        """A usage that no other request has: it tells charges apart."""
        return PROMPT_BASE + self.number

    @property
    def price_nusd(self) -> int:
        return self.prompt_tokens * INPUT_NUSD + self.tokens * OUTPUT_NUSD

    @property
    def text(self) -> str:
        return TOKEN * self.tokens

    def request(self, model: str = MODEL) -> bytes:
        words = [self.number, self.tokens, self.gap_s, self.gate or "-", self.at]
        content = "plan " + " ".join(map(str, words))
        body = {
            "model": model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": max(self.tokens, 1),
        }
        if self.is_stream:
            body["stream"] = True
        return json.dumps(body).encode()

    @classmethod
    def of(cls, exchange: Exchange) -> "Plan":
        body = exchange.json
        _, number, tokens, gap, gate, at = body["messages"][0]["content"].split(" ")
        return cls(
            number=int(number),
            is_stream=bool(body.get("stream")),
            tokens=int(tokens),
            gap_s=float(gap),
            gate="" if gate == "-" else gate,
            at=int(at),
        )

    def script(self) -> Script:
        if self.is_stream:
            events = scripts.chat_events(texts=[TOKEN] * self.tokens, prompt=self.prompt_tokens)
            return scripts.stream(events, gap_s=self.gap_s)
        return scripts.chat(text=self.text, prompt=self.prompt_tokens, completion=self.tokens)


class GatedVendor(Vendor):
    """Plays plans; tests open the gates."""

    def __init__(self) -> None:
        super().__init__(default=lambda exchange: Plan.of(exchange).script())
        self._gates: dict[str, asyncio.Event] = {}
        self._lock = threading.Lock()
        self._waiting: dict[str, set[int]] = {}

    def open_gate(self, name: str) -> None:
        self._loop.call_soon_threadsafe(self._gate(name).set)

    def waiting(self, name: str, numbers: set[int]) -> int:
        """Return how many of these requests stand at a gate."""
        with self._lock:
            return len(self._waiting.get(name, set()) & numbers)

    def _gate(self, name: str) -> asyncio.Event:
        with self._lock:
            return self._gates.setdefault(name, asyncio.Event())

    async def _play(self, script: Script, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
        plan = Plan.of(exchange)
        if plan.gate and plan.at == 0:
            await self._wait(plan)
        writer.write(_head(script))
        for number, chunk in enumerate(script.chunks):
            if plan.gate and plan.at == number > 0:
                await self._wait(plan)
            await asyncio.sleep(script.gap_s)
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if script.is_chunked else chunk)
            await writer.drain()
            exchange.sent += chunk
            exchange.chunks_sent += 1
        if script.is_chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        exchange.end = "whole"

    async def _wait(self, plan: Plan) -> None:
        gate = self._gate(plan.gate)
        with self._lock:
            self._waiting.setdefault(plan.gate, set()).add(plan.number)
        try:
            await gate.wait()
        finally:
            with self._lock:
                self._waiting[plan.gate].discard(plan.number)
