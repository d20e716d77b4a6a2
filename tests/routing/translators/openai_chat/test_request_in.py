"""A client's chat completion in our own vocabulary."""

import pytest

from routing import seals
from routing.conversation import (
    Audio,
    Cache,
    Document,
    Image,
    OutputFormat,
    Reasoning,
    Request,
    Role,
    Seal,
    SealFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Video,
    WebSearch,
)
from routing.errors import Code, RelayError
from routing.translators import openai_chat
from tests.routing.translators.openai_chat.samples import KEY, said, sent, user


def _read(body) -> Request:
    return openai_chat.decode_request(body, seal_key=KEY)


def _refused(body) -> RelayError:
    with pytest.raises(RelayError) as caught:
        _read(body)
    assert caught.value.status == 400
    return caught.value


def _assistant(**message) -> tuple:
    request = _read(said(user(), {"role": "assistant", **message}))
    return request.turns[1].parts


def test_leading_system_and_developer_messages_are_instructions_in_order():
    request = _read(
        said(
            {"role": "system", "content": "One"},
            {"role": "developer", "content": [{"type": "text", "text": "Two"}]},
            user(),
        )
    )
    assert [text.text for text in request.instructions] == ["One", "Two"]
    assert [turn.role for turn in request.turns] == [Role.USER]


def test_a_system_message_amid_the_conversation_stays_where_it_is():
    request = _read(said(user("a"), {"role": "system", "content": "Mind"}, user("b")))
    assert request.instructions == ()
    assert [turn.role for turn in request.turns] == [Role.USER, Role.SYSTEM, Role.USER]
    assert request.turns[1].parts == (Text(text="Mind"),)


def test_consecutive_messages_of_one_role_stay_apart():
    request = _read(said(user("a"), user("b"), {"role": "assistant", "content": "c"}))
    assert [turn.parts for turn in request.turns[:2]] == [(Text(text="a"),), (Text(text="b"),)]


def test_parallel_results_are_one_turn_and_know_their_tools():
    calls = [
        {"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}},
        {"id": "b", "type": "function", "function": {"name": "sub", "arguments": ""}},
    ]
    request = _read(
        said(
            user(),
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "b", "content": "1"},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "2"}]},
        )
    )
    _, calling, results = request.turns
    assert calling.parts == (
        ToolCall(id="a", name="add", arguments="{}"),
        ToolCall(id="b", name="sub", arguments=""),
    )
    assert results.role is Role.TOOL
    assert results.parts == (
        ToolResult(call_id="b", name="sub", parts=(Text(text="1"),)),
        ToolResult(call_id="a", name="add", parts=(Text(text="2"),)),
    )


@pytest.mark.parametrize("content", ["", None, []])
def test_an_empty_text_beside_calls_is_no_part(content):
    call = {"id": "a", "function": {"name": "add", "arguments": '{"x":1}'}}
    parts = _assistant(content=content, tool_calls=[call])
    assert parts == (ToolCall(id="a", name="add", arguments='{"x":1}'),)


def test_what_clients_echo_beside_an_answer_is_ignored():
    parts = _assistant(
        content="Hi", refusal=None, annotations=[], audio=None, function_call=None,
        parsed=None, index=0, tool_calls=None, provider_metadata={"x": 1},
    )  # fmt: skip
    assert parts == (Text(text="Hi"),)


def test_parts_of_every_kind_are_read():
    content = [
        {"type": "text", "text": "See", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"}},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a"},
        },
        {"type": "document_url", "document_url": "https://example.com/a.pdf"},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
        "and this",
    ]
    assert _read(said(user(content))).turns[0].parts == (
        Text(text="See", cache=Cache(ttl="1h")),
        Image(mime="image/png", data="iVBO", detail="low"),
        Image(url="https://example.com/a.png"),
        Audio(mime="audio/mpeg", data="UklG"),
        Document(mime="application/pdf", data="JVBE", name="a"),
        Document(url="https://example.com/a.pdf"),
        Video(url="https://example.com/a.mp4"),
        Text(text="and this"),
    )


def test_a_mark_on_a_message_stands_on_its_last_part():
    message = {**user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])}
    request = _read(said({**message, "cache_control": {"type": "ephemeral"}}))
    assert request.turns[0].parts == (Text(text="a"), Text(text="b", cache=Cache()))


def test_old_functions_become_tools_and_their_results_find_their_calls():
    request = _read(
        said(
            user(),
            {"role": "assistant", "content": None,
             "function_call": {"name": "add", "arguments": '{"a":1}'}},
            {"role": "function", "name": "add", "content": "2"},
            functions=[{"name": "add", "parameters": {"type": "object"}}],
            function_call={"name": "add"},
        )
    )  # fmt: skip
    assert request.tools == (Tool(name="add", schema={"type": "object"}),)
    assert request.tool_choice == ToolChoice(mode="required", names=("add",))
    assert request.is_parallel is False
    (call,), (result,) = request.turns[1].parts, request.turns[2].parts
    assert call.id == result.call_id != ""
    assert (call.name, result.name) == ("add", "add")


def test_reasoning_details_win_over_the_plain_text():
    details = [
        {"type": "reasoning.text", "text": "Let", "signature": "sig", "index": 0,
         "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "blob", "index": 1,
         "format": "anthropic-claude-v1"},
    ]  # fmt: skip
    parts = _assistant(content="Hi", reasoning="else", reasoning_details=details)
    anthropic = SealFormat.ANTHROPIC
    assert parts == (
        Reasoning(text="Let", format=anthropic, seal=Seal(format=anthropic, data="sig")),
        Reasoning(format=anthropic, seal=Seal(format=anthropic, data="blob", is_redacted=True)),
        Text(text="Hi"),
    )


def test_a_summary_and_its_encrypted_content_are_one_piece_of_reasoning():
    details = [
        {"type": "reasoning.summary", "summary": "Sum", "index": 0, "format": "xai-responses-v1"},
        {"type": "reasoning.encrypted", "data": "blob", "id": "rs_1", "index": 1,
         "format": "xai-responses-v1"},
    ]  # fmt: skip
    (part, _) = _assistant(content="Hi", reasoning_details=details)
    seal = Seal(format=SealFormat.XAI, data="blob", id="rs_1")
    assert part == Reasoning(
        text="Sum", is_summary=True, format=SealFormat.XAI, seal=seal, id="rs_1"
    )


def test_details_given_back_in_pieces_or_joined_by_an_accumulator_are_read():
    pieces = [
        {"type": "reasoning.text", "text": text, "index": 0, "format": "anthropic-claude-v1"}
        for text in ("Let ", "me ")
    ] + [
        {"type": "reasoning.text", "signature": "sig", "index": 0, "format": "anthropic-claude-v1"}
    ]
    joined = [
        {"type": "reasoning.text", "text": "Let me ", "signature": "sig", "index": 0,
         "format": "anthropic-claude-v1" * 3},
    ]  # fmt: skip
    assert _assistant(content="Hi", reasoning_details=pieces) == _assistant(
        content="Hi", reasoning_details=joined
    )


def test_details_of_different_indexes_are_different_thoughts():
    details = [
        {"type": "reasoning.text", "text": text, "index": index, "format": "unknown"}
        for index, text in ((0, "One"), (1, "Two"))
    ]
    parts = _assistant(content="Hi", reasoning_details=details)
    assert [part.text for part in parts] == ["One", "Two", "Hi"]


def test_a_seal_of_google_returns_to_its_call_or_its_text():
    google = SealFormat.GOOGLE
    call = {"id": "c1", "function": {"name": "add", "arguments": "{}"}}
    named = [{"type": "reasoning.encrypted", "data": "s", "id": "c1", "format": google.value}]
    assert _assistant(content=None, tool_calls=[call], reasoning_details=named)[0].seal == Seal(
        format=google, data="s"
    )
    loose = [{"type": "reasoning.encrypted", "data": "s", "format": google.value}]
    text, unsealed = _assistant(content="Hi", tool_calls=[call], reasoning_details=loose)
    assert text == Text(text="Hi", seal=Seal(format=google, data="s"))
    assert unsealed.seal is None
    (only,) = _assistant(content=None, tool_calls=[call], reasoning_details=loose)
    assert only.seal == Seal(format=google, data="s")


def test_an_envelope_of_ours_is_opened_and_a_forged_one_dropped():
    seal = Seal(format=SealFormat.OPENAI, data="blob", id="rs_1")
    mine = seals.wrap(seal, key=KEY)
    forged = seals.wrap(seal, key=b"another")
    for data, expected in ((mine, seal), (forged, None)):
        entry = {"type": "reasoning.text", "text": "T", "signature": data, "format": "unknown"}
        assert _assistant(content="Hi", reasoning_details=[entry])[0].seal == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_effort": "high"}, ("high", None, None, None)),
        ({"reasoning_effort": None}, ("", None, None, None)),
        ({"reasoning": {"effort": "low"}}, ("low", None, None, True)),
        ({"reasoning": {"max_tokens": 500, "exclude": True}}, ("", 500, None, False)),
        ({"reasoning": {"enabled": True}}, ("", None, True, True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, ("", 9, True, None)),
        ({"thinking": {"type": "disabled"}}, ("", None, False, None)),
        ({"enable_thinking": False}, ("", None, False, None)),
    ],
)
def test_every_word_for_reasoning_is_read(fields, expected):
    wish = _read(said(user(), **fields)).reasoning
    assert (wish.effort, wish.budget, wish.is_on, wish.shows) == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("any", ToolChoice(mode="required")),
        (
            {"type": "function", "function": {"name": "f"}},
            ToolChoice(mode="required", names=("f",)),
        ),
        ({"function": {"name": "f"}}, ToolChoice(mode="required", names=("f",))),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            },
            ToolChoice(mode="auto", names=("f",)),
        ),
    ],
)
def test_every_form_of_tool_choice_is_read(choice, expected):
    tool = {"function": {"name": "f"}}  # Mistral's clients leave the type out
    assert _read(said(user(), tools=[tool], tool_choice=choice)).tool_choice == expected


def test_a_grammar_is_kept_and_told_in_words_to_those_who_know_none():
    form = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
    tool = {"type": "custom", "custom": {"name": "run", "description": "Runs.", "format": form}}
    body = said(user(), tools=[tool])
    (read,) = _read(body).tools
    assert (read.is_custom, read.grammar) == (True, form["grammar"])
    assert read.description.startswith("Runs.\n")
    assert "start: X" in read.description
    assert sent(body, takes_custom_tools=True)["tools"][0]["custom"]["format"] == form
    assert sent(body)["tools"][0]["type"] == "function"
    form["grammar"]["definition"] = ""
    assert _refused(body).param == "tools[0].custom.format.grammar"


def test_the_form_of_the_answer_is_read():
    schema = {"name": "N", "schema": {"type": "object"}, "strict": True}
    form = {"type": "json_schema", "json_schema": schema}
    assert _read(said(user(), response_format=form)).output_format == OutputFormat(
        schema={"type": "object"}, name="N", is_strict=True
    )
    assert _read(said(user(), response_format={"type": "json_object"})).output_format == (
        OutputFormat()
    )
    assert _read(said(user(), response_format={"type": "text"})).output_format is None


def test_web_search_is_read_from_both_of_its_forms():
    options = {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"country": "DE"}},
    }
    assert _read(said(user(), web_search_options=options)).web_search == WebSearch(
        context_size="low", location={"country": "DE"}
    )
    assert _read(said(user(), plugins=[{"id": "web"}])).web_search == WebSearch()


def test_the_rest_is_read():
    request = _read(
        said(
            user(), max_tokens=5, max_completion_tokens=9, stop="x", n=2, seed=2**40,
            logprobs=True, top_logprobs=3, service_tier="flex", stream=True,
            provider={"require_parameters": True}, top_k=4, verbosity="low",
            prompt_cache_key="k", parallel_tool_calls=False, modalities=["text", "audio"],
            audio={"voice": "alloy", "format": "wav"},
        )
    )  # fmt: skip
    assert (request.output_tokens_max, request.service_tier) == (9, "flex")
    assert (request.requires_all, request.is_stream, request.is_parallel) == (True, True, False)
    sampling = request.sampling
    assert (sampling.stop, sampling.choices, sampling.seed) == (("x",), 2, 2**40)
    assert (sampling.has_logprobs, sampling.top_logprobs, sampling.top_k) == (True, 3, 4)
    assert request.audio_out.voice == "alloy"
    assert (request.verbosity, request.cache_key) == ("low", "k")


def test_what_has_no_word_of_ours_is_named_or_left_out():
    request = _read(
        said(
            user(), user="u", store=False, stop=[], prediction={"type": "content"},
            metadata={"a": "b"}, image_config={"x": 1}, plugins=[{"id": "file-parser"}],
            something_new=1,
        )
    )  # fmt: skip
    assert request.dropped == ("prediction", "metadata", "image_config", "plugins")
    assert request.sampling.stop == ()
    assert request.native["openai_chat"]["something_new"] == 1
    assert "user" not in request.native["openai_chat"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m"}, "messages"),
        (said("x"), "messages[0]"),
        (said({"role": "robot", "content": "x"}), "messages[0].role"),
        (said({"role": "user"}), "messages[0].content"),
        (said(user([{"type": "hologram"}])), "messages[0].content[0].type"),
        (said(user([{"type": "text"}])), "messages[0].content[0].text"),
        (said({"role": "system", "content": [{"type": "image_url", "image_url": "x"}]}),
         "messages[0].content[0].type"),
        (said({"role": "tool", "content": "x"}), "messages[0].tool_call_id"),
        (said({"role": "assistant", "tool_calls": [{"function": {}}]}),
         "messages[0].tool_calls[0].function.name"),
        (said(user(), tools=[{"type": "function"}]), "tools[0].function"),
        (said(user(), tools=[{"type": "x"}]), "tools[0].type"),
        (said(user(), tool_choice="some"), "tool_choice"),
        (said(user(), response_format={"type": "xml"}), "response_format.type"),
        (said(user(), temperature="hot"), "temperature"),
        (said(user(), stop=[1]), "stop[0]"),
        (said(user(), n=1000), "n"),
        (said(user(), reasoning_effort="extreme"), "reasoning_effort"),
        (said(user(), reasoning={"effort": "extreme"}), "reasoning.effort"),
        (said(user(), thinking={"type": "maybe"}), "thinking.type"),
        (said(user(), logprobs="yes"), "logprobs"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_its_name(body, param):
    error = _refused(body)
    assert error.param == param
    assert param in error.message
    assert error.code in (Code.MISSING_FIELD, Code.INVALID_TYPE, Code.INVALID_VALUE)
