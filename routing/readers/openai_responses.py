"""Reads answers of OpenAI's Responses API (pure)."""

import re
from collections.abc import Iterator
from typing import Any

from billing.usage import UnitClass, Usage
from routing.conversation import FinishReason
from routing.readers import counts, openai_usage
from routing.readers.answer import AnswerReader, FreeReader, dicts, mapping, strings, word
from routing.readers.base import Expectation, Flag, Step
from routing.surfaces import Family

# `error` is an event, and also the type of things inside items: the parsed document decides.
_MARK = re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"')

_PLAIN = (b"event: response.", b'data: {"type":"response.')

# Events that bring content, beside all `.delta` ones: things that come whole.
_CONTENT = frozenset(
    {
        "response.output_item.done",
        "response.output_text.done",
        "response.function_call_arguments.done",
        "response.reasoning_summary_text.done",
        "response.image_generation_call.partial_image",
    }
)
_TERMINAL = frozenset({"response.completed", "response.incomplete"})
_FAILED = frozenset({"response.failed", "error"})

_INCOMPLETE = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "max_messages": FinishReason.PAUSE,
    "steered": FinishReason.PAUSE,
}
# Calls that the client has to answer before the model goes on.
_CLIENT_CALLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "apply_patch_call",
        "mcp_approval_request",
    }
)
# Only a search is a billed action of `web_search_call`; looking into a page that it found is
# not (OpenAI, web search guide, 2025).
_FREE_ACTIONS = frozenset({"open_page", "find_in_page", "find"})
_TEXTS = ("text", "refusal", "summary", "content", "arguments", "input", "name", "code")


class ResponsesReader(AnswerReader):
    """Terminal: `response.completed`, `.incomplete` or `.failed` with the whole answer; `error`."""

    __slots__ = ("_answer", "_is_plain")
    family = Family.OPENAI

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._answer: dict[str, Any] = {}
        self._is_plain = False

    def read_event(self, event: bytes) -> Step:
        """Take one event; an ordinary one costs one search over its bytes."""
        if (
            self._is_plain
            and event.startswith(_PLAIN)
            and event.endswith(b"}\n\n")
            and not _MARK.search(event)
        ):
            self._keep(event)
            return Step.PASS
        step = super().read_event(event)
        self._is_plain = self.has_output and not self._is_over and self.error is None
        return step

    def _read(self, document: dict[str, Any], data: bytes) -> Step:
        kind = word(document.get("type"))
        if kind in _FAILED or (not kind and self._is_error(document)):
            self._take(mapping(document.get("response")))
            return self._fail(data)
        if kind in _TERMINAL and not self._is_over:
            self._read_whole(mapping(document.get("response")))
            self._is_over = self.is_complete = True
        elif not self.has_output:
            has_delta = kind.endswith(".delta") and bool(document.get("delta"))
            self.has_output = has_delta or kind in _CONTENT
        return Step.HOLD if self._is_over else Step.PASS

    def _read_whole(self, document: dict[str, Any]) -> None:
        self._take(document)
        items = dicts(document.get("output"))
        self.has_output = self.has_output or bool(items)
        self._finish = self._reason(document, items)

    def _reason(self, document: dict[str, Any], items: list[dict[str, Any]]) -> FinishReason | None:
        status = document.get("status")
        if status == "incomplete":
            self._end_with(mapping(document.get("incomplete_details")).get("reason"), _INCOMPLETE)
            return self._finish
        if status in ("queued", "in_progress"):  # only with `background`, which is refused
            return FinishReason.OTHER
        if any(word(item.get("type")) in _CLIENT_CALLS for item in items):
            return FinishReason.TOOL_CALLS
        parts = (part for item in items for part in dicts(item.get("content")))
        if any(part.get("type") == "refusal" for part in parts):
            return FinishReason.REFUSAL
        return FinishReason.STOP

    def _is_error(self, document: dict[str, Any]) -> bool:
        if document.get("error") or document.get("status") in ("failed", "cancelled"):
            return True
        return "output" not in document and "response" not in document and "type" not in document

    def _take(self, answer: dict[str, Any]) -> None:
        self._answer = answer
        self._usage = None

    def _count(self) -> Usage | None:
        raw = self._answer.get("usage")
        if not isinstance(raw, dict) or not raw:
            return None
        items = dicts(self._answer.get("output"))
        usage = openai_usage.usage_of(
            raw,
            quirks=self.expectation.quirks,
            native_tier=self._answer.get("service_tier"),
            searches=self._searches(items),
            flags=self.flags,
        )
        # Generated images are told by no usage: the items are what is billed.
        images = sum(
            1
            for item in items
            if item.get("type") == "image_generation_call" and item.get("result")
        )
        return _with(usage, UnitClass.IMAGE, images)

    def _searches(self, items: list[dict[str, Any]]) -> int:
        calls = [item for item in items if item.get("type") == "web_search_call"]
        actions = (word(mapping(call.get("action")).get("type")) for call in calls)
        counted = sum(1 for action in actions if action not in _FREE_ACTIONS)
        tools = counts.Numbers(mapping(self._answer.get("tool_usage")), self.flags)
        told = tools.inner("web_search").told("num_requests")
        if told is None or told == counted:
            return counted
        self.flags.add(Flag.TOTAL)
        return min(told, counted)

    def _text_of(self, document: Any) -> Iterator[str]:
        kind = word(mapping(document).get("type"))
        if kind.endswith(".delta"):
            yield from strings(document.get("delta"))
        elif kind == "response.output_item.added":
            yield from strings(mapping(document.get("item")).get("name"))
        elif not kind:
            for item in dicts(mapping(document).get("output")):
                yield from _item_text(item)


def _item_text(item: dict[str, Any]) -> Iterator[str]:
    for name in _TEXTS:
        value = item.get(name)
        yield from strings(value) if isinstance(value, str) else _parts_text(value)


def _parts_text(parts: Any) -> Iterator[str]:
    for part in dicts(parts):
        yield from strings(part.get("text") or part.get("refusal"))


def _with(usage: Usage, unit_class: UnitClass, quantity: int) -> Usage:
    if not quantity:
        return usage
    return Usage(
        quantities={**usage.quantities, unit_class: quantity},
        service_tier=usage.service_tier,
        raw=usage.raw,
    )


class InputTokensReader(FreeReader):
    """Reads `responses/input_tokens`."""

    __slots__ = ()
    family = Family.OPENAI

    def _is_error(self, document: dict[str, Any]) -> bool:
        return "input_tokens" not in document
