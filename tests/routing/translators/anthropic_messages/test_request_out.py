import json

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from routing.conversation import (
    AudioOut,
    Cache,
    OutputFormat,
    Sampling,
    Text,
    Tool,
)
from routing.errors import Code
from routing.translators import anthropic_messages as messages
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import (
    asking,
    assistant,
    body_of,
    encoded,
    refusal,
    target,
    user,
)

PARAMS = TypeAdapter(MessageCreateParamsNonStreaming)
CLOSED = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
          "additionalProperties": False}  # fmt: skip


def test_a_request_is_what_anthropic_takes():
    made = messages.encode_request(
        asking(instructions=(Text(text="Be."),), tools=(Tool(name="f"),), is_stream=True),
        target(account_tag="tag", account_field="metadata.user_id", extra_query="x=1"),
    )
    outbound = made.outbound
    assert (outbound.path, outbound.query) == ("messages", "x=1")
    assert outbound.headers["anthropic-version"] == "2023-06-01"
    assert json.loads(outbound.body) == {
        "model": "claude-up",
        "max_tokens": 4096,
        "system": [{"type": "text", "text": "Be."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
        "metadata": {"user_id": "tag"},
        "stream": True,
    }
    assert made.dropped == ()
    PARAMS.validate_python({**json.loads(outbound.body), "stream": False})


@pytest.mark.parametrize(
    ("asked", "limit", "model", "wanted"),
    [
        (None, None, None, 4096),
        (None, None, 8192, 8192),
        (None, 2000, 8192, 2000),
        (500, 2000, 8192, 500),
        (5000, 2000, 8192, 2000),
        (5000, None, 8192, 5000),
    ],
)
def test_max_tokens_is_always_told_and_never_above_the_hold(asked, limit, model, wanted):
    request = asking(output_tokens_max=asked)
    made = messages.encode_request(request, target(output_limit=limit, output_tokens_max=model))
    assert json.loads(made.outbound.body)["max_tokens"] == wanted


def test_sampling_that_anthropic_knows_is_told():
    body = body_of(asking(sampling=Sampling(temperature=0.5, top_k=3, stop=("END",))))
    assert (body["temperature"], body["top_k"], body["stop_sequences"]) == (0.5, 3, ["END"])


def test_a_high_temperature_is_clamped_and_named():
    request = asking(sampling=Sampling(temperature=1.7))
    assert body_of(request)["temperature"] == 1
    assert encoded(request).dropped == ("temperature",)


def test_of_temperature_and_top_p_the_temperature_stays():
    request = asking(sampling=Sampling(temperature=0.5, top_p=0.9))
    assert "top_p" not in body_of(request)
    assert encoded(request).dropped == ("top_p",)
    assert body_of(asking(sampling=Sampling(top_p=0.9)))["top_p"] == 0.9


def test_a_model_that_takes_no_sampling_gets_none():
    request = asking(sampling=Sampling(temperature=0, top_p=0.9, top_k=1))
    body = body_of(request, takes_sampling=False)
    assert not {"temperature", "top_p", "top_k"} & set(body)
    assert encoded(request, takes_sampling=False).dropped == ("temperature", "top_p", "top_k")


def test_what_anthropic_has_no_word_for_is_named():
    sampling = Sampling(seed=0, frequency_penalty=1, presence_penalty=1, repetition_penalty=1.1,
                        min_p=0.1, top_a=0.1, logit_bias={"1": 2}, has_logprobs=True,
                        top_logprobs=2, stop=("\n",))  # fmt: skip
    request = asking(sampling=sampling, verbosity="low", cache_key="k", dropped=("extra",))
    assert set(encoded(request).dropped) == {
        "extra", "seed", "frequency_penalty", "presence_penalty", "repetition_penalty", "min_p",
        "top_a", "logit_bias", "logprobs", "top_logprobs", "stop", "verbosity", "prompt_cache_key",
    }  # fmt: skip
    assert set(body_of(request)) == {"model", "max_tokens", "messages"}


def test_where_everything_is_required_a_drop_is_a_refusal():
    for fields in ({"sampling": Sampling(seed=1)}, {"dropped": ("extra",)},
                   {"output_format": OutputFormat()}):  # fmt: skip
        assert refusal(encoded, asking(requires_all=True, **fields)).code is Code.UNSUPPORTED


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"sampling": Sampling(choices=2)}, "n"),
        ({"modalities": ("text", "audio")}, "modalities"),
        ({"audio_out": AudioOut(voice="x")}, "modalities"),
        ({"output_format": OutputFormat(schema={"type": "array"})}, "response_format"),
    ],
)
def test_what_would_change_the_answer_is_refused(fields, param):
    error = refusal(encoded, asking(**fields))
    assert (error.code, error.param) == (Code.UNSUPPORTED, param)


def test_a_schema_of_the_answer_is_told_without_a_name():
    wanted = OutputFormat(schema=CLOSED, name="n", is_strict=True)
    request = asking(output_format=wanted)
    assert body_of(request)["output_config"] == {
        "format": {"type": "json_schema", "schema": CLOSED}
    }
    assert encoded(request).dropped == ()


def test_a_schema_and_an_effort_stand_together():
    wish = making.decoded(output_config={"effort": "low"}).reasoning
    request = asking(output_format=OutputFormat(schema=CLOSED), reasoning=wish)
    assert set(body_of(request, reasoning="adaptive")["output_config"]) == {"effort", "format"}


def test_schema_words_that_are_not_enforced_are_named():
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
    request = asking(output_format=OutputFormat(schema=schema))
    assert encoded(request).dropped == ("response_format.schema",)
    told = body_of(request)["output_config"]["format"]["schema"]
    assert told["additionalProperties"] is False
    assert "minimum" not in told["properties"]["a"]


def test_a_schema_is_refused_where_the_vendor_holds_to_none():
    request = asking(output_format=OutputFormat(schema=CLOSED))
    assert refusal(encoded, request, takes_json_schema=False).param == "response_format"


def test_json_of_any_form_is_asked_for_in_one_line():
    request = asking(instructions=(Text(text="Be."),), output_format=OutputFormat())
    system = body_of(request)["system"]
    assert system[0]["text"] == "Be."
    assert "JSON" in system[1]["text"]
    assert encoded(request).dropped == ("response_format",)


@pytest.mark.parametrize(
    ("tier", "field", "value", "dropped"),
    [
        ("", "service_tier", None, ()),
        ("standard", "service_tier", "standard_only", ()),
        ("priority", "service_tier", "auto", ()),
        ("flex", "service_tier", None, ("service_tier",)),
        ("fast", "speed", "fast", ()),
    ],
)
def test_tiers_have_anthropics_names(tier, field, value, dropped):
    request = asking(service_tier=tier)
    assert body_of(request).get(field) == value
    assert encoded(request).dropped == dropped


def marked(words):
    return Text(text=words, cache=Cache())


def test_the_last_four_marks_are_kept():
    request = asking(
        user(marked("c"), marked("d")), assistant(marked("e")), user(marked("f")),
        instructions=(marked("b"),), tools=(Tool(name="a", cache=Cache()),),
    )  # fmt: skip
    body = body_of(request)
    assert encoded(request).dropped == ("cache_control",)
    assert "cache_control" not in body["tools"][0]
    assert "cache_control" not in body["system"][0]
    found = [block["text"] for one in body["messages"] for block in one["content"]
             if "cache_control" in block]  # fmt: skip
    assert found == ["c", "d", "e", "f"]


def test_the_automatic_mark_counts_as_one():
    request = asking(user(*(marked(one) for one in "abcd")), cache=Cache(ttl="1h"))
    body = body_of(request)
    assert body["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    content = body["messages"][0]["content"]
    assert ["cache_control" in block for block in content] == [False, True, True, True]


def test_arguments_that_are_too_deep_or_odd_break_nothing():
    for odd in ('{"a":' * 3_000, '{"a":NaN}', '{"a":"\\ud800"}', '{"n":123456789012345678901}'):
        request = asking(user("a"), assistant(making.call(arguments=odd)),
                         making.results(making.result()))  # fmt: skip
        (block,) = body_of(request)["messages"][1]["content"]
        assert block["input"] in ({"_raw": odd}, {"n": 123456789012345678901})
