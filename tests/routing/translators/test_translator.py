"""One translated answer, of any wire format for any client: what no single format can promise."""

import json

import pytest

from routing.surfaces import Surface
from tests.routing.translators import passage, seeds
from tests.routing.translators.grammar_responses import responses
from tests.routing.translators.grammars import CHECKS
from tests.routing.translators.passage import CLIENTS, Passage

CALLING = [client for client in CLIENTS if client is not Surface.COMPLETIONS]
PIECES = [
    {"candidates": [{"content": {"parts": [{"text": "one "}], "role": "model"}, "index": 0}]},
    {"candidates": [{"content": {"parts": [{"text": "two"}]}, "finishReason": "STOP"}],
     "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}},
]  # fmt: skip


def played(wire, client, body, **options):
    return Passage(wire, passage.answering(client, is_stream=True), **options).stream([body])


def texts(data, client):
    check = responses if client is Surface.RESPONSES else CHECKS[client]
    return check(data, is_finished=True).texts[0]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_geminis_array_is_read_as_a_stream(client, indent):
    body = json.dumps(PIECES, indent=indent).encode()
    found = played(Surface.GENERATE, client, body, is_array=True)
    assert found.is_finished
    assert texts(found.data, client) == "one two"


@pytest.mark.parametrize("client", CLIENTS)
def test_geminis_array_is_read_as_a_whole_answer(client):
    made = Passage(Surface.GENERATE, passage.answering(client))
    assert made.whole(json.dumps(PIECES).encode())
    assert b"one two" in made.data


TWICE = [
    {"type": "function", "id": "same", "function": {"name": name, "arguments": "{}"}}
    for name in ("f", "g", "h")
]


def ids_of(data, client):
    """The ids of the calls in a whole answer."""
    told = json.loads(data)
    if client is Surface.CHAT:
        return [call["id"] for call in told["choices"][0]["message"]["tool_calls"]]
    if client is Surface.RESPONSES:
        return [item["call_id"] for item in told["output"]]
    if client is Surface.MESSAGES:
        return [block["id"] for block in told["content"]]
    return [part["functionCall"]["id"] for part in told["candidates"][0]["content"]["parts"]]


@pytest.mark.parametrize("client", CALLING)
def test_calls_that_a_vendor_names_alike_get_ids_of_their_own(client):
    message = {"role": "assistant", "content": None, "tool_calls": TWICE}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    made = Passage(Surface.CHAT, passage.answering(client))
    assert made.whole(json.dumps(body).encode())
    found = ids_of(made.data, client)
    assert len(set(found)) == 3
    assert found[0] == "same"
    again = Passage(Surface.CHAT, passage.answering(client))
    again.whole(json.dumps(body).encode())
    assert ids_of(again.data, client) == found


def test_calls_that_a_stream_names_alike_get_ids_of_their_own():
    pieces = [{"tool_calls": [{"index": n, **call}]} for n, call in enumerate(TWICE)]
    chunks = [{"choices": [{"index": 0, "delta": one, "finish_reason": None}]} for one in pieces]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    found = played(Surface.CHAT, Surface.MESSAGES, body)
    blocks = [
        told["content_block"]["id"]
        for told in seeds.documents(found.data, Surface.MESSAGES)
        if told["type"] == "content_block_start"
    ]
    assert len(set(blocks)) == 3
    assert blocks[0] == "same"
