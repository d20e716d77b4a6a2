"""Events as the chunks of a chat completion for a client (pure)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from routing import errors
from routing.errors import RelayError
from routing.events import (
    AudioDelta,
    Cited,
    Event,
    Finish,
    Logprobs,
    MediaOut,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    SealDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.surfaces import Family, Surface
from routing.translators import openai_usage
from routing.translators.base import Answering, Bill, StreamEncoder
from routing.translators.openai_chat import pieces_out
from routing.translators.openai_chat.choice_out import Choice, Frame

_DONE: Final = b"data: [DONE]\n\n"

_WRITERS: Final[Mapping[type, Callable[[Choice, Any], bytes]]] = {
    TextDelta: Choice.text,
    TextEnd: Choice.text_end,
    ReasoningDelta: Choice.reasoning,
    ReasoningEnd: Choice.reasoning_end,
    SealDelta: Choice.seal,
    ToolStart: Choice.tool_start,
    ToolDelta: Choice.tool_delta,
    ToolEnd: Choice.tool_end,
    RefusalDelta: Choice.refusal,
    MediaOut: Choice.media,
    AudioDelta: Choice.sound,
    Cited: Choice.cited,
    Logprobs: Choice.logprobs,
    Finish: Choice.finished,
}


def stream_encoder(answering: Answering) -> StreamEncoder:
    """Make the encoder of one stream."""
    return ChatEncoder(answering)


class ChatEncoder(StreamEncoder):
    """Writes a chunk for each event."""

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering)
        self._frame = Frame(answering)
        self._choices: dict[int, Choice] = {}

    def encode(self, event: Event) -> bytes:
        """Write one event."""
        if type(event) is TextDelta:
            choice = self._choices.get(event.choice)
            if choice is not None:
                return choice.text(event)
        if isinstance(event, Start):
            return self._open(0)
        opened = b"" if event.choice in self._choices else self._open(event.choice)
        return opened + _WRITERS[type(event)](self._choices[event.choice], event)

    def finish(self, bill: Bill) -> bytes:
        """Write what ends each choice, the usage where it is wanted, and the end of the stream."""
        pieces = [] if self._choices else [self._open(0)]
        pieces += [self._choices[index].end() for index in sorted(self._choices)]
        answering = self.answering
        if answering.is_platform or answering.wants_stream_usage:
            chunk = pieces_out.head(answering, "chat.completion.chunk")
            chunk["choices"] = []
            chunk["usage"] = openai_usage.usage(bill, is_platform=answering.is_platform)
            pieces.append(b"data: " + orjson.dumps(chunk) + b"\n\n")
        return b"".join((*pieces, _DONE))

    def fail(self, error: RelayError) -> bytes:
        """Write the error that ends the stream; on /api/v1 as OpenRouter does."""
        if not self.answering.is_platform:
            return super().fail(error)
        _, _, body = errors.envelope(
            error, family=Family.OPENAI, surface=Surface.PLATFORM, request_id=self.answering.id
        )
        chunk = pieces_out.head(self.answering, "chat.completion.chunk")
        chunk["error"] = orjson.loads(body)["error"]
        chunk["choices"] = [
            {
                "index": 0,
                "delta": {"content": ""},
                "finish_reason": "error",
                "native_finish_reason": None,
            }
        ]
        return b"data: " + orjson.dumps(chunk) + b"\n\n"

    def _open(self, index: int) -> bytes:
        """Begin a choice with its role; nothing when it began before."""
        if index in self._choices:
            return b""
        self._choices[index] = Choice(index, self._frame)
        return self._frame.chunk(index, {"role": "assistant", "content": ""})
