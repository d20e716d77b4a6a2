import pytest

from routing import seals
from routing.conversation import (
    Audio,
    AudioOut,
    Cache,
    Document,
    Image,
    OutputFormat,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Role,
    Sampling,
    Seal,
    SealFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Video,
    WebSearch,
)
from routing.errors import Code, RelayError
from tests.routing.translators.openai_responses.scene import KEY, encode, target

USER = Turn(role=Role.USER, parts=(Text(text="Hi"),))
LOOK = Tool(name="look", description="Looks.", schema={"type": "object"})
CALL = ToolCall(id="c1", name="look", arguments='{"a":1}')
RESULT = ToolResult(call_id="c1", name="look", parts=(Text(text="seen"),))


def request(*turns, **more):
    return Request(turns=turns or (USER,), **more)


def assistant(*parts):
    return Turn(role=Role.ASSISTANT, parts=parts)


def tool(*parts):
    return Turn(role=Role.TOOL, parts=parts)


def refused(asked, at=None):
    with pytest.raises(RelayError) as refusal:
        encode(asked, at)
    assert refusal.value.status == 400
    return refusal.value


class TestEnvelope:
    def test_writes_path_model_tag_and_storage(self):
        at = target(
            account_field="safety_identifier", forces_store_false=True, extra_query="api-version=1"
        )
        body, encoded = encode(request(is_stream=True), at)
        assert body["model"] == "gpt-x"
        assert body["safety_identifier"] == "tag-of-alice"
        assert body["store"] is False
        assert body["stream"] is True
        out = encoded.outbound
        assert (out.path, out.query) == ("responses", "api-version=1")
        assert out.headers == {"content-type": "application/json"}

    def test_writes_the_same_bytes_for_the_same_request(self):
        asked = request(USER, assistant(CALL), tool(RESULT), USER, tools=(LOOK,))
        assert encode(asked)[1].outbound.body == encode(asked)[1].outbound.body

    def test_never_asks_for_more_output_than_the_hold_covers(self):
        assert encode(request(output_tokens_max=500), target(output_limit=100))[0][
            "max_output_tokens"
        ] == (100)
        assert encode(request(output_tokens_max=50), target(output_limit=100))[0][
            "max_output_tokens"
        ] == (50)
        assert "max_output_tokens" not in encode(request())[0]

    def test_a_tag_may_stand_inside_an_object(self):
        body, _ = encode(request(), target(account_field="metadata.user_id"))
        assert body["metadata"] == {"user_id": "tag-of-alice"}


class TestInput:
    def test_instructions_are_one_text_and_later_system_turns_keep_their_place(self):
        late = Turn(role=Role.SYSTEM, parts=(Text(text="late"),))
        asked = request(USER, late, USER, instructions=(Text(text="a"), Text(text="b")))
        body, _ = encode(asked, target(system_role="developer"))
        assert body["instructions"] == "a\n\nb"
        assert [item["role"] for item in body["input"]] == ["user", "developer", "user"]

    def test_an_assistants_words_are_output(self):
        body, _ = encode(request(USER, assistant(Text(text="so"), Refusal(text="no")), USER))
        assert body["input"][1] == {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "so", "annotations": []},
                {"type": "refusal", "refusal": "no"},
            ],
        }

    def test_empty_texts_and_turns_are_left_out(self):
        empty = Turn(role=Role.USER, parts=(Text(text=""),))
        body, _ = encode(request(empty, assistant(Text(text="")), USER))
        assert len(body["input"]) == 1

    def test_calls_and_results_are_items(self):
        other = ToolCall(id="c2", name="look", arguments="")
        error = ToolResult(call_id="c2", parts=(Text(text="boom"),), is_error=True)
        body, _ = encode(request(USER, assistant(CALL, other), tool(RESULT, error)))
        assert body["input"][1:] == [
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a":1}'},
            {"type": "function_call", "call_id": "c2", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "seen"},
            {"type": "function_call_output", "call_id": "c2", "output": "boom"},
        ]

    def test_a_result_keeps_its_pictures_and_files(self):
        result = ToolResult(
            call_id="c1",
            parts=(
                Text(text="see"),
                Image(mime="image/png", data="AAAA", detail="high"),
                Document(mime="application/pdf", data="JVBERi0="),
            ),
        )
        body, _ = encode(request(USER, assistant(CALL), tool(result)))
        assert body["input"][2]["output"] == [
            {"type": "input_text", "text": "see"},
            {
                "type": "input_image",
                "image_url": "data:image/png;base64,AAAA",
                "detail": "high",
            },
            {
                "type": "input_file",
                "filename": "document.pdf",
                "file_data": "data:application/pdf;base64,JVBERi0=",
            },
        ]

    def test_a_document_of_text_is_a_file(self):
        turn = Turn(role=Role.USER, parts=(Document(text="hi", title="T", context="c"),))
        body, encoded = encode(request(turn))
        (part,) = body["input"][0]["content"]
        assert part["filename"] == "T"
        assert part["file_data"] == "data:text/plain;base64,aGk="
        assert encoded.dropped == ("context",)

    def test_ids_that_are_too_long_are_shortened_alike_in_call_and_result(self):
        long = "x" * 90
        call, result = (
            ToolCall(id=long, name="look", arguments="{}"),
            ToolResult(call_id=long, parts=(Text(text="y"),)),
        )
        body, _ = encode(request(USER, assistant(call), tool(result)))
        assert body["input"][1]["call_id"] == body["input"][2]["call_id"]
        assert len(body["input"][1]["call_id"]) <= 64

    def test_a_picture_that_the_assistant_made_is_shown_by_the_user(self):
        body, _ = encode(request(USER, assistant(Image(mime="image/png", data="AAAA")), USER))
        assert body["input"][1]["role"] == "user"
        assert body["input"][1]["content"][0]["type"] == "input_image"

    def test_cache_marks_are_named(self):
        turn = Turn(role=Role.USER, parts=(Text(text="a", cache=Cache()),))
        body, encoded = encode(request(turn))
        assert encoded.dropped == ("cache_control",)
        assert "cache" not in str(body)


class TestReasoning:
    SEAL = Seal(format=SealFormat.OPENAI, data="gAAA", id="rs_1")

    def test_a_seal_of_its_own_goes_back_with_its_id_before_its_call(self):
        thought = Reasoning(text="s", is_summary=True, format=SealFormat.OPENAI, seal=self.SEAL)
        body, _ = encode(request(USER, assistant(thought, CALL), tool(RESULT)))
        assert body["input"][1] == {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "s"}],
            "encrypted_content": "gAAA",
        }
        assert body["input"][2]["type"] == "function_call"

    def test_no_foreign_seal_or_thought_reaches_the_vendor(self):
        foreign = Seal(format=SealFormat.ANTHROPIC, data="sig")
        wrapped = seals.wrap(foreign, key=KEY)
        thoughts = (
            Reasoning(text="secret-1", format=SealFormat.ANTHROPIC, seal=foreign),
            Reasoning(text="secret-2"),
        )
        turn = assistant(*thoughts, Text(text="so", seal=foreign), CALL)
        raw = encode(request(USER, turn, tool(RESULT)))[1].outbound.body.decode()
        assert "secret" not in raw
        assert "sig" not in raw
        assert wrapped not in raw
        assert seals.PREFIX not in raw

    def test_a_vendor_gets_the_seals_that_its_row_names(self):
        seal = Seal(format=SealFormat.XAI, data="x")
        turn = assistant(Reasoning(format=SealFormat.XAI, seal=seal), Text(text="so"))
        body, _ = encode(request(USER, turn, USER), target(seal="xai-responses-v1"))
        assert body["input"][1] == {"type": "reasoning", "summary": [], "encrypted_content": "x"}
        assert len(encode(request(USER, turn, USER))[0]["input"]) == 3

    def test_reasoning_that_nothing_follows_is_left_out(self):
        thought = Reasoning(format=SealFormat.OPENAI, seal=self.SEAL)
        body, _ = encode(request(USER, assistant(thought), USER))
        assert [item["type"] for item in body["input"]] == ["message", "message"]

    def test_an_open_models_text_goes_back_where_the_row_says_so(self):
        turn = assistant(Reasoning(text="hm"), Text(text="so"))
        body, _ = encode(request(USER, turn, USER), target(reasoning_back_field="x"))
        assert body["input"][1]["content"] == [{"type": "reasoning_text", "text": "hm"}]

    def test_encrypted_reasoning_is_always_asked_for_where_the_model_reasons(self):
        assert encode(request(), target(reasoning="effort"))[0]["include"] == [
            "reasoning.encrypted_content"
        ]
        assert "include" not in encode(request())[0]

    @pytest.mark.parametrize(
        ("wish", "quirks", "wanted"),
        [
            (ReasoningWish(effort="high"), {}, {"effort": "high"}),
            (ReasoningWish(effort="max"), {"efforts": "low medium high"}, {"effort": "high"}),
            (ReasoningWish(budget=2000), {}, {"effort": "low"}),
            (ReasoningWish(budget=-1), {}, None),
            (ReasoningWish(is_on=False), {}, {"effort": "none"}),
            (ReasoningWish(is_on=True), {}, None),
            (ReasoningWish(effort="low", shows=True), {}, {"effort": "low", "summary": "auto"}),
            (ReasoningWish(summary="detailed"), {}, {"summary": "detailed"}),
        ],
    )
    def test_writes_how_much_to_think(self, wish, quirks, wanted):
        asked = request(reasoning=wish, output_tokens_max=8000)
        body, encoded = encode(asked, target(reasoning="effort", **quirks))
        assert body.get("reasoning") == wanted
        assert encoded.dropped == ()

    def test_a_model_that_cannot_stop_thinking_thinks_least_and_says_so(self):
        at = target(reasoning="effort", reasoning_stops=False, efforts="low high")
        body, encoded = encode(request(reasoning=ReasoningWish(effort="none")), at)
        assert body["reasoning"] == {"effort": "low"}
        assert encoded.dropped == ("reasoning",)

    def test_a_model_that_cannot_be_told_names_the_wish(self):
        body, encoded = encode(request(reasoning=ReasoningWish(effort="high")))
        assert "reasoning" not in body
        assert encoded.dropped == ("reasoning",)


class TestTools:
    def test_strict_is_always_said(self):
        tools = (LOOK, Tool(name="b", is_strict=True))
        body, _ = encode(request(tools=tools), target())
        assert [tool["strict"] for tool in body["tools"]] == [False, True]
        assert body["tools"][1]["parameters"] == {"type": "object", "properties": {}}

    def test_strict_is_named_where_the_vendor_has_none(self):
        asked = request(tools=(Tool(name="b", is_strict=True),))
        body, encoded = encode(asked, target(takes_strict=False))
        assert "strict" not in body["tools"][0]
        assert encoded.dropped == ("strict",)

    def test_names_that_are_not_legal_are_shortened_and_told(self):
        long = "mcp.server/" + "x" * 70
        asked = request(
            USER,
            assistant(ToolCall(id="c", name=long, arguments="{}")),
            tool(ToolResult(call_id="c")),
            tools=(Tool(name=long),),
            tool_choice=ToolChoice(mode="required", names=(long,)),
        )
        body, encoded = encode(asked)
        (short,) = encoded.tool_names
        assert encoded.tool_names[short] == long
        assert len(short) <= 64
        assert body["tools"][0]["name"] == body["input"][1]["name"] == short
        assert body["tool_choice"] == {"type": "function", "name": short}

    def test_a_custom_tool_stays_one_with_its_grammar(self):
        patch = Tool(name="p", is_custom=True, grammar={"syntax": "lark", "definition": "x"})
        call = ToolCall(id="c", name="p", arguments="*** Begin", is_custom=True)
        body, _ = encode(
            request(USER, assistant(call), tool(ToolResult(call_id="c")), tools=(patch,))
        )
        assert body["tools"][0] == {
            "type": "custom",
            "name": "p",
            "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
        }
        assert body["input"][1] == {
            "type": "custom_tool_call",
            "call_id": "c",
            "name": "p",
            "input": "*** Begin",
        }
        assert body["input"][2]["type"] == "custom_tool_call_output"

    @pytest.mark.parametrize(
        ("choice", "wanted"),
        [
            (ToolChoice(mode="auto"), "auto"),
            (ToolChoice(mode="none"), "none"),
            (ToolChoice(mode="required"), "required"),
            (
                ToolChoice(mode="required", names=("look",)),
                {"type": "function", "name": "look"},
            ),
            (
                ToolChoice(mode="auto", names=("look",)),
                {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "look"}],
                },
            ),
        ],
    )
    def test_writes_every_choice(self, choice, wanted):
        assert encode(request(tools=(LOOK,), tool_choice=choice))[0]["tool_choice"] == wanted

    def test_no_choice_is_written_where_there_are_no_tools(self):
        body, _ = encode(request(tool_choice=ToolChoice(mode="auto"), is_parallel=False))
        assert "tool_choice" not in body
        assert "parallel_tool_calls" not in body

    def test_writes_the_parallel_switch(self):
        asked = request(tools=(LOOK,), is_parallel=False)
        assert encode(asked)[0]["parallel_tool_calls"] is False
        body, encoded = encode(asked, target(takes_parallel_switch=False))
        assert "parallel_tool_calls" not in body
        assert encoded.dropped == ("parallel_tool_calls",)

    def test_writes_web_search(self):
        search = WebSearch(
            context_size="low", location={"country": "CH"}, allowed_domains=("a.b",), uses_max=3
        )
        body, _ = encode(request(web_search=search))
        assert body["max_tool_calls"] == 3
        assert body["tools"] == [
            {
                "type": "web_search",
                "search_context_size": "low",
                "user_location": {"type": "approximate", "country": "CH"},
                "filters": {"allowed_domains": ["a.b"]},
            }
        ]


class TestTheRest:
    def test_writes_a_schema_with_a_name(self):
        body, _ = encode(request(output_format=OutputFormat(schema={"type": "object"})))
        assert body["text"]["format"] == {
            "type": "json_schema",
            "name": "response",
            "schema": {"type": "object"},
            "strict": False,
        }

    def test_writes_json_of_any_form(self):
        body, _ = encode(request(output_format=OutputFormat(), verbosity="low"))
        assert body["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}

    def test_writes_probabilities(self):
        body, _ = encode(request(sampling=Sampling(has_logprobs=True, top_logprobs=4)))
        assert body["top_logprobs"] == 4
        assert body["include"] == ["message.output_text.logprobs"]

    def test_a_reasoning_model_gets_no_sampling(self):
        asked = request(sampling=Sampling(temperature=0.2, top_p=0.5))
        assert encode(asked)[0]["temperature"] == 0.2
        body, encoded = encode(asked, target(takes_sampling=False))
        assert "temperature" not in body
        assert encoded.dropped == ("temperature", "top_p")

    def test_what_has_no_word_is_named(self):
        sampling = Sampling(
            top_k=4, seed=7, stop=("x",), frequency_penalty=0.5, logit_bias={"1": 2}
        )
        _, encoded = encode(request(sampling=sampling, cache_key="k", dropped=("metadata",)))
        assert encoded.dropped == (
            "metadata",
            "top_k",
            "frequency_penalty",
            "seed",
            "logit_bias",
            "stop",
            "prompt_cache_key",
        )

    def test_writes_the_cache_key_where_it_is_taken(self):
        body, _ = encode(request(cache_key="k"), target(takes_cache_key=True))
        assert body["prompt_cache_key"] == "k"

    def test_writes_the_service_tier(self):
        assert encode(request(service_tier="standard"))[0]["service_tier"] == "default"
        assert encode(request(service_tier="flex"))[0]["service_tier"] == "flex"


class TestRefusals:
    @pytest.mark.parametrize(
        ("asked", "param"),
        [
            (request(sampling=Sampling(choices=2)), "n"),
            (request(modalities=("text", "audio"), audio_out=AudioOut()), "modalities"),
            (
                request(Turn(role=Role.USER, parts=(Audio(mime="audio/wav", data="A"),))),
                "input_audio",
            ),
            (request(Turn(role=Role.USER, parts=(Video(url="https://a.example"),))), "video"),
            (request(sampling=Sampling(stop=("x",)), requires_all=True), "stop"),
            (request(dropped=("metadata",), requires_all=True), "metadata"),
            (request(web_search=WebSearch(blocked_domains=("a.b",))), "blocked_domains"),
        ],
    )
    def test_names_what_the_user_needs(self, asked, param):
        error = refused(asked)
        assert (error.code, error.param) == (Code.UNSUPPORTED, param)

    def test_refuses_a_schema_that_the_vendor_cannot_keep(self):
        asked = request(output_format=OutputFormat(schema={"type": "object"}))
        assert refused(asked, target(takes_json_schema=False)).param == "response_format"

    @pytest.mark.parametrize(
        "turns", [(USER, assistant(CALL)), (USER, tool(RESULT)), (tool(RESULT), assistant(CALL))]
    )
    def test_refuses_a_call_or_a_result_alone(self, turns):
        assert refused(request(*turns)).code is Code.INVALID_VALUE


def test_a_request_without_any_content_is_refused():
    with pytest.raises(RelayError) as refused:
        encode(Request())
    assert refused.value.status == 400


def test_a_call_that_stands_there_twice_is_refused():
    call = ToolCall(id="a", name="f", arguments="{}")
    result = Turn(role=Role.TOOL, parts=(ToolResult(call_id="a", parts=(Text(text="1"),)),))
    with pytest.raises(RelayError) as refused:
        encode(Request(turns=(Turn(role=Role.ASSISTANT, parts=(call, call)), result)))
    assert "stands there twice" in refused.value.message
