"""The comparison finds what differs: without this, a suite that passes proves nothing."""

import dataclasses
import json

import pytest

from tests.conformance import compare, errors, grammar, strict
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
    Request,
    Result,
    Text,
    Tool,
    Turn,
)

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
CANDIDATE = Candidate(
    text="It is 42.",
    calls=(Call(name="f", arguments={"x": 1}),),
    finish="tool_calls",
    reasoning="Six times seven",
    seals=("c2VhbA==",),
    citations=(Citation(url="https://example.com/", span="42"),),
)
ANSWER = Answer(candidates=(CANDIDATE,), usage=USAGE)
REQUEST = Request(
    system=("Be brief.",),
    turns=(
        Turn(role="user", parts=(Text(text="6 x 7?"),)),
        Turn(role="assistant", parts=(Call(id="call0", name="f", arguments={"x": 6}),)),
        Turn(role="user", parts=(Result(id="call0", name="f", parts=(Text(text="42"),)),)),
    ),
    tools=(Tool(name="f", schema={"type": "object"}),),
    choice=Choice(mode="any", names=("f",)),
    max_tokens=64,
    sampling={"temperature": 0.5},
    stop=("END",),
)


def judged(got, told=ANSWER):
    verdict = compare.Verdict()
    compare.answers(verdict, got=got, told=told, dialect=CHAT, vendor="generic", protocol=CHAT)
    return [failure.partition(":")[0] for failure in verdict.failures]


def asked(got):
    verdict = compare.Verdict()
    compare.requests(verdict, got=got, wanted=REQUEST, dialect=CHAT, protocol=RESPONSES)
    return [failure.partition(":")[0] for failure in verdict.failures]


def test_the_same_passes():
    assert judged(ANSWER) == []
    assert asked(REQUEST) == []


@pytest.mark.parametrize(
    ("aspect", "change"),
    [
        ("text", {"text": "It is 43."}),
        ("calls", {"calls": (Call(name="g", arguments={"x": 1}),)}),
        ("calls", {"calls": (Call(name="f", arguments={"x": 2}),)}),
        ("calls", {"calls": CANDIDATE.calls * 2}),
        ("finish", {"finish": "stop"}),
        ("refusal", {"refusal": "No."}),
        ("reasoning", {"reasoning": ""}),
        ("seals", {"seals": ()}),
        ("citations", {"citations": ()}),
        ("citations", {"citations": (Citation(url="https://example.com/", span="It"),)}),
    ],
)
def test_a_changed_answer_fails(aspect, change):
    candidate = dataclasses.replace(CANDIDATE, **change)
    assert aspect in judged(dataclasses.replace(ANSWER, candidates=(candidate,)))


def test_other_usage_fails():
    told = {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}}
    assert judged(dataclasses.replace(ANSWER, usage=told)) == ["usage"]


def test_another_number_of_choices_fails():
    assert judged(dataclasses.replace(ANSWER, candidates=(CANDIDATE, CANDIDATE))) == ["choices"]


@pytest.mark.parametrize(
    ("aspect", "change"),
    [
        ("asked.system", {"system": ()}),
        ("asked.roles", {"turns": REQUEST.turns[:2]}),
        ("asked.turns", {"turns": (REQUEST.turns[0], REQUEST.turns[1], REQUEST.turns[0])}),
        ("asked.tools", {"tools": ()}),
        ("asked.choice", {"choice": Choice(mode="any")}),
        ("asked.max_tokens", {"max_tokens": 65}),
        ("asked.sampling", {"sampling": {}}),
        ("asked.stop", {"stop": ()}),
        ("asked.stream", {"is_stream": True}),
        ("asked.searches", {"searches": True}),
        ("asked.server_tools", {"server_tools": ("mcp",)}),
    ],
)
def test_a_changed_request_fails(aspect, change):
    assert aspect in asked(dataclasses.replace(REQUEST, **change))


def test_types_refuse_what_the_sdk_does_not_know():
    whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
    assert strict.answer(CHAT, json.dumps(whole).encode(), is_stream=False) == []
    del whole["model"]
    assert strict.answer(CHAT, json.dumps(whole).encode(), is_stream=False) == [
        "model: Field required"
    ]


def stream(*documents):
    return "".join(
        f"event: {document['type']}\ndata: {json.dumps(document)}\n\n" for document in documents
    ).encode()


START = {"type": "message_start", "message": {"content": []}}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
STOP = {"type": "content_block_stop", "index": 0}
END = ({"type": "message_delta", "delta": {}}, {"type": "message_stop"})


@pytest.mark.parametrize(
    ("documents", "fault"),
    [
        ((START, BLOCK, DELTA, STOP, *END), None),
        ((START, BLOCK, DELTA, *END), "a block stays open, or not one message_delta"),
        ((START, BLOCK, STOP, *END), "an empty text block"),
        ((START, BLOCK, DELTA, {**BLOCK, "index": 1}, STOP, *END), "block 1 starts"),
        ((BLOCK, DELTA, STOP, *END), "from content_block_start"),
    ],
)
def test_grammar_of_messages(documents, fault):
    found = grammar.faults(MESSAGES, stream(*documents))
    assert found == [] if fault is None else any(one.startswith(fault) for one in found)


def test_errors_must_be_in_the_callers_envelope():
    google = {"error": {"code": 503, "message": "later", "status": "UNAVAILABLE", "details": []}}
    body = json.dumps(google).encode()
    assert errors.faults(GEMINI, status=503, body=body, vendor_body="") == []
    assert errors.faults(MESSAGES, status=503, body=body, vendor_body="") != []
    assert errors.faults(GEMINI, status=429, body=body, vendor_body="") != []


def test_errors_must_not_tell_of_our_account():
    told = "Incorrect API key provided: sk-ab*****2345 (org-abcdef123)"
    body = json.dumps(
        {"error": {"message": told, "type": "server_error", "param": None, "code": None}}
    ).encode()
    found = errors.faults(CHAT, status=502, body=body, vendor_body=told)
    assert [fault.partition(":")[0] for fault in found] == ["tells of our account"] * 2
