"""Events as the chunks of a legacy completion (pure)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from routing.conversation import FinishReason
from routing.events import Event, Finish, Logprobs, ReasoningDelta, RefusalDelta, TextDelta
from routing.translators import openai_usage
from routing.translators.base import Answering, Bill, StreamEncoder
from routing.translators.openai_completions import pieces_out

_DONE: Final = b"data: [DONE]\n\n"


def stream_encoder(answering: Answering) -> StreamEncoder:
    """Make the encoder of one stream."""
    return CompletionsEncoder(answering)


class CompletionsEncoder(StreamEncoder):
    """Writes a chunk for each piece of text; calls and pictures have no form here."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering)
        head = orjson.dumps(pieces_out.head(answering))[:-1]
        self._head = b"data: " + head + b',"choices":[{"index":'
        self._tail = b',"logprobs":null,"finish_reason":null}]}\n\n'
        self._chars: dict[int, int] = {}  # of the text so far, by choice
        self._scored: dict[int, int] = {}  # of the tokens that were told with probabilities
        self._finishes: dict[int, Finish] = {}

    def encode(self, event: Event) -> bytes:
        """Write one event."""
        writer = _WRITERS.get(type(event))
        return b"" if writer is None else writer(self, event)

    def text(self, event: TextDelta | RefusalDelta) -> bytes:
        """Write text, or the words of a refusal."""
        index = event.choice
        self._chars[index] = self._chars.get(index, 0) + len(event.text)
        if not event.text:
            return b""
        opening = self._head + str(index).encode() + b',"text":'
        return b"".join((opening, orjson.dumps(event.text), self._tail))

    def reasoning(self, event: ReasoningDelta) -> bytes:
        """Write reasoning, on /api/v1 only: the legacy form has no place for it."""
        if not self.answering.is_platform or not event.text:
            return b""
        return self._chunk(event.choice, {"text": "", "reasoning": event.text})

    def logprobs(self, event: Logprobs) -> bytes:
        """Write tokens' probabilities, with their places in the text."""
        offset = self._scored.get(event.choice, 0)
        told = pieces_out.logprobs(event.tokens, offset=offset)
        self._scored[event.choice] = offset + sum(map(len, told["tokens"]))
        return self._chunk(event.choice, {"text": "", "logprobs": told})

    def finished(self, event: Finish) -> bytes:
        """Keep why a choice ended: it is told when the charge is settled."""
        self._finishes.setdefault(event.choice, event)
        return b""

    def finish(self, bill: Bill) -> bytes:
        """Write what ends each choice, the usage where it is wanted, and the end of the stream."""
        indexes = sorted({*self._chars, *self._finishes}) or [0]
        pieces = [self._end(index) for index in indexes]
        answering = self.answering
        if answering.is_platform or answering.wants_stream_usage:
            chunk = pieces_out.head(answering)
            chunk["choices"] = []
            chunk["usage"] = openai_usage.usage(bill, is_platform=answering.is_platform)
            pieces.append(b"data: " + orjson.dumps(chunk) + b"\n\n")
        return b"".join((*pieces, _DONE))

    def _end(self, index: int) -> bytes:
        finish = self._finishes.get(index)
        reason = finish.reason if finish else FinishReason.STOP
        choice: dict[str, Any] = {"text": "", "finish_reason": pieces_out.FINISHES[reason]}
        if self.answering.is_platform:
            choice["native_finish_reason"] = (finish.native if finish else "") or None
        return self._chunk(index, choice)

    def _chunk(self, index: int, choice: dict[str, Any]) -> bytes:
        whole = {"logprobs": None, "finish_reason": None, **choice}
        return self._head + str(index).encode() + b"," + orjson.dumps(whole)[1:] + b"]}\n\n"


_WRITERS: Final[Mapping[type, Callable[[CompletionsEncoder, Any], bytes]]] = {
    TextDelta: CompletionsEncoder.text,
    RefusalDelta: CompletionsEncoder.text,
    ReasoningDelta: CompletionsEncoder.reasoning,
    Logprobs: CompletionsEncoder.logprobs,
    Finish: CompletionsEncoder.finished,
}
