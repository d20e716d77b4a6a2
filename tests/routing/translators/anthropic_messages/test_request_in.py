import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import seals
from routing.conversation import (
    Cache,
    Document,
    Image,
    OutputFormat,
    Reasoning,
    ReasoningWish,
    Request,
    Role,
    Text,
    Tool,
    ToolChoice,
    WebSearch,
)
from routing.errors import Code
from routing.translators import anthropic_messages as messages
from tests.routing.translators.anthropic_messages import making
from tests.routing.translators.anthropic_messages.making import KEY, decoded
from tests.routing.translators.anthropic_messages.test_stream_in import JSON

EPHEMERAL = {"type": "ephemeral"}
CALL = {"type": "tool_use", "id": "a", "name": "f"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def say(role, *blocks):
    return {"role": role, "content": list(blocks)}


def text(words, **fields):
    return {"type": "text", "text": words, **fields}


def turns(*told):
    return decoded(messages=list(told)).turns


def refused(**body):
    return making.refusal(decoded, **body)


def test_what_claude_code_sends_is_read_whole():
    request = decoded(
        max_tokens=32_000,
        stream=True,
        metadata={"user_id": "user_abc"},
        system=[text("You are."), text("Rules.", cache_control=HOUR)],
        thinking={"type": "adaptive"},
        output_config={"effort": "high"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        tools=[{"name": "Bash", "description": "Run.", "input_schema": {"type": "object"},
                "cache_control": EPHEMERAL}],
        messages=[
            say("user", text("Fix it.")),
            say("assistant", {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}),
            say("user", {"type": "tool_result", "tool_use_id": "t1", "is_error": True,
                         "content": [text("boom")]}, text("<reminder>", cache_control=EPHEMERAL)),
        ],
    )  # fmt: skip
    assert request.instructions == (
        Text(text="You are."),
        Text(text="Rules.", cache=Cache(ttl="1h")),
    )
    assert (request.output_tokens_max, request.is_stream) == (32_000, True)
    assert request.reasoning == ReasoningWish(effort="high", is_on=True)
    assert request.tools == (
        Tool(name="Bash", description="Run.", schema={"type": "object"}, cache=Cache()),
    )
    first, second, third, fourth = request.turns
    assert (first.role, second.role, third.role, fourth.role) == (
        Role.USER, Role.ASSISTANT, Role.TOOL, Role.USER,
    )  # fmt: skip
    assert second.parts[0].seal == making.claude_seal("c2ln")
    assert second.parts[1] == making.call("t1", "Bash", '{"command":"ls"}')
    assert third.parts == (making.result("t1", "boom", name="Bash", is_error=True),)
    assert fourth.parts == (Text(text="<reminder>", cache=Cache()),)
    assert request.dropped == ("context_management",)


def test_results_make_a_turn_of_their_own_before_the_rest():
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    found = turns(
        say("user", text("a")), say("assistant", use, {**use, "id": "t2"}),
        say("user", text("first"), {"type": "tool_result", "tool_use_id": "t1", "content": "1"}),
        say("user", {"type": "tool_result", "tool_use_id": "t2"}),
    )  # fmt: skip
    assert [turn.role for turn in found[2:]] == [Role.TOOL, Role.USER, Role.TOOL]
    assert found[4].parts[0].parts == ()


def test_results_of_turns_in_a_row_are_gathered():
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    found = turns(
        say("assistant", use, {**use, "id": "t2"}),
        say("user", {"type": "tool_result", "tool_use_id": "t1", "content": "1"}),
        say("user", {"type": "tool_result", "tool_use_id": "t2", "content": "2"}),
    )
    assert [part.call_id for part in found[1].parts] == ["t1", "t2"]


def test_a_result_may_hold_pictures_documents_and_found_pages():
    content = [
        text("see"),
        {"type": "image", "source": {"type": "base64", "media_type": "image/PNG", "data": "aGk="}},
        {"type": "document", "source": {"type": "url", "url": "https://a.example/x.pdf"}},
        {"type": "search_result", "source": "https://b.example/", "title": "B",
         "content": [text("found")], "citations": {"enabled": True}},
        {"type": "tool_reference", "tool_name": "g"},
    ]  # fmt: skip
    (turn,) = turns(say("user", {"type": "tool_result", "tool_use_id": "t", "content": content}))
    said, image, document, page, tool = turn.parts[0].parts
    assert said.text == "see"
    assert image == Image(mime="image/png", data="aGk=")
    assert document.url == "https://a.example/x.pdf"
    assert page.text == "B\nhttps://b.example/\nfound"
    assert "g" in tool.text


def test_documents_keep_what_is_said_about_them():
    block = {"type": "document", "title": "T", "context": "C", "citations": {"enabled": True},
             "cache_control": EPHEMERAL}  # fmt: skip
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    plain = {"type": "text", "media_type": "text/plain", "data": "words"}
    inner = {"type": "content", "content": [text("a"), text("b")]}
    ((first, second, third),) = (
        turn.parts
        for turn in turns(say("user", *({**block, "source": one} for one in (pdf, plain, inner))))
    )
    about = {"title": "T", "context": "C", "wants_citations": True, "cache": Cache()}
    assert first == Document(mime="application/pdf", data="JVBERi0=", **about)
    assert second == Document(mime="text/plain", text="words", **about)
    assert third == Document(mime="text/plain", text="a\nb", **about)


def test_system_turns_amid_the_conversation_stay_there():
    request = decoded(
        system="First.",
        messages=[say("system", text("Second.")), say("user", text("a")),
                  say("system", text("Now German.")), say("user", text("b"))],
    )  # fmt: skip
    assert [one.text for one in request.instructions] == ["First.", "Second."]
    assert [turn.role for turn in request.turns] == [Role.USER, Role.SYSTEM, Role.USER]


def test_tools_that_system_turns_add_are_tools():
    added = {"type": "tool_addition", "tool": {"name": "g", "input_schema": {"type": "object"}}}
    known = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}}
    request = decoded(
        tools=[{"name": "f", "input_schema": {"type": "object"}, "defer_loading": True},
               {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}],
        messages=[say("user", text("a")), say("system", added, known)],
    )  # fmt: skip
    assert [tool.name for tool in request.tools] == ["f", "g"]
    assert request.dropped == ("defer_loading", "tool_search")


def test_what_the_vendors_own_tools_did_is_dropped_and_named():
    request = decoded(messages=[
        say("user", text("a")),
        say("assistant", {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, text("b")),
    ])  # fmt: skip
    assert request.turns[1].parts == (Text(text="b"),)
    assert request.dropped == ("server_tool_use",)


def thought(signature, kind="thinking"):
    field = "signature" if kind == "thinking" else "data"
    block = {"type": kind, field: signature}
    (turn,) = turns(say("assistant", block | ({"thinking": "hm"} if kind == "thinking" else {})))
    return turn.parts


def test_an_envelope_is_opened():
    seal = making.openai_seal()
    (part,) = thought(seals.wrap(seal, key=KEY))
    assert part.seal == seal
    assert (part.text, part.is_summary, part.id) == ("hm", True, "rs_1")
    (part,) = thought(seals.wrap(seal, key=KEY), "redacted_thinking")
    assert part == Reasoning(format=seal.format, seal=seal, id="rs_1")


def test_an_envelope_that_does_not_open_is_dropped():
    foreign = seals.wrap(making.openai_seal(), key=b"another account's")
    assert thought(foreign) == (Reasoning(text="hm"),)
    assert thought(foreign, "redacted_thinking") == ()


def test_anthropics_own_seals_stay():
    assert thought("c2ln")[0].seal == making.claude_seal("c2ln")
    assert thought("RXQ=", "redacted_thinking")[0].seal.is_redacted
    assert thought("") == (Reasoning(text="hm"),)


@pytest.mark.parametrize(
    ("thinking", "effort", "wish"),
    [
        ({"type": "enabled", "budget_tokens": 2_000}, None,
         ReasoningWish(budget=2_000, is_on=True)),
        ({"type": "adaptive"}, None, ReasoningWish(budget=-1, is_on=True)),
        ({"type": "adaptive", "display": "summarized"}, "max",
         ReasoningWish(effort="max", is_on=True, shows=True)),
        ({"type": "adaptive", "display": "omitted"}, "low",
         ReasoningWish(effort="low", is_on=True, shows=False)),
        ({"type": "between_tools"}, None, ReasoningWish(budget=-1, is_on=True)),
        ({"type": "disabled"}, "high", ReasoningWish(is_on=False)),
        (None, "medium", ReasoningWish(effort="medium")),
        (None, None, ReasoningWish()),
    ],
)  # fmt: skip
def test_thinking_and_effort_are_one_wish(thinking, effort, wish):
    assert decoded(thinking=thinking, output_config={"effort": effort}).reasoning == wish


def test_effort_without_thinking_is_named():
    request = decoded(thinking={"type": "disabled"}, output_config={"effort": "high"})
    assert request.dropped == ("output_config.effort",)


@pytest.mark.parametrize(
    ("told", "choice", "is_parallel"),
    [
        ({"type": "auto"}, ToolChoice(mode="auto"), None),
        ({"type": "any"}, ToolChoice(mode="required"), None),
        ({"type": "none"}, ToolChoice(mode="none"), None),
        ({"type": "tool", "name": "f"}, ToolChoice(mode="required", names=("f",)), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(mode="auto"), False),
        ({"type": "auto", "disable_parallel_tool_use": False}, ToolChoice(mode="auto"), None),
    ],
)
def test_the_choice_of_tools_and_its_switch(told, choice, is_parallel):
    request = decoded(tool_choice=told)
    assert (request.tool_choice, request.is_parallel) == (choice, is_parallel)


def test_web_search_keeps_its_limits():
    tool = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3,
            "allowed_domains": ["a.example"], "blocked_domains": None,
            "user_location": {"type": "approximate", "city": "Ulm", "country": None}}  # fmt: skip
    assert decoded(tools=[tool]).web_search == WebSearch(
        uses_max=3, allowed_domains=("a.example",), location={"city": "Ulm"}
    )


@pytest.mark.parametrize("body", [
    {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
    {"output_format": {"type": "json_schema", "schema": {"type": "object"}}},
    {"output_format": {"schema": {"type": "object"}}},
])  # fmt: skip
def test_a_schema_of_the_answer_is_read_in_both_spellings(body):
    assert decoded(**body).output_format == OutputFormat(schema={"type": "object"})


def test_sampling_stops_tier_and_cache_are_read():
    request = decoded(temperature=0.5, top_p=0.9, top_k=4, stop_sequences=["END"],
                      service_tier="standard_only", cache_control=HOUR)  # fmt: skip
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.5, 0.9, 4)
    assert sampling.stop == ("END",)
    assert (request.service_tier, request.cache) == ("standard", Cache(ttl="1h"))
    assert decoded(speed="fast").service_tier == "fast"
    assert decoded(service_tier="auto").service_tier == ""


def test_unknown_fields_are_named_and_empty_ones_are_not():
    request = decoded(brand_new=1, other_new=None, **{"bad\r\nname": 1})
    assert request.dropped == ("brand_new",)


def test_everything_required_is_said_by_the_platforms_field():
    assert decoded(provider={"require_parameters": True}).requires_all
    assert not decoded().requires_all


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"messages": [say("tool", text("a"))]}, Code.INVALID_VALUE, "messages[0].role"),
        ({"messages": [{"content": "a"}]}, Code.INVALID_TYPE, "messages[0].role"),
        ({"messages": [say("user", {"type": "new"})]}, Code.UNSUPPORTED,
         "messages[0].content[0].type"),
        ({"messages": [say("assistant", {"type": "new"})]}, Code.UNSUPPORTED,
         "messages[0].content[0].type"),
        ({"messages": [say("user", {"type": "image"})]}, Code.INVALID_TYPE,
         "messages[0].content[0].source"),
        ({"messages": [say("user", {"type": "image", "source": {"type": "base64", "data": "x"}})]},
         Code.MISSING_FIELD, "messages[0].content[0].source.media_type"),
        ({"messages": [say("user", {"type": "tool_result", "content": "x"})]}, Code.MISSING_FIELD,
         "messages[0].content[0].tool_use_id"),
        ({"messages": [say("assistant", {**CALL, "input": "x"})]}, Code.INVALID_TYPE,
         "messages[0].content[0].input"),
        ({"system": [{"type": "image"}]}, Code.UNSUPPORTED, "system[0].type"),
        ({"tools": [{"type": "computer_20250124", "name": "computer"}]}, Code.UNSUPPORTED,
         "tools[0].type"),
        ({"tools": [{"input_schema": {}}]}, Code.MISSING_FIELD, "tools[0].name"),
        ({"tool_choice": {"type": "some"}}, Code.INVALID_VALUE, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, Code.MISSING_FIELD, "tool_choice.name"),
        ({"thinking": {"type": "much"}}, Code.INVALID_VALUE, "thinking.type"),
        ({"output_config": {"effort": "huge"}}, Code.INVALID_VALUE, "output_config.effort"),
        ({"output_config": {"format": {"type": "json_schema"}}}, Code.MISSING_FIELD,
         "output_config.format.schema"),
        ({"output_config": {"format": {"type": "xml", "schema": {}}}}, Code.INVALID_VALUE,
         "output_config.format.type"),
        ({"temperature": "hot"}, Code.INVALID_TYPE, "temperature"),
        ({"stop_sequences": [5]}, Code.INVALID_TYPE, "stop_sequences[0]"),
        ({"cache_control": {"ttl": 5}}, Code.INVALID_TYPE, "cache_control.ttl"),
        ({"mcp_servers": [{"url": "https://m.example"}]}, Code.UNSUPPORTED, "mcp_servers"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_its_name(body, code, param):
    error = refused(**body)
    assert (error.code, error.param) == (code, param)


TYPES = [
    "text", "image", "document", "tool_result", "tool_use", "thinking", "redacted_thinking",
    "search_result", "tool_addition", "tool_removal", "tool_reference", "compaction",
    "server_tool_use", "base64", "url", "content", "custom", "enabled", "adaptive", "json_schema",
]  # fmt: skip
KEYS = [
    "type", "text", "content", "source", "role", "tool_use_id", "id", "name", "input", "thinking",
    "signature", "data", "media_type", "url", "cache_control", "ttl", "citations", "enabled",
    "title", "tool", "input_schema", "strict", "schema", "format", "effort", "budget_tokens",
]  # fmt: skip
WORDS = st.sampled_from([*TYPES, "user", "assistant", "system", "f", "br1.AAAA", "toolu_br_AA"])
SHAPES = st.recursive(
    JSON | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
        | st.builds(lambda kind, rest: {**rest, "type": kind}, st.sampled_from(TYPES),
                    st.dictionaries(st.sampled_from(KEYS), inner, max_size=5))
    ),
    max_leaves=20,
)  # fmt: skip
FIELDS = [
    "messages", "system", "tools", "tool_choice", "thinking", "output_config", "output_format",
    "stop_sequences", "cache_control", "temperature", "top_k", "service_tier", "mcp_servers",
    "max_tokens", "stream", "provider", "speed",
]  # fmt: skip
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]),
                                 "content": st.lists(SHAPES, max_size=3)})  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), SHAPES), st.lists(MESSAGE, max_size=3))
def test_any_json_gives_a_request_or_a_refusal(body, told):
    for candidate in (body, {**body, "messages": told}):
        request = making.unless_refused(messages.decode_request, candidate, seal_key=KEY)
        if request is not None:
            assert isinstance(request, Request)
            for reasoning in ("budget", "adaptive"):
                making.unless_refused(making.encoded, request, reasoning=reasoning)
