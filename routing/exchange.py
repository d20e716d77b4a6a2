"""One request's story, from its arrival to its row in the log."""

import asyncio
import datetime as dt
import time
import uuid
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from accounts.keys import Caller
from accounts.timeids import moment, uuid7
from billing.usage import UnitClass, Usage
from logs import recorder
from routing.catalogue import Endpoint, Model
from routing.conversation import FinishReason
from routing.errors import RelayError
from routing.surfaces import Surface

if TYPE_CHECKING:  # which needs this module itself
    from routing.captures import Capture

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
CLIENT_CLOSED = 499  # nginx's word for a client that left before its answer


def generation_id(request_id: uuid.UUID) -> str:
    """Return the id that callers see."""
    return f"gen-{request_id.hex}"


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What is known of a request while it runs; the relay alone writes it."""

    surface: Surface
    source_ip: str
    request_id: uuid.UUID = field(default_factory=uuid7)
    started: float = field(default_factory=time.monotonic)
    created_at: dt.datetime = field(init=False)
    caller: Caller | None = None
    model: Model | None = None
    endpoint: Endpoint | None = None
    is_stream: bool = False
    is_platform: bool = False  # under /api/v1: OpenRouter's envelope
    tag: str | None = None
    end_user: str | None = None  # a keyed hash
    sent: float | None = None  # when the latest vendor was dialled; monotonic seconds
    usage: Usage | None = None
    cost_nusd: int = 0
    first_byte_ms: int | None = None
    status: int = 0
    finish: FinishReason | None = None
    error_code: str | None = None
    capture: "Capture | None" = None  # in debug mode alone

    def __post_init__(self) -> None:
        self.created_at = moment(self.request_id)

    @property
    def id(self) -> str:
        """The id that callers see."""
        return generation_id(self.request_id)

    def note_first_byte(self) -> None:
        """Remember when the first byte of the answer was ready."""
        if self.first_byte_ms is None:
            self.first_byte_ms = self._since_start_ms(time.monotonic())

    def note_error(self, error: RelayError) -> None:
        """Remember how the request failed; a status already sent stays."""
        self.error_code = error.code.value
        if not self.status:
            self.status = error.status

    def record(self) -> None:
        """Write the request's row: metadata only."""
        recorder.record(self._entry())

    def _since_start_ms(self, moment: float) -> int:
        return int((moment - self.started) * 1000)

    def _entry(self) -> recorder.Entry:
        caller, endpoint = self.caller, self.endpoint
        channel = endpoint.channel if endpoint else None
        return recorder.Entry(
            request_id=self.request_id,
            created_at=self.created_at,
            account_id=caller.account_id if caller else None,
            api_key_id=caller.key_id if caller else None,
            source_ip=self.source_ip or None,
            surface=self.surface.value,
            model=self.model.slug if self.model else None,
            endpoint=endpoint.slug if endpoint else None,
            vendor=channel.vendor.slug if channel else None,
            channel=channel.name if channel else None,
            jurisdiction=channel.jurisdiction if channel else None,
            is_stream=self.is_stream,
            cost_nusd=self.cost_nusd,
            sent_ms=None if self.sent is None else self._since_start_ms(self.sent),
            first_byte_ms=self.first_byte_ms,
            total_ms=self._since_start_ms(time.monotonic()),
            status=self.status or CLIENT_CLOSED,
            finish_reason=self.finish.value if self.finish else None,
            error_code=self.error_code,
            tag=self.tag,
            end_user=self.end_user,
            **_tokens(self.usage),
        )


def _tokens(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    read = usage.count(UnitClass.CACHE_READ, UnitClass.AUDIO_CACHE_READ)
    write = usage.count(UnitClass.CACHE_WRITE, UnitClass.CACHE_WRITE_5M, UnitClass.CACHE_WRITE_1H)
    reasoning = usage.count(UnitClass.REASONING)
    return {
        "input_tokens": usage.prompt_tokens - read - write,
        "cache_read_tokens": read,
        "cache_write_tokens": write,
        "output_tokens": usage.completion_tokens - reasoning,
        "reasoning_tokens": reasoning,
        "is_estimated": usage.is_estimated,
    }


class ClientWatch:
    """Knows when the client left, and ends the task that works for it, if that is wished.

    Where the work goes on without the client anyway, nobody waits for its leaving: it is looked
    for when somebody asks, which saves a task for each request.
    """

    __slots__ = ("_gone", "_receive", "_stops", "_task", "_watching")

    def __init__(self, receive: Receive, *, stops: bool) -> None:
        self._receive = receive
        self._gone = False
        self._stops = stops
        self._task = asyncio.current_task() if stops else None
        self._watching = asyncio.create_task(self._watch()) if stops else None

    @property
    def gone(self) -> bool:
        """Whether the client left."""
        if not self._gone and self._watching is None:
            self._gone = _has_left(self._receive)
        return self._gone

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._gone = True
        if self._stops and self._task is not None:
            self._task.cancel()

    def drain(self) -> None:
        """From here on the work goes on without the client: it is only remembered as gone."""
        self._stops = False

    def close(self) -> None:
        """Stop watching."""
        self._stops = False
        if self._watching is not None:
            self._watching.cancel()


def _has_left(receive: Receive) -> bool:
    """Look once for a disconnect that is there already, without waiting for one."""
    looking = receive().__await__()
    try:
        next(looking)
    except StopIteration as message:
        return bool(message.value["type"] == "http.disconnect")
    if isinstance(looking, Generator):
        looking.close()
    return False
