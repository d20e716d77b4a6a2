"""One translated answer: a vendor's events in, the client's protocol out (pure)."""

import dataclasses
from collections.abc import Iterable, Mapping

import msgspec
import orjson

from routing import sse
from routing.conversation import (
    Answer,
    Part,
    Reasoning,
    Request,
    Seal,
    SealFormat,
    ToolCall,
)
from routing.dialects.base import Inbound
from routing.errors import RelayError
from routing.events import Event, ReasoningDelta, ReasoningEnd, TextDelta, ToolStart
from routing.surfaces import Surface
from routing.translators import folding, keeping, words
from routing.translators.base import Answering, Bill, Encoded, Target
from routing.translators.keeping import Keeper, Kept
from routing.translators.registry import CLIENTS, DATA_OF, VENDORS


def decode_request(inbound: Inbound, *, seal_key: bytes) -> Request:
    """Read a client's request. Raises: RelayError (400) naming the field."""
    request = CLIENTS[inbound.surface].decode_request(inbound.body, seal_key=seal_key)
    # Gemini's path tells it, not the body.
    return msgspec.structs.replace(request, is_stream=inbound.is_stream)


def encode_request(request: Request, *, client: Surface, wire: Surface, target: Target) -> Encoded:
    """Write it for a vendor. Raises: RelayError (400) for what its wire format has no word."""
    try:
        encoded = VENDORS[wire].encode_request(request, target)
    except RelayError as error:
        raise words.retold(error, client) from error
    lost = (name for name in request.dropped if name not in encoded.kept)
    named = (words.told(name, client) for name in encoded.dropped)
    dropped = tuple(dict.fromkeys((*lost, *named)))
    return dataclasses.replace(encoded, dropped=dropped)


class Translator:
    """Translates one answer; a stream event by event, without waiting for more."""

    def __init__(
        self, *, wire: Surface, answering: Answering, tool_names: Mapping[str, str], seal: str
    ) -> None:
        self._vendor = VENDORS[wire]
        self._client = CLIENTS[answering.surface]
        self._answering = answering
        self._tool_names = tool_names
        # The vendor's own format of seals, where it is not that of its wire format (xAI).
        self._seal = SealFormat(seal) if seal else None
        self._data_of = DATA_OF.get(wire, sse.data_of)
        self._decoder = self._vendor.stream_decoder()
        self._encoder = self._client.stream_encoder(answering)
        self._keeper = Keeper()
        self._call_ids: set[str] = set()
        self._answer: Answer | None = None

    @property
    def content_type(self) -> str:
        """The content type of a stream."""
        return self._encoder.content_type

    def event(self, event: bytes) -> bytes:
        """Translate one event of the vendor's stream."""
        return self._write(self._decoder.decode(self._data_of(event)))

    def rest(self) -> bytes:
        """Translate the end of the vendor's stream, all but what waits for the bill."""
        return self._write(self._decoder.end())

    def finish(self, bill: Bill) -> bytes:
        """Write the end of the stream."""
        return self._encoder.finish(bill)

    def fail(self, error: RelayError) -> bytes:
        """Write the error that ends the stream."""
        return self._encoder.fail(error)

    def take_whole(self, body: bytes) -> None:
        """Read a whole answer, before anything is booked for it."""
        self._answer = self._whole(self._vendor.decode_answer(orjson.loads(body)))

    def whole(self, bill: Bill) -> bytes:
        """Write the whole answer that was taken."""
        if self._answer is None:
            raise AssertionError("take_whole comes first")
        return self._client.encode_answer(self._answer, answering=self._answering, bill=bill)

    def kept(self) -> dict[str, Kept]:
        """Return the sealed reasoning that the answer's calls may need again, by their ids."""
        if self._answer is not None:
            return keeping.of_answer(self._answer)
        return self._keeper.kept()

    def stream_whole(self) -> bytes:
        """Write the whole answer that was taken as the events of a stream."""
        if self._answer is None:
            raise AssertionError("take_whole comes first")
        return b"".join(self._encoder.encode(event) for event in folding.unfold(self._answer))

    def _write(self, events: Iterable[Event]) -> bytes:
        written = []
        for event in events:
            if type(event) is not TextDelta:
                event = self._mended(event)  # noqa: PLW2901 - the same event in better words
                self._keeper.take(event)
            written.append(self._encoder.encode(event))
        return b"".join(written)

    def _mended(self, event: Event) -> Event:
        """Put the client's name of a tool back, and say whose the seal is."""
        if isinstance(event, ToolStart):
            call_id = self._call_id(event.id)
            return msgspec.structs.replace(event, id=call_id, name=self._name(event.name))
        if self._seal is None or not isinstance(event, (ReasoningDelta, ReasoningEnd)):
            return event
        if isinstance(event, ReasoningDelta):
            return msgspec.structs.replace(event, format=self._seal)
        return msgspec.structs.replace(event, format=self._seal, seal=self._sealed(event.seal))

    def _whole(self, answer: Answer) -> Answer:
        choices = tuple(
            msgspec.structs.replace(choice, parts=tuple(map(self._part, choice.parts)))
            for choice in answer.choices
        )
        return Answer(choices=choices)

    def _part(self, part: Part) -> Part:
        if isinstance(part, ToolCall):
            call_id = self._call_id(part.id)
            return msgspec.structs.replace(part, id=call_id, name=self._name(part.name))
        if isinstance(part, Reasoning) and self._seal is not None:
            seal = self._sealed(part.seal)
            return msgspec.structs.replace(part, format=self._seal, seal=seal)
        return part

    def _name(self, name: str) -> str:
        return self._tool_names.get(name, name)

    def _call_id(self, call_id: str) -> str:
        """Return the vendor's id; another for one that came before: results could not be told."""
        found = call_id
        while found in self._call_ids:
            found = f"{call_id[:56]}_{len(self._call_ids)}"
            call_id = found
        if found:
            self._call_ids.add(found)
        return found

    def _sealed(self, seal: Seal | None) -> Seal | None:
        if seal is None or self._seal is None:
            return seal
        return msgspec.structs.replace(seal, format=self._seal)
