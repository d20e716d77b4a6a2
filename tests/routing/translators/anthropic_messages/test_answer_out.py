import json

import pytest
from anthropic.types import Message
from pydantic import TypeAdapter

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
    SealFormat,
    Text,
    ToolCall,
)
from routing.translators import anthropic_messages as messages
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import KEY, answering, bill, written

MESSAGE = TypeAdapter(Message)


def answer(*parts, finish=making.STOP, **fields):
    return Answer(choices=(Choice(parts=parts, finish=finish, **fields),))


def content(*parts):
    document = written(answer(*parts))
    MESSAGE.validate_python(document)
    return document["content"]


def test_an_answer_is_a_message_of_anthropics():
    document = written(answer(Text(text="Hi")))
    MESSAGE.validate_python(document)
    assert document["id"] == f"msg_{making.HEX}"
    assert (document["type"], document["role"]) == ("message", "assistant")
    assert document["model"] == "acme/chat-2"
    assert document["content"] == [{"type": "text", "text": "Hi"}]
    assert (document["stop_reason"], document["stop_sequence"]) == ("end_turn", None)


def test_the_cost_is_exact_to_the_nano():
    raw = messages.encode_answer(answer(), answering=answering(), bill=bill(12_345_678_901_234_567))
    assert b'"cost":12345678.901234567}' in raw


def test_there_is_never_an_empty_text():
    assert content(Text(text=""), Refusal(text="")) == []


def test_a_call_has_its_input_as_an_object():
    (block,) = content(ToolCall(id="call_1", name="f", arguments='{"n": 123456789012345678901}'))
    assert block == {"type": "tool_use", "id": "call_1", "name": "f",
                     "input": {"n": 123456789012345678901}}  # fmt: skip


@pytest.mark.parametrize(
    "told",
    ["{", "[1]", "null", '{"a":NaN}', '{"a":1} x', '{"a":' * 5_000],
)
def test_arguments_that_are_no_object_break_nothing(told):
    (block,) = content(ToolCall(id="c", name="f", arguments=told))
    assert block["input"] == {"_raw": told}


@pytest.mark.parametrize("told", ["", "  ", "{}"])
def test_no_arguments_are_an_empty_object(told):
    (block,) = content(ToolCall(id="c", name="f", arguments=told))
    assert block["input"] == {}


def test_a_custom_tools_text_is_its_input():
    (block,) = content(ToolCall(id="c", name="f", arguments="ls -l", is_custom=True))
    assert block["input"] == {"input": "ls -l"}


def test_an_id_that_anthropic_would_refuse_is_spelled_in_its_alphabet():
    (block,) = content(ToolCall(id="functions.f:0", name="f", arguments="{}"))
    assert set(block["id"]) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
    )


def test_seals_travel_as_they_are_or_in_our_envelope():
    foreign = making.openai_seal()
    found = content(
        Reasoning(text="a", format=SealFormat.ANTHROPIC, seal=making.claude_seal("c2ln")),
        Reasoning(text="b", format=SealFormat.OPENAI, seal=foreign),
        Reasoning(text="", format=SealFormat.OPENAI, seal=foreign),
        Reasoning(text="d"),
    )
    assert found[0] == {"type": "thinking", "thinking": "a", "signature": "c2ln"}
    assert seals.unwrap(found[1]["signature"], key=KEY) == foreign
    assert found[2]["type"] == "redacted_thinking"
    assert seals.unwrap(found[2]["data"], key=KEY) == foreign
    assert found[3] == {"type": "thinking", "thinking": "d", "signature": ""}


def test_citations_without_anthropics_index_are_left_out():
    cited = Citation(url="https://a.example/", title="T", native={"type": "url_citation"})
    assert content(Text(text="a", citations=(cited,))) == [{"type": "text", "text": "a"}]


def test_pictures_have_no_form_and_sound_has_its_words():
    found = content(Image(mime="image/png", data="aGk="), Audio(data="aGk=", transcript="said"))
    assert found == [{"type": "text", "text": "said"}]


def test_a_refusal_is_read_and_ends_the_answer():
    document = written(answer(Refusal(text="No.")))
    MESSAGE.validate_python(document)
    assert document["content"] == [{"type": "text", "text": "No."}]
    assert document["stop_reason"] == "refusal"
    assert document["stop_details"]["type"] == "refusal"


@pytest.mark.parametrize("finish", [None, *FinishReason])
def test_every_reason_has_a_word_that_the_sdk_knows(finish):
    MESSAGE.validate_python(written(answer(Text(text="a"), finish=finish)))


def test_calls_end_with_tool_use_even_if_the_vendor_says_stop():
    call = ToolCall(id="c", name="f", arguments="{}")
    assert written(answer(call))["stop_reason"] == "tool_use"
    assert written(answer(call, finish=FinishReason.LENGTH))["stop_reason"] == "max_tokens"


def test_an_answer_without_choices_is_an_empty_message():
    document = written(Answer())
    MESSAGE.validate_python(document)
    assert document["content"] == []


def test_of_several_choices_the_first_is_told():
    choices = tuple(Choice(parts=(Text(text=one),)) for one in "ab")
    assert json.dumps(written(Answer(choices=choices))).count('"text": "b"') == 0
