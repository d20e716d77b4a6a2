"""Compare what was received with what was recorded; differences are told, exceptions named."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from tests.conformance import folding, rules
from tests.conformance.normal import (
    CHAT,
    GEMINI,
    MESSAGES,
    RESPONSES,
    Answer,
    Call,
    Candidate,
    Choice,
    Citation,
    Media,
    Request,
    Result,
    Text,
    Thought,
    Turn,
)

SENTINEL = ("skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I")
# Exceptions that the gateway must name in X-Dropped-Parameters, in the client's own words.
DROPS = {
    "thinking_off": {
        CHAT: "reasoning",
        RESPONSES: "reasoning",
        MESSAGES: "thinking",
        GEMINI: "generationConfig.thinkingConfig",
    }
}
MIMES = {"audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav"}  # one medium, two names
MEDIA_OUT = {CHAT: {"image", "audio"}, GEMINI: {"image", "audio"}, RESPONSES: {"image"},
             MESSAGES: set()}  # fmt: skip


@dataclasses.dataclass(kw_only=True)
class Verdict:
    """What was compared, what differed, and which exceptions were made."""

    ran: set[str] = dataclasses.field(default_factory=set)
    failures: list[str] = dataclasses.field(default_factory=list)
    excused: set[str] = dataclasses.field(default_factory=set)

    def same(self, aspect: str, got: Any, wanted: Any) -> bool:
        self.ran.add(aspect)
        if got == wanted:
            return True
        self.failures.append(f"{aspect}: wanted {wanted!r:.300}, got {got!r:.300}")
        return False

    def alike(self, aspect: str, got: Any, wanted: Any) -> bool:
        """Compare what need not be there; that nothing is there proves no feature."""
        is_same = self.same(aspect, got, wanted)
        if not wanted:
            self.ran.discard(aspect)
        return is_same

    def excuse(self, rule: str) -> None:
        assert rule in rules.RULES, rule
        self.excused.add(rule)


def squash(text: str) -> str:
    """Return the text without white space: joins may add some, nothing else."""
    return "".join(text.split())


def answers(
    verdict: Verdict, *, got: Answer, told: Answer, dialect: str, vendor: str, protocol: str
) -> None:
    """Compare an answer in `dialect` with the one recorded in the vendor's `protocol`."""
    if not verdict.same("choices", len(got.candidates), len(told.candidates)):
        return
    for ours, theirs in zip(got.candidates, told.candidates, strict=True):
        _candidate(verdict, ours, theirs, dialect, is_native=dialect == protocol)
    _usage(verdict, got, told, dialect=dialect, vendor=vendor, protocol=protocol)


def _candidate(
    verdict: Verdict, got: Candidate, told: Candidate, dialect: str, *, is_native: bool
) -> None:
    verdict.same("text", got.text, told.text)
    verdict.same("refusal", squash(got.refusal), squash(told.refusal))
    verdict.same("calls", _calls(got), _calls(told))
    verdict.same("finish", got.finish, folding.finish(told, dialect))
    verdict.same("reasoning", squash(got.reasoning), squash(told.reasoning))
    if told.seals:
        verdict.same("seals", _carried(got.seals, told.seals), [])
    if dialect == MESSAGES and told.citations and not is_native:
        verdict.excuse("citations_to_messages")
        verdict.same("citations_dropped", got.citations, ())
    elif told.citations or got.citations:
        _citations(verdict, got, told)
    if told.media and not {m.kind for m in told.media} <= MEDIA_OUT[dialect]:
        verdict.excuse("media_out")
    elif told.media or got.media:
        verdict.same("media", _data(got.media), _data(told.media))
    if told.logprobs and dialect == MESSAGES:
        verdict.excuse("logprobs")
    elif told.logprobs:
        verdict.same("logprobs", got.logprobs, told.logprobs)


def _calls(candidate: Candidate) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in candidate.calls]


def _data(media: tuple[Media, ...]) -> list[tuple[str, str]]:
    return [(m.kind, m.data) for m in media]


def _carried(got: tuple[str, ...], told: tuple[str, ...]) -> list[str]:
    """Return the seals that are neither there as they were nor in an envelope of ours."""
    wrapped = [seal for seal in got if "br1." in seal or seal.startswith("YnIxL")]
    missing = [seal for seal in told if seal not in got]
    return [seal[:40] for seal in missing] if len(wrapped) < min(1, len(missing)) else []


def _citations(verdict: Verdict, got: Candidate, told: Candidate) -> None:
    verdict.same("citations", _addresses(got), _addresses(told))
    spans = [c for c in told.citations if c.span]
    if len(spans) < len(told.citations):
        verdict.excuse("citations_without_span")
    urls = {citation.url for citation in spans}
    found = [citation for citation in got.citations if citation.url in urls]
    verdict.same("citations", _spans(found), _spans(spans))


def _addresses(candidate: Candidate) -> set[str]:
    return {citation.url for citation in candidate.citations}


def _spans(found: list[Citation]) -> set[tuple[str, str]]:
    return {(citation.url, squash(citation.span or "")) for citation in found}


def _usage(
    verdict: Verdict, got: Answer, told: Answer, *, dialect: str, vendor: str, protocol: str
) -> None:
    recorded = folding.classes(vendor, protocol, told.usage)
    if not recorded:
        verdict.excuse("usage_estimated")
        return
    wanted = folding.folded(recorded, dialect)
    speaker = vendor if dialect == protocol else "generic"
    found = folding.folded(folding.classes(speaker, dialect, got.usage), dialect)
    if dialect == MESSAGES and "reasoning" in wanted and "reasoning" not in found:
        verdict.excuse("usage_reasoning")
        wanted["output"] = wanted.get("output", 0) + wanted.pop("reasoning")
    verdict.same("usage", found, wanted)


def canonical(request: Request) -> Request:
    """Return the request with the default spelled one way: auto, parallel, no name."""
    choice, told = request.choice, request.format
    if choice is not None and choice.mode == "auto" and not choice.names:
        choice = None
    if told is not None and told.name == "response":
        told = dataclasses.replace(told, name="")
    if told is not None and told.strict is False:
        told = dataclasses.replace(told, strict=None)
    return dataclasses.replace(
        request,
        choice=choice,
        format=told,
        is_parallel=False if request.is_parallel is False else None,
        tools=tuple(
            dataclasses.replace(tool, strict=tool.strict or None) for tool in request.tools
        ),
    )


def requests(
    verdict: Verdict, *, got: Request, wanted: Request, dialect: str, protocol: str
) -> None:
    """Compare the request that reached a vendor with what the client meant to ask."""
    got, wanted = _plain(got, dialect, protocol), _plain(wanted, dialect, protocol)
    if protocol == CHAT and dialect != CHAT:
        wanted = _with_media_after_results(verdict, wanted)
    verdict.same("asked.stream", got.is_stream, wanted.is_stream)
    got = _system(verdict, got, wanted)
    _turns(verdict, got, wanted, protocol)
    _tools(verdict, got, wanted, protocol)
    verdict.same("asked.parallel", got.is_parallel, wanted.is_parallel)
    verdict.alike("asked.format", got.format, wanted.format)
    verdict.alike("asked.stop", got.stop, wanted.stop)
    verdict.alike("asked.searches", got.searches, wanted.searches)
    verdict.alike("asked.modalities", got.modalities, wanted.modalities)
    verdict.same("asked.server_tools", got.server_tools, ())
    _thinking(verdict, got, wanted, protocol)


def _system(verdict: Verdict, got: Request, wanted: Request) -> Request:
    """Compare instructions; return the request without those that a user had to say."""
    told = squash("".join(wanted.system))
    first = got.turns[0].parts if got.turns else ()
    said = first[: len(wanted.system)]
    if told and not got.system and [getattr(p, "text", "") for p in said] == [*wanted.system]:
        verdict.excuse("system_as_user")
        turn = dataclasses.replace(got.turns[0], parts=first[len(said) :])
        got = dataclasses.replace(got, system=wanted.system, turns=(turn, *got.turns[1:]))
    elif wanted.system != got.system and squash("".join(got.system)) == told:
        verdict.excuse("system_joined")
        got = dataclasses.replace(got, system=wanted.system)
    verdict.alike("asked.system", got.system, wanted.system)
    return got


def _tools(verdict: Verdict, got: Request, wanted: Request, protocol: str) -> None:
    """Compare tools and choice; Anthropic wants tools wherever the history has calls."""
    called = {part.name for part in wanted.parts() if isinstance(part, Call)}
    if protocol == MESSAGES and not wanted.tools and {t.name for t in got.tools} == called != set():
        verdict.excuse("tools_of_history")
        verdict.alike("asked.choice", got.choice, Choice(mode="none"))
        return
    verdict.alike("asked.tools", got.tools, wanted.tools)
    verdict.alike("asked.choice", got.choice, wanted.choice)


def _with_media_after_results(verdict: Verdict, request: Request) -> Request:
    """Return the request with media of results told behind them, as Chat's tool messages need."""
    turns = []
    for turn in request.turns:
        results, said, moved = [], [], []
        for part in turn.parts:
            if not isinstance(part, Result):
                said.append(part)
                continue
            media = [inner for inner in part.parts if isinstance(inner, Media)]
            if media:
                verdict.excuse("media_after_result")
                moved += [Text(text=f"Output of {part.name}:"), *media]
            kept = tuple(inner for inner in part.parts if not isinstance(inner, Media))
            results.append(dataclasses.replace(part, parts=kept))
        turns.append(dataclasses.replace(turn, parts=(*results, *moved, *said)))
    return dataclasses.replace(request, turns=tuple(turns))


def _plain(request: Request, dialect: str, protocol: str) -> Request:
    """Return the request without marks that this pair of dialects does not carry."""
    request = canonical(request)
    if {dialect, protocol} == {CHAT, RESPONSES}:
        return request
    told = request.format
    if told is not None:
        told = dataclasses.replace(told, name="", strict=None)
    tools = request.tools
    if GEMINI in (dialect, protocol) or RESPONSES in (dialect, protocol):
        tools = tuple(dataclasses.replace(tool, strict=None) for tool in tools)
    return dataclasses.replace(request, format=told, tools=tools)


def _thinking(verdict: Verdict, got: Request, wanted: Request, protocol: str) -> None:
    """Compare the wish for reasoning and what hangs on it: choice, sampling, limit."""
    wished, found = wanted.reasoning, got.reasoning
    is_on = found is not None and not found.is_off
    if protocol == MESSAGES and wished and not wished.is_off and not is_on and _has_calls(wanted):
        verdict.excuse("thinking_off")
    elif wished is not None:
        verdict.same("asked.reasoning", _is_on(found), _is_on(wished))
        same = found and (found.effort, found.budget) == (wished.effort, wished.budget)
        if not same:
            verdict.excuse("reasoning_share")
    else:
        verdict.same("no_asked.reasoning", found is not None and is_on, False)
    sampling, limit = dict(wanted.sampling), wanted.max_tokens
    if protocol == MESSAGES and is_on:
        if sampling.get("temperature") == 1 and "temperature" not in got.sampling:
            verdict.excuse("thinking_sampling")
            del sampling["temperature"]
        if got.max_tokens and limit and got.max_tokens > limit:
            verdict.excuse("max_tokens_raised")
            limit = got.max_tokens
    verdict.alike("asked.sampling", got.sampling, sampling)
    verdict.alike("asked.max_tokens", got.max_tokens, limit)


def _is_on(told: Any) -> bool | None:
    return None if told is None else not told.is_off


def _has_calls(request: Request) -> bool:
    return any(isinstance(part, Call) for part in request.parts())


def _turns(verdict: Verdict, got: Request, wanted: Request, protocol: str) -> None:
    verdict.same("asked.roles", [t.role for t in got.turns], [t.role for t in wanted.turns])
    if verdict.failures and verdict.failures[-1].startswith("asked.roles"):
        return
    for ours, theirs in zip(got.turns, wanted.turns, strict=True):
        _turn(verdict, ours, theirs, protocol)
    for kind, aspect in KINDS.items():
        if any(isinstance(part, kind) for part in wanted.parts()):
            verdict.ran.add(aspect)
    verdict.ran |= {f"asked.{p.kind}" for p in wanted.parts() if isinstance(p, Media)}


KINDS = {Call: "asked.calls", Result: "asked.results"}


def same_seals(
    verdict: Verdict, aspect: str, got: list[str], wanted: list[str], *, protocol: str
) -> None:
    """Compare seals in order; of several in a row Responses takes the last, which is followed."""
    strange = [seal for seal in got if seal not in wanted]
    if strange and all(seal.rstrip("=") in SENTINEL for seal in strange):
        verdict.excuse("sentinel")
        got = [seal for seal in got if seal in wanted]
    if protocol == RESPONSES and 0 < len(got) < len(wanted) and got == wanted[-len(got) :]:
        verdict.excuse("reasoning_unfollowed")
        verdict.ran.add(aspect)
        return
    verdict.same(aspect, got, wanted)


def _turn(verdict: Verdict, got: Turn, wanted: Turn, protocol: str) -> None:
    seals = [part.seal for part in wanted.parts if isinstance(part, Thought | Call) and part.seal]
    found = [part.seal for part in got.parts if isinstance(part, Thought | Call) and part.seal]
    if seals or found:
        same_seals(verdict, "asked.seals", found, seals, protocol=protocol)
    ours, theirs = _said(got.parts), _said(wanted.parts)
    if ours != theirs and _joined(ours) == _joined(theirs):
        verdict.excuse("texts_joined")
        verdict.ran.add("asked.turns")
        return
    verdict.same("asked.turns", ours, theirs)


def _said(parts: tuple[Any, ...]) -> list[Any]:
    """Return what the parts say, seals left out, in a form that compares."""
    readers: dict[type, Callable[[Any], Any]] = {
        Text: lambda part: part.text,
        Call: lambda part: (part.id, part.name, part.arguments),
        Media: lambda part: (part.kind, part.url or (MIMES.get(part.mime, part.mime), part.data)),
        Result: lambda part: (part.id, part.is_error, _outcome(part)),
    }
    return [readers[type(part)](part) for part in parts if type(part) in readers]


def _outcome(result: Result) -> list[Any]:
    """Return a result's text by value, if it is JSON, and its media."""
    value = _parsed("".join(part.text for part in result.parts if isinstance(part, Text)))
    while isinstance(value, dict) and len(value) == 1 and set(value) <= {"output", "result"}:
        value = _parsed(*value.values())
    media = [part for part in result.parts if isinstance(part, Media)]
    return [value, *_said(tuple(media))]


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value.strip() if isinstance(value, str) else value


def _joined(said: list[Any]) -> list[Any]:
    """Return the list with neighboring texts as one, without white space."""
    found: list[Any] = []
    for part in said:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += squash(part)
        else:
            found.append(squash(part) if isinstance(part, str) else part)
    return found
