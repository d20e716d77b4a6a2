"""Reads answers of Anthropic's Messages API (pure)."""

from collections.abc import Iterator
from typing import Any

from billing.usage import UnitClass, Usage
from routing.conversation import FinishReason
from routing.readers import counts
from routing.readers.answer import AnswerReader, FreeReader, dicts, mapping, strings
from routing.readers.base import Expectation, Step
from routing.surfaces import Family

FINISHES = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
    "pause_turn": FinishReason.PAUSE,
    "compaction": FinishReason.PAUSE,
}
_DELTA = b"event: content_block_delta\n"
_DELTA_TEXTS = ("text", "thinking", "partial_json")


class MessagesReader(AnswerReader):
    """Terminal: `message_delta` with the stop reason and the usage, then `message_stop`."""

    __slots__ = ("_has_delta_usage", "_raw")
    family = Family.ANTHROPIC

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._raw: dict[str, Any] = {}
        self._has_delta_usage = False

    @property
    def is_usage_final(self) -> bool:
        """Whether the closing usage came: `message_start` tells but the input."""
        return super().is_usage_final and (self._has_delta_usage or not self.expectation.is_stream)

    def read_event(self, event: bytes) -> Step:
        """Take one event; an ordinary delta costs nothing but a look at its name."""
        if self.has_output and event.startswith(_DELTA) and event.endswith(b"}\n\n"):
            self._keep(event)
            return Step.HOLD if self._is_over else Step.PASS
        return super().read_event(event)

    def _read(self, document: dict[str, Any], data: bytes) -> Step:
        kind = document.get("type")
        if kind == "error" or (kind is None and self._is_error(document)):
            return self._fail(data)
        if kind == "message_start":
            self._take(mapping(document.get("message")).get("usage"))
        elif kind == "message_delta":
            self._read_message_delta(document)
        elif kind == "message_stop":
            self.is_complete = self._is_over = True
            if self._finish is None and self.has_output:
                self._finish = FinishReason.STOP
        elif not self.has_output:
            self.has_output = _has_content(document)
        return Step.HOLD if self._is_over else Step.PASS

    def _read_message_delta(self, document: dict[str, Any]) -> None:
        self._take(document.get("usage"))
        self._has_delta_usage = isinstance(document.get("usage"), dict)
        native = mapping(document.get("delta")).get("stop_reason")
        if native:
            self._end_with(native, FINISHES)
            self._is_over = True

    def _read_whole(self, document: dict[str, Any]) -> None:
        self._take(document.get("usage"))
        self.has_output = bool(document.get("content"))
        if document.get("stop_reason") or not self.has_output:
            self._end_with(document.get("stop_reason"), FINISHES)
        else:
            self._finish = FinishReason.STOP

    def _is_error(self, document: dict[str, Any]) -> bool:
        if document.get("type") == "error" or document.get("error"):
            return True
        return "content" not in document

    def _take(self, told: Any) -> None:
        """Keep the latest of each number: they are cumulative, the later ones replace."""
        if isinstance(told, dict):
            self._raw = {**self._raw, **{k: v for k, v in told.items() if v is not None}}
            self._usage = None

    def _count(self) -> Usage | None:
        # `iterations` repeats the parts of the same request: never added to the top level.
        told = counts.Numbers(self._raw, self.flags)
        if told.told("input_tokens", "output_tokens") is None:
            return None
        hour, five_minutes = self._writes(told)
        tools = told.inner("server_tool_use")
        thinking = told.inner("output_tokens_details").count("thinking_tokens")
        quantities = counts.share(
            told.count("output_tokens"),
            {UnitClass.REASONING: thinking},
            rest=UnitClass.OUTPUT,
            flags=self.flags,
        )
        quantities |= {
            # Anthropic counts cache reads and writes outside input_tokens (recorded, 2026).
            UnitClass.INPUT: told.count("input_tokens"),
            UnitClass.CACHE_READ: told.count("cache_read_input_tokens"),
            UnitClass.CACHE_WRITE_1H: hour,
            UnitClass.CACHE_WRITE_5M: five_minutes,
            UnitClass.WEB_SEARCH: tools.count("web_search_requests"),
            UnitClass.WEB_FETCH: tools.count("web_fetch_requests"),
        }
        return counts.usage(
            quantities,
            native_tier=self._raw.get("service_tier"),
            raw=self._raw,
            flags=self.flags,
        )

    def _writes(self, told: counts.Numbers) -> tuple[int, int]:
        """Return the tokens written for an hour, and for five minutes: what is told no lifetime."""
        lifetimes = told.inner("cache_creation")
        hour = lifetimes.count("ephemeral_1h_input_tokens")
        written = told.told("cache_creation_input_tokens")
        if written is None:
            return hour, lifetimes.count("ephemeral_5m_input_tokens")
        classes = counts.share(
            written,
            {UnitClass.CACHE_WRITE_1H: hour},
            rest=UnitClass.CACHE_WRITE_5M,
            flags=self.flags,
        )
        return classes[UnitClass.CACHE_WRITE_1H], classes[UnitClass.CACHE_WRITE_5M]

    def _text_of(self, document: Any) -> Iterator[str]:
        document = mapping(document)
        delta = mapping(document.get("delta"))
        for name in _DELTA_TEXTS:
            yield from strings(delta.get(name))
        for block in [mapping(document.get("content_block")), *dicts(document.get("content"))]:
            for name in ("text", "thinking", "name"):
                yield from strings(block.get(name))
            yield from strings(mapping(block.get("input")))


def _has_content(document: dict[str, Any]) -> bool:
    kind = document.get("type")
    if kind == "content_block_delta":
        delta = mapping(document.get("delta"))
        return any(delta.get(name) for name in (*_DELTA_TEXTS, "signature", "citation"))
    if kind != "content_block_start":
        return False
    block = mapping(document.get("content_block"))
    if block.get("type") in ("text", "thinking"):
        return bool(block.get("text") or block.get("thinking"))
    return True  # calls, redacted thinking and server results come whole, or with a name


class CountTokensReader(FreeReader):
    """Reads `count_tokens`."""

    __slots__ = ()
    family = Family.ANTHROPIC

    def _is_error(self, document: dict[str, Any]) -> bool:
        return "input_tokens" not in document
