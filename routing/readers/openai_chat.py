"""Reads answers of OpenAI's Chat Completions, and of the many who speak it (pure)."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from billing.usage import Usage
from routing.conversation import FinishReason
from routing.readers import openai_usage
from routing.readers.answer import AnswerReader, dicts, mapping, strings
from routing.readers.base import Expectation, Step
from routing.surfaces import Family

FINISHES = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,  # Mistral
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    "sensitive": FinishReason.CONTENT_FILTER,  # Z.AI
}

# Chunks that billing must read: usage, a finish, an error, anything that a bare chunk has not.
_MARK = re.compile(
    rb'"(?:usage"\s*:(?!\s*null)|finish_reason"\s*:(?!\s*null)|error"'
    rb'|tool_calls"\s*:\s*\[\s*\{|function_call"\s*:\s*\{|annotations"\s*:\s*\[\s*\{'
    rb'|refusal"\s*:\s*"[^"])'
)
# The same when calls were seen already: pieces of their arguments need no reading.
_MARK_OF_CALLS = re.compile(
    rb'"(?:usage"\s*:(?!\s*null)|finish_reason"\s*:(?!\s*null)|error"'
    rb'|annotations"\s*:\s*\[\s*\{)'
)
_DONE = b"[DONE]"

_CONTENT = (
    "content",
    "reasoning",
    "reasoning_content",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
    "images",
    "reasoning_details",
)


class _Delta(msgspec.Struct, gc=False):
    """What most chunks bring; a type that does not fit sends the chunk the long way."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: None = None
    function_call: None = None
    refusal: None = None
    audio: None = None
    reasoning_details: msgspec.Raw | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice]


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class ChatReader(AnswerReader):
    """Terminal: a finish for every choice; then usage and `[DONE]`, which may be missing."""

    __slots__ = (
        "_begun",
        "_finished",
        "_has_calls",
        "_has_refusal",
        "_is_plain",
        "_mark",
        "_raw",
        "_searches",
        "_tier",
    )
    family = Family.OPENAI

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._raw: dict[str, Any] | None = None
        self._tier: Any = None
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self._searches = 0
        self._has_calls = False
        self._has_refusal = False
        self._is_plain = False  # output was seen, the end was not: only marked chunks are parsed
        self._mark = _MARK

    @property
    def finish(self) -> FinishReason | None:
        """Why it ended. Many vendors say `stop` to calls and refusals."""
        if self._finish is FinishReason.STOP and self._has_calls:
            return FinishReason.TOOL_CALLS
        if self._finish is FinishReason.STOP and self._has_refusal:
            return FinishReason.REFUSAL
        return self._finish

    def read_event(self, event: bytes) -> Step:
        """Take one event; an ordinary chunk costs one search over its bytes."""
        if (
            self._is_plain
            and event.startswith(b"data: {")
            and event.endswith(b"}\n\n")
            and not self._mark.search(event)
        ):
            self._keep(event)
            return Step.PASS
        if self.error is None and self._data(event).strip() == _DONE:
            self._read_done()
            return Step.HOLD
        step = super().read_event(event)
        is_running = self.has_output and not self._is_over and self.error is None
        self._is_plain = is_running and self.expectation.choices == 1
        return step

    def _read_done(self) -> None:
        self._is_plain = False
        if self._finish is None and self.has_output:
            self._finish = FinishReason.STOP
        self.is_complete = self._finish is not None
        self._is_over = True

    def _read(self, document: dict[str, Any], data: bytes) -> Step:
        was_over = self._is_over
        self._take_usage(document)
        choices = dicts(document.get("choices"))
        for choice in choices:
            self._look(choice, mapping(choice.get("delta")))
        if self._is_error(document) or _ends_in_error(choices):
            return self._fail(data)
        for choice in choices:
            self._take_finish(choice)
        if self._swallows(document, choices):
            return Step.SWALLOW
        return Step.HOLD if was_over or self._is_over else Step.PASS

    def _swallows(self, document: dict[str, Any], choices: list[dict[str, Any]]) -> bool:
        """Tell whether the chunk is there only because we asked for usage, not the caller."""
        asked = self.expectation.wants_stream_usage
        return not asked and not choices and isinstance(document.get("usage"), dict)

    def _read_whole(self, document: dict[str, Any]) -> None:
        self._take_usage(document)
        choices = dicts(document.get("choices"))
        for choice in choices:
            self._look(choice, mapping(choice.get("message")))
            self._take_finish(choice)
        # Snowflake leaves the reason of a whole answer blank (2026).
        if self._finish is None and self.has_output:
            self._finish = FinishReason.STOP

    def _is_error(self, document: dict[str, Any]) -> bool:
        if document.get("error") or document.get("object") == "error":
            return True
        if mapping(document.get("base_resp")).get("status_code"):  # MiniMax
            return True
        return "choices" not in document and bool(_ERROR_KEYS & document.keys())

    def _take_usage(self, document: dict[str, Any]) -> None:
        told = document.get("usage") or mapping(document.get("x_groq")).get("usage")
        if isinstance(told, dict) and told:
            self._raw = told
            self._usage = None
        native_tier = document.get("service_tier") or mapping(told).get("service_tier")
        if native_tier is not None and native_tier != self._tier:
            self._tier = native_tier
            self._usage = None

    def _look(self, choice: dict[str, Any], message: dict[str, Any]) -> None:
        """See what a choice brings: content, calls, a refusal, citations of a search."""
        self._begun.add(_index(choice))
        self.has_output = (
            self.has_output
            or any(message.get(name) for name in _CONTENT)
            or bool(choice.get("text"))
        )
        if message.get("tool_calls") or mapping(message.get("function_call")).get("name"):
            self._has_calls = True
            self._mark = _MARK_OF_CALLS
        if message.get("refusal"):
            self._has_refusal = True
        if self.expectation.may_search and not self._searches and _cites_the_web(message):
            self._searches = 1
            self._usage = None

    def _take_finish(self, choice: dict[str, Any]) -> None:
        native = choice.get("finish_reason")
        if not native:
            return
        self._end_with(native, FINISHES)
        self._finished.add(_index(choice))
        self._is_over = len(self._finished) >= self.expectation.choices

    def _has_open_choice(self) -> bool:
        return not self.is_complete and not self._begun <= self._finished

    def _count(self) -> Usage | None:
        if self._raw is None:
            return None
        return openai_usage.usage_of(
            self._raw,
            quirks=self.expectation.quirks,
            native_tier=self._tier,
            searches=self._searches,
            flags=self.flags,
        )

    def _text_of_event(self, event: bytes) -> Iterable[str]:
        try:
            deltas = [choice.delta for choice in _decode_chunk(self._data(event)).choices]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return super()._text_of_event(event)
        thoughts = [delta.reasoning_content or delta.reasoning for delta in deltas]
        if any(d.reasoning_details and not t for d, t in zip(deltas, thoughts, strict=True)):
            return super()._text_of_event(event)
        return [
            text for d, t in zip(deltas, thoughts, strict=True) for text in (d.content, t) if text
        ]

    def _text_of(self, document: Any) -> Iterator[str]:
        for choice in dicts(mapping(document).get("choices")):
            if isinstance(choice.get("text"), str):
                yield choice["text"]
            yield from message_text(mapping(choice.get("message") or choice.get("delta")))


_ERROR_KEYS = {"detail", "message", "msg", "error_message"}


def _index(choice: dict[str, Any]) -> int:
    index = choice.get("index")
    return index if type(index) is int else 0


def _ends_in_error(choices: list[dict[str, Any]]) -> bool:
    return any(choice.get("finish_reason") == "error" for choice in choices)


def _cites_the_web(message: dict[str, Any]) -> bool:
    # A search model searches once for each request, and its usage does not say so (2026).
    return any(note.get("type") == "url_citation" for note in dicts(message.get("annotations")))


def message_text(message: dict[str, Any]) -> Iterator[str]:
    """Tell all text that a message or a piece of one brings, each only once."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in dicts(content):  # Mistral: parts, thinking among them
        yield from strings({name: part[name] for name in part if name != "type"})
    yield from strings(
        message.get("reasoning_content") or message.get("reasoning") or _thoughts(message)
    )
    yield from strings(message.get("refusal"))
    yield from strings(mapping(message.get("audio")).get("transcript"))
    calls = [*dicts(message.get("tool_calls")), {"function": message.get("function_call")}]
    for call in calls:
        function = mapping(call.get("function") or call.get("custom"))
        for name in ("name", "arguments", "input"):
            yield from strings(function.get(name))


def _thoughts(message: dict[str, Any]) -> list[Any]:
    details = dicts(message.get("reasoning_details"))
    return [detail.get("text") or detail.get("summary") for detail in details]
