"""Clients of one protocol at vendors of another, through a real gateway: what the wire promises."""

import itertools
import json
from decimal import Decimal

import pytest

from tests import scripts
from tests.e2e import serving
from tests.e2e.serving import CHAT, GENERATE, MESSAGES, RESPONSES, Serving
from tests.emulator import Script
from tests.servers import wait_until

pytestmark = pytest.mark.process

CLIENTS = (CHAT, RESPONSES, MESSAGES, GENERATE)
VENDORS = {"openai-chat": "c-main", "anthropic-messages": "a-main", "gemini": "g-main"}
PAIRS = [(client, wire) for client, wire in itertools.product(CLIENTS, VENDORS)
         if client.family != wire]  # fmt: skip
NAMES = [f"{client.name} to {wire}" for client, wire in PAIRS]
END = {"chat": b"[DONE]", "responses": b"response.completed", "messages": b"message_stop",
       "generate": b'"finishReason"'}  # fmt: skip
EVENTS = {
    "openai-chat": scripts.chat_events,
    "anthropic-messages": scripts.message_events,
    "gemini": scripts.gemini_events,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(tmp_path_factory.mktemp("translation")).start()
    yield place
    wait_until(lambda: not place.rows("SELECT 1 FROM billing_charge WHERE state = 'open'"),
               what="the end of all charges")  # fmt: skip
    place.gateway.manage("audit_ledger")
    assert "API view failed" not in place.gateway.log_text()
    assert "Traceback" not in place.gateway.log_text()
    place.stop()


@pytest.fixture(autouse=True)
def _forgotten(place):
    place.vendor.forget()
    place.vendor.scripts.clear()


def call(place, client, model, *, is_stream=False, headers=None, key=None, **extra):
    path, body = client.request(model, is_stream=is_stream, **extra)
    return place.send(client, path, json.dumps(body).encode(), headers=headers, key=key)


def tap(place, client, model, **options):
    """Open a stream of a model under its full name."""
    found = serving.Tap(place, _Fixed(client, model), "main", **options)
    place.taps.append(found)
    return found


class _Fixed:
    """A protocol that asks for one model, whatever its family would be called."""

    def __init__(self, protocol, model):
        self._protocol, self._model = protocol, model
        self.family = protocol.family

    def request(self, _model, *, is_stream=False, **extra):
        return self._protocol.request(self._model, is_stream=is_stream, **extra)


@pytest.mark.parametrize(("client", "wire"), PAIRS, ids=NAMES)
def test_the_first_byte_leaves_before_the_last_arrives(place, client, wire):
    texts = [f"w{n} " for n in range(16)]
    model = VENDORS[wire]
    place.vendor.scripts[model] = scripts.stream(EVENTS[wire](texts=texts), gap_s=0.1)
    stream = tap(place, client, model)
    stream.read_until(b"w0 ")
    sent = place.vendor.of(model)[0].chunks_sent
    assert sent < 14, "the first text waited for more of the answer"
    stream.read_all()
    assert stream.status == 200
    for text in texts:
        assert text.encode() in stream.body
    assert END[client.name] in stream.body
    assert stream.is_whole


@pytest.mark.parametrize(("client", "wire"), PAIRS, ids=NAMES)
def test_a_stream_that_breaks_ends_in_an_error_and_in_no_end(place, client, wire):
    model = VENDORS[wire]
    events = EVENTS[wire](texts=("a1", "b1", "c1"))
    place.vendor.scripts[model] = scripts.stream(events[: len(events) // 2], end="reset")
    answer = call(place, client, model, is_stream=True)
    assert answer.status == 200
    assert END[client.name] not in answer.body
    assert b"error" in answer.body
    assert place.logged(answer.headers["x-generation-id"])[1] == "stream_interrupted"


def test_a_broken_stream_of_responses_is_numbered_without_a_gap(place):
    """What ends an open call is not written when the answer broke: nor is it counted."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"half":'}
    steps = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
    ]
    begun = [scripts.sse(step, event=step["type"]) for step in steps]
    start = scripts.message_events()[0]
    place.vendor.scripts["a-main"] = scripts.stream([start, *begun])
    answer = call(place, RESPONSES, "a-main", is_stream=True)
    rows = [row for row in answer.body.decode().splitlines() if row.startswith("data: ")]
    told = [json.loads(row[6:]) for row in rows]
    assert told[-1]["type"] == "response.failed"
    assert [one["sequence_number"] for one in told] == list(range(len(told)))
    assert told[-1]["response"]["output"] == []
    assert not [one for one in told if one["type"].endswith("done")]


@pytest.mark.parametrize("has_own_chunk", [False, True])
def test_what_follows_a_vendors_own_end_is_not_translated(place, has_own_chunk):
    events = scripts.message_events(texts=("a", "b"))
    after = events[2]  # a text
    tail = [events[-1], after] if has_own_chunk else [events[-1] + after]
    place.vendor.scripts["a-main"] = scripts.stream([*events[:-1], *tail])
    answer = call(place, CHAT, "a-main", is_stream=True)
    assert answer.body.count(b'"content":"a"') == 1
    assert answer.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("client", [CHAT, RESPONSES, MESSAGES], ids=lambda client: client.name)
def test_an_array_of_geminis_is_streamed_to_every_client(place, client):
    """A vendor that ignores `alt=sse` answers with one JSON array."""
    chunks = [x.removeprefix(b"data: ").strip() for x in scripts.gemini_events(texts=("a1", "b1"))]
    body = [b"[" + chunks[0], *(b",\r\n" + chunk for chunk in chunks[1:]), b"]"]
    json_kind = (("Content-Type", "application/json; charset=UTF-8"),)
    place.vendor.scripts["g-main"] = Script(headers=json_kind, chunks=body, is_chunked=True)
    answer = call(place, client, "g-main", is_stream=True)
    assert answer.status == 200
    assert b'"a1"' in answer.body
    assert b'"b1"' in answer.body
    assert END[client.name] in answer.body
    assert place.logged(answer.headers["x-generation-id"])[2] > 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 529])
@pytest.mark.parametrize(("client", "wire"), PAIRS, ids=NAMES)
def test_a_vendors_refusal_is_told_in_the_callers_protocol(place, client, wire, status):
    model = VENDORS[wire]
    place.vendor.scripts[model] = scripts.error(status)
    answer = call(place, client, model)
    told = answer.json["error"]
    assert 400 <= answer.status < 600
    assert (answer.status == 400) is (status == 400)
    if client is MESSAGES:
        assert answer.json["type"] == "error"
    elif client is GENERATE:
        assert told["code"] == answer.status
    else:
        assert set(told) == {"message", "type", "param", "code"}
    assert place.logged(answer.headers["x-generation-id"])[2] == 0


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(("client", "wire"), PAIRS, ids=NAMES)
def test_garbage_of_a_vendor_costs_nothing(place, client, wire, is_stream):
    model = VENDORS[wire]
    script = scripts.stream([b"<html>502</html>\n\n"]) if is_stream else scripts.whole("nonsense")
    place.vendor.scripts[model] = script
    answer = call(place, client, model, is_stream=is_stream)
    assert answer.status == 502
    assert place.logged(answer.headers["x-generation-id"])[2] == 0


@pytest.mark.parametrize(("client", "wire"), PAIRS, ids=NAMES)
def test_the_cost_in_the_answer_is_the_one_that_is_booked(place, client, wire):
    model = VENDORS[wire]
    protocol = {"openai-chat": CHAT, "anthropic-messages": MESSAGES, "gemini": GENERATE}[wire]
    place.vendor.scripts[model] = protocol.answer()
    answer = call(place, client, model)
    assert answer.status == 200, answer.body
    booked = place.logged(answer.headers["x-generation-id"])[2]
    assert booked == Decimal(answer.headers["x-cost-usd"]) * 10**9
    assert booked > 0
    if client is not GENERATE:
        assert Decimal(str(answer.json["usage"]["cost"])) * 10**9 == booked


def test_a_client_that_leaves_closes_the_vendors_stream(place):
    texts = [f"x{n}" for n in range(500)]
    place.vendor.scripts["a-main"] = scripts.stream(scripts.message_events(texts=texts), gap_s=0.05)
    stream = tap(place, CHAT, "a-main")
    stream.read_until(b"x3")
    stream.reset()
    wait_until(lambda: place.vendor.of("a-main")[0].end == "gone", what="the vendor's stream")
    assert place.vendor.of("a-main")[0].chunks_sent < 100


def test_what_has_no_word_is_dropped_and_named(place):
    place.vendor.scripts["a-main"] = MESSAGES.answer()
    answer = call(place, CHAT, "a-main", seed=7, logit_bias={"1": 2}, frequency_penalty=0.5)
    assert answer.status == 200
    dropped = set(answer.headers["x-dropped-parameters"].split(", "))
    assert dropped == {"seed", "logit_bias", "frequency_penalty"}
    assert "seed" not in place.vendor.of("a-main")[0].json


def test_with_require_parameters_nothing_is_dropped(place):
    answer = call(place, CHAT, "a-main", seed=7, provider={"require_parameters": True})
    assert answer.status == 400
    assert answer.json["error"]["code"] == "unsupported_parameter"
    assert answer.json["error"]["param"] == "seed"
    assert not place.vendor.of("a-main")
    assert place.logged(answer.headers["x-generation-id"])[2] == 0


def test_content_that_the_vendor_cannot_take_is_refused_by_name(place):
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    answer = call(place, CHAT, "a-main", messages=[{"role": "user", "content": [sound]}])
    assert answer.status == 400
    assert "audio" in answer.json["error"]["message"]
    assert not place.vendor.of("a-main")


def test_native_pairs_keep_their_bytes(place):
    place.vendor.scripts["a-main"] = MESSAGES.answer()
    answer = call(place, MESSAGES, "a-main")
    assert "cost" not in answer.json["usage"]
    assert "x-dropped-parameters" not in answer.headers
    assert answer.body == b"".join(MESSAGES.answer().chunks)


def test_the_same_prefix_goes_out_as_the_same_bytes(place):
    place.vendor.scripts["a-main"] = MESSAGES.answer()
    turn = [{"role": "system", "content": "long " * 50}, {"role": "user", "content": "one"}]
    more = [*turn, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "two"}]
    for messages in (turn, more, turn):
        call(place, CHAT, "a-main", messages=messages)
    first, second, again = (x.body for x in place.vendor.of("a-main"))
    assert first == again
    prefix = first[: first.index(b'"one"')]
    assert second.startswith(prefix)


def test_a_stream_that_the_vendor_answers_whole_is_streamed(place):
    place.vendor.scripts["a-main"] = MESSAGES.answer()
    answer = call(place, CHAT, "a-main", is_stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert b'"content":"ok"' in answer.body
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_geminis_array_is_whole_for_a_translated_stream(place):
    place.vendor.scripts["a-main"] = scripts.stream(scripts.message_events(texts=("a", "b")))
    body = json.dumps(GENERATE.body).encode()
    answer = place.send(GENERATE, "/v1beta/models/a-main:streamGenerateContent", body)
    assert answer.headers["content-type"] == "application/json"
    parts = [p for chunk in answer.json for p in chunk["candidates"][0]["content"]["parts"]]
    assert "".join(part["text"] for part in parts) == "ab"


def test_the_vault_gives_a_thought_back_to_a_client_that_drops_it(place):
    thought = [{"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"},
               {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]  # fmt: skip
    place.vendor.scripts["a-main"] = scripts.whole(
        {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": thought,
         "stop_reason": "tool_use", "usage": {"input_tokens": 10, "output_tokens": 5}}
    )  # fmt: skip
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    ask = [{"role": "user", "content": "q"}]
    asked = call(place, CHAT, "a-main", messages=ask, tools=tools).json
    made = asked["choices"][0]["message"]["tool_calls"]
    bare = [*ask, {"role": "assistant", "content": None, "tool_calls": made},
            {"role": "tool", "tool_call_id": made[0]["id"], "content": "done"}]  # fmt: skip
    call(place, CHAT, "a-main", messages=bare, tools=tools)
    told = place.vendor.of("a-main")[1].json["messages"][1]["content"]
    assert told[0] == thought[0]
    mallory = place.new_key("mallory@example.com")
    call(place, CHAT, "a-main", messages=bare, tools=tools, key=mallory)
    told = place.vendor.of("a-main")[2].json["messages"][1]["content"]
    assert [block["type"] for block in told] == ["tool_use"]


# OpenRouter's envelope


def platform(place, path, body, **options):
    return place.send(CHAT, f"/api/v1/{path}", json.dumps(body).encode(), **options)


ASK = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("wire", VENDORS)
def test_the_envelope_is_around_every_model(place, wire):
    protocol = {"openai-chat": CHAT, "anthropic-messages": MESSAGES, "gemini": GENERATE}[wire]
    model = VENDORS[wire]
    place.vendor.scripts[model] = protocol.answer()
    answer = platform(place, "chat/completions", {"model": model, "messages": ASK})
    told = answer.json
    assert told["id"] == answer.headers["x-generation-id"]
    assert told["id"].startswith("gen-")
    assert told["provider"]
    assert told["choices"][0]["native_finish_reason"]
    assert told["choices"][0]["message"]["content"] == "ok"
    assert told["usage"]["is_byok"] is False
    assert Decimal(str(told["usage"]["cost"])) == Decimal(answer.headers["x-cost-usd"])


@pytest.mark.parametrize("wire", VENDORS)
def test_every_stream_of_the_envelope_has_its_usage(place, wire):
    model = VENDORS[wire]
    place.vendor.scripts[model] = scripts.stream(EVENTS[wire](texts=("a", "b")))
    answer = platform(place, "chat/completions", {"model": model, "messages": ASK, "stream": True})
    chunks = [
        json.loads(x[6:]) for x in answer.body.decode().split("\n\n") if x.startswith("data: {")
    ]
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert len(usages) == 1
    assert usages[0]["cost"] > 0
    assert chunks[-1]["choices"] == []
    assert {chunk["id"] for chunk in chunks} == {answer.headers["x-generation-id"]}


def test_native_messages_under_the_envelope_tell_their_cost(place):
    place.vendor.scripts["a-main"] = MESSAGES.answer()
    body = {"model": "a-main", "max_tokens": 20, "messages": ASK}
    answer = platform(place, "messages", body)
    assert Decimal(str(answer.json["usage"]["cost"])) == Decimal(answer.headers["x-cost-usd"])
    place.vendor.scripts["a-main"] = scripts.stream(scripts.message_events())
    streamed = platform(place, "messages", {**body, "stream": True})
    delta = next(x for x in streamed.body.split(b"\n\n") if b"message_delta" in x)
    assert json.loads(delta.partition(b"data: ")[2])["usage"]["cost"] > 0
    assert streamed.body.rstrip().endswith(b'{"type":"message_stop"}')


def test_errors_under_the_envelope_are_openrouters(place):
    answer = platform(place, "chat/completions", {"model": "no-such", "messages": ASK})
    assert answer.status == 404
    error = answer.json["error"]
    assert error["code"] == 404
    assert error["metadata"]["error_type"] == "not_found"
    native = platform(place, "messages", {"model": "no-such", "max_tokens": 5, "messages": ASK})
    assert native.json["error"]["error_type"] == "not_found"


def test_another_model_answers_when_the_first_cannot(place):
    place.vendor.scripts["c-main"] = scripts.error(503)
    place.vendor.scripts["a-main"] = MESSAGES.answer()
    answer = platform(
        place, "chat/completions",
        {"model": "c-main", "models": ["c-main", "a-main"], "messages": ASK},
    )  # fmt: skip
    assert answer.status == 200
    assert answer.json["model"].endswith("a-main")
    assert place.vendor.dials("c-main") >= 1


def test_fallback_models_are_refused_outside_the_envelope(place):
    answer = call(place, CHAT, "c-main", models=["a-main"])
    assert answer.status == 400
    assert answer.json["error"]["param"] == "models"


def test_an_envelope_of_an_earlier_turn_reaches_no_vendor(place):
    place.vendor.scripts["g-main"] = scripts.whole(
        {"candidates": [{"content": {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "Z29vZ2xl"}]},
            "finishReason": "STOP"}],
         "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3,
                           "totalTokenCount": 12}}
    )  # fmt: skip
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    ask = [{"role": "user", "content": "q"}]
    asked = call(place, MESSAGES, "g-main", messages=ask, tools=tools).json["content"]
    envelopes = [x for block in asked for x in block.values() if str(x).startswith("br1.")]
    assert len(envelopes) == 1
    call_id = next(block["id"] for block in asked if block["type"] == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call_id, "content": "done"}
    loop = [*ask, {"role": "assistant", "content": asked}, {"role": "user", "content": [result]}]
    # Back to Gemini it is the vendor's own seal again; to Anthropic nothing of it leaves.
    call(place, MESSAGES, "g-main", messages=loop, tools=tools)
    told = place.vendor.of("g-main")[1].json["contents"][1]["parts"][0]
    assert told["thoughtSignature"] == "Z29vZ2xl"
    place.vendor.scripts["a-main"] = MESSAGES.answer()
    assert call(place, MESSAGES, "a-main", messages=loop, tools=tools).status == 200
    sent = place.vendor.of("a-main")[0]
    assert b"br1." not in sent.body
    assert [block["type"] for block in sent.json["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize(("client", "path", "headers", "kind"), [
    (GENERATE, "/v1beta/models/no-such", {}, "NOT_FOUND"),
    (MESSAGES, "/v1/models/no-such", {"anthropic-version": "2023-06-01"}, "not_found_error"),
    (CHAT, "/v1/models/no-such", {}, "model_not_found"),
])  # fmt: skip
def test_a_model_that_is_not_there_is_told_in_the_form_that_asks(
    place, client, path, headers, kind
):
    answer = place.send(client, path, b"", method="GET", headers=headers)
    assert answer.status == 404
    error = answer.json["error"]
    assert kind in (error.get("status"), error.get("type"), error.get("code"))
