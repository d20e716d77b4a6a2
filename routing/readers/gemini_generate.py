"""Reads answers of Gemini's generateContent, countTokens and embedContent (pure)."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from billing.usage import UnitClass, Usage
from routing import jsonarray
from routing.conversation import FinishReason
from routing.readers import counts
from routing.readers.answer import (
    AnswerReader,
    FreeReader,
    WholeReader,
    dicts,
    mapping,
    strings,
)
from routing.readers.base import Expectation, Flag, Step
from routing.surfaces import Family

FINISHES = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "LANGUAGE": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "MODEL_ARMOR": FinishReason.CONTENT_FILTER,
    "ESCALATION": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "IMAGE_RECITATION": FinishReason.CONTENT_FILTER,
    "IMAGE_OTHER": FinishReason.CONTENT_FILTER,
    "CONTINUATION": FinishReason.PAUSE,
    "MALFORMED_FUNCTION_CALL": FinishReason.ERROR,
    "UNEXPECTED_TOOL_CALL": FinishReason.ERROR,
    "TOO_MANY_TOOL_CALLS": FinishReason.ERROR,
    "MISSING_THOUGHT_SIGNATURE": FinishReason.ERROR,
    "MALFORMED_RESPONSE": FinishReason.ERROR,
    "NO_IMAGE": FinishReason.ERROR,
}
# Before Gemini 3 grounding is billed for each prompt, since then for each query (Google, 2026).
_PER_QUERY_FROM = 3
_VERSION = re.compile(r"gemini-(\d+)")
_UNSPECIFIED = "FINISH_REASON_UNSPECIFIED"


class GenerateReader(AnswerReader):
    """Terminal: a finishReason for every candidate, then the connection closes.

    A stream is SSE with `alt=sse`; without it, one JSON array whose elements `jsonarray.Splitter`
    gives one by one, each with the punctuation before it: both are events here.
    """

    __slots__ = ("_begun", "_finished", "_has_calls", "_queries", "_raw", "_version")
    family = Family.GEMINI

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._raw: dict[str, Any] = {}
        self._begun: set[int] = set()
        self._finished: set[int] = set()
        self._has_calls = False
        self._queries = 0
        self._version = 0

    @property
    def finish(self) -> FinishReason | None:
        """Why it ended; Gemini says STOP to calls."""
        if self._finish is FinishReason.STOP and self._has_calls:
            return FinishReason.TOOL_CALLS
        return self._finish

    def read_body(self, body: bytes) -> None:
        """Take a whole answer; the array of a stream, too."""
        if not body.lstrip().startswith(b"["):
            super().read_body(body)
            return
        try:
            pieces = orjson.loads(body)
        except orjson.JSONDecodeError:
            pieces = None
        if not dicts(pieces):
            self._fail(body)
            return
        for piece in dicts(pieces):
            self.read_event(orjson.dumps(piece))
        self.end()

    def _data(self, event: bytes) -> bytes:
        return jsonarray.data_of(event)

    def _read(self, document: dict[str, Any], data: bytes) -> Step:
        was_over = self._is_over
        if self._is_error(document):
            return self._fail(data)
        self._take(document)
        return Step.HOLD if was_over or self._is_over else Step.PASS

    def _read_whole(self, document: dict[str, Any]) -> None:
        self._take(document)
        if self._finish is None and self.has_output:
            self._finish = FinishReason.STOP

    def _is_error(self, document: dict[str, Any]) -> bool:
        return bool(document.get("error"))

    def _take(self, document: dict[str, Any]) -> None:
        self._take_usage(document)
        for candidate in dicts(document.get("candidates")):
            self._take_candidate(candidate)
        if mapping(document.get("promptFeedback")).get("blockReason") and self._finish is None:
            self._finish = FinishReason.CONTENT_FILTER
            self._is_over = True

    def _take_usage(self, document: dict[str, Any]) -> None:
        told = document.get("usageMetadata")
        if isinstance(told, dict):
            # The first chunk may tell nothing but the traffic type: numbers replace numbers.
            self._raw = {**self._raw, **told}
            self._usage = None
        version = document.get("modelVersion")
        if not self._version and isinstance(version, str):
            found = _VERSION.match(version)
            self._version = int(found.group(1)) if found else 0

    def _take_candidate(self, candidate: dict[str, Any]) -> None:
        told = candidate.get("index")
        index = told if isinstance(told, int) else 0
        self._begun.add(index)
        for part in dicts(mapping(candidate.get("content")).get("parts")):
            self.has_output = self.has_output or _has_content(part)
            self._has_calls = self._has_calls or "functionCall" in part
        queries = mapping(candidate.get("groundingMetadata")).get("webSearchQueries")
        if isinstance(queries, list) and len(queries) > self._queries:
            self._queries = len(queries)  # may be told again in a later chunk
            self._usage = None
        native = candidate.get("finishReason")
        if not native or native == _UNSPECIFIED:
            return
        self._end_with(native, FINISHES)
        self._finished.add(index)
        self._is_over = len(self._finished) >= self.expectation.choices

    def _has_open_choice(self) -> bool:
        return not self._is_over and not self._begun <= self._finished

    def _count(self) -> Usage | None:
        searches = self._queries
        if self._version < _PER_QUERY_FROM:
            searches = min(searches, 1)
        return usage_of(self._raw, searches=searches, flags=self.flags)

    def _text_of(self, document: Any) -> Iterator[str]:
        for candidate in dicts(mapping(document).get("candidates")):
            for part in dicts(mapping(candidate.get("content")).get("parts")):
                yield from strings(part.get("text"))
                call = mapping(part.get("functionCall"))
                yield from strings(call.get("name"))
                if call.get("args"):
                    yield orjson.dumps(call["args"]).decode()
                yield from strings(mapping(part.get("executableCode")).get("code"))


def _has_content(part: dict[str, Any]) -> bool:
    return any(value for name, value in part.items() if name not in ("thought", "thoughtSignature"))


def usage_of(raw: dict[str, Any], *, searches: int, flags: set[Flag]) -> Usage | None:
    """Turn Gemini's usageMetadata into classes; None when it tells no number of tokens."""
    told = counts.Numbers(raw, flags)
    if told.told("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount") is None:
        return None
    candidates = told.count("candidatesTokenCount")
    out = told.by_modality("candidatesTokensDetails")
    quantities = _input(told, flags) | counts.share(
        candidates,
        {
            UnitClass.AUDIO_OUTPUT: out.get("AUDIO", 0),
            UnitClass.IMAGE_OUTPUT: out.get("IMAGE", 0),
        },
        rest=UnitClass.OUTPUT,
        flags=flags,
    )
    quantities |= {
        # Both stand outside candidates and prompt (180 of 180 recorded totals, 2026).
        UnitClass.REASONING: told.count("thoughtsTokenCount"),
        UnitClass.TOOL_PROMPT: told.count("toolUsePromptTokenCount"),
        UnitClass.WEB_SEARCH: searches,
    }
    tokens = sum(
        n for unit_class, n in quantities.items() if unit_class is not UnitClass.WEB_SEARCH
    )
    if told.told("totalTokenCount") not in (None, tokens):
        flags.add(Flag.TOTAL)
    tier = raw.get("serviceTier") or raw.get("trafficType")
    return counts.usage(quantities, native_tier=tier, raw=raw, flags=flags)


def _input(told: counts.Numbers, flags: set[Flag]) -> counts.Quantities:
    """Tell audio, images and video apart, cached ones from fresh; documents are priced as text."""
    prompt = told.by_modality("promptTokensDetails", "promptTokenDetails")
    cached = told.by_modality("cacheTokensDetails")
    parts = {
        UnitClass.AUDIO_CACHE_READ: cached.get("AUDIO", 0),
        UnitClass.CACHE_READ: max(
            0, told.count("cachedContentTokenCount") - cached.get("AUDIO", 0)
        ),
    }
    for unit_class, modality in _MODALITIES.items():
        parts[unit_class] = max(0, prompt.get(modality, 0) - cached.get(modality, 0))
    return counts.share(told.count("promptTokenCount"), parts, rest=UnitClass.INPUT, flags=flags)


_MODALITIES = {
    UnitClass.AUDIO_INPUT: "AUDIO",
    UnitClass.IMAGE_INPUT: "IMAGE",
    UnitClass.VIDEO_INPUT: "VIDEO",
}


class CountReader(FreeReader):
    """Reads `countTokens`."""

    __slots__ = ()
    family = Family.GEMINI

    def _is_error(self, document: dict[str, Any]) -> bool:
        return "totalTokens" not in document


class EmbedReader(WholeReader):
    """Reads `embedContent` and `batchEmbedContents`; older models tell no usage."""

    __slots__ = ("_raw",)
    family = Family.GEMINI

    def __init__(self, expectation: Expectation) -> None:
        super().__init__(expectation)
        self._raw: dict[str, Any] = {}

    def _read_whole(self, document: dict[str, Any]) -> None:
        super()._read_whole(document)
        self._raw = mapping(document.get("usageMetadata"))

    def _is_error(self, document: dict[str, Any]) -> bool:
        return not {"embedding", "embeddings"} & document.keys()

    def _count(self) -> Usage | None:
        return usage_of(self._raw, searches=0, flags=self.flags)
