"""Dialing a plan's endpoints in order until one answers, before any byte left for the client."""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from django.conf import settings

from accounts import metrics
from billing.charges import AttemptRow
from billing.models import Attempt
from billing.usage import UnitClass
from routing import catalogue, errors, jsonarray, readers, upstream
from routing.catalogue import Endpoint
from routing.deadline import Deadline
from routing.dialects.base import Demand, Inbound
from routing.errors import Code, RelayError
from routing.outgoing import Composer, Outgoing, Untranslatable
from routing.readers.base import Expectation, Reader, Step
from routing.sse import EventTooLarge, Splitter, data_of
from routing.surfaces import Surface
from routing.upstream import Answer, Call, Fault, UpstreamFailed

TRIES_MAX = 3
BACKOFF_S = 0.1
RETRY_AFTER_S_MAX = 5

Outcome = Attempt.Outcome


@dataclass(slots=True, kw_only=True)
class Dialed:
    """An endpoint that answers: the head arrived, and the first event or the whole body."""

    endpoint: Endpoint
    answer: Answer
    reader: Reader
    outgoing: Outgoing
    splitter: Splitter | jsonarray.Splitter = field(default_factory=Splitter)
    events: list[tuple[bytes, Step]] = field(default_factory=list)  # read, not yet sent
    body: bytes = b""

    def read(self, event: bytes) -> Step:
        """Read one event. What follows the vendor's own end is read for billing alone.

        A translated answer is so the same whether or not it came with the end in one chunk.
        """
        is_over = self.outgoing.translator is not None and self.reader.is_complete
        step = self.reader.read_event(event)
        return Step.SWALLOW if is_over else step


@dataclass(slots=True, kw_only=True)
class Log:
    """Every dial of one request, for the attempts' rows."""

    rows: list[AttemptRow] = field(default_factory=list)
    sent: float | None = None  # when the latest dial began; monotonic seconds

    def note(self, endpoint: Endpoint, outcome: str, *, vendor_cost_nusd: int = 0) -> None:
        """Add one dial."""
        row = AttemptRow(
            n=len(self.rows) + 1,
            endpoint=endpoint.slug,
            outcome=str(outcome),
            vendor_cost_nusd=vendor_cost_nusd,
        )
        self.rows.append(row)
        metrics.ATTEMPTS.labels(endpoint.channel.name, row.outcome).inc()


async def dial(
    *, composer: Composer, demand: Demand, endpoints: Iterable[Endpoint], log: Log
) -> Dialed:
    """Return the first endpoint that answers. Raises: RelayError of the last one that failed."""
    candidates = list(endpoints)
    error: RelayError | None = None
    is_ambiguous, tries = False, 0
    for n, endpoint in enumerate(_with_second_chance(candidates)):
        try:
            outgoing = await composer.compose(endpoint)
        except Untranslatable as refused:  # another endpoint may have the words
            error = error or refused.error
            continue
        log.sent = time.monotonic()
        try:
            return await _try(
                endpoint=endpoint, outgoing=outgoing, inbound=composer.inbound, demand=demand
            )
        except _Failed as failed:
            log.note(endpoint, failed.outcome)
            last, error = failed, failed.error
        tries += 1
        if tries == TRIES_MAX or (n + 1 >= len(candidates) and not last.is_untouched):
            break
        # A request that was sent and not answered may be billed: risk that once only.
        if not last.error.is_retryable or (last.is_ambiguous and is_ambiguous):
            break
        is_ambiguous = is_ambiguous or last.is_ambiguous
        await asyncio.sleep(random.uniform(0, BACKOFF_S * 2**n))  # noqa: S311 - jitter
    if error is None:
        raise AssertionError("a plan has an endpoint")
    raise error


def _with_second_chance(candidates: list[Endpoint]) -> list[Endpoint]:
    """Let the only endpoint be tried twice: a pooled connection may have gone stale."""
    return candidates * 2 if len(candidates) == 1 else candidates


class _Failed(Exception):
    def __init__(
        self, error: RelayError, outcome: Outcome, *,
        is_ambiguous: bool = False, is_untouched: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(outcome.value)
        self.error, self.outcome = error, outcome
        self.is_ambiguous, self.is_untouched = is_ambiguous, is_untouched


async def _try(
    *, endpoint: Endpoint, outgoing: Outgoing, inbound: Inbound, demand: Demand
) -> Dialed:
    """Ask one endpoint; its first event, or its whole body, is there on return. Raises: _Failed."""
    outbound = outgoing.outbound
    call = Call(
        url=catalogue.url(endpoint.channel, outbound.path, outbound.query),
        headers={**outbound.headers, **endpoint.channel.auth_headers},
        body=outbound.body,
    )
    expectation = Expectation(
        is_stream=inbound.is_stream,
        choices=demand.choices,
        wants_stream_usage=inbound.wants_stream_usage or outgoing.translator is not None,
        may_search=UnitClass.WEB_SEARCH in demand.fees,
        measures=inbound.content.measures,
        answer_format=inbound.answer_format,
        quirks=endpoint.quirks,
    )
    reader = readers.for_surface(outgoing.surface, expectation)
    try:
        with Deadline(settings.FIRST_BYTE_TIMEOUT_S) as deadline:
            answer = await upstream.pool().open(call)
            dialed = Dialed(
                endpoint=endpoint,
                answer=answer,
                reader=reader,
                outgoing=outgoing,
                splitter=Splitter(reader.event_bytes_max),
            )
            try:
                await _look(dialed, inbound=inbound, deadline=deadline)
            except BaseException:
                answer.abort()
                raise
    except UpstreamFailed as failed:
        raise _unanswered(failed.fault) from failed
    except TimeoutError as error:
        raise _unanswered(Fault.TIMEOUT) from error
    except EventTooLarge as error:
        raise _invalid() from error
    if reader.error is not None and not reader.has_output and reader.finish is None:
        answer.abort()
        raise _Failed(_told(reader.error, outgoing), Outcome.VENDOR_ERROR)
    return dialed


def _told(error: RelayError, outgoing: Outgoing) -> RelayError:
    """Return the error for the caller: of a translated request, not in the vendor's own form."""
    if outgoing.whole_translator is None:
        return error
    return replace(error, body=None, param=None)


async def _look(dialed: Dialed, *, inbound: Inbound, deadline: Deadline) -> None:
    """Read as far as shows that it is an answer."""
    answer = dialed.answer
    if not 200 <= answer.status < 300:
        await _refused(dialed)
    is_array = _is_json(answer) and dialed.outgoing.surface is Surface.GENERATE
    if inbound.is_stream and is_array:
        dialed.splitter = jsonarray.Splitter()  # Gemini's stream without alt=sse
        await _first_events(dialed)
    elif inbound.is_stream and not _is_whole(answer, inbound):
        await _first_events(dialed)
    else:
        deadline.move(settings.WHOLE_TIMEOUT_S)
        dialed.body = await answer.whole()
        dialed.reader.read_body(dialed.body)
        answer.leave()


def _is_whole(answer: Answer, inbound: Inbound) -> bool:
    """Tell whether a vendor answers a stream's request with one body, as Whisper does."""
    kind = str(answer.headers.get("content-type", ""))
    is_text = inbound.answer_format != "json" and not kind.startswith("text/event-stream")
    return _is_json(answer) or is_text


def _is_json(answer: Answer) -> bool:
    return str(answer.headers.get("content-type", "")).startswith("application/json")


async def _first_events(dialed: Dialed) -> None:
    # A comment is no answer yet: while nothing else came, another endpoint may still be tried.
    splitter, is_answer = dialed.splitter, False
    while not is_answer:
        chunk = await dialed.answer.chunk()
        for event in splitter.feed(chunk) if chunk else [splitter.rest()]:
            is_answer = is_answer or _says_something(event, splitter)
            dialed.events.append((event, dialed.read(event)))
        if not chunk and not is_answer:
            raise _invalid()


def _says_something(event: bytes, splitter: Splitter | jsonarray.Splitter) -> bool:
    return bool(data_of(event) if isinstance(splitter, Splitter) else event.strip())


async def _refused(dialed: Dialed) -> None:
    answer, endpoint = dialed.answer, dialed.endpoint
    body = await answer.whole(bytes_max=upstream.ERROR_BYTES_MAX)
    answer.leave()
    error = errors.from_vendor(
        status=answer.status, headers=answer.headers, body=body, family=endpoint.channel.family
    )
    error = _told(error, dialed.outgoing)
    raise _Failed(error, _OUTCOMES.get(error.code, Outcome.VENDOR_ERROR))


_OUTCOMES = {
    Code.UPSTREAM_AUTH: Outcome.AUTH_REFUSED,
    Code.UPSTREAM_RATE_LIMIT: Outcome.RATE_LIMITED,
    Code.UPSTREAM_TIMEOUT: Outcome.TIMEOUT,
}


def _invalid() -> _Failed:
    error = RelayError(
        code=Code.UPSTREAM_INVALID,
        message="The vendor's answer was empty or could not be read: nothing was charged.",
        is_retryable=True,
    )
    return _Failed(error, Outcome.VENDOR_ERROR)


def _unanswered(fault: Fault) -> _Failed:
    if fault is Fault.TIMEOUT:
        error = RelayError(
            code=Code.UPSTREAM_TIMEOUT,
            message="The vendor did not answer in time: nothing was charged.",
            is_retryable=True,
        )
        return _Failed(error, Outcome.TIMEOUT, is_ambiguous=True)
    error = RelayError(
        code=Code.UPSTREAM_CONNECT,
        message="The vendor could not be reached: nothing was charged. Try again shortly.",
        is_retryable=fault is not Fault.TOO_LARGE,
        retry_after_s=2,
    )
    return _Failed(
        error,
        Outcome.CONNECT_ERROR,
        is_ambiguous=fault is Fault.RESET,
        is_untouched=fault is not Fault.TOO_LARGE,
    )
