"""A request of ours as a chat completion for a vendor."""

import json

import pytest

from routing import seals
from routing.conversation import (
    Document,
    Image,
    Reasoning,
    Request,
    Role,
    Seal,
    SealFormat,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from routing.dialects.base import Quirks
from routing.errors import Code, RelayError
from routing.translators import openai_chat
from routing.translators.base import Target
from tests.routing.translators.openai_chat.samples import KEY, encoded, said, sent, user


def _write(request: Request, **quirks):
    return openai_chat.encode_request(request, Target(upstream_name="m", quirks=Quirks(**quirks)))


def _body(request: Request, **quirks):
    return json.loads(_write(request, **quirks).outbound.body)


def _turn(role: Role, *parts) -> Turn:
    return Turn(role=role, parts=parts)


def test_the_same_request_gives_the_same_bytes():
    body = said(user(), temperature=1, tools=[{"function": {"name": "f"}}], made_up=[1])
    assert encoded(body).outbound == encoded(body).outbound


def test_path_headers_and_query_are_those_of_a_native_request():
    outbound = encoded(said(user()), extra_query="api-version=1").outbound
    assert (outbound.path, outbound.query) == ("chat/completions", "api-version=1")
    assert outbound.headers == {"content-type": "application/json"}


def test_the_limit_is_never_above_what_the_hold_covers():
    body = said(user(), max_tokens=500)
    assert sent(body)["max_tokens"] == 500
    assert sent(body, target={"output_limit": 100})["max_tokens"] == 100
    assert sent(body, target={"output_limit": 900})["max_tokens"] == 500
    limited = sent(said(user()), target={"output_limit": 7},
                   output_limit_field="max_completion_tokens")  # fmt: skip
    assert limited["max_completion_tokens"] == 7
    assert "max_tokens" not in limited
    assert "max_tokens" not in sent(said(user()))


def test_usage_of_a_stream_is_asked_for_where_the_vendor_knows_the_word():
    assert sent(said(user(), stream=True))["stream_options"] == {"include_usage": True}
    quiet = sent(said(user(), stream=True), takes_stream_options=False)
    assert quiet["stream"] is True
    assert "stream_options" not in quiet


def test_instructions_are_one_message_and_developers_speak_as_the_system():
    body = said(
        {"role": "system", "content": "One"}, {"role": "developer", "content": "Two"}, user()
    )
    assert sent(body)["messages"][0] == {"role": "system", "content": "One\n\nTwo"}
    assert sent(body, system_role="developer")["messages"][0]["role"] == "developer"


def test_the_account_is_told_where_the_vendor_wants_it_and_never_the_callers_word():
    body = said(user(), user="me", safety_identifier="me")
    told = sent(body, target={"account_tag": "tag"}, account_field="safety_identifier")
    assert told["safety_identifier"] == "tag"
    assert "user" not in told
    nested = sent(body, target={"account_tag": "tag"}, account_field="metadata.user_id")
    assert nested["metadata"] == {"user_id": "tag"}
    assert "safety_identifier" not in sent(body)


def test_pictures_of_results_follow_after_all_results():
    picture = Image(mime="image/png", data="iVBO")
    messages = _body(
        Request(
            turns=(
                _turn(Role.USER, Text(text="Look")),
                _turn(
                    Role.ASSISTANT,
                    ToolCall(id="a", name="shoot", arguments="{}"),
                    ToolCall(id="b", name="add", arguments="{}"),
                ),
                _turn(
                    Role.TOOL,
                    ToolResult(call_id="a", parts=(Text(text="ok"), picture)),
                    ToolResult(call_id="b", parts=(Text(text="3"),)),
                ),
                _turn(Role.USER, Text(text="So?")),
            )
        )
    )["messages"]
    assert [message["role"] for message in messages] == [
        "user", "assistant", "tool", "tool", "user", "user",
    ]  # fmt: skip
    assert messages[2] == {"role": "tool", "tool_call_id": "a", "content": "ok"}
    assert messages[4]["content"] == [
        {"type": "text", "text": "Output of shoot:"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
    ]


def test_content_is_null_beside_calls_only():
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    with_call = sent(said(user(), {"role": "assistant", "content": "", "tool_calls": [call]}))
    assert with_call["messages"][1]["content"] is None
    assert with_call["messages"][1]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert sent(said(user(), {"role": "assistant", "content": ""}))["messages"][1]["content"] == ""


def test_ids_take_the_form_that_the_vendor_wants_and_still_match():
    call = {"id": "toolu_0123456789", "function": {"name": "f", "arguments": "{}"}}
    body = said(
        user(), {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_0123456789", "content": "x"},
    )  # fmt: skip
    for quirks, form in (({}, None), ({"has_short_call_ids": True}, 9)):
        _, calling, result = sent(body, **quirks)["messages"]
        made = calling["tool_calls"][0]["id"]
        assert made == result["tool_call_id"]
        assert made == "toolu_0123456789" if form is None else len(made) == form
    call["id"] = body["messages"][2]["tool_call_id"] = "x" * 60
    _, calling, result = sent(body, call_id_chars_max=40)["messages"]
    assert calling["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) <= 40


def test_names_of_tools_too_long_for_the_vendor_are_shortened_and_told():
    long = "a.b" * 40
    made = encoded(
        said(
            user(), {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": long}}]},
            tools=[{"function": {"name": long}}],
            tool_choice={"type": "function", "function": {"name": long}},
        )
    )  # fmt: skip
    body = json.loads(made.outbound.body)
    short = body["tools"][0]["function"]["name"]
    assert len(short) <= 64
    assert made.tool_names == {short: long}
    assert body["tool_choice"]["function"]["name"] == short
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == short


def test_a_subset_of_the_tools_is_all_that_is_offered():
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "b"}}]}
    body = sent(
        said(
            user(), tools=[{"function": {"name": name}} for name in "abc"],
            tool_choice={"type": "allowed_tools", "allowed_tools": allowed},
        )
    )  # fmt: skip
    assert [tool["function"]["name"] for tool in body["tools"]] == ["b"]
    assert body["tool_choice"] == "auto"


def test_strict_is_kept_never_invented_and_named_where_it_is_lost():
    tools = [{"function": {"name": "a", "strict": True}}, {"function": {"name": "b"}}]
    first, second = sent(said(user(), tools=tools))["tools"]
    assert first["function"]["strict"] is True
    assert "strict" not in second["function"]
    lost = encoded(said(user(), tools=tools), takes_strict=False)
    assert b"strict" not in lost.outbound.body
    assert lost.dropped == ("tools[].strict",)


def test_a_tool_for_any_text_is_a_function_where_only_functions_are_known():
    request = Request(
        turns=(_turn(Role.USER, Text(text="x")),), tools=(Tool(name="run", is_custom=True),)
    )
    (tool,) = _body(request)["tools"]
    assert tool["function"]["parameters"]["required"] == ["input"]
    assert _write(request).dropped == ("tools[].custom",)
    (tool,) = _body(request, takes_custom_tools=True)["tools"]
    assert tool["type"] == "custom"


def _thought() -> Request:
    seal = Seal(format=SealFormat.ANTHROPIC, data="sig")
    parts = (
        Reasoning(text="Hm", format=SealFormat.ANTHROPIC, seal=seal),
        Text(text="Hi"),
    )
    return Request(turns=(_turn(Role.USER, Text(text="x")), _turn(Role.ASSISTANT, *parts)))


def test_reasoning_goes_back_only_where_the_vendor_wants_it():
    plain = _write(_thought())
    assert b"Hm" not in plain.outbound.body
    assert b"sig" not in plain.outbound.body
    assert plain.dropped == ("reasoning_details",)
    message = _body(_thought(), reasoning_back_field="reasoning_content")["messages"][1]
    assert message["reasoning_content"] == "Hm"
    assert "reasoning_details" not in message
    assert _body(_thought(), takes_reasoning_details=True)["messages"][1]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "Hm", "signature": "sig", "index": 0,
         "format": "anthropic-claude-v1"}
    ]  # fmt: skip


def test_googles_own_chat_completions_get_its_seals_back_on_the_call():
    seal = Seal(format=SealFormat.GOOGLE, data="s")
    call = ToolCall(id="c", name="f", arguments="{}", seal=seal)
    request = Request(turns=(_turn(Role.ASSISTANT, call),))
    made = _body(request, seal="google-gemini-v1")["messages"][0]["tool_calls"][0]
    assert made["extra_content"] == {"google": {"thought_signature": "s"}}
    assert b"extra_content" not in _write(request).outbound.body


@pytest.mark.parametrize(
    ("fields", "quirks", "expected"),
    [
        ({"reasoning_effort": "xhigh"}, {"reasoning": "effort", "efforts": "low medium high"},
         {"reasoning_effort": "high"}),
        ({"reasoning_effort": "none"}, {"reasoning": "effort", "efforts": "minimal low"},
         {"reasoning_effort": "minimal"}),
        ({"reasoning": {"max_tokens": 300}, "max_tokens": 1000}, {"reasoning": "effort"},
         {"reasoning_effort": "low"}),
        ({"reasoning": {"enabled": True}}, {"reasoning": "effort"}, {}),
        ({"reasoning_effort": "low"}, {"reasoning": "thinking"}, {"thinking": {"type": "enabled"}}),
        ({"reasoning_effort": "none"}, {"reasoning": "thinking"},
         {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "medium", "max_tokens": 1000}, {"reasoning": "enable_thinking"},
         {"enable_thinking": True, "thinking_budget": 500}),
        ({"enable_thinking": False}, {"reasoning": "enable_thinking"},
         {"enable_thinking": False}),
        ({"reasoning_effort": "high"}, {"reasoning": "openrouter"},
         {"reasoning": {"effort": "high"}}),
        ({"reasoning": {"max_tokens": 99, "exclude": True}}, {"reasoning": "openrouter"},
         {"reasoning": {"max_tokens": 99, "exclude": True}}),
        ({"reasoning_effort": "high", "max_tokens": 10_000}, {"reasoning": "budget"},
         {"thinking": {"type": "enabled", "budget_tokens": 8000}}),
        ({"reasoning_effort": "high"}, {}, {}),
    ],
)  # fmt: skip
def test_reasoning_is_told_in_the_words_that_the_model_knows(fields, quirks, expected):
    body = sent(said(user(), **fields), **quirks)
    names = ("reasoning", "reasoning_effort", "thinking", "enable_thinking", "thinking_budget")
    assert {name: body[name] for name in names if name in body} == expected


def test_an_effort_that_cannot_be_told_is_named_and_none_is_not_missed():
    assert encoded(said(user(), reasoning_effort="high")).dropped == ("reasoning_effort",)
    assert encoded(said(user(), reasoning_effort="none")).dropped == ()


def test_what_the_vendor_has_no_word_for_is_named_and_not_sent():
    body = said(
        user(), temperature=1, top_p=0.5, top_k=3, seed=4, logprobs=True, stop=["x"],
        parallel_tool_calls=False, tools=[{"function": {"name": "f"}}], verbosity="low",
        prompt_cache_key="k", cache_control={"type": "ephemeral"},
    )  # fmt: skip
    made = encoded(
        body, takes_sampling=False, seed_field="", takes_logprobs=False, takes_stop=False,
        takes_parallel_switch=False,
    )  # fmt: skip
    assert set(made.dropped) == {
        "temperature", "top_p", "top_k", "seed", "logprobs", "stop", "parallel_tool_calls",
        "verbosity", "prompt_cache_key", "cache_control",
    }  # fmt: skip
    assert not set(json.loads(made.outbound.body)) & set(made.dropped)


def test_a_client_that_requires_all_is_refused_what_would_be_dropped():
    body = said(user(), top_k=3, provider={"require_parameters": True})
    with pytest.raises(RelayError) as caught:
        encoded(body)
    assert (caught.value.code, caught.value.param) == (Code.UNSUPPORTED, "top_k")
    assert encoded(body, takes_top_k=True).dropped == ()


def test_more_stops_than_the_vendor_takes_are_refused():
    with pytest.raises(RelayError) as caught:
        encoded(said(user(), stop=list("abcde")))
    assert caught.value.param == "stop"


def test_fields_that_only_chat_vendors_know_go_on_and_routes_do_not():
    body = said(
        user(), clear_thinking=True, prediction={"type": "content", "content": "x"},
        provider={"sort": "price"}, models=["a"], route="fallback", transforms=["x"],
        metadata={"a": "b"}, plugins=[{"id": "moderation"}],
    )  # fmt: skip
    made = encoded(body)
    told = json.loads(made.outbound.body)
    assert told["clear_thinking"] is True
    assert told["prediction"]["content"] == "x"
    assert not {"provider", "models", "route", "transforms", "metadata", "plugins"} & set(told)
    assert "prediction" not in made.dropped
    assert made.kept == ("prediction",)
    assert {"metadata", "transforms", "plugins"} <= set(made.dropped)
    assert "models" not in made.dropped  # it was heard: by our own planner
    at_openrouter = sent(body, reasoning="openrouter")
    assert at_openrouter["transforms"] == ["x"]
    # A route is ours to choose, at our prices.
    assert not {"provider", "models", "route"} & set(at_openrouter)


def test_a_field_of_the_client_never_replaces_what_we_write():
    told = sent(said(user(), stream=False, stream_options={"include_usage": False}))
    assert told["model"] == "chat-1"
    assert "stream_options" not in told


def test_fields_of_another_wire_format_are_not_taken_over():
    request = Request(
        turns=(_turn(Role.USER, Text(text="x")),), native={"openai_responses": {"truncation": "a"}}
    )
    assert "truncation" not in _body(request)


def test_a_schema_falls_back_to_json_with_words_where_schemas_are_unknown():
    form = {"type": "json_schema", "json_schema": {"name": "N", "schema": {"type": "object"}}}
    assert sent(said(user(), response_format=form))["response_format"] == form
    weak = encoded(said(user(), response_format=form), takes_json_schema=False)
    body = json.loads(weak.outbound.body)
    assert body["response_format"] == {"type": "json_object"}
    assert '{"type":"object"}' in body["messages"][0]["content"]
    assert weak.dropped == ("response_format.json_schema",)


def test_a_text_is_no_file_and_a_linked_file_is_refused():
    def asked(part):
        return Request(turns=(_turn(Role.USER, part, Text(text="Sum up")),))

    content = _body(asked(Document(text="words", name="a.txt")))["messages"][0]["content"]
    assert content[0] == {
        "type": "text", "text": '<document name="a.txt">\nwords\n</document>',
    }  # fmt: skip
    file = _body(asked(Document(mime="application/pdf", data="JVBE")))["messages"][0]["content"][0]
    assert file["file"]["filename"] == "document.pdf"
    with pytest.raises(RelayError):
        _write(asked(Document(url="https://example.com/a.pdf")))


def test_cache_marks_stay_where_the_vendor_takes_them():
    mark = {"type": "ephemeral", "ttl": "1h"}
    body = said(
        {"role": "system", "content": [{"type": "text", "text": "S", "cache_control": mark}]},
        {"role": "user", "content": "U", "cache_control": mark},
        tools=[{"type": "function", "function": {"name": "f"}, "cache_control": mark}],
    )
    told = sent(body, takes_cache_control=True)
    assert told["messages"][0]["content"][0]["cache_control"] == mark
    assert told["messages"][1]["content"][0]["cache_control"] == mark
    assert told["tools"][0]["cache_control"] == mark
    lost = encoded(body)
    assert b"cache_control" not in lost.outbound.body
    assert lost.dropped == ("cache_control",)


def test_seeds_and_searches_take_the_vendors_own_words():
    assert sent(said(user(), seed=1), seed_field="random_seed")["random_seed"] == 1
    options = {"search_context_size": "low"}
    assert sent(said(user(), web_search_options=options))["web_search_options"] == options
    assert sent(said(user(), plugins=[{"id": "web"}]))["web_search_options"] == {}


def test_a_request_without_any_content_is_refused():
    with pytest.raises(RelayError) as refused:
        openai_chat.encode_request(Request(), Target(upstream_name="m", quirks=Quirks()))
    assert refused.value.status == 400
    said_x = Turn(role=Role.USER, parts=(Text(text="x"),))
    request = Request(turns=(Turn(role=Role.USER, parts=()), said_x))
    written = openai_chat.encode_request(request, Target(upstream_name="m", quirks=Quirks()))
    assert json.loads(written.outbound.body)["messages"] == [{"role": "user", "content": "x"}]


def test_no_unknown_field_carries_an_envelope_of_ours():
    envelope = seals.wrap(Seal(format=SealFormat.GOOGLE, data="c2VhbA=="), key=KEY)
    body = sent(said(user(), history={"signature": envelope}, more={"a": 1}))
    assert "history" not in body
    assert body["more"] == {"a": 1}
