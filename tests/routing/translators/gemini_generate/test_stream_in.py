"""A Gemini vendor's answers, whole and streamed, as events."""

import base64
import json

import pytest

from routing.conversation import (
    Answer,
    Audio,
    Choice,
    Citation,
    FinishReason,
    Image,
    Reasoning,
    Seal,
    SealFormat,
    Text,
    ToolCall,
)
from routing.events import (
    Cited,
    Finish,
    ReasoningDelta,
    ReasoningEnd,
    SealDelta,
    Start,
    TextDelta,
    TextEnd,
    ToolDelta,
    ToolEnd,
    ToolStart,
)
from routing.translators import gemini_generate
from routing.translators.folding import fold
from routing.translators.gemini_generate import ids
from routing.translators.gemini_generate.citations_in import CITATIONS_MAX
from tests.routing.readers import wire
from tests.routing.translators.gemini_generate.play import PNG, calls_of, chunk, decoded, heard

GOOGLE = SealFormat.GOOGLE
SEAL = Seal(format=GOOGLE, data="EuABCt0B")


def only(*documents) -> Choice:
    (choice,) = fold(decoded(*documents)).choices
    return choice


def call(name="get", **fields):
    return {"functionCall": {"name": name, "args": {}, **fields}}


def test_passes_every_piece_of_text_on_at_once():
    decoder = gemini_generate.stream_decoder()
    first = decoder.decode(json.dumps(chunk({"text": "Hel"})).encode())
    assert list(first) == [Start(), TextDelta(text="Hel")]
    second = decoder.decode(json.dumps(chunk({"text": "lo"})).encode())
    assert list(second) == [TextDelta(text="lo")]


def test_ends_with_the_reason_and_no_other():
    told = decoded(chunk({"text": "a"}, finishReason="MAX_TOKENS"), chunk(finishReason="STOP"))
    finishes = [event for event in told if isinstance(event, Finish)]
    assert finishes == [Finish(reason=FinishReason.LENGTH, native="MAX_TOKENS")]


def test_invents_no_finish():
    told = decoded(chunk({"text": "a"}, finishReason="FINISH_REASON_UNSPECIFIED"))
    assert not any(isinstance(event, Finish) for event in told)


def test_takes_a_call_whole_and_stop_for_the_end_of_calls():
    told = decoded(
        chunk(call(id="zi06h2mp"), finishReason="STOP", finishMessage="Model generated.")
    )
    assert told == [
        Start(),
        ToolStart(call=0, id="zi06h2mp", name="get"),
        ToolDelta(call=0, arguments="{}"),
        ToolEnd(call=0),
        Finish(reason=FinishReason.TOOL_CALLS, native="STOP"),
    ]


def test_makes_ids_that_a_replay_repeats_and_no_two_calls_share():
    documents = [chunk(call(), call()), chunk(call())]
    first, again = decoded(*documents), decoded(*documents)
    assert first == again
    made = [event.id for event in first if isinstance(event, ToolStart)]
    assert len(set(made)) == 3
    assert all(ids.is_made(one) for one in made)
    other = decoded({**chunk(call()), "responseId": "r2"})
    assert other[1].id not in made


def test_tells_in_a_made_id_whether_google_signed():
    signed = decoded(chunk({**call(), "thoughtSignature": SEAL.data}, call("b")))
    starts = [event for event in signed if isinstance(event, ToolStart)]
    assert [start.seal for start in starts] == [SEAL, None]
    assert not any(ids.was_never_signed(start.id) for start in starts)
    plain = decoded(chunk(call()))
    assert ids.was_never_signed(plain[1].id)


def test_counts_calls_over_the_whole_answer():
    told = decoded(chunk(call()), chunk({"text": "and"}), chunk(call("b")))
    assert [event.call for event in told if isinstance(event, ToolStart)] == [0, 1]


def test_keeps_big_integers_of_arguments_whole():
    raw = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"n":%d}}}]}}]}'
    big = 10**40
    told = list(gemini_generate.stream_decoder().decode(raw % big))
    assert told[2].arguments == f'{{"n":{big}}}'


def test_parts_thoughts_from_text():
    told = decoded(
        chunk({"text": "I th", "thought": True}),
        chunk({"text": "ink", "thought": True}, {"text": "Hi"}),
    )
    assert told == [
        Start(),
        ReasoningDelta(text="I th", format=GOOGLE),
        ReasoningDelta(text="ink", format=GOOGLE),
        ReasoningEnd(format=GOOGLE),
        TextDelta(text="Hi"),
    ]


def test_ends_thoughts_at_the_end_of_the_stream():
    assert decoded(chunk({"text": "I", "thought": True}))[-1] == ReasoningEnd(format=GOOGLE)


def test_puts_seals_where_google_put_them():
    told = decoded(
        chunk({"text": "t", "thought": True, "thoughtSignature": SEAL.data}),
        chunk({"text": "Hi"}),
        chunk({"text": " you", "thoughtSignature": SEAL.data}),
        chunk({"text": "a"}),
        chunk({"text": "", "thoughtSignature": SEAL.data}),
    )
    assert told[2] == ReasoningEnd(seal=SEAL, format=GOOGLE)
    assert fold(told).choices[0].parts == (
        Reasoning(text="t", format=GOOGLE, seal=SEAL),
        Text(text="Hi you", seal=SEAL),
        Text(text="a"),
        Text(text="", seal=SEAL),
    )
    assert told[-3:] == [TextEnd(), SealDelta(seal=SEAL), TextEnd()]


def test_takes_a_part_that_is_nothing_but_a_seal():
    assert only(chunk({"thoughtSignature": SEAL.data})).parts == (Text(text="", seal=SEAL),)


def test_gives_no_event_for_empty_text():
    told = decoded(chunk({"text": ""}, finishReason="STOP"))
    assert told == [Start(), Finish(reason=FinishReason.STOP, native="STOP")]


def test_keeps_texts_of_one_chunk_apart_and_joins_those_of_several():
    assert only(chunk({"text": "a"}, {"text": "b"}), chunk({"text": "c"})).parts == (
        Text(text="a"),
        Text(text="bc"),
    )


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("STOP", FinishReason.STOP),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("SAFETY", FinishReason.CONTENT_FILTER),
        ("RECITATION", FinishReason.CONTENT_FILTER),
        ("MODEL_ARMOR", FinishReason.CONTENT_FILTER),
        ("MALFORMED_FUNCTION_CALL", FinishReason.ERROR),
        ("TOO_MANY_TOOL_CALLS", FinishReason.ERROR),
        ("CONTINUATION", FinishReason.PAUSE),
        ("OTHER", FinishReason.OTHER),
        ("SOMETHING_NEW", FinishReason.OTHER),
    ],
)
def test_reads_reasons_without_any_content(native, reason):
    choice = only({"candidates": [{"finishReason": native, "finishMessage": "because"}]})
    assert choice == Choice(finish=reason, native_finish=native)


def test_reads_a_blocked_prompt_without_candidates():
    told = decoded({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {}})
    assert told == [
        Start(),
        Finish(reason=FinishReason.CONTENT_FILTER, native="PROHIBITED_CONTENT"),
    ]


def test_starts_with_a_chunk_that_tells_of_traffic_only():
    told = decoded({"usageMetadata": {"trafficType": "ON_DEMAND"}}, chunk({"text": "a"}))
    assert told == [Start(), TextDelta(text="a")]


def test_keeps_several_candidates_apart():
    told = fold(
        decoded(
            {
                "candidates": [
                    {"content": {"parts": [{"text": "a"}]}},
                    {"content": {"parts": [call()]}, "index": 1},
                ]
            },
            chunk({"text": "b"}, finishReason="STOP", index=0),
            {"candidates": [{"index": 1, "finishReason": "STOP"}]},
        )
    )
    first, second = told.choices
    assert first.parts == (Text(text="ab"),)
    assert first.finish is FinishReason.STOP
    assert second.finish is FinishReason.TOOL_CALLS


def test_takes_pictures_and_their_seals_and_leaves_thought_ones():
    blob = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    choice = only(chunk({**blob, "thought": True}, {**blob, "thoughtSignature": SEAL.data}))
    assert choice.parts == (Image(mime="image/png", data=PNG, seal=SEAL),)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 3), (2, 5, 9, 1), (4,)])
def test_joins_sound_that_comes_in_padded_pieces(sizes):
    raw = bytes(range(sum(sizes)))
    pieces, at = [], 0
    for size in sizes:
        data = base64.b64encode(raw[at : at + size]).decode()
        pieces.append(chunk({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": data}}))
        at += size
    (part,) = only(*pieces, chunk(finishReason="STOP")).parts
    assert isinstance(part, Audio)
    assert base64.b64decode(part.data, validate=True) == raw


def test_drops_traces_of_googles_tools():
    trace = {"executableCode": {"code": "1+1"}, "thoughtSignature": "abcd"}
    outcome = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}
    assert only(chunk(trace, outcome, {"text": "2"})).parts == (Text(text="2"),)


SOURCES = [{"web": {"uri": "https://a.test", "title": "A"}}, {"web": {"uri": "https://b.test"}}]


def support(start, end, *indices, **segment):
    told = {"endIndex": end, "startIndex": start, **segment}
    if not start:
        del told["startIndex"]
    return {"segment": told, "groundingChunkIndices": list(indices)}


def grounding(*supports, chunks=SOURCES):
    return {"groundingMetadata": {"groundingChunks": chunks, "groundingSupports": list(supports)}}


def cited(*documents):
    return [event.citation for event in decoded(*documents) if isinstance(event, Cited)]


def test_counts_characters_where_google_counts_bytes():
    text = "Grüße 🎉: 69°F."
    raw = text.encode()
    at = raw.index(b"69")
    for pieces in ([text], [text[:4], text[4:7], text[7:]], list(text)):
        documents = [chunk({"text": piece}) for piece in pieces]
        documents.append(chunk(finishReason="STOP", **grounding(support(at, at + 5, 0))))
        first = cited(*documents)[0]
        assert text[first.start : first.end] == "69°F"
        assert (first.url, first.title) == ("https://a.test", "A")


def test_tells_each_source_once_however_often_it_is_told():
    told = grounding(support(0, 2, 0, 1), support(0, 2, 0))
    documents = [chunk({"text": "ab"}, **told), chunk({"text": "c"}, **told)]
    assert [(one.url, one.start, one.end) for one in cited(*documents)] == [
        ("https://a.test", 0, 2),
        ("https://b.test", 0, 2),
    ]


def test_tells_sources_that_no_segment_names_at_the_end():
    documents = [chunk({"text": "ab"}, **grounding()), chunk(finishReason="STOP")]
    assert cited(*documents) == [
        Citation(url="https://a.test", title="A"),
        Citation(url="https://b.test"),
    ]
    assert cited(documents[0]) == cited(*documents)  # a stream that breaks off
    used = chunk(finishReason="STOP", **grounding(support(0, 2, 0)))
    assert [one.url for one in cited(documents[0], used)] == ["https://a.test", "https://b.test"]


def test_puts_a_late_source_on_the_text_before_the_seal():
    choice = only(
        chunk({"text": "abc"}),
        chunk({"text": "", "thoughtSignature": SEAL.data}, finishReason="STOP",
              **grounding(support(0, 3, 0), chunks=SOURCES[:1])),
    )  # fmt: skip
    assert choice.parts == (
        Text(text="abc", citations=(Citation(url="https://a.test", title="A", start=0, end=3),)),
        Text(text="", seal=SEAL),
    )


def test_puts_sources_on_the_part_that_they_name():
    told = grounding(support(0, 2, 0, partIndex=0), support(1, 3, 1, partIndex=2))
    choice = only(chunk({"text": "äö"}, call(), {"text": "xöz"}, finishReason="STOP", **told))
    first, _, last = choice.parts
    assert [(one.start, one.end) for one in first.citations] == [(0, 1)]
    assert [(one.start, one.end) for one in last.citations] == [(1, 2)]


def test_reads_recitations():
    told = {"citations": [{}, {"uri": "https://c.test", "startIndex": 1, "endIndex": 2}] * 3}
    documents = (chunk({"text": "abc"}, citationMetadata=told, finishReason="STOP"),)
    assert cited(*documents) == [Citation(url="https://c.test", start=1, end=2)]


def test_bounds_what_it_remembers_of_sources():
    chunks = [{"web": {"uri": f"https://{n}.test"}} for n in range(CITATIONS_MAX * 2)]
    told = grounding(support(0, 1, *range(CITATIONS_MAX * 2)), chunks=chunks)
    assert len(cited(chunk({"text": "a"}, finishReason="STOP", **told))) == CITATIONS_MAX


def test_reads_probabilities_in_openais_form():
    result = {
        "chosenCandidates": [{"token": "ä", "logProbability": -0.5}, {"token": "b"}],
        "topCandidates": [{"candidates": [{"token": "ä", "logProbability": -0.5}]}],
    }
    choice = only(chunk({"text": "äb"}, logprobsResult=result, finishReason="STOP"))
    token = {"token": "ä", "logprob": -0.5, "bytes": [195, 164]}
    assert choice.logprobs == (
        {**token, "top_logprobs": [token]},
        {"token": "b", "logprob": 0.0, "bytes": [98], "top_logprobs": []},
    )


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[DONE]", b"{", b"[]", b"null", b"\xff\xfe", b'{"candidates":7}',
        b'{"candidates":[7,{"content":7},{"content":{"parts":7}},{"content":{"parts":[7]}}]}',
        b'{"candidates":[{"index":"x","content":{"parts":[{"text":7,"thought":"y"}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":7}},{"inlineData":{}}]}}]}',
        b'{"candidates":[{"groundingMetadata":{"groundingChunks":[7],"groundingSupports":[{}]}}]}',
        b'{"candidates":[{"finishReason":7,"logprobsResult":[]}],"promptFeedback":7}',
        b'{"error":{"code":500}}',
    ],
)  # fmt: skip
def test_skips_what_it_cannot_read(data):
    decoder = gemini_generate.stream_decoder()
    assert all(isinstance(event, Start) for event in [*decoder.decode(data), *decoder.end()])


def test_skips_sound_that_is_no_base64():
    blob = {"inlineData": {"mimeType": "audio/L16", "data": "\x80"}}
    assert decoded(chunk(blob, {"text": "a"})) == [Start(), TextDelta(text="a")]


def test_takes_an_element_of_an_array_with_the_punctuation_around_it():
    decoder = gemini_generate.stream_decoder()
    assert list(decoder.decode(b',\r\n{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}')) == [
        Start(),
        TextDelta(text="a"),
    ]


def test_keeps_no_text_that_is_plain():
    decoder = gemini_generate.stream_decoder()
    data = json.dumps(chunk({"text": "x" * 1000})).encode()
    for _ in range(1000):
        decoder.decode(data)
    offsets = decoder._choices[0].offsets
    assert offsets._runs == []
    assert offsets.bytes == 1_000_000


def test_recorded_an_answer_filtered_without_content():
    assert heard(wire.case("3e2052f6ba5d")) == Answer(
        choices=(Choice(finish=FinishReason.CONTENT_FILTER, native_finish="MODEL_ARMOR"),)
    )


def test_recorded_a_finish_in_a_chunk_of_its_own_after_a_signed_call():
    (choice,) = heard(wire.case("a8762b3f2dbb")).choices
    (part,) = choice.parts
    assert isinstance(part, ToolCall)
    assert part.name == "get_country"
    assert part.seal is not None
    assert choice.finish is FinishReason.TOOL_CALLS


def test_recorded_parallel_calls_of_which_the_first_is_signed():
    told = heard(wire.case("3d5961ecae1f"))
    parts = [part for part in told.choices[0].parts if isinstance(part, ToolCall)]
    assert [part.seal is not None for part in parts] == [True, False, False]
    assert len({part.id for part in parts}) == 3
    assert len(calls_of(told)) == 3


def test_recorded_a_seal_on_an_empty_text():
    (choice,) = heard(wire.case("328108db4f64")).choices
    assert [type(part) for part in choice.parts] == [Reasoning, Text, Text]
    assert choice.parts[-1].text == ""
    assert choice.parts[-1].seal is not None


def test_recorded_traces_of_tools_that_google_ran():
    (choice,) = heard(wire.case("c807fec99f4c")).choices
    assert {type(part) for part in choice.parts} <= {Text, ToolCall}


def test_recorded_segments_count_bytes():
    case = wire.case("c0562af98723")
    (part,) = [one for one in heard(case).choices[0].parts if isinstance(one, Text)]
    document = json.loads(case.body)
    supports = document["candidates"][0]["groundingMetadata"]["groundingSupports"]
    wanted = {one["segment"]["text"] for one in supports}
    spans = {part.text[one.start : one.end] for one in part.citations if one.start is not None}
    assert spans == wanted
