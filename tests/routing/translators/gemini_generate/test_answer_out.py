"""Answers as a Gemini client gets them, whole and streamed."""

import base64
import json

import pytest

from billing.usage import UnitClass, Usage
from routing import seals
from routing.conversation import (
    Answer,
    Audio,
    Choice,
    Citation,
    FinishReason,
    Image,
    Reasoning,
    Refusal,
    Seal,
    SealFormat,
    Text,
    ToolCall,
)
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
from routing.readers.gemini_generate import usage_of
from routing.translators import gemini_generate
from routing.translators.gemini_generate import usage
from tests.routing.translators.gemini_generate.play import (
    ANSWERING,
    BILL,
    KEY,
    PNG,
    asked,
    documents,
    parts,
    whole,
    written,
)

GOOGLES = Seal(format=SealFormat.GOOGLE, data="EuABCt0B")
FOREIGN = Seal(format=SealFormat.ANTHROPIC, data="ErUB+x/==")
REDACTED = Seal(format=SealFormat.ANTHROPIC, data="hidden", is_redacted=True)


def said(*told, **fields) -> Answer:
    return Answer(choices=(Choice(parts=told, **fields),))


def opened(part) -> Seal | None:
    text = base64.b64decode(part["thoughtSignature"]).decode()
    return seals.unwrap(text, key=KEY)


def streamed(*events, **fields):
    return documents(written([Start(), *events], **fields))


def streamed_parts(*events):
    return [part for one in streamed(*events) for part in parts(one)]


def test_writes_a_whole_answer_in_googles_fields_and_no_other():
    told = whole(said(Text(text="Hi"), finish=FinishReason.STOP))
    assert told == {
        "candidates": [
            {
                "content": {"parts": [{"text": "Hi"}], "role": "model"},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 7,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 3,
            "totalTokenCount": 15,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        },
        "modelVersion": "google/gemini-3-flash",
        "responseId": "ab" * 16,
    }


def test_streams_each_delta_at_once_and_usage_in_the_last_chunk_only():
    encoder = gemini_generate.stream_encoder(ANSWERING)
    assert encoder.content_type == "text/event-stream"
    assert encoder.encode(Start()) == b""
    first = encoder.encode(TextDelta(text='"Hé\n'))
    assert first.startswith(b"data: {")
    assert first.endswith(b"\r\n\r\n")
    second = encoder.encode(TextDelta(text="llo"))
    assert encoder.encode(Finish(reason=FinishReason.LENGTH)) == b""
    told = documents(first + second + encoder.finish(BILL))
    assert [parts(one)[0]["text"] for one in told] == ['"Hé\n', "llo", ""]
    assert ["usageMetadata" in one for one in told] == [False, False, True]
    assert ["finishReason" in one["candidates"][0] for one in told] == [False, False, True]
    assert told[2]["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert {one["responseId"] for one in told} == {"ab" * 16}


def test_streams_one_json_array_where_no_events_were_asked_for():
    data = written([Start(), TextDelta(text="a"), TextDelta(text="b")], is_array=True)
    told = json.loads(data)
    assert data.startswith(b'[{"candidates"')
    assert b"},\r\n{" in data
    assert [parts(one)[0]["text"] for one in told] == ["a", "b", ""]
    assert json.loads(written([], is_array=True))[0]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("begins", [True, False])
def test_ends_with_the_error_in_googles_form(begins):
    error = RelayError(code=Code.UPSTREAM_OVERLOADED, message="busy")
    for is_array in (False, True):
        answering = type(ANSWERING)(
            surface=ANSWERING.surface, id=ANSWERING.id, model="m", vendor="v", created=1, body={},
            is_array=is_array,
        )  # fmt: skip
        encoder = gemini_generate.stream_encoder(answering)
        assert encoder.content_type == ("application/json" if is_array else "text/event-stream")
        data = encoder.encode(TextDelta(text="a")) if begins else b""
        data += encoder.fail(error)
        if is_array:
            told = json.loads(data)
        else:
            told = [json.loads(block[6:]) for block in data.split(b"\r\n\r\n")[:-1]]
        assert told[-1]["error"]["message"] == "busy"
        assert told[-1]["error"]["status"] == "UNAVAILABLE"
        assert len(told) == 1 + begins
        assert b"usageMetadata" not in data


@pytest.mark.parametrize(
    ("reason", "native", "word"),
    [
        (FinishReason.STOP, "end_turn", "STOP"),
        (FinishReason.TOOL_CALLS, "tool_use", "STOP"),
        (FinishReason.LENGTH, "length", "MAX_TOKENS"),
        (FinishReason.CONTENT_FILTER, "content_filter", "SAFETY"),
        (FinishReason.CONTENT_FILTER, "RECITATION", "RECITATION"),
        (FinishReason.REFUSAL, "refusal", "SAFETY"),
        (FinishReason.PAUSE, "pause_turn", "STOP"),
        (FinishReason.ERROR, "error", "MALFORMED_RESPONSE"),
        (FinishReason.OTHER, "?", "OTHER"),
        (FinishReason.STOP, "SAFETY", "STOP"),
    ],
)
def test_tells_why_it_ended_in_googles_words(reason, native, word):
    told = whole(said(finish=reason, native_finish=native))
    assert told["candidates"][0]["finishReason"] == word
    last = streamed(Finish(reason=reason, native=native))[-1]
    assert last["candidates"][0]["finishReason"] == word


def test_writes_no_empty_part_of_a_whole_answer():
    assert parts(whole(said(Text(text=""), Reasoning(text=""), Refusal(text="")))) == []
    assert whole(Answer())["candidates"][0]["finishReason"] == "STOP"


def test_tells_calls_whole_when_they_end():
    encoder = gemini_generate.stream_encoder(ANSWERING)
    for event in (
        ToolStart(call=0, id="c0", name="f"),
        ToolDelta(call=0, arguments='{"a":'),
        ToolStart(call=1, id="c1", name="g"),
        ToolDelta(call=0, arguments="[1]}"),
    ):
        assert encoder.encode(event) == b""
    second = encoder.encode(ToolEnd(call=1))
    first = encoder.encode(ToolEnd(call=0))
    told = documents(second + first + encoder.finish(BILL))
    assert [parts(one)[0] for one in told] == [
        {"functionCall": {"id": "c1", "name": "g", "args": {}}},
        {"functionCall": {"id": "c0", "name": "f", "args": {"a": [1]}}},
        {"text": ""},
    ]


def test_tells_calls_that_nobody_ended_in_the_last_chunk():
    (last,) = streamed(ToolStart(call=0, id="c0", name="f"), ToolDelta(call=0, arguments="{}"))
    assert parts(last) == [{"functionCall": {"id": "c0", "name": "f", "args": {}}}]


def test_holds_no_text_behind_a_call():
    encoder = gemini_generate.stream_encoder(ANSWERING)
    encoder.encode(ToolStart(call=0, id="c0", name="f"))
    assert b'"text":"a"' in encoder.encode(TextDelta(text="a"))


@pytest.mark.parametrize("arguments", ["", "{}", "nonsense", "[1]", '{"n":1' + "0" * 30 + "}"])
def test_gives_arguments_as_an_object_whatever_they_are(arguments):
    told = parts(whole(said(ToolCall(id="c", name="f", arguments=arguments))))
    args = told[0]["functionCall"]["args"]
    assert args == (json.loads(arguments) if arguments[:1] == "{" else args)
    assert isinstance(args, dict)
    assert streamed_parts(
        ToolStart(call=0, id="c", name="f"), ToolDelta(call=0, arguments=arguments), ToolEnd(call=0)
    )[0] == told[0]  # fmt: skip


def test_survives_arguments_of_any_depth_and_half_a_surrogate_pair():
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    for arguments in (deep, '{"a":' * 900 + "1" + "}" * 900, '{"a":"\\ud800"}'):
        answer = said(ToolCall(id="c", name="f", arguments=arguments))
        body = gemini_generate.encode_answer(answer, answering=ANSWERING, bill=BILL)
        assert b"functionCall" in body
    assert streamed_parts(TextDelta(text="\ud800"))[0]["text"] == "?"


def test_marks_thoughts():
    assert parts(whole(said(Reasoning(text="hm"), Text(text="Hi")))) == [
        {"text": "hm", "thought": True},
        {"text": "Hi"},
    ]
    told = streamed_parts(ReasoningDelta(text="h"), ReasoningDelta(text="m"), ReasoningEnd())
    assert told == [{"text": "h", "thought": True}, {"text": "m", "thought": True}, {"text": ""}]


def test_puts_googles_own_seals_on_their_parts_as_they_are():
    told = (
        Reasoning(text="t", format=SealFormat.GOOGLE, seal=GOOGLES),
        Text(text="a", seal=GOOGLES),
        Text(text="", seal=GOOGLES),
        ToolCall(id="c", name="f", arguments="{}", seal=GOOGLES),
        Image(mime="image/png", data=PNG, seal=GOOGLES),
    )
    found = parts(whole(said(*told)))
    assert [part["thoughtSignature"] for part in found] == [GOOGLES.data] * 5
    events = (
        ReasoningDelta(text="t"),
        ReasoningEnd(seal=GOOGLES),
        TextDelta(text="a"),
        SealDelta(seal=GOOGLES),
        ToolStart(call=0, id="c", name="f", seal=GOOGLES),
        ToolEnd(call=0),
        MediaOut(image=told[-1]),
    )
    found = [part for part in streamed_parts(*events) if "thoughtSignature" in part]
    assert [part["thoughtSignature"] for part in found] == [GOOGLES.data] * 4
    assert [part.get("thought", False) for part in found] == [True, False, False, False]


CARRIERS = {
    "text": ((Text(text="Hi"),), (TextDelta(text="Hi"),)),
    "call": (
        (ToolCall(id="c", name="f", arguments="{}"),),
        (ToolStart(call=0, id="c", name="f"), ToolEnd(call=0)),
    ),
    "image": (
        (Image(mime="image/png", data=PNG),),
        (MediaOut(image=Image(mime="image/png", data=PNG)),),
    ),
    "nothing": ((), ()),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_carries_a_foreign_seal_in_our_envelope_on_the_next_part(carrier):
    told, events = CARRIERS[carrier]
    found = parts(whole(said(Reasoning(text="hm", id="rs_1", seal=FOREIGN), *told)))
    assert "thoughtSignature" not in found[0]
    wanted = Seal(format=SealFormat.ANTHROPIC, data=FOREIGN.data, id="rs_1")
    assert opened(found[1]) == wanted
    if carrier == "nothing":
        assert found[1]["text"] == ""
    stream = streamed_parts(
        ReasoningDelta(text="hm"), ReasoningEnd(seal=FOREIGN, id="rs_1"), *events
    )
    assert stream[1] == found[1]
    assert sum("thoughtSignature" in part for part in stream) == 1


def test_carries_several_foreign_seals_each_on_a_part_of_its_own():
    told = (
        Reasoning(text="hm", seal=FOREIGN),
        Reasoning(seal=REDACTED),
        ToolCall(id="c", name="f", arguments="{}", seal=GOOGLES),
    )
    found = parts(whole(said(*told)))
    assert [opened(part) for part in found[1:3]] == [FOREIGN, REDACTED]
    assert found[3]["thoughtSignature"] == GOOGLES.data
    stream = streamed_parts(
        ReasoningDelta(text="hm"), ReasoningEnd(seal=FOREIGN), ReasoningEnd(seal=REDACTED),
        ToolStart(call=0, id="c", name="f", seal=GOOGLES), ToolEnd(call=0),
    )  # fmt: skip
    assert stream[:4] == found


@pytest.mark.parametrize("is_stream", [True, False])
def test_gets_reasoning_of_other_vendors_back_as_it_was(is_stream):
    reasoning = (
        Reasoning(text="I think", format=SealFormat.ANTHROPIC, seal=FOREIGN),
        Reasoning(format=SealFormat.ANTHROPIC, seal=REDACTED),
    )
    call = ToolCall(id="toolu_1", name="f", arguments='{"a":1}')
    events = (
        ReasoningDelta(text="I th"), ReasoningDelta(text="ink"), ReasoningEnd(seal=FOREIGN),
        ReasoningEnd(seal=REDACTED), TextDelta(text="Let"), TextDelta(text=" me"),
        ToolStart(call=0, id="toolu_1", name="f"), ToolDelta(call=0, arguments='{"a":1}'),
        ToolEnd(call=0), Finish(reason=FinishReason.TOOL_CALLS),
    )  # fmt: skip
    if is_stream:  # as the official SDK's chat keeps them
        echoed = [one["candidates"][0]["content"] for one in streamed(*events)]
    else:
        told = whole(said(*reasoning, Text(text="Let me"), call))
        echoed = [told["candidates"][0]["content"]]
    (turn,) = asked({"contents": echoed}).turns
    assert turn.parts == (*reasoning, Text(text="Let me"), call)


def test_tells_sources_in_bytes_of_all_visible_text():
    text = ("Grüße. ", "69°F is warm.")
    citation = Citation(url="https://a.test", title="A", start=0, end=4)
    bare = Citation(url="https://b.test")
    told = whole(
        said(
            Reasoning(text="häm"),
            Text(text=text[0], citations=(bare,)),
            Text(text=text[1], citations=(citation, citation)),
        )
    )
    found = told["candidates"][0]["groundingMetadata"]
    raw = "".join(text).encode()
    assert found["groundingChunks"] == [
        {"web": {"uri": "https://b.test"}},
        {"web": {"uri": "https://a.test", "title": "A"}},
    ]
    spans = [
        raw[one["segment"]["startIndex"] : one["segment"]["endIndex"]].decode()
        for one in found["groundingSupports"]
    ]
    assert spans == [text[0], "69°F"]
    assert [one["segment"]["text"] for one in found["groundingSupports"]] == spans
    assert [one["groundingChunkIndices"] for one in found["groundingSupports"]] == [[0], [1]]

    stream = streamed(
        Cited(citation=bare), TextDelta(text="Grü"), TextDelta(text="ße. "), TextEnd(),
        TextDelta(text=text[1]), Cited(citation=citation),
    )  # fmt: skip
    last = stream[-1]["candidates"][0]["groundingMetadata"]
    assert not any("groundingMetadata" in one["candidates"][0] for one in stream[:-1])
    assert last["groundingChunks"] == found["groundingChunks"]
    for one in found["groundingSupports"]:
        del one["segment"]["text"]
    assert last["groundingSupports"] == found["groundingSupports"]


def test_tells_no_sources_where_there_are_none():
    assert "groundingMetadata" not in whole(said(Text(text="a")))["candidates"][0]
    assert all("groundingMetadata" not in json.dumps(one) for one in streamed(TextDelta(text="a")))


def test_tells_several_candidates():
    answer = Answer(
        choices=(
            Choice(parts=(Text(text="a"),), finish=FinishReason.STOP),
            Choice(parts=(Text(text="b"),), finish=FinishReason.LENGTH),
        )
    )
    told = whole(answer)["candidates"]
    assert [(one["index"], one["finishReason"]) for one in told] == [(0, "STOP"), (1, "MAX_TOKENS")]
    stream = streamed(
        TextDelta(text="b", choice=1), TextDelta(text="a"),
        Finish(reason=FinishReason.LENGTH, choice=1), Finish(reason=FinishReason.STOP),
    )  # fmt: skip
    assert [one["candidates"][0]["index"] for one in stream[:2]] == [1, 0]
    assert [(one["index"], one["finishReason"]) for one in stream[2]["candidates"]] == [
        (0, "STOP"),
        (1, "MAX_TOKENS"),
    ]


def test_tells_pictures_sound_and_refusals():
    image = Image(mime="image/png", data=PNG)
    found = parts(whole(said(image, Image(url="https://x.test/a"), Refusal(text="No."),
                             Audio(data="AAAA", transcript="hi"))))  # fmt: skip
    assert found == [
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"fileData": {"fileUri": "https://x.test/a"}},
        {"text": "No."},
        {"text": "hi"},
        {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAAA"}},
    ]
    stream = streamed_parts(
        MediaOut(image=image), RefusalDelta(text="No."), AudioDelta(data="AAAA", mime="audio/wav"),
        AudioDelta(data="BBBB", transcript="hi"),
    )  # fmt: skip
    assert stream == [
        found[0],
        {"text": "No."},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        {"text": "hi"},
        {"inlineData": {"mimeType": "audio/wav", "data": "BBBB"}},
        {"text": ""},
    ]


def test_tells_probabilities():
    token = {"token": "a", "logprob": -0.5, "bytes": [97]}
    tokens = ({**token, "top_logprobs": [token]},)
    wanted = {
        "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5}]}],
    }
    told = whole(said(Text(text="a"), logprobs=tokens))
    assert told["candidates"][0]["logprobsResult"] == wanted
    stream = streamed(TextDelta(text="a"), Logprobs(tokens=tokens))
    assert [one["candidates"][0].get("logprobsResult") for one in stream] == [None, wanted, None]


def test_writes_a_custom_tools_text_as_its_input():
    told = parts(whole(said(ToolCall(id="c", name="f", arguments="ls -l", is_custom=True))))
    assert told[0]["functionCall"]["args"] == {"input": "ls -l"}


QUANTITIES = {
    UnitClass.INPUT: 10,
    UnitClass.CACHE_READ: 20,
    UnitClass.AUDIO_INPUT: 3,
    UnitClass.AUDIO_CACHE_READ: 4,
    UnitClass.IMAGE_INPUT: 5,
    UnitClass.VIDEO_INPUT: 6,
    UnitClass.TOOL_PROMPT: 7,
    UnitClass.OUTPUT: 8,
    UnitClass.REASONING: 9,
    UnitClass.AUDIO_OUTPUT: 2,
    UnitClass.IMAGE_OUTPUT: 1,
}


def test_counts_as_google_counts():
    told = usage.metadata(Usage(quantities=QUANTITIES))
    assert told["promptTokenCount"] == 48
    assert told["cachedContentTokenCount"] == 24
    assert told["candidatesTokenCount"] == 11
    assert told["thoughtsTokenCount"] == 9
    assert told["toolUsePromptTokenCount"] == 7
    assert told["totalTokenCount"] == sum(QUANTITIES.values())
    flags = set()
    again = usage_of(told, searches=0, flags=flags)
    assert {k: v for k, v in again.quantities.items() if v} == QUANTITIES
    assert flags == set()


def test_counts_writes_of_caches_inside_of_the_prompt():
    written_ones = {UnitClass.INPUT: 1, UnitClass.CACHE_WRITE_5M: 2, UnitClass.CACHE_WRITE_1H: 3}
    told = usage.metadata(Usage(quantities=written_ones))
    assert told["promptTokenCount"] == 6
    assert "cachedContentTokenCount" not in told
    assert "thoughtsTokenCount" not in told
