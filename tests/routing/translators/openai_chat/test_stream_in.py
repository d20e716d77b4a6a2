"""A vendor's chunks as events."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.conversation import FinishReason, Seal, SealFormat
from routing.events import (
    AudioDelta,
    Cited,
    Finish,
    Logprobs,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    SealDelta,
    Start,
    TextDelta,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators import openai_chat
from tests.routing.translators.openai_chat.samples import decoded, delta

DONE = b"[DONE]"


def _call(index=0, call_id="", name="", arguments="", **more):
    piece = {"function": {"arguments": arguments}, **more}
    if index is not None:
        piece["index"] = index
    if call_id:
        piece["id"] = call_id
    if name:
        piece["function"]["name"] = name
    return piece


def test_an_empty_first_chunk_begins_the_answer_and_says_nothing():
    azure = {"choices": [], "id": "", "model": "", "object": "", "prompt_filter_results": []}
    assert decoded(azure, delta(role="assistant", content=""), delta(content="Hi")) == [
        Start(),
        TextDelta(text="Hi"),
    ]


def test_one_delta_gives_one_event_at_once():
    decoder = openai_chat.stream_decoder()
    decoder.decode(json.dumps(delta(role="assistant", content=None)).encode())
    for text in ("a", "ß", "\u4f60", '"\\\n'):
        assert list(decoder.decode(json.dumps(delta(content=text)).encode())) == [
            TextDelta(text=text)
        ]


def test_the_finish_is_told_once_and_nothing_of_its_choice_after_it():
    events = decoded(delta(content="Hi"), delta("stop"), delta("length", content="late"), DONE)
    assert events == [
        Start(),
        TextDelta(text="Hi"),
        Finish(reason=FinishReason.STOP, native="stop"),
    ]


def test_a_stream_without_finish_gets_none_invented():
    assert decoded(delta(content="Hi"), DONE) == [Start(), TextDelta(text="Hi")]


def test_text_in_the_chunk_of_the_finish_is_told_before_it():
    events = decoded(delta("stop", content="Hi"))
    assert [type(event) for event in events] == [Start, TextDelta, Finish]


def test_split_arguments_and_interleaved_calls_keep_their_numbers():
    events = decoded(
        delta(tool_calls=[_call(0, "a", "add")]),
        delta(tool_calls=[_call(1, "b", "sub", '{"x"')]),
        delta(tool_calls=[_call(0, arguments='{"y":')]),
        delta(tool_calls=[_call(1, arguments=":1}"), _call(0, arguments="2}")]),
        delta("tool_calls"),
    )
    assert events == [
        Start(),
        ToolStart(call=0, id="a", name="add"),
        ToolStart(call=1, id="b", name="sub"),
        ToolDelta(call=1, arguments='{"x"'),
        ToolDelta(call=0, arguments='{"y":'),
        ToolDelta(call=1, arguments=":1}"),
        ToolDelta(call=0, arguments="2}"),
        ToolEnd(call=0),
        ToolEnd(call=1),
        Finish(reason=FinishReason.TOOL_CALLS, native="tool_calls"),
    ]


def test_a_call_whose_arguments_are_whole_ends_when_the_next_begins():
    events = decoded(
        delta(tool_calls=[_call(0, "a", "f", '{"s":"}{\\"')]),
        delta(tool_calls=[_call(0, arguments='\\\\"}')]),
        delta(tool_calls=[_call(1, "b", "g", "{}")]),
    )
    kinds = [(type(event), event.call) for event in events[1:]]
    assert kinds == [
        (ToolStart, 0), (ToolDelta, 0), (ToolDelta, 0), (ToolEnd, 0),
        (ToolStart, 1), (ToolDelta, 1), (ToolEnd, 1),
    ]  # fmt: skip


def test_an_escape_that_is_cut_between_pieces_does_not_end_a_call():
    events = decoded(
        delta(tool_calls=[_call(0, "a", "f", '{"s":"\\')]),
        delta(tool_calls=[_call(0, arguments='"}')]),  # both inside the string
        delta(tool_calls=[_call(1, "b", "g", "{}")]),
        delta(tool_calls=[_call(0, arguments='"}')]),
    )
    told = [event.arguments for event in events if isinstance(event, ToolDelta) and not event.call]
    assert json.loads("".join(told)) == {"s": '"}'}


def test_pieces_without_an_index_are_told_apart_by_id_and_name():
    events = decoded(
        delta(tool_calls=[_call(None, "a", "f", "{")]),
        delta(tool_calls=[_call(None, arguments="}")]),
        delta(tool_calls=[_call(None, "b", "f", "{}")]),
        delta(tool_calls=[_call(None, name="g", arguments="{}")]),
        delta("stop"),
    )
    starts = [event for event in events if isinstance(event, ToolStart)]
    assert [(start.call, start.id, start.name) for start in starts] == [
        (0, "a", "f"), (1, "b", "f"), (2, "", "g"),
    ]  # fmt: skip
    assert "".join(e.arguments for e in events if isinstance(e, ToolDelta)) == "{}{}{}"
    assert events[-1].reason is FinishReason.TOOL_CALLS


def test_one_index_for_several_whole_calls_is_several_calls():
    events = decoded(
        delta(tool_calls=[_call(0, "a", "f", "{}"), _call(0, "b", "f", "{}")]), delta("stop")
    )
    assert [e.id for e in events if isinstance(e, ToolStart)] == ["a", "b"]


def test_an_id_repeated_in_every_piece_is_one_call():
    events = decoded(
        delta(tool_calls=[_call(0, "a", "f", "{")]), delta(tool_calls=[_call(0, "a", "f", "}")])
    )
    assert [type(event) for event in events[1:]] == [ToolStart, ToolDelta, ToolDelta, ToolEnd]


def test_the_start_of_a_call_waits_for_its_name_alone():
    events = decoded(
        delta(tool_calls=[_call(0, "a", arguments="{")]),
        delta(tool_calls=[_call(0, name="f", arguments="}")]),
        delta("tool_calls"),
    )
    assert events[1:4] == [
        ToolStart(call=0, id="a", name="f"),
        ToolDelta(call=0, arguments="{}"),
        ToolEnd(call=0),
    ]


def test_a_call_without_a_name_and_an_empty_list_are_none():
    events = decoded(delta(tool_calls=[_call(0, "a")]), delta("stop", tool_calls=[]))
    assert events == [Start(), Finish(reason=FinishReason.STOP, native="stop")]


def test_a_call_of_before_2024_is_a_call():
    events = decoded(
        delta(function_call={"name": "f", "arguments": ""}),
        delta(function_call={"arguments": "{}"}),
        delta("function_call"),
    )
    assert events[1:] == [
        ToolStart(call=0, id="", name="f"),
        ToolDelta(call=0, arguments="{}"),
        ToolEnd(call=0),
        Finish(reason=FinishReason.TOOL_CALLS, native="function_call"),
    ]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_is_told_under_either_name(field):
    assert decoded(delta(**{field: "Hm"}), delta(**{field: "m", "content": "Hi"}))[1:] == [
        ReasoningDelta(text="Hm"),
        ReasoningDelta(text="m"),
        TextDelta(text="Hi"),
    ]


def test_details_win_over_the_plain_text_and_bring_their_seal():
    def entry(**more):
        return [{"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0, **more}]

    events = decoded(
        delta(reasoning="Hm", reasoning_details=entry(text="Hm")),
        delta(reasoning=None, reasoning_details=entry(signature="sig")),
        delta(content="Hi"),
    )
    form = SealFormat.ANTHROPIC
    assert events[1:] == [
        ReasoningDelta(text="Hm", format=form),
        ReasoningEnd(seal=Seal(format=form, data="sig"), format=form),
        TextDelta(text="Hi"),
    ]


def test_a_redacted_thought_is_a_part_of_its_own():
    form = SealFormat.ANTHROPIC
    redacted = {"type": "reasoning.encrypted", "format": form.value, "data": "x", "index": 1}
    plain = {"type": "reasoning.text", "format": form.value, "text": "Hm", "index": 0}
    events = decoded(delta(reasoning_details=[plain]), delta(reasoning_details=[redacted]))
    seal = Seal(format=form, data="x", is_redacted=True)
    assert events[2:] == [
        ReasoningEnd(format=form),
        ReasoningEnd(seal=seal, format=form),
    ]


def test_a_seal_of_google_waits_for_its_call_or_stands_on_the_text():
    def entry(data, **more):
        return [{"type": "reasoning.encrypted", "format": "google-gemini-v1", "data": data, **more}]

    google = SealFormat.GOOGLE
    events = decoded(
        delta(reasoning_details=entry("s", id="a")),
        delta(content="Hi"),
        delta(tool_calls=[_call(0, "a", "f", "{}")]),
        delta(content="", reasoning_details=entry("t")),
    )
    assert ToolStart(call=0, id="a", name="f", seal=Seal(format=google, data="s")) in events
    assert SealDelta(seal=Seal(format=google, data="t")) in events


def test_lists_of_content_with_thoughts_are_told_in_order():
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "text", "text": "Hi"},
    ]
    assert decoded(delta(content=content))[1:] == [
        ReasoningDelta(text="Hm"),
        TextDelta(text="Hi"),
    ]


def test_refusals_sound_sources_and_probabilities_are_told():
    cited = {"url": "u", "title": "t", "start_index": 1, "end_index": 2}
    note = {"type": "url_citation", "url_citation": cited}
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    chunk = delta(
        refusal="No", audio={"id": "x", "data": "AA", "transcript": "a"}, annotations=[note]
    )
    chunk["choices"][0]["logprobs"] = {"content": [token]}
    events = decoded(chunk, delta("stop"))
    assert RefusalDelta(text="No") in events
    assert AudioDelta(data="AA", transcript="a", id="x") in events
    (found,) = [event.citation for event in events if isinstance(event, Cited)]
    assert (found.url, found.title, found.start, found.end) == ("u", "t", 1, 2)
    assert Logprobs(tokens=(token,)) in events
    assert events[-1].reason is FinishReason.REFUSAL


def test_sources_of_the_whole_answer_are_told_once():
    chunks = [delta(content=text) for text in "abc"]
    for chunk in chunks:
        chunk["citations"] = ["https://a.example", "https://b.example"]
    events = decoded(*chunks, delta("stop"))
    urls = [event.citation.url for event in events if isinstance(event, Cited)]
    assert urls == ["https://a.example", "https://b.example"]


def test_a_chunk_with_an_error_tells_no_finish():
    chunk = delta("error", content="")
    chunk["error"] = {"code": 502, "message": "x"}
    assert not any(isinstance(event, Finish) for event in decoded(delta(content="a"), chunk))


def test_endless_nesting_and_broken_text_are_skipped():
    deep = b'{"choices":[{"delta":{"content":"x","other":' + b"[" * 20_000
    assert decoded(deep, b'{"choices":[{"delta":{"content":"\xff"}}]}', b"", b"null", b"[]") == []


def test_pieces_of_a_running_call_and_thought_take_one_event_each():
    entry = {"type": "reasoning.text", "format": "unknown", "index": 0}
    decoder = openai_chat.stream_decoder()

    def fed(chunk):
        return list(decoder.decode(json.dumps(chunk).encode()))

    fed(delta(reasoning="H", reasoning_details=[{**entry, "text": "H"}]))
    assert fed(delta(reasoning="m", reasoning_details=[{**entry, "text": "m"}])) == [
        ReasoningDelta(text="m")
    ]
    other = {**entry, "text": "?", "index": 1}
    assert fed(delta(reasoning="?", reasoning_details=[other])) == [
        ReasoningEnd(),
        ReasoningDelta(text="?"),
    ]
    fed(delta(tool_calls=[_call(3, "a", "f", "{")]))
    assert fed(delta(tool_calls=[_call(3, arguments="}")])) == [ToolDelta(call=0, arguments="}")]
    # Beside it another call's, or text.
    mixed = fed(delta(content="x", tool_calls=[_call(3, arguments=" ")]))
    assert mixed == [TextDelta(text="x"), ToolDelta(call=0, arguments=" ")]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "message", "index", "content", "tool_calls", "function", "name",
             "arguments", "id", "reasoning_details", "type", "text", "format", "finish_reason",
             "annotations", "url_citation", "images", "image_url", "audio", "logprobs", "citations",
             "search_results", "function_call", "custom", "refusal", "reasoning", "error"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@given(st.lists(_JSON | st.binary(max_size=40), max_size=6))
def test_nothing_that_a_vendor_sends_breaks_the_decoder(chunks):
    for event in decoded(*chunks):
        assert event is not None


@given(_JSON)
def test_nothing_that_a_vendor_answers_breaks_the_decoder(value):
    openai_chat.decode_answer(value if isinstance(value, dict) else {"choices": value})


def test_an_index_that_is_no_number_is_the_first_choice():
    chunk = delta(content="x")
    chunk["choices"][0]["index"] = True
    events = decoded(chunk)
    texts = [event for event in events if isinstance(event, TextDelta)]
    assert [(type(event.choice), event.choice) for event in texts] == [(int, 0)]
