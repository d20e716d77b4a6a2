"""What an answer ends with: the whole of it, a stream's end with the bill, or its error."""

from collections.abc import Iterable

from billing.usage import Usage
from routing import envelope, errors, vault
from routing.dial import Dialed
from routing.errors import RelayError
from routing.exchange import Exchange
from routing.streaming import JSON
from routing.surfaces import Surface
from routing.translators.base import Bill


def bill(exchange: Exchange) -> Bill:
    """Return what was booked for a request."""
    return Bill(usage=exchange.usage or Usage(), cost_nusd=exchange.cost_nusd)


def remember(dialed: Dialed, exchange: Exchange) -> None:
    """Keep the seals of an answer for a client that may not send them back."""
    translator, caller = dialed.outgoing.translator, exchange.caller
    if translator is not None and caller is not None:
        vault.keep(caller.account_id, translator.kept())


def take_whole(dialed: Dialed) -> None:
    """Read a whole answer for its translation, before anything is booked for it."""
    translator = dialed.outgoing.whole_translator
    if translator is not None:
        translator.take_whole(dialed.body)


def whole(dialed: Dialed, exchange: Exchange) -> tuple[bytes, str]:
    """Return a whole answer for the client, and its content type."""
    translator = dialed.outgoing.translator
    if translator is not None:
        remember(dialed, exchange)
        return translator.whole(bill(exchange)), JSON
    body, kind = dialed.body, str(dialed.answer.headers.get("content-type", JSON))
    embedder = dialed.outgoing.embedder
    if embedder is not None:
        body, kind = embedder.whole(bill(exchange)), JSON
    if exchange.is_platform:
        body = envelope.priced_body(body, cost_nusd=exchange.cost_nusd)
    return body, kind


def ending(dialed: Dialed, exchange: Exchange, *, held: Iterable[bytes], is_whole: bool) -> bytes:
    """Return what was held until the charge was settled, and the end if there is one."""
    translator = dialed.outgoing.translator
    if translator is not None:
        # What a vendor sent whole, although a stream was asked for, was read before.
        last = translator.stream_whole() if dialed.body else b"".join(map(translator.event, held))
        if not is_whole:
            return last
        last += translator.rest()
        remember(dialed, exchange)
        return last + translator.finish(bill(exchange))
    last = b"".join(held)
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
