import json

import pytest

from routing import seals
from routing.conversation import (
    Audio,
    Document,
    Image,
    Reasoning,
    Refusal,
    Role,
    Seal,
    SealFormat,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from routing.errors import Code, RelayError
from tests.routing.translators.openai_responses.scene import KEY, decode

CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a":1}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "seen"}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}


def turns(*items, **body):
    return decode({"input": list(items), **body}).turns


def message(role, content):
    return {"type": "message", "role": role, "content": content}


class TestMessages:
    def test_text_alone_is_a_user_turn(self):
        (turn,) = decode({"input": "Good day"}).turns
        assert (turn.role, turn.parts) == (Role.USER, (Text(text="Good day"),))

    def test_leading_system_and_developer_messages_are_instructions_after_the_field(self):
        request = decode(
            {
                "instructions": "first",
                "input": [
                    message("system", "second"),
                    {"role": "developer", "content": "third"},
                    message("user", "hi"),
                ],
            }
        )
        assert [text.text for text in request.instructions] == ["first", "second", "third"]
        assert [turn.role for turn in request.turns] == [Role.USER]

    def test_a_developer_message_amid_the_conversation_keeps_its_place(self):
        found = turns(message("user", "a"), message("developer", "b"), message("user", "c"))
        assert [turn.role for turn in found] == [Role.USER, Role.SYSTEM, Role.USER]

    def test_user_messages_in_a_row_stay_turns_of_their_own(self):
        assert len(turns(message("user", "a"), message("user", "b"))) == 2

    def test_assistant_messages_in_a_row_stay_turns_of_their_own(self):
        assert len(turns(message("assistant", "a"), message("assistant", "b"))) == 2

    def test_reads_refusals_and_ignores_what_clients_echo(self):
        part = {"type": "output_text", "text": "so", "annotations": [{"x": 1}], "logprobs": []}
        (turn,) = turns(message("assistant", [part, {"type": "refusal", "refusal": "no"}]))
        assert turn.parts == (Text(text="so"), Refusal(text="no"))

    def test_reads_pictures_files_and_sound(self):
        (turn,) = turns(
            message(
                "user",
                [
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                    {"type": "input_image", "image_url": "https://a.example/b", "detail": "low"},
                    {"type": "input_file", "file_data": "JVBERi0=", "filename": "a.pdf"},
                    {"type": "input_file", "file_data": "data:text/plain;base64,aGk="},
                    {"type": "input_file", "file_url": "https://a.example/c"},
                    {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}},
                ],
            )
        )
        assert turn.parts == (
            Image(mime="image/png", data="AAAA"),
            Image(url="https://a.example/b", detail="low"),
            Document(mime="application/pdf", data="JVBERi0=", name="a.pdf"),
            Document(mime="text/plain", data="aGk="),
            Document(url="https://a.example/c"),
            Audio(mime="audio/mpeg", data="UklG"),
        )


class TestCalls:
    def test_calls_and_their_parallel_results_are_two_turns(self):
        other = {**CALL, "call_id": "c2"}
        found = turns(CALL, other, RESULT, {**RESULT, "call_id": "c2", "output": "too"})
        assert [turn.role for turn in found] == [Role.ASSISTANT, Role.TOOL]
        assert [part.id for part in found[0].parts] == ["c1", "c2"]
        assert [part.name for part in found[1].parts] == ["look", "look"]

    def test_a_message_between_a_call_and_its_result_stays_in_the_turn(self):
        found = turns(
            message("assistant", "let me see"), CALL, message("assistant", "wait"), RESULT
        )
        assert [turn.role for turn in found] == [Role.ASSISTANT, Role.TOOL]

    def test_arguments_stay_the_text_that_they_were(self):
        text = '{ "n": 12345678901234567890123, "b":1 }'
        (turn,) = turns({**CALL, "arguments": text})
        assert turn.parts[0].arguments == text

    def test_a_result_may_hold_pictures_and_files(self):
        output = [
            {"type": "input_text", "text": "look"},
            {"type": "input_image", "image_url": "https://a.example/b", "detail": "high"},
            {"type": "input_file", "file_url": "https://a.example/c"},
        ]
        found = turns(CALL, {**RESULT, "output": output})
        assert found[1].parts == (
            ToolResult(
                call_id="c1",
                name="look",
                parts=(
                    Text(text="look"),
                    Image(url="https://a.example/b", detail="high"),
                    Document(url="https://a.example/c"),
                ),
            ),
        )

    def test_a_custom_call_is_marked_and_so_is_its_result(self):
        found = turns(
            {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "Done"},
        )
        assert found[0].parts == (
            ToolCall(id="c", name="patch", arguments="*** Begin", is_custom=True),
        )
        assert found[1].parts[0].is_custom

    def test_a_local_shell_is_a_function_in_words_of_its_own(self):
        action = {"type": "exec", "command": ["ls"], "env": {}}
        request = decode(
            {
                "tools": [{"type": "local_shell"}],
                "input": [
                    {"type": "local_shell_call", "id": "l", "call_id": "c", "action": action},
                    {"type": "local_shell_call_output", "id": "c", "output": "a b"},
                ],
            }
        )
        assert request.tools[0].name == "local_shell"
        assert request.tools[0].schema["required"] == ["command"]
        assert json.loads(request.turns[0].parts[0].arguments) == action
        assert request.turns[1].parts == (
            ToolResult(call_id="c", name="local_shell", parts=(Text(text="a b"),)),
        )

    def test_a_namespace_is_part_of_the_name_in_tools_and_history(self):
        namespace = {"type": "namespace", "name": "mcp__git__", "description": "", "tools": [LOOK]}
        request = decode({"tools": [namespace], "input": [{**CALL, "namespace": "mcp__git__"}]})
        assert [tool.name for tool in request.tools] == ["mcp__git__look"]
        assert request.turns[0].parts[0].name == "mcp__git__look"

    def test_a_tool_that_openai_loaded_by_itself_keeps_its_plain_name(self):
        # Recorded 2026-06: such calls name the tool as their own namespace.
        request = decode({"tools": [LOOK], "input": [{**CALL, "namespace": "look"}]})
        assert request.turns[0].parts[0].name == "look"

    def test_tools_that_were_loaded_on_the_way_are_offered(self):
        found = {"type": "tool_search_output", "execution": "server", "tools": [LOOK]}
        request = decode({"tools": [{"type": "tool_search"}], "input": [found]})
        assert [tool.name for tool in request.tools] == ["look"]
        assert request.turns == ()

    def test_a_search_for_tools_by_the_client_is_a_function(self):
        request = decode(
            {
                "tools": [{"type": "tool_search", "execution": "client", "parameters": {"a": 1}}],
                "input": [
                    {
                        "type": "tool_search_call",
                        "execution": "client",
                        "call_id": "c",
                        "arguments": {"query": "look"},
                    },
                    {
                        "type": "tool_search_output",
                        "execution": "client",
                        "call_id": "c",
                        "tools": [LOOK],
                    },
                ],
            }
        )
        assert [tool.name for tool in request.tools] == ["tool_search", "look"]
        assert request.turns[0].parts[0].arguments == '{"query":"look"}'
        assert request.turns[1].parts[0].call_id == "c"


class TestReasoning:
    SUMMARY = [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]

    def test_openais_own_seal_comes_with_its_id(self):
        item = {"type": "reasoning", "id": "rs_1", "summary": self.SUMMARY}
        (turn,) = turns({**item, "encrypted_content": "gAAA"})
        seal = Seal(format=SealFormat.OPENAI, data="gAAA", id="rs_1")
        assert turn.parts == (
            Reasoning(
                text="a\n\nb", is_summary=True, format=SealFormat.OPENAI, seal=seal, id="rs_1"
            ),
        )

    def test_codex_leaves_the_id_out(self):
        (turn,) = turns({"type": "reasoning", "summary": [], "encrypted_content": "gAAA"})
        assert turn.parts[0].seal == Seal(format=SealFormat.OPENAI, data="gAAA")

    def test_an_envelope_is_opened_to_the_foreign_seal_and_its_text_is_no_summary(self):
        seal = Seal(format=SealFormat.ANTHROPIC, data="sig", is_redacted=False)
        envelope = seals.wrap(seal, key=KEY)
        item = {"type": "reasoning", "summary": self.SUMMARY[:1], "encrypted_content": envelope}
        (turn,) = turns(item)
        assert turn.parts == (Reasoning(text="a", format=SealFormat.ANTHROPIC, seal=seal),)

    def test_an_envelope_of_another_account_is_dropped(self):
        envelope = seals.wrap(Seal(format=SealFormat.ANTHROPIC, data="sig"), key=b"mallory's")
        assert turns({"type": "reasoning", "summary": [], "encrypted_content": envelope}) == ()

    def test_a_seal_that_stood_on_a_call_returns_to_it(self):
        seal = Seal(format=SealFormat.GOOGLE, data="thought", id="c1")
        item = {"type": "reasoning", "summary": [], "encrypted_content": seals.wrap(seal, key=KEY)}
        (turn,) = turns(item, CALL)
        assert turn.parts[0].seal == Seal(format=SealFormat.GOOGLE, data="thought")
        assert len(turn.parts) == 1

    def test_a_seal_that_stood_on_a_text_returns_to_it(self):
        seal = Seal(format=SealFormat.GOOGLE, data="thought")
        item = {"type": "reasoning", "summary": [], "encrypted_content": seals.wrap(seal, key=KEY)}
        (turn,) = turns(message("assistant", "so"), item)
        assert turn.parts == (Text(text="so", seal=seal),)

    def test_reasoning_belongs_to_the_message_that_follows(self):
        item = {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
        found = turns(message("assistant", "a"), item, message("assistant", "b"))
        assert [len(turn.parts) for turn in found] == [1, 2]

    def test_reads_how_much_to_think(self):
        wish = decode({"reasoning": {"effort": "xhigh", "summary": "auto"}}).reasoning
        assert (wish.effort, wish.summary, wish.shows) == ("xhigh", "auto", True)


class TestTools:
    def test_a_tool_without_strict_is_strict_only_where_it_can_be(self):
        (tool,) = decode({"tools": [LOOK]}).tools
        assert tool.is_strict is None

    def test_a_grammar_is_kept_and_told_in_words(self):
        form = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
        (tool,) = decode(
            {"tools": [{"type": "custom", "name": "p", "description": "d", "format": form}]}
        ).tools
        assert tool.is_custom
        assert tool.grammar == {"syntax": "lark", "definition": "start: A"}
        assert tool.description.startswith("d\n")
        assert tool.description.endswith("start: A")

    def test_reads_web_search_with_its_place_and_filters(self):
        search = decode(
            {
                "max_tool_calls": 3,
                "tools": [
                    {
                        "type": "web_search",
                        "search_context_size": "low",
                        "user_location": {"type": "approximate", "country": "CH", "city": None},
                        "filters": {"allowed_domains": ["a.example"]},
                    }
                ],
            }
        ).web_search
        assert search.context_size == "low"
        assert search.location == {"country": "CH"}
        assert search.allowed_domains == ("a.example",)
        assert search.uses_max == 3

    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            ("auto", ToolChoice(mode="auto")),
            ("none", ToolChoice(mode="none")),
            ("required", ToolChoice(mode="required")),
            (
                {"type": "function", "name": "look"},
                ToolChoice(mode="required", names=("look",)),
            ),
            (
                {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "look"}],
                },
                ToolChoice(mode="auto", names=("look",)),
            ),
        ],
    )
    def test_reads_every_choice(self, given, wanted):
        assert decode({"tools": [LOOK], "tool_choice": given}).tool_choice == wanted

    def test_allowed_tools_without_the_search_take_the_search_away(self):
        choice = {
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "look"}],
        }
        request = decode({"tools": [LOOK, {"type": "web_search"}], "tool_choice": choice})
        assert request.web_search is None


class TestWhatIsDropped:
    def test_traces_of_openais_tools_are_dropped_and_named(self):
        request = decode({"input": [{"type": "web_search_call", "id": "ws"}, CALL, RESULT]})
        assert request.dropped == ("web_search_call",)
        assert len(request.turns) == 2

    def test_an_item_of_unknown_kind_is_dropped_and_named(self):
        request = decode({"input": [{"type": "dream", "x": 1}, {"type": "Not A Name!"}]})
        assert request.dropped == ("dream", "input[1]")

    def test_fields_without_a_counterpart_are_named_and_usual_values_are_not(self):
        request = decode(
            {
                "truncation": "auto",
                "metadata": {"a": "b"},
                "include": ["web_search_call.action.sources"],
                "moderation": None,
                "store": False,
                "reasoning": {"context": "all_turns"},
            }
        )
        assert request.dropped == ("include", "truncation", "reasoning.context", "metadata")
        plain = {"truncation": "disabled", "metadata": {}, "include": []}
        assert decode({**plain, "reasoning": {"context": "auto"}}).dropped == ()

    def test_reads_that_nothing_may_be_dropped(self):
        assert decode({"provider": {"require_parameters": True}}).requires_all


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "param", "code"),
        [
            ({"input": None}, "input", Code.MISSING_FIELD),
            ({"input": 5}, "input", Code.INVALID_TYPE),
            ({"input": ["x"]}, "input[0]", Code.INVALID_TYPE),
            ({"input": [{}]}, "input[0].type", Code.MISSING_FIELD),
            ({"input": [{"role": "critic"}]}, "input[0].role", Code.INVALID_VALUE),
            (
                {"input": [{"role": "user", "content": [{"type": "dream"}]}]},
                "input[0].content[0].type",
                Code.UNSUPPORTED,
            ),
            (
                {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
                "input[0].content[0].image_url",
                Code.MISSING_FIELD,
            ),
            (
                {
                    "input": [
                        {"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}
                    ]
                },
                "input[0].content[0].file_id",
                Code.VENDOR_HANDLE,
            ),
            ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].id", Code.VENDOR_HANDLE),
            ({"input": [{"type": "compaction"}]}, "input[0]", Code.UNSUPPORTED),
            ({"input": [{**CALL, "call_id": ""}]}, "input[0].call_id", Code.MISSING_FIELD),
            ({"input": [{**CALL, "name": None}]}, "input[0].name", Code.MISSING_FIELD),
            ({"tools": [{"type": "function"}]}, "tools[0].name", Code.MISSING_FIELD),
            ({"tools": [{"type": "code_interpreter"}]}, "tools[0].type", Code.UNSUPPORTED),
            ({"tools": [{**LOOK, "strict": 1}]}, "tools[0].strict", Code.INVALID_TYPE),
            (
                {"tool_choice": {"type": "function", "name": "x"}},
                "tool_choice",
                Code.INVALID_VALUE,
            ),
            ({"text": {"format": {"type": "xml"}}}, "text.format.type", Code.INVALID_VALUE),
            (
                {"text": {"format": {"type": "json_schema", "name": "a"}}},
                "text.format.schema",
                Code.MISSING_FIELD,
            ),
            ({"reasoning": {"effort": "huge"}}, "reasoning.effort", Code.INVALID_VALUE),
            ({"temperature": "hot"}, "temperature", Code.INVALID_TYPE),
        ],
    )
    def test_names_the_field_that_is_wrong(self, body, param, code):
        with pytest.raises(RelayError) as refusal:
            decode(body)
        assert (refusal.value.param, refusal.value.code) == (param, code)
        assert refusal.value.status == 400
