"""A vendor's answer on its way to a client: reader, decoder, encoder, as routing/flow.py has them.

The relay's own part (sockets, charges, clocks) is left out; what it decides by a reader is here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from billing.usage import UnitClass, Usage
from routing import jsonarray, readers, sse
from routing.dialects.base import Quirks
from routing.errors import Code, RelayError
from routing.events import AudioDelta, Event, RefusalDelta, TextDelta, ToolStart
from routing.readers.base import Expectation, Step
from routing.surfaces import Surface
from routing.translators.base import Answering, Bill
from routing.translators.registry import VENDORS
from routing.translators.translator import Translator

KEY = b"k" * 32
GENERATION = "gen-" + "0af1" * 8
_SEALED = {"include": ["reasoning.encrypted_content"]}
INTERRUPTED = RelayError(code=Code.STREAM_INTERRUPTED, message="It broke.")
CLIENTS = (
    Surface.CHAT,
    Surface.COMPLETIONS,
    Surface.RESPONSES,
    Surface.MESSAGES,
    Surface.GENERATE,
)


def answering(surface: Surface, **changes: Any) -> Answering:
    """Return what a client's request was, as far as its answer shows it."""
    known: dict[str, Any] = {
        "surface": surface,
        "id": GENERATION,
        "model": "acme/large",
        "vendor": "Acme",
        "created": 1_790_000_000,
        "body": _SEALED if surface is Surface.RESPONSES else {},
        "seal_key": KEY,
    }
    return Answering(**{**known, **changes})


@dataclass
class Passage:
    """One attempt's answer. `told` holds what the decoder said, `data` what the client got."""

    wire: Surface
    answering: Answering
    quirks: Quirks = field(default_factory=Quirks)
    choices: int = 1
    is_array: bool = False  # the vendor streams one JSON array
    tool_names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data = b""
        self.is_finished = self.is_failed = False
        self.told: list[Event] = []
        self.reader = readers.for_surface(
            self.wire, Expectation(is_stream=True, choices=self.choices, quirks=self.quirks)
        )
        self.translator = Translator(
            wire=self.wire,
            answering=self.answering,
            tool_names=self.tool_names,
            seal=self.quirks.seal,
        )
        self._decoder = VENDORS[self.wire].stream_decoder()  # a second one, for `told`

    def stream(self, chunks: Iterable[bytes]) -> "Passage":
        """Take a stream, to its end or its error."""
        splitter = jsonarray.Splitter() if self.is_array else sse.Splitter()
        passed: list[bytes] = []
        held: list[bytes] = []
        reader = self.reader
        for chunk in chunks:
            for event in splitter.feed(chunk):
                if not self._take(event, passed, held):
                    break
            if reader.error is not None or reader.is_complete:
                break
        else:
            if rest := splitter.rest():
                self._take(rest, passed, held)
        reader.end()
        self._end(passed, held)
        return self

    def _take(self, event: bytes, passed: list[bytes], held: list[bytes]) -> bool:
        reader = self.reader
        if reader.is_complete:  # what the vendor says after its own end is not translated
            return False
        step = reader.read_event(event)
        if step is Step.FAIL:
            return False
        if step is Step.PASS:
            passed.append(self._translated(event))
        elif step is Step.HOLD:
            held.append(event)
        return True

    def _translated(self, event: bytes) -> bytes:
        data_of = jsonarray.data_of if self.is_array else sse.data_of
        self.told += self._decoder.decode(data_of(event))
        return self.translator.event(event)

    def _end(self, passed: list[bytes], held: list[bytes]) -> None:
        reader = self.reader
        self.is_finished = reader.is_complete and reader.error is None
        self.is_failed = not self.is_finished
        written = [*passed]
        if self.is_finished or reader.finish is not None:
            written += map(self._translated, held)
        if self.is_finished:
            written.append(self.translator.rest())
            self.told += self._decoder.end()
            self.translator.kept()
            written.append(self.translator.finish(bill(reader.usage)))
        else:
            written.append(self.translator.fail(reader.error or INTERRUPTED))
        self.data = b"".join(written)

    def whole(self, body: bytes) -> bool:
        """Take a whole answer; False: the reader refused it, and the client is told an error."""
        self.reader.read_body(body)
        if self.reader.error is not None:
            return False
        self.translator.take_whole(body)
        self.translator.kept()
        self.data = self.translator.whole(bill(self.reader.usage))
        self.is_finished = True
        return True

    def stream_whole(self) -> bytes:
        """Write the whole answer that was taken as a stream."""
        return self.translator.stream_whole() + self.translator.finish(bill(self.reader.usage))


def bill(usage: Usage | None) -> Bill:
    """Return a bill for what a reader counted; an estimate where it counted nothing."""
    estimate = Usage(quantities={UnitClass.INPUT: 7, UnitClass.OUTPUT: 3})
    return Bill(usage=usage or estimate, cost_nusd=1_234)


def texts(events: Iterable[Event], client: Surface) -> dict[int, str]:
    """Return the text of each choice as this client sees it.

    Some have no other place for a refusal, or for what is said in a sound.
    """
    found: dict[int, str] = {}
    for event in events:
        text = ""
        if isinstance(event, TextDelta) or (
            isinstance(event, RefusalDelta) and client not in _WITH_REFUSALS
        ):
            text = event.text
        elif isinstance(event, AudioDelta) and client not in _WITHOUT_TRANSCRIPTS:
            text = event.transcript
        if text and not (event.choice and client in _SINGLE):
            found[event.choice] = found.get(event.choice, "") + text
    return found


_WITH_REFUSALS = (Surface.CHAT, Surface.RESPONSES)
_WITHOUT_TRANSCRIPTS = (Surface.CHAT, Surface.COMPLETIONS)
_SINGLE = (Surface.RESPONSES, Surface.MESSAGES)


def calls(events: Iterable[Event]) -> list[str]:
    """Return the names of the calls of the first choice, in order."""
    return [event.name for event in events if isinstance(event, ToolStart) and not event.choice]
