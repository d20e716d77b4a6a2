"""Whole chat completions, both ways, and that nothing is lost between them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

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
from routing.errors import RelayError
from routing.translators import folding, openai_chat
from tests.routing.translators.openai_chat.samples import (
    BILL,
    GENERATION,
    KEY,
    answering,
    decoded,
    documents,
    streamed,
)

_WHOLE = TypeAdapter(ChatCompletion)
_CHUNK = TypeAdapter(ChatCompletionChunk)


def _written(*parts, finish=FinishReason.STOP, body=None, **changes):
    answer = Answer(choices=(Choice(parts=parts, finish=finish, native_finish="end"),))
    return json.loads(
        openai_chat.encode_answer(answer, answering=answering(body, **changes), bill=BILL)
    )


def _message(*parts, **changes):
    return _written(*parts, **changes)["choices"][0]["message"]


def _read(message, finish="stop", **more):
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return openai_chat.decode_answer({"choices": [choice], **more}).choices[0]


def test_an_answer_wears_the_envelope_of_its_surface():
    plain = _written(Text(text="Hi"))
    assert plain["id"] == "chatcmpl-" + GENERATION.removeprefix("gen-")
    assert not {"provider", "native_finish_reason"} & {*plain, *plain["choices"][0]}
    platform = _written(Text(text="Hi"), is_platform=True)
    assert (platform["id"], platform["provider"]) == (GENERATION, "Acme")
    assert platform["choices"][0]["native_finish_reason"] == "end"
    assert platform["usage"]["is_byok"] is False
    for body in (plain, platform):
        assert (body["object"], body["model"]) == ("chat.completion", "acme/chat")
        assert body["usage"]["cost"] == 0.000317001
        _WHOLE.validate_python(body)


def test_content_is_null_beside_calls_and_empty_when_nothing_is_said():
    call = ToolCall(id="a", name="f", arguments="")
    assert _message(call)["content"] is None
    assert _message(call)["tool_calls"][0]["function"]["arguments"] == "{}"
    assert _message()["content"] == ""
    assert _message(Refusal(text="No"))["content"] is None


def test_the_old_form_holds_one_call():
    call = ToolCall(id="a", name="f", arguments="{}")
    body = _written(call, call, finish=FinishReason.TOOL_CALLS, body={"functions": [{"name": "f"}]})
    (choice,) = body["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    _WHOLE.validate_python(body)


def test_reasoning_that_shall_be_left_out_is():
    message = _message(
        Reasoning(text="secret"), Text(text="Hi"), body={"reasoning": {"exclude": True}}
    )
    assert "secret" not in json.dumps(message)
    assert not {"reasoning", "reasoning_content", "reasoning_details"} & set(message)


def test_sources_without_a_place_stand_on_their_whole_text():
    message = _message(
        Text(text="ab"),
        Text(text="cde", citations=(Citation(url="u", title="t"), Citation(cited_text="no url"))),
    )
    (note,) = message["annotations"]
    assert (note["url_citation"]["start_index"], note["url_citation"]["end_index"]) == (2, 5)


@pytest.mark.parametrize(
    ("message", "finish", "expected"),
    [
        ({"content": "Hi"}, "", FinishReason.STOP),
        ({"content": "Hi"}, None, FinishReason.STOP),
        ({"content": "Hi"}, "eos", FinishReason.STOP),
        ({"content": "Hi"}, "model_length", FinishReason.LENGTH),
        ({"content": "Hi"}, "sensitive", FinishReason.CONTENT_FILTER),
        ({"content": "Hi"}, "error", FinishReason.ERROR),
        ({"content": "Hi"}, "who_knows", FinishReason.OTHER),
        ({"refusal": "No"}, "stop", FinishReason.REFUSAL),
        ({"tool_calls": [{"id": "a", "function": {"name": "f"}}]}, "stop", FinishReason.TOOL_CALLS),
        ({"function_call": {"name": "f", "arguments": "{}"}}, "stop", FinishReason.TOOL_CALLS),
        ({"content": "Hi", "tool_calls": [], "function_call": {"name": "", "arguments": ""}},
         "stop", FinishReason.STOP),
    ],
)  # fmt: skip
def test_every_finish_is_told_in_our_words(message, finish, expected):
    assert _read(message, finish).finish is expected


@pytest.mark.parametrize("message", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_empty_content_is_no_part(message):
    assert _read(message).parts == ()


def test_husks_that_vendors_leave_are_no_parts():
    message = {
        "content": "Hi", "refusal": "", "audio": None, "tool_calls": None, "annotations": None,
        "function_call": {}, "images": [], "reasoning": None, "reasoning_details": [],
        "provider_metadata": {"x": 1},
    }  # fmt: skip
    assert _read(message).parts == (Text(text="Hi"),)


def test_arguments_given_as_an_object_become_text():
    call = {"id": "a", "function": {"name": "f", "arguments": {"x": [1, "ß"]}}}
    (part,) = _read({"tool_calls": [call]}).parts
    assert part.arguments == '{"x":[1,"ß"]}'


def test_a_call_for_any_text_is_read_and_written():
    call = {"id": "a", "type": "custom", "custom": {"name": "run", "input": "x = 1"}}
    (part,) = _read({"tool_calls": [call]}).parts
    assert part == ToolCall(id="a", name="run", arguments="x = 1", is_custom=True)
    assert _message(part)["tool_calls"] == [call]


def test_choices_come_in_the_order_of_their_indexes():
    choices = [
        {"index": index, "message": {"content": text}, "finish_reason": "stop"}
        for index, text in ((1, "b"), (0, "a"))
    ]
    found = openai_chat.decode_answer({"choices": choices}).choices
    assert [choice.parts[0].text for choice in found] == ["a", "b"]


_words = st.text(max_size=12).filter(lambda text: not text.startswith("br1."))
_some = _words.filter(bool)
_ids = st.text(alphabet="abc_-0123", min_size=1, max_size=9)
_citations = st.lists(
    st.builds(
        Citation, url=_some, title=_words, cited_text=_words,
        start=st.integers(0, 99), end=st.integers(0, 99),
    ),
    max_size=2,
).map(tuple)  # fmt: skip


@st.composite
def _reasoning(draw) -> Reasoning:
    """Reasoning of one maker, with the seal that this maker gives, if any."""
    form = draw(st.sampled_from(SealFormat))
    text = draw(_some)
    if form in (SealFormat.ANTHROPIC, SealFormat.UNKNOWN):
        data = draw(_words)
        seal = Seal(format=form, data=data) if data else None
        return Reasoning(text=text, format=form, seal=seal)
    if form is SealFormat.GOOGLE:
        return Reasoning(text=text, format=form)
    seal = Seal(format=form, data=draw(_some), id=draw(_ids))
    return Reasoning(text=text, is_summary=True, format=form, seal=seal, id=seal.id)


@st.composite
def _answers(draw) -> Answer:
    """Answers that this wire format can hold: parts in its own order, one text, ids given."""
    choices = []
    for _ in range(draw(st.integers(1, 2))):
        parts: list = draw(st.lists(_reasoning(), max_size=2, unique_by=lambda part: part.format))
        google = st.builds(Seal, format=st.just(SealFormat.GOOGLE), data=_some)
        if draw(st.booleans()):
            parts.append(Text(text=draw(_some), citations=draw(_citations)))
        refusal = draw(st.booleans())
        if refusal:
            parts.append(Refusal(text=draw(_some)))
        if draw(st.booleans()):
            parts.append(Image(mime="image/png", data=draw(st.text(alphabet="AB", min_size=4))))
        if draw(st.booleans()):
            parts.append(
                Audio(id=draw(_ids), data="AA", transcript=draw(_words), expires_at=1_900_000_000)
            )
        seal = draw(st.none() | google)
        names = draw(st.lists(_ids, max_size=2, unique=True))
        for number, name in enumerate(names):
            call = ToolCall(
                id=f"{name}{number}", name=name,
                arguments=draw(st.sampled_from(["{}", '{"a": 1}', '{"b":"\\u00df}{"}'])),
                seal=seal if number == 0 else None,
            )  # fmt: skip
            parts.append(call)
        finish = draw(st.sampled_from([FinishReason.LENGTH, FinishReason.CONTENT_FILTER]))
        if not refusal and draw(st.booleans()):
            finish = FinishReason.TOOL_CALLS if names else FinishReason.STOP
        native = draw(st.sampled_from(["end_turn", "MAX_TOKENS"]))
        token = {"token": "a", "logprob": -1.0, "bytes": None, "top_logprobs": []}
        choices.append(
            Choice(
                parts=tuple(parts), finish=finish, native_finish=native,
                logprobs=draw(st.sampled_from([(), (token,)])),
            )
        )  # fmt: skip
    return Answer(choices=tuple(choices))


@given(_answers())
def test_an_answer_survives_being_written_and_read(answer):
    body = openai_chat.encode_answer(answer, answering=answering(is_platform=True), bill=BILL)
    _WHOLE.validate_json(body)
    assert openai_chat.decode_answer(json.loads(body)) == answer


@given(_answers())
def test_a_stream_says_what_the_whole_answer_says(answer):
    stream = streamed(folding.unfold(answer), is_platform=True)
    for chunk in documents(stream):
        _CHUNK.validate_python(chunk)
    again = folding.fold(decoded(*documents(stream)))
    assert _by_kind(again) == _by_kind(answer)


def _by_kind(answer: Answer) -> list:
    """An answer without the order of its kinds."""
    found = []
    for choice in answer.choices:
        parts = {
            kind: [part for part in choice.parts if type(part) is kind]
            for kind in (Reasoning, Text, Refusal, Image, Audio, ToolCall)
        }
        found.append((parts, choice.finish, choice.native_finish, choice.logprobs))
    return found


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["role", "content", "type", "text", "image_url", "url", "input_audio", "data", "file",
             "file_data", "tool_calls", "function", "name", "arguments", "id", "tool_call_id",
             "reasoning_details", "format", "signature", "function_call", "refusal", "audio",
             "cache_control", "images", "custom", "video_url", "thinking", "extra_content"]
        )
        | st.text(max_size=4),
        inner | st.sampled_from(["user", "assistant", "tool", "text", "image_url", "function"]),
        max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip
_FIELDS = st.sampled_from(
    ["messages", "tools", "functions", "tool_choice", "response_format", "reasoning", "thinking",
     "stop", "n", "seed", "temperature", "logit_bias", "plugins", "web_search_options", "provider",
     "modalities", "audio", "stream", "cache_control", "service_tier", "max_tokens", "verbosity"]
)  # fmt: skip
_ROLES = st.sampled_from(["user", "assistant", "tool", "system", "function"])
_MESSAGES = st.lists(
    st.dictionaries(
        st.sampled_from(["content", "tool_calls", "tool_call_id", "name"]), _JSON
    ).flatmap(lambda rest: _ROLES.map(lambda role: {"role": role, **rest})),
    max_size=3,
)


@given(st.dictionaries(_FIELDS, _JSON), st.none() | _MESSAGES)
def test_any_json_is_a_request_or_a_refusal(body, messages):
    if messages is not None:
        body["messages"] = messages
    error = _refusal(body)
    assert error is None or (error.status == 400 and error.param)


def _refusal(body) -> RelayError | None:
    try:
        openai_chat.decode_request(body, seal_key=KEY)
    except RelayError as error:
        return error
    return None
