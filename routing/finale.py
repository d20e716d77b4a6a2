"""The last bytes of a stream: its end with the bill, or the error that ends it."""

from collections.abc import Iterable

from billing.usage import Usage
from routing import envelope, errors
from routing.dial import Dialed
from routing.errors import RelayError
from routing.exchange import Exchange
from routing.surfaces import Surface
from routing.translators.base import Bill


def bill(exchange: Exchange) -> Bill:
    """Return what was booked for a request."""
    return Bill(usage=exchange.usage or Usage(), cost_nusd=exchange.cost_nusd)


def streamed(dialed: Dialed) -> bytes:
    """Return what a vendor sent whole, although a stream was asked for, as the client's stream."""
    translator = dialed.outgoing.translator
    if translator is None:
        return dialed.body
    translator.take_whole(dialed.body)
    return translator.stream_whole()


def ending(dialed: Dialed, exchange: Exchange, *, held: Iterable[bytes], is_whole: bool) -> bytes:
    """Return what was held until the charge was settled, and the end if there is one."""
    last = b"".join(held)
    translator = dialed.outgoing.translator
    if translator is not None:
        return last + translator.finish(bill(exchange)) if is_whole else last
    if exchange.is_platform:
        return envelope.priced_events(last, cost_nusd=exchange.cost_nusd)
    return last


def failure(
    error: RelayError,
    exchange: Exchange,
    *,
    dialed: Dialed | None,
    is_event_stream: bool,
    is_begun: bool,
) -> bytes:
    """Return the error in the stream's own form: an event, or the last of Gemini's array."""
    translator = dialed.outgoing.translator if dialed else None
    if translator is not None:
        return translator.fail(error)
    surface, request_id = exchange.surface, exchange.id
    if is_event_stream or surface is not Surface.GENERATE:
        return errors.stream_event(
            error, surface=surface, request_id=request_id, is_platform=exchange.is_platform
        )
    _, _, body = errors.envelope(
        error, family=surface.family, surface=surface, request_id=request_id
    )
    return (b",\r\n" if is_begun else b"[") + body + b"\r\n]"
