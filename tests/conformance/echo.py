"""A tool loop's second request: the client sends back what it got, seals where it found them."""

import asyncio
from typing import Any

import aiohttp

from tests.conformance import asked, clients, compare, frames, replay, scope
from tests.conformance.answers import messages
from tests.conformance.normal import (
    CHAT,
    DIALECTS,
    GEMINI,
    MESSAGES,
    RESPONSES,
    Call,
    Request,
    Thought,
)
from tests.e2e import test_wire

SAID = "Go on."
RESULT = "42"


def cases() -> list[scope.Case]:
    """Return answers that hold a seal."""
    return [
        case
        for case in scope.cases()
        if case.status == 200 and not case.answer.error and case.answer.candidates[0].seals
    ]


def whole(dialect: str, body: bytes) -> dict[str, Any]:
    """Return an answer as the dialect's SDK holds it at the end of a stream."""
    documents = frames.documents(body)
    if dialect == MESSAGES:
        return messages.fold(documents)
    if len(documents) == 1:
        return dict(documents[0])
    if dialect == RESPONSES:
        done = [d for d in documents if d["type"] == "response.output_item.done"]
        return {"output": [document["item"] for document in done]}
    if dialect == GEMINI:
        parts = [
            part
            for document in documents
            for candidate in document.get("candidates") or []
            for part in (candidate.get("content") or {}).get("parts") or []
        ]
        return {"candidates": [{"content": {"role": "model", "parts": parts}}]}
    deltas = [choice["delta"] for document in documents for choice in document["choices"]]
    return {"choices": [{"message": _message(deltas)}]}


def _message(deltas: list[dict[str, Any]]) -> dict[str, Any]:
    """Join a chat's deltas: text by text, calls by index, reasoning details by index and type."""
    calls: dict[int, dict[str, Any]] = {}
    details: dict[Any, dict[str, Any]] = {}
    for delta in deltas:
        for piece in delta.get("tool_calls") or []:
            call = calls.setdefault(piece["index"], {**piece, "function": {}})
            for name, text in piece["function"].items():
                call["function"][name] = call["function"].get(name, "") + text
        for piece in delta.get("reasoning_details") or []:
            known = details.setdefault((piece["index"], piece["type"]), {})
            for name in ("text", "summary", "data", "signature"):
                if piece.get(name):
                    known[name] = known.get(name, "") + piece[name]
            known |= {k: v for k, v in piece.items() if k not in known}
    said = "".join(delta.get("content") or "" for delta in deltas)
    message: dict[str, Any] = {"role": "assistant", "content": said or None}
    if calls:
        message["tool_calls"] = [
            {name: value for name, value in call.items() if name != "index"}
            for call in calls.values()
        ]
    return {**message, "reasoning_details": list(details.values())} if details else message


def follow_up(dialect: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return the next request of a client that echoes an answer as it came."""
    makers = {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages, GEMINI: _gemini}
    return {**body, **makers[dialect](body, answer)}


def _chat(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    message = answer["choices"][0]["message"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": RESULT}
        for call in message.get("tool_calls") or []
    ]
    said = results or [{"role": "user", "content": SAID}]
    return {"messages": [*body["messages"], message, *said]}


def _responses(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    items = answer["output"]
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": RESULT}
        for item in items
        if item["type"] == "function_call"
    ]
    return {"input": [*body["input"], *items, *(results or [{"role": "user", "content": SAID}])]}


def _messages(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    blocks = answer["content"]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": RESULT}
        for block in blocks
        if block["type"] == "tool_use"
    ]
    said = results or [{"type": "text", "text": SAID}]
    turns = [{"role": "assistant", "content": blocks}, {"role": "user", "content": said}]
    return {"messages": [*body["messages"], *turns]}


def _gemini(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    content = answer["candidates"][0]["content"]
    results = []
    for part in content["parts"]:
        if call := part.get("functionCall"):
            named = {key: call[key] for key in ("id", "name") if key in call}
            results.append({"functionResponse": {**named, "response": {"output": RESULT}}})
    said = results or [{"text": SAID}]
    return {"contents": [*body["contents"], content, {"role": "user", "parts": said}]}


def judge(verdict: compare.Verdict, case: scope.Case, request: Request) -> None:
    """The vendor's seals must be in the turn that it made, unaltered and in their order."""
    turns = [turn for turn in request.turns if turn.role == "assistant"]
    parts = turns[-1].parts if turns else ()
    found = [part.seal for part in parts if isinstance(part, Thought | Call) and part.seal]
    told = case.answer.candidates[0]
    if case.protocol == RESPONSES and not (told.text or told.calls or found):
        verdict.excuse("reasoning_unfollowed")
        return
    compare.same_seals(verdict, "echo.seals", found, list(told.seals), protocol=case.protocol)
    if case.protocol in (MESSAGES, RESPONSES):
        kinds = [isinstance(p, Thought) for p in parts if isinstance(p, Thought | Call)]
        verdict.same("echo.order", kinds[:1] == [True] or not kinds, True)


class Echo:
    """One dialect: ask, echo the answer, look at what the vendor got."""

    def __init__(self, site: replay.Site, dialect: str) -> None:
        self.site, self.dialect = site, dialect

    def run(self, *, native: bool) -> list[replay.Outcome]:
        self.site.vendor.forget()
        mine = [case for case in cases() if (case.protocol == self.dialect) == native]
        for case in mine:
            self.site.vendor.scripts[case.name] = test_wire.script(case.raw, "event")
        return asyncio.run(self._all(mine))

    async def _all(self, mine: list[scope.Case]) -> list[replay.Outcome]:
        async with aiohttp.ClientSession(self.site.gateway.url) as session:
            return [await self._one(session, case) for case in mine]

    async def _one(self, session: aiohttp.ClientSession, case: scope.Case) -> replay.Outcome:
        ask = clients.ask(case, self.dialect, key=self.site.key)
        verdict = compare.Verdict()
        body = ask.body
        for _ in range(2):
            async with session.post(ask.path, json=body, headers=ask.headers) as answer:
                told = await answer.read()
            if answer.status != 200:
                verdict.failures.append(f"echo: {answer.status} {told[:300]!r}")
                break
            body = follow_up(self.dialect, body, whole(self.dialect, told))
        else:
            seen = self.site.vendor.of(case.name)[-1]
            judge(verdict, case, asked.read(case.protocol, seen.json))
        return replay.Outcome(case=case, dialect=self.dialect, cut="echo", verdict=verdict,
                              omitted=ask.omitted)  # fmt: skip


def run(site: replay.Site, *, native: bool = False) -> list[replay.Outcome]:
    """Replay the second request of every case with seals, in every foreign dialect."""
    return [outcome for dialect in DIALECTS for outcome in Echo(site, dialect).run(native=native)]
