"""What of a request a dialect can say: the rest is left out, and named.

The rules are those of the dialects' mapping (requests 1.1 to 1.7): each omission below is a
feature that the dialect has no word for, never one that is merely hard to write.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from tests.conformance.asked import spelling
from tests.conformance.normal import (
    CHAT,
    GEMINI,
    MESSAGES,
    RESPONSES,
    Call,
    Media,
    Opaque,
    Reasoning,
    Request,
    Result,
    Text,
    Thought,
)

OMISSIONS = {
    "history_reasoning": "foreign reasoning of earlier turns is no part of this dialect's history",
    "server_items": "traces of tools that a vendor ran are native only",
    "media": "no part for this kind of media, or not by its address",
    "document_type": "one type for all documents of text",
    "media_in_result": "a tool message holds text only",
    "error_result": "no mark of an error on a result",
    "mid_system": "no instructions amid the turns: a user says them",
    "strict_tools": "no strict mark on tools",
    "allowed_tools": "no choice among several tools",
    "tool_choice": "no choice without tools, or of a tool that a vendor runs",
    "serial_calls": "no switch against parallel calls",
    "json_mode": "no JSON without a schema, or of a root that is no object",
    "format_name": "no name or strict mark of an output format",
    "sampling": "a sampling parameter that does not exist here, or not of this value",
    "n_choices": "one choice only",
    "stop": "no stop sequences",
    "reasoning_words": "reasoning is told in other words: an effort for a budget, or the reverse",
    "reasoning_shown": "no switch for showing the reasoning",
    "searches": "a choice of named functions leaves the search out",
    "modalities": "no answers in this medium",
    "server_tools": "tools that a vendor runs are native only, but for plain web search",
}
SAMPLING = {
    CHAT: {"temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "n"},
    RESPONSES: {"temperature", "top_p"},
    MESSAGES: {"temperature", "top_p", "top_k"},
    GEMINI: {
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "n",
    },
}
MEDIA = {
    CHAT: {"image", "audio", "document"},
    RESPONSES: {"image", "document"},
    MESSAGES: {"image", "document"},
    GEMINI: {"image", "audio", "video", "document"},
}
IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}  # of all but Gemini (1.2)
SEALS = {MESSAGES: "anthropic-claude-v1", RESPONSES: "openai-responses-v1",
         GEMINI: "google-gemini-v1"}  # fmt: skip
# Share of the output limit that an effort means, in percent (dialects, 1.6).
SHARES = {"minimal": 10, "low": 20, "medium": 50, "high": 80, "xhigh": 95}
DEFAULT_MAX_TOKENS = 4096


class Restriction:
    """A request in the words of `dialect`; `omitted` names what it could not take along."""

    def __init__(self, request: Request, dialect: str, vendor: str) -> None:
        self.dialect, self.vendor, self.omitted = dialect, vendor, set[str]()
        self.request = request
        steps: tuple[Callable[[Request], Request], ...] = (
            self._turns, self._tools, self._format, self._sampling, self._reasoning, self._rest,
        )  # fmt: skip
        for step in steps:
            self.request = step(self.request)

    def _without(self, name: str) -> Any:
        assert name in OMISSIONS
        self.omitted.add(name)

    def _turns(self, request: Request) -> Request:
        turns = []
        for turn in request.turns:
            role = turn.role
            if role == "system" and self.dialect in (MESSAGES, GEMINI):
                self._without("mid_system")
                role = "user"
            parts = [kept for part in turn.parts if (kept := self._part(part)) is not None]
            if all(isinstance(part, Thought) for part in parts) and parts:
                self._without("history_reasoning")  # nothing follows it that it led to
            else:
                turns.append((role, parts))
        return dataclasses.replace(request, turns=spelling.turns_of(turns))

    def _part(self, part: Any) -> Any:
        if isinstance(part, Opaque):
            return self._without("server_items")
        if isinstance(part, Thought):
            return part if self._keeps(part.seal) else self._without("history_reasoning")
        if isinstance(part, Media):
            return self._document(part) if self._takes(part) else self._without("media")
        if isinstance(part, Call) and part.seal and not self._keeps(part.seal):
            self._without("history_reasoning")
            return dataclasses.replace(part, seal="")
        return self._result(part) if isinstance(part, Result) else part

    def _document(self, media: Media) -> Media:
        """Anthropic takes text of any kind, and calls it plain."""
        is_text = media.kind == "document" and media.mime.startswith("text/")
        if self.dialect != MESSAGES or not is_text or media.mime == "text/plain":
            return media
        self._without("document_type")
        return dataclasses.replace(media, mime="text/plain")

    def _keeps(self, seal: str) -> bool:
        """Chat alone has a field for every vendor's seal."""
        return bool(seal) and self.dialect == CHAT and self.vendor in SEALS

    def _takes(self, media: Media) -> bool:
        if media.kind not in MEDIA[self.dialect]:
            return False
        if media.kind == "image" and media.mime and self.dialect != GEMINI:
            return media.mime in IMAGES
        if self.dialect == CHAT and media.kind != "image":
            return not media.url
        return True

    def _result(self, result: Result) -> Result:
        parts = []
        for part in result.parts:
            if isinstance(part, Text) or (isinstance(part, Media) and self._fits(part)):
                parts.append(part)
            else:
                self._without("server_items" if isinstance(part, Opaque) else "media_in_result")
        is_error = result.is_error and self.dialect in (MESSAGES, GEMINI)
        if is_error != result.is_error:
            self._without("error_result")
        return dataclasses.replace(result, parts=tuple(parts), is_error=is_error)

    def _fits(self, media: Media) -> bool:
        if self.dialect == GEMINI and media.url:
            return False
        return self.dialect != CHAT and self._takes(media)

    def _tools(self, request: Request) -> Request:
        tools, choice, parallel = request.tools, request.choice, request.is_parallel
        if self.dialect == GEMINI and any(tool.strict is not None for tool in tools):
            self._without("strict_tools")
            tools = tuple(dataclasses.replace(tool, strict=None) for tool in tools)
        known = {tool.name for tool in tools}
        is_odd = choice is not None and choice.mode not in ("auto", "none", "any")
        if choice and (not tools or is_odd or not set(choice.names) <= known):
            self._without("tool_choice")
            choice = None
        is_subset = choice is not None and (len(choice.names) > 1 or
                                            (choice.names and choice.mode == "auto"))  # fmt: skip
        can_choose = self.dialect in (CHAT, RESPONSES) or (
            self.dialect == GEMINI and choice is not None and choice.mode == "any"
        )
        if choice and is_subset and not can_choose:
            self._without("allowed_tools")
            choice = dataclasses.replace(choice, names=())
        searches = request.searches
        if searches and choice and choice.names and self.dialect != GEMINI:
            self._without("searches")
            searches = False
        if parallel is False and (self.dialect == GEMINI or not tools):
            self._without("serial_calls")
            parallel = None
        if request.server_tools:
            self._without("server_tools")
        return dataclasses.replace(request, tools=tools, choice=choice, is_parallel=parallel,
                                   searches=searches, server_tools=())  # fmt: skip

    def _format(self, request: Request) -> Request:
        told = request.format
        if told is None:
            return request
        root = (told.schema or {}).get("type")
        if self.dialect == MESSAGES and root != "object":
            return dataclasses.replace(request, format=self._without("json_mode"))
        if self.dialect in (MESSAGES, GEMINI) and (told.name or told.strict is not None):
            self._without("format_name")
            told = dataclasses.replace(told, name="", strict=None)
        return dataclasses.replace(request, format=told)

    def _sampling(self, request: Request) -> Request:
        kept = {k: v for k, v in request.sampling.items() if k in SAMPLING[self.dialect]}
        if self.dialect == MESSAGES and kept.get("temperature", 0) > 1:
            del kept["temperature"]
        for name in set(request.sampling) - set(kept):
            self._without("n_choices" if name == "n" else "sampling")
        stop = request.stop
        if stop and self.dialect == RESPONSES:
            self._without("stop")
            stop = ()
        max_tokens = request.max_tokens
        if max_tokens is None and self.dialect == MESSAGES:
            max_tokens = DEFAULT_MAX_TOKENS
        return dataclasses.replace(request, sampling=kept, stop=stop, max_tokens=max_tokens)

    def _reasoning(self, request: Request) -> Request:
        told = request.reasoning
        if told is None:
            return request
        if told.budget is not None and self.dialect in (CHAT, RESPONSES):
            self._without("reasoning_words")
            limit = request.max_tokens or told.budget * 2
            reached = [e for e, share in SHARES.items() if share * limit <= 100 * told.budget]
            told = Reasoning(effort=(reached or ["minimal"])[-1], is_shown=told.is_shown)
        if told.is_shown is not None and self.dialect == CHAT:
            self._without("reasoning_shown")
            told = dataclasses.replace(told, is_shown=None)
        if told == Reasoning() and self.dialect != MESSAGES:
            self._without("reasoning_words")
            return dataclasses.replace(request, reasoning=None)
        return dataclasses.replace(request, reasoning=told)

    def _rest(self, request: Request) -> Request:
        able = {CHAT: {"audio"}, GEMINI: {"audio", "image"}}.get(self.dialect, set())
        kept = tuple(m for m in request.modalities if m in able)
        if kept != request.modalities:
            self._without("modalities")
        return dataclasses.replace(request, modalities=kept)


def seals(vendor: str, protocol: str) -> str:
    """Return the format of a vendor's seals, by the words of `reasoning_details`."""
    return "xai-responses-v1" if vendor == "xai" else SEALS.get(protocol, "")


def lacks(request: Request, protocol: str) -> bool:
    """Tell whether a request holds a medium that a vendor's dialect has no part for."""
    return any(isinstance(p, Media) and p.kind not in MEDIA[protocol] for p in request.parts())


def restrict(request: Request, dialect: str, *, vendor: str) -> tuple[Request, set[str]]:
    """Return what `dialect` can say of a request recorded at a vendor's dialect, and omissions."""
    found = Restriction(request, dialect, vendor)
    return found.request, found.omitted
