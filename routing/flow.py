"""One streamed answer: whole events pass as they come, the end waits for its charge."""

import asyncio
import enum
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings

from billing import bank
from routing import finale, jsonarray, metering, pulse, tokenizer
from routing.deadline import Deadline
from routing.dial import Dialed
from routing.errors import Code, RelayError
from routing.job import Job
from routing.metering import Delivered, Ending
from routing.readers.base import Step
from routing.sse import EventTooLarge
from routing.streaming import JSON, KEEPALIVE, KEEPALIVE_EMPTY, Send, part
from routing.surfaces import Surface
from routing.upstream import UpstreamFailed

KEEPALIVE_S = 10
SLOW_READER_S = 60
DRAIN_GONE_S = 120
CHECKPOINT_EVENTS = 256
# After the finish, how long a vendor may take for what it still has to say.
AFTERTHOUGHT_S = 0.25


class Cut(enum.StrEnum):
    """Why we ended a stream ourselves."""

    GAP = "gap"
    DEADLINE = "deadline"
    SLOW_READER = "slow_reader"
    FENCE = "fence"
    OVERFLOW = "overflow"
    RESTART = "restart"


class Flow:
    """The life of one stream, from its first byte to its settled charge.

    The per-chunk path reads no clock: `beats` counts what moved, and the pulse compares it.
    """

    def __init__(self, *, job: Job, dialing: "asyncio.Future[Dialed]") -> None:
        self._job = job
        self._dialing = dialing
        self._dialed: Dialed | None = dialing.result() if dialing.done() else None
        self._send: Send | None = None
        self._task: asyncio.Task[object] | None = None
        self._held: list[bytes] = []
        self._delivered = Delivered(prompt_bytes=job.demand.prompt_bytes)
        self._since_checkpoint = 0
        self._beats = self._seen_beats = self._quiet_ticks = 0
        self._sends = self._seen_sends = self._silent_ticks = 0
        self._is_sending = False
        self._is_over = False
        self._cut: Cut | None = None
        self._started = time.monotonic()

    def headers(self) -> dict[str, str]:
        """Return the head's own headers."""
        return {
            **self._job.answer_headers(),
            "content-type": self.content_type(),
            "x-accel-buffering": "no",
        }

    def content_type(self) -> str:
        """Return the content type: the client's protocol's, or as the vendor gives it."""
        if self._dialed is None:
            inbound = self._job.inbound
            is_array = inbound.surface is Surface.GENERATE and not inbound.query
            return JSON if is_array else "text/event-stream"
        if (translator := self._dialed.outgoing.translator) is not None:
            return translator.content_type
        return str(self._dialed.answer.headers.get("content-type", "text/event-stream"))

    def _is_event_stream(self) -> bool:
        return self.content_type().startswith("text/event-stream")

    async def pump(self, send: Send, head: Mapping[str, Any]) -> None:
        """Deliver the stream. Never raises but to break the connection of a fenced worker."""
        job = self._job
        self._send, self._task = send, asyncio.current_task()
        job.exchange.status = 200
        pulse.join(self)
        try:
            await send(head)
            if self._dialed is None:  # the head alone leaves after all that silence
                self._keep_alive()
            await self._deliver()
        except ConnectionAbortedError:
            raise
        except Exception:  # a bug of ours, too, must leave no hold behind
            await job.void(Ending.FAILED_BEFORE_OUTPUT)
            raise
        finally:
            pulse.leave(self)
            self._hang_up()
            job.close()

    async def _deliver(self) -> None:
        try:
            ending = await self._relay()
        except UpstreamFailed:
            ending = Ending.BROKEN
        except EventTooLarge:
            self._cut, ending = Cut.OVERFLOW, Ending.CUT
        except RelayError as error:
            await self._fail_before_first(error)
            return
        except asyncio.CancelledError:
            if not (self._job.watch.gone or self._cut) or self._task is None:
                raise
            self._task.uncancel()
            ending = Ending.CUT if self._cut else Ending.GONE
        await self._finish(ending)

    async def _relay(self) -> Ending:
        """Pass events on until the answer ends. Raises: UpstreamFailed, RelayError."""
        dialed = await self._answered()
        job, reader, answer = self._job, dialed.reader, dialed.answer
        if dialed.body:  # a vendor that answers a stream request with one JSON body
            finale.take_whole(dialed)
            self._held.append(dialed.body)
            return Ending.WHOLE
        job.exchange.note_first_byte()
        read = dialed.read if dialed.outgoing.translator is not None else reader.read_event
        await self._take(dialed.events)
        while not self._is_over and not reader.is_complete:
            chunk = await answer.chunk() if not self._held else await self._afterthought(dialed)
            if not chunk:
                break
            self._beats += 1
            await self._take([(event, read(event)) for event in dialed.splitter.feed(chunk)])
        if rest := dialed.splitter.rest():
            await self._take([(rest, dialed.read(rest))])
        reader.end()
        if job.watch.gone:
            return Ending.DRAINED
        return Ending.WHOLE if reader.is_complete else Ending.BROKEN

    async def _answered(self) -> Dialed:
        dialed = await self._dialing
        self._dialed = dialed
        if dialed.endpoint.channel.on_disconnect == "drain" or self._job.inbound.is_drained:
            self._job.watch.drain()
        return dialed

    async def _afterthought(self, dialed: Dialed) -> bytes:
        """Read what may follow the finish: usage, `[DONE]`, late metadata."""
        # An array is not whole without its last bracket: that is worth any wait.
        is_array = isinstance(dialed.splitter, jsonarray.Splitter)
        may_end = dialed.reader.is_usage_final and not is_array
        wait_s = AFTERTHOUGHT_S if may_end else float(settings.GAP_TIMEOUT_S)
        try:
            with Deadline(wait_s):
                return await dialed.answer.chunk()
        except TimeoutError:
            return b""

    async def _take(self, events: list[tuple[bytes, Step]]) -> None:
        passed: list[bytes] = []
        translator = self._dialed.outgoing.translator if self._dialed else None
        for event, step in events:
            if step is Step.PASS:
                passed.append(event if translator is None else translator.event(event))
            elif step is Step.HOLD:
                self._held.append(event)  # translated when it is sent
            elif step is Step.FAIL:
                self._is_over = True
                break
        if passed and (data := passed[0] if len(passed) == 1 else b"".join(passed)):
            await self._pass(data)

    async def _pass(self, data: bytes) -> None:
        if self._job.watch.gone or self._send is None:
            return
        if self._is_fenced():
            self._cut = Cut.FENCE
            raise asyncio.CancelledError
        if not self._since_checkpoint and not self._delivered.tokens:
            self._checkpoint()
        self._since_checkpoint += 1
        if self._since_checkpoint >= CHECKPOINT_EVENTS:
            self._checkpoint()
        self._is_sending = True
        await self._send(part(data))
        self._is_sending = False
        self._beats += 1
        self._sends += 1

    def _is_fenced(self) -> bool:
        """Tell whether another worker may end, or has ended, this stream's charge."""
        charge = self._job.charge
        return not bank.may_send() or (charge is not None and charge.is_fenced)

    # Once a second

    def tick(self, now: float) -> None:
        """Checkpoint what was delivered; cut what stands still; say that we are alive."""
        if self._since_checkpoint:
            self._checkpoint()
        if self._beats != self._seen_beats:
            self._seen_beats, self._quiet_ticks = self._beats, 0
        else:
            self._quiet_ticks += 1
        # A vendor's pings are not passed on in translation: the client's silence is its own.
        if self._sends != self._seen_sends:
            self._seen_sends, self._silent_ticks = self._sends, 0
        else:
            self._silent_ticks += 1
        if self._is_sending and self._quiet_ticks >= SLOW_READER_S:
            self._stop(Cut.SLOW_READER)
        elif self._dialed is not None and self._quiet_ticks >= settings.GAP_TIMEOUT_S:
            self._stop(Cut.GAP)
        elif now - self._started > settings.STREAM_TIMEOUT_S:
            self._stop(Cut.DEADLINE)
        elif self._silent_ticks % KEEPALIVE_S == KEEPALIVE_S - 1:
            self._keep_alive()

    def restart(self) -> None:
        """End the stream: the server goes down."""
        self._stop(Cut.RESTART)

    def _stop(self, cut: Cut) -> None:
        if self._cut is None and self._task is not None:
            self._cut = cut
            self._task.cancel()

    def _keep_alive(self) -> None:
        job, send = self._job, self._send
        wanted = job.headers.get("x-keep-alive", "on").strip().lower() != "off"
        if send is None or self._is_sending or job.watch.gone or not wanted:
            return
        if self._held or self._is_fenced() or not self._is_event_stream():
            return
        is_google = job.inbound.surface is Surface.GENERATE
        task = asyncio.ensure_future(send(part(KEEPALIVE_EMPTY if is_google else KEEPALIVE)))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _checkpoint(self) -> None:
        """Note what the delivered part costs, so that a crash loses a second at most."""
        self._since_checkpoint = 0
        job, dialed = self._job, self._dialed
        if dialed is None or job.charge is None:
            return
        self._delivered.tokens += tokenizer.estimate(dialed.reader.take_text())
        cost = metering.delivered_cost(
            reader=dialed.reader,
            delivered=self._delivered,
            card=job.card(dialed.endpoint),
            hold_nusd=job.charge.hold_nusd,
        )
        job.charge.checkpoint(cost)

    # The end

    async def _finish(self, ending: Ending) -> None:
        """Settle, then send the end: nobody gets a whole answer without its charge."""
        job, dialed = self._job, self._dialed
        job.watch.drain()
        pulse.leave(self)
        if dialed is None:
            await job.void(Ending.GONE_BEFORE_OUTPUT)
            return
        reader, exchange = dialed.reader, job.exchange
        if not reader.is_usage_final:
            self._delivered.tokens += tokenizer.count(reader.take_text())
        exchange.finish = reader.finish
        verdict = metering.stream(
            ending=ending,
            reader=reader,
            delivered=self._delivered,
            card=job.card(dialed.endpoint),
            hold_nusd=job.charge.hold_nusd if job.charge else 0,
        )
        if self._cut is Cut.FENCE and job.charge is not None:
            # What was read last did not leave: as if killed, the last checkpoint is paid.
            delivered = min(verdict.cost_nusd, job.charge.checkpoint_nusd)
            verdict = replace(verdict, cost_nusd=delivered)
        is_settled = await job.settle(verdict)
        if job.watch.gone:
            exchange.error_code = "client_gone"
            return
        if not bank.may_send():
            raise ConnectionAbortedError("fenced: another worker may have ended this charge")
        await self._say_end(dialed, is_settled=is_settled)

    async def _say_end(self, dialed: Dialed, *, is_settled: bool) -> None:
        job, reader = self._job, dialed.reader
        if self._send is None:
            return
        is_whole = is_settled and reader.is_complete and reader.error is None
        if is_settled and (reader.finish is not None or reader.is_complete):
            ending = finale.ending(dialed, job.exchange, held=self._held, is_whole=is_whole)
            if ending:
                self._sends += 1
                await self._send(part(ending))
        if is_whole:
            return
        error = reader.error or self._cut_error() or _INTERRUPTED
        job.exchange.note_error(error)
        await self._send(part(self._error_event(error)))

    async def _fail_before_first(self, error: RelayError) -> None:
        """No endpoint answered, and the head has left: tell it in the stream."""
        job = self._job
        job.exchange.note_error(error)
        await job.void(Ending.FAILED_BEFORE_OUTPUT)
        if self._send is not None and not job.watch.gone:
            await self._send(part(self._error_event(error)))

    def _error_event(self, error: RelayError) -> bytes:
        return finale.failure(
            error,
            self._job.exchange,
            dialed=self._dialed,
            is_event_stream=self._is_event_stream(),
            is_begun=self._sends > 0,
        )

    def _cut_error(self) -> RelayError | None:
        if self._cut is None:
            return None
        return RelayError(
            code=_CUT_CODES.get(self._cut, Code.DEADLINE),
            message="The stream was ended: it stood still, ran too long, or the server restarts. "
            "What was delivered is charged.",
        )

    def _hang_up(self) -> None:
        """Give the connection back if the vendor has ended, else close it."""
        if not self._dialing.done():
            self._dialing.cancel()
        if self._dialed is not None:
            self._dialed.answer.leave()


_CUT_CODES = {
    Cut.SLOW_READER: Code.SLOW_READER,
    Cut.OVERFLOW: Code.UPSTREAM_INVALID,
    Cut.RESTART: Code.SERVER_RESTARTING,
}
_INTERRUPTED = RelayError(
    code=Code.STREAM_INTERRUPTED,
    message="The vendor's stream broke before its end: the answer is not whole.",
)
