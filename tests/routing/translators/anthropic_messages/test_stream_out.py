import json

import anthropic
import httpx2
import pytest
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from routing import seals
from routing.conversation import Citation, FinishReason, Image, SealFormat
from routing.errors import Code, RelayError
from routing.events import (
    AudioDelta,
    Cited,
    Finish,
    Logprobs,
    MediaOut,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    SealDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.sse import EventTooLarge
from routing.translators import anthropic_messages as messages
from routing.translators.anthropic_messages import stream_out
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import (
    KEY,
    answering,
    bill,
    blocks,
    documents,
    kinds,
    stream_of,
)

EVENT = TypeAdapter(RawMessageStreamEvent)


def text(*pieces):
    return [Start(), *(TextDelta(text=piece) for piece in pieces)]


def tool(call, *pieces, call_id=None, name="f"):
    started = ToolStart(call=call, id=call_id or f"call_{call}", name=name)
    return [started, *(ToolDelta(call=call, arguments=piece) for piece in pieces)]


def test_a_stream_of_text_is_told_as_anthropic_tells_it():
    stream = stream_of([*text("Hel", "lo"), TextEnd(), Finish(reason=making.STOP)])
    assert kinds(stream) == [
        "message_start", "content_block_start", "ping", "content_block_delta",
        "content_block_delta", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    for document in documents(stream):
        if document["type"] != "ping":
            EVENT.validate_python(document)


def test_each_delta_leaves_at_once():
    encoder = messages.stream_encoder(answering())
    encoder.encode(Start())
    for event in (TextDelta(text="a\n"), ReasoningDelta(text="b"), *tool(0, '{"c":1}')):
        left = encoder.encode(event)
        told = getattr(event, "text", None) or getattr(event, "arguments", None) or event.name
        assert json.dumps(told).encode() in left


def test_message_start_comes_once_with_an_estimate():
    stream = stream_of([Start(), Start(), *text("a")], prompt_tokens=77)
    starts = [d for d in documents(stream) if d["type"] == "message_start"]
    assert len(starts) == 1
    usage = starts[0]["message"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (77, 1)
    assert starts[0]["message"]["id"] == f"msg_{making.HEX}"
    assert starts[0]["message"]["content"] == []
    assert starts[0]["message"]["stop_reason"] is None


def test_a_stream_without_start_starts_with_its_first_content():
    assert kinds(stream_of([TextDelta(text="a")]))[0] == "message_start"


def test_a_stream_of_nothing_is_still_a_message():
    assert kinds(stream_of([])) == ["message_start", "message_delta", "message_stop"]


def test_the_end_tells_usage_and_cost_exactly():
    encoder = messages.stream_encoder(answering())
    ending = encoder.finish(bill(cost_nusd=1, input=5, cache_read=3, output=7, reasoning=2))
    assert b'"cost":0.000000001}' in ending
    (delta,) = [d for d in documents(ending) if d["type"] == "message_delta"]
    assert delta["usage"]["input_tokens"] == 5
    assert delta["usage"]["cache_read_input_tokens"] == 3
    assert delta["usage"]["output_tokens"] == 9
    assert delta["usage"]["output_tokens_details"] == {"thinking_tokens": 2}


@pytest.mark.parametrize(
    ("finish", "events", "reason"),
    [
        (None, text("a"), "end_turn"),
        (None, [*tool(0, "{}"), ToolEnd(call=0)], "tool_use"),
        (Finish(reason=making.STOP), tool(0, "{}"), "tool_use"),
        (Finish(reason=making.STOP), text("a"), "end_turn"),
        (Finish(reason=making.STOP, stop_sequence="END"), text("a"), "stop_sequence"),
        (Finish(reason=FinishReason.LENGTH), tool(0, "{"), "max_tokens"),
        (Finish(reason=FinishReason.PAUSE, native="compaction"), text("a"), "pause_turn"),
        (Finish(reason=FinishReason.REFUSAL), [], "refusal"),
        (Finish(reason=FinishReason.CONTENT_FILTER), text("a"), "refusal"),
        (Finish(reason=FinishReason.OTHER), text("a"), "end_turn"),
        (
            Finish(reason=FinishReason.LENGTH, native="model_context_window_exceeded"),
            text("a"),
            "model_context_window_exceeded",
        ),
        (Finish(reason=making.STOP), [RefusalDelta(text="No.")], "refusal"),
    ],
)
def test_the_reason_of_the_end_is_told_in_anthropics_words(finish, events, reason):
    stream = stream_of([*events, *([finish] if finish else [])])
    delta = documents(stream)[-2]
    EVENT.validate_python(delta)
    assert delta["delta"]["stop_reason"] == reason
    sequence = finish.stop_sequence if finish and reason == "stop_sequence" else None
    assert delta["delta"]["stop_sequence"] == sequence
    assert (delta["delta"]["stop_details"] is not None) == (reason == "refusal")


def test_the_first_finish_wins():
    events = [*text("a"), Finish(reason=FinishReason.LENGTH), Finish(reason=making.STOP)]
    assert documents(stream_of(events))[-2]["delta"]["stop_reason"] == "max_tokens"


def test_interleaved_calls_come_out_one_after_the_other():
    encoder = messages.stream_encoder(answering())
    events = [
        *tool(0, '{"a'), *tool(1, '{"b'), ToolDelta(call=0, arguments='":0}'),
        *tool(2, '{"c'), ToolDelta(call=1, arguments='":1}'), ToolEnd(call=1),
        TextDelta(text="later"), ToolEnd(call=0), ToolDelta(call=2, arguments='":2}'),
    ]  # fmt: skip
    left = [encoder.encode(event) for event in events]
    assert b'{\\"a' in left[1]  # the lowest streams
    assert left[2:4] == [b"", b""]
    assert b'\\":0}' in left[4]
    assert left[5:10] == [b""] * 5  # the others wait
    assert b'{\\"b\\":1}' in left[10]  # and come when it is done
    assert b'\\":2}' in left[11]  # the third streams then
    found = blocks(b"".join(left) + encoder.finish(bill()))
    assert [block.get("json") or block["text"] for block in found] == [
        '{"a":0}', '{"b":1}', '{"c":2}', "later",
    ]  # fmt: skip
    assert [block.get("id") for block in found] == ["call_0", "call_1", "call_2", None]


def test_calls_that_end_in_any_order_are_all_told():
    count = 2_000
    events = [event for call in range(count) for event in tool(call, f'{{"n":{call}}}')]
    events += [ToolEnd(call=call) for call in reversed(range(count))]
    found = blocks(stream_of(events))
    assert [json.loads(block["json"])["n"] for block in found] == list(range(count))


def test_what_waits_is_bounded(monkeypatch):
    monkeypatch.setattr(stream_out, "WAITING_CHARS_MAX", 1_000)
    encoder = messages.stream_encoder(answering())
    for event in (*tool(0, "{"), *tool(1, "{")):
        encoder.encode(event)
    with pytest.raises(EventTooLarge):
        encoder.encode(ToolDelta(call=1, arguments="x" * 1_000))


def test_text_in_an_unfinished_call_follows_it():
    found = blocks(stream_of([*tool(0, '{"a":'), TextDelta(text="b"), *tool(0)[1:],
                              ToolDelta(call=0, arguments="1}"), ToolEnd(call=0)]))  # fmt: skip
    assert [block["type"] for block in found] == ["tool_use", "text"]
    assert found[0]["json"] == '{"a":1}'


def test_a_call_without_an_id_gets_one():
    found = blocks(stream_of([ToolStart(call=0, id="", name="f"), ToolEnd(call=0)]))
    assert found[0]["id"] == f"toolu_{making.HEX}_0"


def test_another_kind_opens_another_block():
    stream = stream_of([
        Start(), ReasoningDelta(text="hm"), ReasoningEnd(), TextDelta(text="a"),
        *tool(0, "{}"), ToolEnd(call=0), TextDelta(text="b"), TextEnd(), TextDelta(text="c"),
    ])  # fmt: skip
    assert [block["type"] for block in blocks(stream)] == [
        "thinking", "text", "tool_use", "text", "text",
    ]  # fmt: skip


def test_empty_deltas_open_no_block():
    events = [Start(), TextDelta(text=""), ReasoningDelta(text=""), RefusalDelta(text=""),
              TextEnd(), ToolDelta(call=5, arguments="x"), ToolEnd(call=5)]  # fmt: skip
    assert blocks(stream_of(events)) == []


def test_anthropics_signature_stands_on_its_thinking_unaltered():
    stream = stream_of([
        ReasoningDelta(text="hm", format=SealFormat.ANTHROPIC),
        ReasoningEnd(seal=making.claude_seal("c2ln")), TextDelta(text="a"),
    ])  # fmt: skip
    assert blocks(stream)[0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert kinds(stream)[3:6] == [
        "content_block_delta", "content_block_delta", "content_block_stop",
    ]  # fmt: skip


def test_a_foreign_seal_travels_in_our_envelope():
    seal = making.openai_seal()
    stream = stream_of([ReasoningDelta(text="hm", is_summary=True), ReasoningEnd(seal=seal)])
    signature = blocks(stream)[0]["signature"]
    assert seal.data not in signature
    assert seals.unwrap(signature, key=KEY) == seal


def test_reasoning_without_a_seal_has_an_empty_signature():
    found = blocks(stream_of([ReasoningDelta(text="hm"), ReasoningEnd(), TextDelta(text="a")]))
    assert found[0] == {"type": "thinking", "thinking": "hm", "signature": ""}


def test_the_stop_of_thinking_waits_for_a_late_seal():
    seal = making.openai_seal()
    stream = stream_of([ReasoningDelta(text="hm"), ReasoningEnd(), ReasoningEnd(seal=seal)])
    (block,) = blocks(stream)
    assert seals.unwrap(block["signature"], key=KEY) == seal


def test_a_seal_after_text_began_has_a_block_of_its_own():
    seal = making.openai_seal()
    stream = stream_of([ReasoningDelta(text="hm"), ReasoningEnd(), TextDelta(text="a"),
                        ReasoningEnd(seal=seal), TextDelta(text="b")])  # fmt: skip
    found = blocks(stream)
    assert [block["type"] for block in found] == ["thinking", "text", "redacted_thinking", "text"]
    assert seals.unwrap(found[2]["data"], key=KEY) == seal


def test_redacted_thinking_comes_whole():
    seal = making.Seal(format=SealFormat.ANTHROPIC, data="RXQ=", is_redacted=True)
    found = blocks(stream_of([ReasoningDelta(text="hm"), ReasoningEnd(seal=seal)]))
    assert found[1] == {"type": "redacted_thinking", "data": "RXQ="}


def test_another_format_of_reasoning_is_another_block():
    stream = stream_of([ReasoningDelta(text="a"), ReasoningDelta(text="b", is_summary=True),
                        ReasoningDelta(text="c", is_summary=True)])  # fmt: skip
    assert [block["thinking"] for block in blocks(stream)] == ["a", "bc"]


def test_geminis_seal_on_a_call_signs_the_thinking_before_it():
    seal = making.google_seal()
    stream = stream_of([
        ReasoningDelta(text="hm", format=SealFormat.GOOGLE), ReasoningEnd(),
        ToolStart(call=0, id="call_0", name="f", seal=seal), ToolEnd(call=0),
        ToolStart(call=1, id="call_1", name="f"), ToolEnd(call=1),
    ])  # fmt: skip
    found = blocks(stream)
    assert [block["type"] for block in found] == ["thinking", "tool_use", "tool_use"]
    opened = seals.unwrap(found[0]["signature"], key=KEY)
    assert (opened.data, opened.id) == (seal.data, "call_0")


def test_geminis_seal_on_text_follows_it():
    stream = stream_of([TextDelta(text="a"), SealDelta(seal=making.google_seal()), TextEnd()])
    found = blocks(stream)
    assert [block["type"] for block in found] == ["text", "redacted_thinking"]
    assert seals.unwrap(found[1]["data"], key=KEY).data == making.google_seal().data


def test_only_citations_that_anthropic_knows_are_told():
    own = {"type": "page_location", "cited_text": "x", "document_index": 0,
           "document_title": None, "start_page_number": 1, "end_page_number": 2}  # fmt: skip
    found = {"cited_text": "y", "title": "T", "url": "https://a.example/"}
    stream = stream_of([
        TextDelta(text="a"),
        Cited(citation=Citation(cited_text="x", native=own)),
        Cited(citation=Citation(encrypted_index="E1", **found)),
        Cited(citation=Citation(native={"type": "url_citation"}, **found)),
    ])  # fmt: skip
    (block,) = blocks(stream)
    assert block["citations"] == [
        own,
        {"type": "web_search_result_location", "encrypted_index": "E1", **found},
    ]
    for document in documents(stream):
        if document["type"] != "ping":
            EVENT.validate_python(document)


def test_what_has_no_form_here_is_left_out():
    events = [MediaOut(image=Image(mime="image/png", data="aGk=")), Logprobs(tokens=({},)),
              TextDelta(text="other", choice=1), ToolStart(call=0, id="x", name="f", choice=1),
              Finish(reason=FinishReason.LENGTH, choice=1),
              AudioDelta(data="aGk=", transcript="said")]  # fmt: skip
    stream = stream_of(events)
    assert [block["text"] for block in blocks(stream)] == ["said"]
    assert documents(stream)[-2]["delta"]["stop_reason"] == "end_turn"
    assert b"aGk=" not in stream


def test_an_error_ends_the_stream_in_anthropics_form():
    encoder = messages.stream_encoder(answering())
    error = RelayError(code=Code.UPSTREAM_OVERLOADED, message="Busy.")
    (told,) = documents(encoder.fail(error))
    assert told["error"] == {"type": "overloaded_error", "message": "Busy."}
    assert told["request_id"] == f"gen-{making.HEX}"


def test_under_the_platform_the_error_names_its_type():
    encoder = messages.stream_encoder(answering(is_platform=True))
    error = RelayError(code=Code.UPSTREAM_OVERLOADED, message="Busy.")
    (told,) = documents(encoder.fail(error))
    assert told["error"]["error_type"] == "provider_overloaded"


def test_the_official_sdk_accumulates_the_stream():
    stream = stream_of([
        Start(), ReasoningDelta(text="hm"), ReasoningEnd(seal=making.claude_seal("c2ln")),
        TextDelta(text="Hel"), TextDelta(text="lo"), TextEnd(),
        *tool(0, '{"city":', '"Ulm"}'), *tool(1, ""), ToolEnd(call=0), ToolEnd(call=1),
        Finish(reason=FinishReason.TOOL_CALLS),
    ])  # fmt: skip
    transport = httpx2.MockTransport(
        lambda _request: httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=stream
        )
    )
    client = anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=transport))
    ask = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    with client.messages.stream(**ask) as sdk_stream:
        message = sdk_stream.get_final_message()
    thinking, said, first, second = message.content
    assert (thinking.thinking, thinking.signature) == ("hm", "c2ln")
    assert said.text == "Hello"
    assert (first.id, first.name, first.input) == ("call_0", "f", {"city": "Ulm"})
    assert second.input == {}
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 7)
