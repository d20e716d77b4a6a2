"""The legacy completions, answered by a chat model."""

import json
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI
from openai.types import Completion
from pydantic import TypeAdapter

from routing.conversation import Answer, Choice, FinishReason, Reasoning, Role, Text, ToolCall, Turn
from routing.errors import Code, RelayError
from routing.events import Finish, Logprobs, ReasoningDelta, Start, TextDelta, ToolStart
from routing.translators import openai_completions
from tests.routing.translators.openai_chat.samples import BILL, GENERATION, answering, documents

_WHOLE = TypeAdapter(Completion)
TOKENS = (
    {"token": "He", "logprob": -0.5, "bytes": None,
     "top_logprobs": [{"token": "He", "logprob": -0.5, "bytes": None}]},
    {"token": "llo", "logprob": -0.25, "bytes": None, "top_logprobs": []},
)  # fmt: skip
STOP = Finish(reason=FinishReason.STOP, native="end_turn")


def _read(**body):
    return openai_completions.decode_request({"model": "m", **body}, seal_key=b"")


def _whole(*choices: Choice, **changes: Any):
    return json.loads(
        openai_completions.encode_answer(
            Answer(choices=choices), answering=answering(**changes), bill=BILL
        )
    )


def _streamed(*events, **changes: Any) -> bytes:
    encoder = openai_completions.stream_encoder(answering(**changes))
    return b"".join(map(encoder.encode, events)) + encoder.finish(BILL)


@pytest.mark.parametrize("prompt", ["Once", ["Once"], ""])
def test_a_prompt_is_a_users_turn(prompt):
    text = prompt[0] if isinstance(prompt, list) else prompt
    assert _read(prompt=prompt).turns == (Turn(role=Role.USER, parts=(Text(text=text),)),)


def test_what_both_apis_know_is_read():
    request = _read(
        prompt="x", max_tokens=9, temperature=0.5, stop=["a"], n=2, best_of=2, logprobs=3,
        seed=1, stream=True, suffix="", echo=False, user="me",
    )  # fmt: skip
    assert (request.output_tokens_max, request.is_stream) == (9, True)
    sampling = request.sampling
    assert (sampling.temperature, sampling.stop, sampling.choices) == (0.5, ("a",), 2)
    assert (sampling.has_logprobs, sampling.top_logprobs, sampling.seed) == (True, 3, 1)


def test_no_alternatives_are_still_probabilities_of_what_was_said():
    sampling = _read(prompt="x", logprobs=0).sampling
    assert (sampling.has_logprobs, sampling.top_logprobs) == (True, None)
    assert _read(prompt="x").sampling.has_logprobs is False


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "prompt", Code.MISSING_FIELD),
        ({"prompt": [1, 2, 3]}, "prompt", Code.UNSUPPORTED),
        ({"prompt": [[1, 2], [3]]}, "prompt", Code.UNSUPPORTED),
        ({"prompt": ["a", "b"]}, "prompt", Code.UNSUPPORTED),
        ({"prompt": []}, "prompt", Code.UNSUPPORTED),
        ({"prompt": {"a": 1}}, "prompt", Code.INVALID_TYPE),
        ({"prompt": "x", "suffix": "y"}, "suffix", Code.UNSUPPORTED),
        ({"prompt": "x", "echo": True}, "echo", Code.UNSUPPORTED),
        ({"prompt": "x", "best_of": 3}, "best_of", Code.UNSUPPORTED),
        ({"prompt": "x", "logprobs": 99}, "logprobs", Code.INVALID_VALUE),
        ({"prompt": "x", "logprobs": True}, "logprobs", Code.INVALID_TYPE),
    ],
)
def test_what_a_chat_model_cannot_do_is_refused_by_its_name(body, param, code):
    with pytest.raises(RelayError) as caught:
        _read(**body)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert f"`{param}`" in caught.value.message


def test_numbers_of_tokens_and_several_prompts_have_errors_of_their_own():
    messages = []
    for prompt in ([1, 2], ["a", "b"]):
        with pytest.raises(RelayError) as caught:
            _read(prompt=prompt)
        messages.append(caught.value.message)
    assert "tokens" in messages[0]
    assert "2 prompts" in messages[1]


def test_an_answer_is_its_text_alone():
    parts = (Reasoning(text="Hm"), Text(text="Hel"), Text(text="lo"),
             ToolCall(id="a", name="f", arguments="{}"))  # fmt: skip
    body = _whole(Choice(parts=parts, finish=FinishReason.LENGTH, logprobs=TOKENS))
    assert body["id"] == "cmpl-" + GENERATION.removeprefix("gen-")
    assert body["object"] == "text_completion"
    assert body["choices"] == [
        {
            "index": 0,
            "text": "Hello",
            "logprobs": {
                "tokens": ["He", "llo"],
                "token_logprobs": [-0.5, -0.25],
                "top_logprobs": [{"He": -0.5}, {}],
                "text_offset": [0, 2],
            },
            "finish_reason": "length",
        }
    ]
    assert body["usage"]["cost"] == 0.000317001
    assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == (130, 51)
    _WHOLE.validate_python(body)


def test_the_platform_gets_its_envelope():
    body = _whole(
        Choice(parts=(Reasoning(text="Hm"), Text(text="Hi")), native_finish="end"),
        is_platform=True,
    )
    assert (body["id"], body["provider"]) == (GENERATION, "Acme")
    (choice,) = body["choices"]
    assert (choice["reasoning"], choice["native_finish_reason"]) == ("Hm", "end")
    assert body["usage"]["is_byok"] is False


@pytest.mark.parametrize("reason", list(FinishReason))
def test_every_finish_has_its_word(reason):
    body = _whole(Choice(parts=(Text(text="x"),), finish=reason))
    word = body["choices"][0]["finish_reason"]
    assert word in {"stop", "length", "content_filter", "error"}
    assert (word == "error") is (reason is FinishReason.ERROR)


def test_a_stream_brings_text_at_once_and_ends_with_usage():
    encoder = openai_completions.stream_encoder(answering())
    assert encoder.encode(Start()) == b""
    chunk = json.loads(encoder.encode(TextDelta(text="Hé\n"))[6:])
    assert chunk["choices"] == [
        {"index": 0, "text": "Hé\n", "logprobs": None, "finish_reason": None}
    ]
    assert encoder.encode(STOP) == b""
    last, usage = documents(encoder.finish(BILL))
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 181


def test_usage_of_a_stream_is_told_where_it_was_asked_for():
    assert b'"usage"' not in _streamed(TextDelta(text="a"), STOP, wants_stream_usage=False)
    assert b'"usage"' in _streamed(
        TextDelta(text="a"), STOP, wants_stream_usage=False, is_platform=True
    )


def test_calls_and_thoughts_have_no_form_in_a_plain_stream():
    stream = _streamed(ReasoningDelta(text="secret"), ToolStart(call=0, id="a", name="f"), STOP)
    assert b"secret" not in stream
    assert len(documents(stream)) == 2
    assert b"secret" in _streamed(ReasoningDelta(text="secret"), is_platform=True)


def test_probabilities_in_a_stream_know_their_places():
    chunks = documents(_streamed(Logprobs(tokens=TOKENS[:1]), Logprobs(tokens=TOKENS[1:]), STOP))
    offsets = [chunk["choices"][0]["logprobs"]["text_offset"] for chunk in chunks[:2]]
    assert offsets == [[0], [2]]


def test_several_choices_end_each():
    chunks = documents(
        _streamed(
            TextDelta(text="a"), TextDelta(text="b", choice=1), STOP,
            Finish(reason=FinishReason.LENGTH, choice=1),
        )
    )  # fmt: skip
    ends = [(c["index"], c["finish_reason"]) for chunk in chunks[2:] for c in chunk["choices"]]
    assert ends == [(0, "stop"), (1, "length")]


def test_the_official_client_reads_a_stream():
    stream = _streamed(Start(), TextDelta(text="Hel"), TextDelta(text="lo"), STOP)
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, content=stream
        )
    )
    client = OpenAI(
        api_key="x", base_url="http://vendor.invalid/v1",
        http_client=httpx2.Client(transport=transport),
    )  # fmt: skip
    found = list(client.completions.create(model="m", prompt="x", stream=True))
    text = "".join(choice.text for chunk in found for choice in chunk.choices)
    assert text == "Hello"
    assert found[-1].usage.total_tokens == 181


@given(
    st.dictionaries(
        st.sampled_from(["prompt", "suffix", "echo", "best_of", "n", "logprobs", "stop", "seed"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(
            st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers()), max_size=2
        ),
    )
)  # fmt: skip
def test_any_json_is_a_request_or_a_refusal(body):
    error = _refusal(body)
    assert error is None or (error.status == 400 and error.param)


def _refusal(body) -> RelayError | None:
    try:
        openai_completions.decode_request(body, seal_key=b"")
    except RelayError as error:
        return error
    return None
