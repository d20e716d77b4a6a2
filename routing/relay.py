"""THE pipeline: read, plan, admit, dial, deliver, meter, settle, record."""

import asyncio
import functools
import time
from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings

from accounts.keys import Caller
from billing import bank
from billing.money import decimal_usd
from routing import (
    abandoned,
    admission,
    captures,
    catalogue,
    counting,
    dialects,
    finale,
    labels,
    limits,
    metering,
    planner,
    side_plans,
)
from routing import body as bodies
from routing.admission import Wish
from routing.body import ClientGone
from routing.catalogue import Endpoint, Model
from routing.deadline import Deadline
from routing.dial import Dialed
from routing.dialects.base import Inbound, PathParts
from routing.errors import Code, RelayError
from routing.exchange import ClientWatch, Exchange
from routing.flow import KEEPALIVE_S, Flow
from routing.gateway import Request
from routing.job import Job
from routing.limits import Ticket
from routing.metering import Ending
from routing.readers.base import Reader
from routing.streaming import Reply, Stream
from routing.surfaces import FORM_ONLY, TAKES_FORM, Surface
from routing.translators import embeddings


async def run(exchange: Exchange, *, request: Request, path: PathParts) -> Reply | Stream:
    """Serve one request of the proxy API. Raises: RelayError, ClientGone before any byte left."""
    caller = exchange.caller
    if caller is None:
        raise AssertionError("the relay needs a caller")
    # Kept for the refusals below as well; the recorder stores none that is no label.
    exchange.tag = request.lower_headers.get(labels.TAG_HEADER)
    abandoned.check(caller.key_id)
    ticket = limits.enter(caller, exchange.source_ip, time.monotonic())
    try:
        job = await _job(exchange, request=request, path=path, ticket=ticket)
    except BaseException:
        ticket.leave()
        raise
    return await _run(job)


async def _job(exchange: Exchange, *, request: Request, path: PathParts, ticket: Ticket) -> Job:
    """Read the request and find who could answer it. Raises: RelayError, ClientGone."""
    headers = request.lower_headers
    exchange.tag = labels.tag(headers)
    is_form = _require_media_type(exchange.surface, headers)
    raw = await bodies.read(
        request.receive,
        length=headers.get("content-length"),
        encoding=headers.get("content-encoding"),
        bytes_max=settings.BODY_BYTES_MAX,
    )
    if exchange.caller is not None and exchange.caller.debug is not None:
        captures.take(exchange, exchange.caller.debug, raw)
    dialect = dialects.for_surface(exchange.surface)
    decode = functools.partial(
        dialect.decode, surface=exchange.surface, raw=raw, headers=headers, path=path
    )
    # Files are measured: beside the loop, which must not stand still.
    inbound = await asyncio.to_thread(decode) if is_form else decode()
    inbound = (
        replace(inbound, is_platform=exchange.is_platform) if exchange.is_platform else inbound
    )
    if exchange.caller is not None:
        exchange.end_user = labels.end_user(inbound, account_id=exchange.caller.account_id)
    exchange.is_stream = inbound.is_stream
    exchange.model = _model(inbound.model)
    return Job(
        exchange=exchange,
        inbound=inbound,
        demand=dialect.demand(inbound),
        endpoints=_plan(exchange, inbound),
        watch=ClientWatch(request.receive, stops=inbound.is_stream),
        ticket=ticket,
        headers=headers,
    )


def _model(name: str) -> Model:
    model = catalogue.current().resolve(name)
    if model is None:
        raise RelayError(
            code=Code.MODEL_NOT_FOUND,
            message="No such model: GET /v1/models lists those that this key may use.",
            param="model",
        )
    return model


def _plan(exchange: Exchange, inbound: Inbound) -> tuple[Endpoint, ...]:
    """Return the endpoints to try: the model's, then those of the models to fall back on.

    Raises: RelayError of the first model when none may serve this caller.
    """
    caller = exchange.caller
    if caller is None:
        raise AssertionError("the relay needs a caller")
    found: list[Endpoint] = []
    refusal: RelayError | None = None
    for name in (inbound.model, *inbound.fallbacks):
        try:
            found += _endpoints(exchange, inbound, caller, _model(name))
        except RelayError as error:
            refusal = refusal or error
    if not found and refusal is not None:
        raise refusal
    return tuple({endpoint.slug: endpoint for endpoint in found}.values())


def _endpoints(
    exchange: Exchange, inbound: Inbound, caller: Caller, model: Model
) -> tuple[Endpoint, ...]:
    surface, at = exchange.surface, exchange.created_at
    if surface in side_plans.SURFACES:
        found = side_plans.plan(model, caller=caller, surface=surface, at=at)
        return side_plans.carriable(found, inbound) if surface in embeddings.SURFACES else found
    return planner.plan(model, caller=caller, surface=surface, at=at)


async def _run(job: Job) -> Reply | Stream:
    """Admit and deliver. A stream's own flow closes the job, everything else is closed here."""
    response: Reply | Stream | None = None
    try:
        if job.exchange.surface in side_plans.COUNTS:
            response = await _count(job)
        else:
            job.admission = await admission.admit(
                job.exchange,
                inbound=job.inbound,
                demand=job.demand,
                endpoints=job.endpoints,
                wish=Wish.of(job.headers),
            )
            job.open_charge(job.admission.grant)
            response = await (_stream(job) if job.inbound.is_stream else _whole(job))
    except Exception:  # a bug of ours, too, must leave no hold behind
        await job.void(Ending.FAILED_BEFORE_OUTPUT)
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        await job.void(Ending.GONE_BEFORE_OUTPUT)
        if job.watch.gone:
            raise ClientGone from None
        raise _RESTARTING from None
    finally:
        if response is None:
            job.ticket.leave()
            job.watch.close()
        elif not isinstance(response, Stream):
            job.close()
    return response


async def _count(job: Job) -> Reply:
    """Count tokens as the vendor does, or here where it does not; free of charge."""
    surface, family = job.exchange.surface, job.endpoints[0].channel.family
    own = tuple(e for e in job.endpoints if counting.is_counted_by(e, surface))
    if own:
        job.endpoints = own
        try:
            with Deadline(counting.VENDOR_COUNT_S):
                reply = await _whole(job)
        except TimeoutError:
            pass
        except RelayError as error:
            if not counting.may_estimate(error):
                raise
        else:
            reply.headers["x-token-count"] = counting.VENDOR
            return reply
    counted = await counting.tokens(job.inbound, family)
    job.exchange.note_first_byte()
    job.exchange.status = 200
    headers = {"content-type": "application/json", "x-token-count": counting.ESTIMATE}
    headers |= {"x-cost-usd": decimal_usd(0), **job.answer_headers()}
    return Reply(body=counting.body(surface, counted), status=200, headers=headers)


async def _whole(job: Job) -> Reply:
    """Answer with the vendor's own bytes, once the charge is settled."""
    # The vendor bills a whole answer even if nobody waits for it: it is read to its end.
    job.watch.drain()
    dialed = await job.dial()
    exchange, reader = job.exchange, dialed.reader
    exchange.note_first_byte()
    await job.durable()
    if job.charge is not None and not bank.may_send():
        # Fenced: a settle that waits in the spool may find its charge ended by a sweeper.
        raise admission.unavailable()
    exchange.finish = reader.finish
    verdict = metering.whole(
        reader=reader,
        card=job.card(dialed.endpoint),
        hold_nusd=job.charge.hold_nusd if job.charge else 0,
        prompt_bytes=job.demand.prompt_bytes,
        is_gone=job.watch.gone,
        prompt_tokens=await _counted_here(job, reader),
    )
    finale.take_whole(dialed)
    if not await job.settle(verdict):
        raise admission.unavailable()
    exchange.status = dialed.answer.status
    headers = job.answer_headers()
    headers["x-cost-usd"] = decimal_usd(exchange.cost_nusd)
    body, headers["content-type"] = finale.whole(dialed, exchange)
    return Reply(body=body, status=exchange.status, headers=headers)


async def _counted_here(job: Job, reader: Reader) -> int | None:
    """Count what was embedded where the vendor does not tell: its bytes are mostly framing."""
    if reader.usage is not None or job.exchange.surface not in embeddings.SURFACES:
        return None
    return await counting.tokens(job.inbound, job.exchange.surface.family)


async def _stream(job: Job) -> Reply | Stream:
    """Start the stream: as soon as the vendor does, or with keep-alives when it is slow."""
    dialing = asyncio.ensure_future(job.dial())
    try:
        await asyncio.wait({dialing}, timeout=KEEPALIVE_S)
        if dialing.done():
            await dialing
        await job.durable()
    except BaseException:
        await _hang_up(dialing)
        raise
    flow = Flow(job=job, dialing=dialing)
    return Stream(pump=flow.pump, headers=flow.headers())


async def _hang_up(dialing: "asyncio.Future[Dialed]") -> None:
    if dialing.done() and not dialing.cancelled() and dialing.exception() is None:
        dialing.result().answer.abort()
        return
    dialing.cancel()
    await asyncio.wait({dialing})


_RESTARTING = RelayError(
    code=Code.SERVER_RESTARTING,
    message="The server restarts and could not finish this request: nothing is charged.",
    retry_after_s=2,
)


def _require_media_type(surface: Surface, headers: Mapping[str, str]) -> bool:
    """Tell whether the body is a form. Raises: RelayError (415) for what the surface takes not."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    is_form = kind == "multipart/form-data" and surface in TAKES_FORM
    is_json = kind == "application/json" or kind.endswith("+json")
    if not is_form and (not is_json or surface in FORM_ONLY):
        wanted = "multipart/form-data" if surface in FORM_ONLY else "application/json"
        raise RelayError(
            code=Code.UNSUPPORTED_MEDIA_TYPE,
            message=f"Send the body as {wanted}.",
        )
    return is_form
