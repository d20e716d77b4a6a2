import json

import pytest

from routing.conversation import Cache, Tool, ToolChoice, WebSearch
from tests.routing.translators.anthropic_messages.making import (
    asking,
    assistant,
    body_of,
    call,
    encoded,
    refusal,
    result,
    results,
    user,
)

CLOSED = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
          "additionalProperties": False}  # fmt: skip


def tools(*told, **fields):
    return body_of(asking(tools=told, **fields)).get("tools")


def test_a_tool_keeps_its_schema_word_for_word():
    inner = {"anyOf": [{"enum": ["x"]}, {"type": "null"}], "format": "odd"}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": inner}}
    assert tools(Tool(name="f", description="Do.", schema=schema, cache=Cache(ttl="5m"))) == [
        {"name": "f", "description": "Do.", "input_schema": schema,
         "cache_control": {"type": "ephemeral", "ttl": "5m"}}
    ]  # fmt: skip


@pytest.mark.parametrize("schema", [None, {}])
def test_a_tool_without_a_schema_takes_an_empty_object(schema):
    assert tools(Tool(name="f", schema=schema)) == [
        {"name": "f", "input_schema": {"type": "object", "properties": {}}}
    ]


def test_a_schema_without_a_type_is_one_of_an_object():
    (tool,) = tools(Tool(name="f", schema={"properties": {}}))
    assert tool["input_schema"]["type"] == "object"


def test_a_name_that_is_not_legal_is_shortened_and_comes_back():
    long = "server.tool/" + "x" * 200
    request = asking(user("a"), assistant(call(name=long)), results(result()),
                     tools=(Tool(name=long), Tool(name="y" * 128)))  # fmt: skip
    made = encoded(request)
    body = json.loads(made.outbound.body)
    short, kept = [tool["name"] for tool in body["tools"]]
    assert len(short) <= 128
    assert made.tool_names == {short: long}
    assert kept == "y" * 128
    assert body["messages"][1]["content"][0]["name"] == short


def test_strict_is_kept_where_the_schema_allows_it_and_named_where_not():
    assert tools(Tool(name="f", schema=CLOSED, is_strict=True))[0]["strict"] is True
    assert "strict" not in tools(Tool(name="f", schema=CLOSED))[0]
    assert "strict" not in tools(Tool(name="f", schema=CLOSED, is_strict=False))[0]
    open_schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
    request = asking(tools=(Tool(name="f", schema=open_schema, is_strict=True),))
    made = encoded(request)
    assert made.dropped == ("tools[].strict",)
    assert b"strict" not in made.outbound.body


def test_a_custom_tool_takes_one_text():
    request = asking(tools=(Tool(name="f", is_custom=True),))
    (tool,) = body_of(request)["tools"]
    assert tool["input_schema"]["required"] == ["input"]
    assert encoded(request).dropped == ("tools[].custom",)


def test_a_grammar_is_told_in_the_description():
    grammar = {"syntax": "lark", "definition": "start: WORD"}
    (tool,) = tools(Tool(name="f", description="Patch.", is_custom=True, grammar=grammar))
    assert tool["description"].startswith("Patch.\n\n")
    assert tool["description"].endswith("lark grammar:\nstart: WORD")


@pytest.mark.parametrize(
    ("choice", "is_parallel", "wanted"),
    [
        (None, None, None),
        (ToolChoice(mode="auto"), None, {"type": "auto"}),
        (ToolChoice(mode="none"), False, {"type": "none"}),
        (ToolChoice(mode="required"), None, {"type": "any"}),
        (ToolChoice(mode="required", names=("f",)), None, {"type": "tool", "name": "f"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="auto"), True, {"type": "auto"}),
    ],
)
def test_choice_and_switch_are_told(choice, is_parallel, wanted):
    request = asking(tools=(Tool(name="f"),), tool_choice=choice, is_parallel=is_parallel)
    assert body_of(request).get("tool_choice") == wanted


def test_of_a_choice_among_some_only_these_are_sent():
    told = tuple(Tool(name=name) for name in "fgh")
    choice = ToolChoice(mode="required", names=("f", "h"))
    body = body_of(asking(tools=told, tool_choice=choice))
    assert [tool["name"] for tool in body["tools"]] == ["f", "h"]
    assert body["tool_choice"] == {"type": "any"}
    body = body_of(asking(tools=told, tool_choice=ToolChoice(mode="auto", names=("g",))))
    assert [tool["name"] for tool in body["tools"]] == ["g"]


def test_without_tools_there_is_no_choice():
    assert "tool_choice" not in body_of(asking(tool_choice=ToolChoice(mode="auto")))


def test_calls_of_a_history_without_tools_are_described_but_not_allowed():
    body = body_of(asking(user("a"), assistant(call(name="old")), results(result())))
    assert body["tools"] == [{"name": "old", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


def test_web_search_is_anthropics():
    search = WebSearch(context_size="low", location={"city": "Ulm"}, uses_max=2,
                       blocked_domains=("x.example",))  # fmt: skip
    request = asking(tools=(Tool(name="f"),), web_search=search)
    assert body_of(request)["tools"][1] == {
        "type": "web_search_20250305", "name": "web_search", "max_uses": 2,
        "blocked_domains": ["x.example"], "user_location": {"type": "approximate", "city": "Ulm"},
    }  # fmt: skip
    assert encoded(request).dropped == ("search_context_size",)


def test_domains_allowed_and_blocked_at_once_are_refused():
    search = WebSearch(allowed_domains=("a.example",), blocked_domains=("b.example",))
    assert refusal(encoded, asking(web_search=search)).param == "blocked_domains"
