"""Events as chunks for a client."""

import json

import httpx2
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk
from pydantic import TypeAdapter

from routing.conversation import Citation, FinishReason, Image, Seal, SealFormat
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
from routing.translators import openai_chat
from tests.routing.translators.openai_chat.samples import (
    BILL,
    GENERATION,
    answering,
    decoded,
    deltas,
    documents,
    streamed,
)

_CHUNK = TypeAdapter(ChatCompletionChunk)
STOP = Finish(reason=FinishReason.STOP, native="end_turn")
CALL = [
    ToolStart(call=0, id="a", name="f"),
    ToolDelta(call=0, arguments='{"x"'),
    ToolDelta(call=0, arguments=":1}"),
    ToolEnd(call=0),
]
CALLED = Finish(reason=FinishReason.TOOL_CALLS)


def test_the_role_comes_first_and_once():
    found = deltas(streamed([Start(), TextDelta(text="a"), TextDelta(text="b"), STOP]))
    assert found == [
        {"role": "assistant", "content": ""}, {"content": "a"}, {"content": "b"}, {},
    ]  # fmt: skip


def test_a_stream_that_says_nothing_is_still_whole():
    first, last, usage = documents(streamed([]))
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []


def test_every_text_leaves_at_once_and_nothing_ends_before_finish():
    encoder = openai_chat.stream_encoder(answering())
    encoder.encode(Start())
    for text in ("a", "\u2028ß", '"\\'):
        chunk = json.loads(encoder.encode(TextDelta(text=text))[6:])
        assert chunk["choices"][0]["delta"] == {"content": text}
        _CHUNK.validate_python(chunk)
    assert encoder.encode(STOP) == b""
    end = encoder.finish(BILL)
    assert end.endswith(b"data: [DONE]\n\n")
    assert end.count(b'"finish_reason":"stop"') == 1


def test_usage_comes_once_and_only_where_it_was_asked_for():
    asked = documents(streamed([STOP]))
    assert [chunk["choices"] for chunk in asked if "usage" in chunk] == [[]]
    silent = documents(streamed([STOP], wants_stream_usage=False))
    assert not any("usage" in chunk for chunk in silent)
    platform = documents(streamed([STOP], wants_stream_usage=False, is_platform=True))
    assert platform[-1]["choices"] == []
    assert platform[-1]["usage"]["cost"] == 0.000317001


def test_plain_usage_has_its_classes_inside_and_the_cost_exactly():
    stream = streamed([STOP])
    assert b'"cost":0.000317001,' in stream
    usage = documents(stream)[-1]["usage"]
    assert usage == {
        "prompt_tokens": 130,
        "completion_tokens": 51,
        "total_tokens": 181,
        "cost": 0.000317001,
        "prompt_tokens_details": {
            "cached_tokens": 20, "cache_write_tokens": 7, "audio_tokens": 3,
        },
        "completion_tokens_details": {"reasoning_tokens": 11, "audio_tokens": 0},
    }  # fmt: skip


def test_the_platforms_envelope_names_the_vendor_and_its_own_reason():
    chunks = documents(streamed([TextDelta(text="a"), STOP], is_platform=True))
    assert {chunk["id"] for chunk in chunks} == {GENERATION}
    assert {chunk["provider"] for chunk in chunks} == {"Acme"}
    assert {chunk["model"] for chunk in chunks} == {"acme/chat"}
    assert chunks[-2]["choices"][0]["native_finish_reason"] == "end_turn"
    usage = chunks[-1]["usage"]
    assert usage["is_byok"] is False
    assert usage["cost_details"]["upstream_inference_cost"] is None
    assert usage["server_tool_use_details"] == {"web_search_requests": 2}
    assert "video_tokens" in usage["prompt_tokens_details"]
    assert "image_tokens" in usage["completion_tokens_details"]
    assert usage["total_cost"] == usage["cost"] > 0


def test_a_plain_answer_says_nothing_of_the_platform():
    stream = streamed([TextDelta(text="a"), STOP])
    assert b"provider" not in stream
    assert b"native_finish_reason" not in stream
    assert b"gen-" not in stream
    assert documents(stream)[0]["id"] == "chatcmpl-" + GENERATION.removeprefix("gen-")


def test_calls_are_numbered_in_each_choice_and_begin_once():
    events = [*CALL, ToolStart(call=1, id="b", name="g", choice=1), ToolDelta(
        call=1, arguments="{}", choice=1), ToolEnd(call=1, choice=1)]  # fmt: skip
    pieces = [
        (choice["index"], piece)
        for chunk in documents(streamed([*events, CALLED]))
        for choice in chunk["choices"]
        for piece in choice["delta"].get("tool_calls", [])
    ]
    assert pieces == [
        (0, {"index": 0, "id": "a", "type": "function",
             "function": {"name": "f", "arguments": ""}}),
        (0, {"index": 0, "function": {"arguments": '{"x"'}}),
        (0, {"index": 0, "function": {"arguments": ":1}"}}),
        (1, {"index": 0, "id": "b", "type": "function",
             "function": {"name": "g", "arguments": ""}}),
        (1, {"index": 0, "function": {"arguments": "{}"}}),
    ]  # fmt: skip


def test_a_call_without_arguments_is_an_empty_object():
    stream = streamed([ToolStart(call=0, id="a", name="f"), ToolEnd(call=0), CALLED])
    assert deltas(stream)[-2] == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}


def test_a_call_without_an_id_gets_the_same_one_each_time():
    first, again = (
        deltas(streamed([ToolStart(call=0, id="", name="f"), CALLED]))[1]["tool_calls"][0]["id"]
        for _ in range(2)
    )
    assert first == again
    assert first.startswith("call_")


def test_calls_make_the_finish_that_nobody_told():
    assert documents(streamed(CALL))[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_old_form_of_a_request_is_answered_in_the_old_form():
    body = {"functions": [{"name": "f"}]}
    stream = streamed([*CALL, CALLED], body=body)
    calls = [found["function_call"] for found in deltas(stream) if "function_call" in found]
    assert calls == [
        {"name": "f", "arguments": ""}, {"arguments": '{"x"'}, {"arguments": ":1}"},
    ]  # fmt: skip
    assert b"tool_calls" not in stream
    assert documents(stream)[-2]["choices"][0]["finish_reason"] == "function_call"


@pytest.mark.parametrize(
    ("arguments", "is_custom"), [("print(1)", True), ('{"input":"print(1)"}', False)]
)
def test_a_custom_tool_gets_its_text_whole(arguments, is_custom):
    body = {"tools": [{"type": "custom", "custom": {"name": "run"}}]}
    events = [
        ToolStart(call=0, id="a", name="run", is_custom=is_custom),
        ToolDelta(call=0, arguments=arguments),
        ToolEnd(call=0),
        CALLED,
    ]
    (call,) = [found for found in deltas(streamed(events, body=body)) if "tool_calls" in found]
    assert call["tool_calls"] == [
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "run", "input": "print(1)"}}
    ]


def test_reasoning_is_told_as_text_and_in_details_with_one_index_for_each_part():
    form = SealFormat.ANTHROPIC
    events = [
        ReasoningDelta(text="H", format=form),
        ReasoningDelta(text="m", format=form),
        ReasoningEnd(seal=Seal(format=form, data="sig"), format=form),
        ReasoningEnd(seal=Seal(format=form, data="dark", is_redacted=True), format=form),
        ReasoningDelta(text="S", is_summary=True, format=SealFormat.OPENAI),
        ReasoningEnd(seal=Seal(format=SealFormat.OPENAI, data="blob", id="rs_1")),
        TextDelta(text="Hi"),
        SealDelta(seal=Seal(format=SealFormat.GOOGLE, data="g")),
        STOP,
    ]
    found = deltas(streamed(events))
    assert found[1] == {
        "reasoning": "H", "reasoning_content": "H",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "H", "format": form.value, "index": 0}
        ],
    }  # fmt: skip
    entries = [entry for one in found for entry in one.get("reasoning_details", [])]
    assert [(entry["type"], entry["index"]) for entry in entries] == [
        ("reasoning.text", 0), ("reasoning.text", 0), ("reasoning.text", 0),
        ("reasoning.encrypted", 1), ("reasoning.summary", 2), ("reasoning.encrypted", 3),
        ("reasoning.encrypted", 4),
    ]  # fmt: skip
    assert entries[2]["signature"] == "sig"
    assert entries[5]["id"] == "rs_1"


def test_reasoning_that_the_client_wants_left_out_is_left_out():
    form = SealFormat.ANTHROPIC
    events = [
        ReasoningDelta(text="secret", format=form),
        ReasoningEnd(seal=Seal(format=form, data="sig"), format=form),
        TextDelta(text="Hi"),
    ]
    stream = streamed(events, body={"reasoning": {"exclude": True}})
    assert b"secret" not in stream
    assert b"sig" not in stream
    assert b"Hi" in stream


def test_a_seal_on_a_call_names_the_call():
    seal = Seal(format=SealFormat.GOOGLE, data="s")
    found = deltas(streamed([ToolStart(call=0, id="a", name="f", seal=seal), CALLED]))[1]
    assert found["reasoning_details"] == [
        {"type": "reasoning.encrypted", "data": "s", "format": "google-gemini-v1", "id": "a",
         "index": 0}
    ]  # fmt: skip
    assert found["tool_calls"][0]["id"] == "a"


def test_sources_count_characters_of_the_whole_content():
    events = [
        TextDelta(text="ß1"),
        Cited(citation=Citation(url="u", title="t")),  # it stands on the whole part
        TextEnd(),
        TextDelta(text="abc"),
        Cited(citation=Citation(url="v", start=1, end=2)),
        Cited(citation=Citation(cited_text="of a file, which has no form here")),
        TextEnd(),
        STOP,
    ]
    notes = [note for one in deltas(streamed(events)) for note in one.get("annotations", [])]
    assert [
        (note["index"], note["url_citation"]["start_index"], note["url_citation"]["end_index"])
        for note in notes
    ] == [(0, 0, 2), (1, 3, 4)]


def test_several_choices_end_each():
    events = [
        TextDelta(text="a"),
        TextDelta(text="b", choice=1),
        Finish(reason=FinishReason.LENGTH, choice=1),
        STOP,
    ]
    ends = [
        (choice["index"], choice["finish_reason"])
        for chunk in documents(streamed(events))
        for choice in chunk["choices"]
        if choice["finish_reason"]
    ]
    assert ends == [(0, "stop"), (1, "length")]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (FinishReason.CONTENT_FILTER, "content_filter"),
        (FinishReason.REFUSAL, "content_filter"),
        (FinishReason.PAUSE, "stop"),
        (FinishReason.OTHER, "stop"),
        (FinishReason.ERROR, "error"),
    ],
)
def test_every_finish_has_its_word(reason, word):
    chunks = documents(streamed([TextDelta(text="a"), Finish(reason=reason)]))
    assert chunks[-2]["choices"][0]["finish_reason"] == word


def test_a_refusal_in_words_ends_like_a_text():
    chunks = documents(streamed([RefusalDelta(text="No"), Finish(reason=FinishReason.REFUSAL)]))
    assert chunks[1]["choices"][0]["delta"] == {"refusal": "No"}
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


def test_an_error_on_the_platform_has_the_form_of_openrouter():
    encoder = openai_chat.stream_encoder(answering(is_platform=True))
    encoder.encode(TextDelta(text="a"))
    error = RelayError(code=Code.UPSTREAM_RATE_LIMIT, message="Too many.")
    raw = encoder.fail(error)
    assert b"[DONE]" not in raw
    chunk = json.loads(raw.removeprefix(b"data: "))
    assert (chunk["id"], chunk["provider"]) == (GENERATION, "Acme")
    assert chunk["error"]["code"] == 429
    assert chunk["error"]["metadata"]["error_type"] == "rate_limit_exceeded"
    assert chunk["choices"] == [
        {"index": 0, "delta": {"content": ""}, "finish_reason": "error",
         "native_finish_reason": None}
    ]  # fmt: skip


def test_an_error_elsewhere_has_the_form_of_openai():
    encoder = openai_chat.stream_encoder(answering())
    raw = encoder.fail(RelayError(code=Code.UPSTREAM_RATE_LIMIT, message="Too many."))
    error = json.loads(raw.removeprefix(b"data: "))["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert b"[DONE]" not in raw


_ALL = [
    Start(),
    ReasoningDelta(text="Let ", format=SealFormat.ANTHROPIC),
    ReasoningDelta(text="me", format=SealFormat.ANTHROPIC),
    ReasoningEnd(seal=Seal(format=SealFormat.ANTHROPIC, data="sig"), format=SealFormat.ANTHROPIC),
    TextDelta(text="Hel"),
    TextDelta(text="lo"),
    Cited(citation=Citation(url="u", title="t", start=0, end=3)),
    Logprobs(tokens=({"token": "Hel", "logprob": -1.0},)),
    MediaOut(image=Image(mime="image/png", data="iVBO")),
    AudioDelta(data="AA", transcript="Hel", id="audio_1"),
    AudioDelta(data="BB", transcript="lo", expires_at=1_900_000_000),
    *CALL,
    ToolStart(call=1, id="b", name="g"),
    ToolDelta(call=1, arguments="{}"),
    ToolEnd(call=1),
    CALLED,
]


@pytest.mark.parametrize("is_platform", [False, True])
def test_the_official_client_accumulates_everything(is_platform):
    stream = streamed(_ALL, is_platform=is_platform)
    for chunk in documents(stream):
        _CHUNK.validate_python(chunk)
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=stream
        )
    )
    client = OpenAI(
        api_key="x", base_url="http://vendor.invalid/v1",
        http_client=httpx2.Client(transport=transport),
    )  # fmt: skip
    with client.chat.completions.stream(
        model="m",
        messages=[{"role": "user", "content": "Hi"}],
        stream_options={"include_usage": True},
    ) as running:
        final = running.get_final_completion()
    (choice,) = final.choices
    message = choice.message
    assert (message.content, choice.finish_reason) == ("Hello", "tool_calls")
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert calls == [("a", "f", '{"x":1}'), ("b", "g", "{}")]
    assert (message.audio.id, message.audio.data) == ("audio_1", "AABB")
    assert message.audio.expires_at == 1_900_000_000
    assert message.reasoning == message.reasoning_content == "Let me"
    (entry,) = message.reasoning_details
    assert (entry["text"], entry["signature"]) == ("Let me", "sig")
    assert len(message.annotations) == len(message.images) == 1
    assert final.usage.total_tokens == 181
    # What it gives back is read as what was said.
    echo = {"role": "assistant", **message.model_dump(exclude={"audio", "images"})}
    echo.pop("parsed")
    request = openai_chat.decode_request(
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}, echo]}, seal_key=b"k"
    )
    seal = request.turns[1].parts[0].seal
    assert seal == Seal(format=SealFormat.ANTHROPIC, data="sig")


def test_what_was_written_is_read_again():
    stream = streamed(_ALL, is_platform=True)
    again = decoded(*documents(stream))
    kinds = (TextDelta, ReasoningDelta, ReasoningEnd, ToolStart, ToolDelta, Cited, MediaOut)
    assert [event for event in again if isinstance(event, kinds)] == [
        event for event in _ALL if isinstance(event, kinds)
    ]


def test_a_call_that_waits_for_its_text_is_numbered_when_it_is_written():
    """Accumulators put a piece at its index: a call 1 before any call 0 would be lost."""
    body = {"tools": [{"type": "custom", "custom": {"name": "run"}}]}
    events = [
        ToolStart(call=0, id="a", name="run"),
        ToolStart(call=1, id="b", name="f"),
        ToolDelta(call=1, arguments="{}"),
        ToolEnd(call=1),
        ToolDelta(call=0, arguments='{"input":"x"}'),
        ToolEnd(call=0),
    ]
    pieces = [
        call for one in deltas(streamed(events, body=body)) for call in one.get("tool_calls") or ()
    ]
    assert [(call["index"], call.get("id")) for call in pieces] == [(0, "b"), (0, None), (1, "a")]
