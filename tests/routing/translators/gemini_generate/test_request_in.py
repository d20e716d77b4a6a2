"""A Gemini client's request in our words."""

import base64
import json

import pytest

from routing import seals
from routing.conversation import (
    Audio,
    AudioOut,
    Document,
    Image,
    OutputFormat,
    Reasoning,
    ReasoningWish,
    Role,
    Seal,
    SealFormat,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Video,
    WebSearch,
)
from routing.errors import Code, RelayError
from routing.translators.gemini_generate import ids
from tests.routing.translators.gemini_generate.play import KEY, PNG, asked

GOOGLES = Seal(format=SealFormat.GOOGLE, data="EuABCt0BAb4+9vsq")
FOREIGN = Seal(format=SealFormat.ANTHROPIC, data="ErUB+sig/nature==")


def envelope(seal: Seal = FOREIGN, key: bytes = KEY) -> str:
    """Return the envelope as Google's SDK echoes it: bytes, in the URL's alphabet."""
    return base64.urlsafe_b64encode(seals.wrap(seal, key=key).encode()).decode()


def turns(*contents) -> tuple[Turn, ...]:
    return asked({"contents": list(contents)}).turns


def model(*parts):
    return {"role": "model", "parts": list(parts)}


def user(*parts):
    return {"role": "user", "parts": list(parts)}


def call(name="get", **fields):
    return {"functionCall": {"name": name, "args": {}, **fields}}


def result(name="get", response=None, **fields):
    return {"functionResponse": {"name": name, "response": response or {"a": 1}, **fields}}


def test_reads_keys_in_both_spellings_mixed_in_one_body():
    request = asked(
        {
            "contents": [
                {"parts": {"inline_data": {"mime_type": "image/png", "data": PNG}}},
                user({"inlineData": {"mimeType": "image/png", "data": PNG}}),
            ],
            "system_instruction": {"role": "user", "parts": [{"text": "Be kind."}]},
            "generation_config": {"max_output_tokens": 9, "topP": 0.5, "stop_sequences": ["x"]},
        }
    )
    image = Turn(role=Role.USER, parts=(Image(mime="image/png", data=PNG),))
    assert request.turns == (image, image)
    assert request.instructions == (Text(text="Be kind."),)
    assert request.output_tokens_max == 9
    assert request.sampling.top_p == 0.5
    assert request.sampling.stop == ("x",)
    assert request.dropped == ()


def test_refuses_a_key_in_both_spellings_at_once():
    with pytest.raises(RelayError) as raised:
        asked(generationConfig={"topP": 1, "top_p": 0.1})
    assert raised.value.code is Code.DUPLICATE_KEY
    assert raised.value.param == "generationConfig.topP"


def test_takes_a_missing_role_for_the_users():
    assert turns({"parts": [{"text": "Hi"}]})[0].role is Role.USER


def test_refuses_an_unknown_role_and_names_it():
    with pytest.raises(RelayError) as raised:
        turns(user({"text": "Hi"}), {"role": "system", "parts": [{"text": "x"}]})
    assert raised.value.param == "contents[1].role"


def test_joins_the_pieces_of_a_stream_that_a_chat_keeps_as_contents():
    told = turns(
        user({"text": "Hi"}),
        model({"text": "I th", "thought": True}),
        model({"text": "ink", "thought": True}),
        model({"text": "Hel"}),
        model({"text": "lo"}),
        model({"text": ""}),
        model(call(id="c1")),
        user(result(id="c1")),
    )
    assert told[1].parts == (
        Reasoning(text="I think", format=SealFormat.GOOGLE),
        Text(text="Hello"),
        ToolCall(id="c1", name="get", arguments="{}"),
    )
    assert [turn.role for turn in told] == [Role.USER, Role.ASSISTANT, Role.TOOL]


def test_keeps_texts_of_one_content_apart():
    assert turns(model({"text": "a"}, {"text": "b"}))[0].parts == (Text(text="a"), Text(text="b"))


def test_gathers_results_of_several_contents_into_one_turn():
    told = turns(model(call("a", id="1"), call("b", id="2")), user(result("b", id="2")),
                 {"role": "function", "parts": [result("a", id="1")]})  # fmt: skip
    assert [turn.role for turn in told] == [Role.ASSISTANT, Role.TOOL]
    assert [part.call_id for part in told[1].parts] == ["2", "1"]


def test_puts_results_before_the_text_of_their_content():
    told = turns(model(call(id="1")), user({"text": "see"}, result(id="1")))
    assert [turn.role for turn in told] == [Role.ASSISTANT, Role.TOOL, Role.USER]


def test_matches_results_without_ids_by_name_then_in_order():
    told = turns(model(call("a"), call("b"), call("a")),
                 user(result("a"), result("a"), result("b")))  # fmt: skip
    first, second, third = (part.id for part in told[0].parts)
    assert len({first, second, third}) == 3
    assert [part.call_id for part in told[1].parts] == [first, third, second]
    assert all(ids.is_made(one) for one in (first, second, third))


def test_makes_the_same_ids_for_the_same_history():
    history = (model(call("a"), call("b")), user(result("b"), result("a")))
    assert turns(*history) == turns(*history, user({"text": "more"}))[:2]


def test_reads_a_sole_error_as_an_error():
    told = turns(
        model(call("a", id="1"), call("b", id="2")),
        user(result("a", {"error": "no"}, id="1"), result("b", {"error": 1, "b": 2}, id="2")),
    )
    first, second = told[1].parts
    assert first == ToolResult(call_id="1", name="a", parts=(Text(text="no"),), is_error=True)
    assert second.parts == (Text(text='{"error":1,"b":2}'),)
    assert second.is_error is False


def test_reads_media_inside_of_a_result():
    nested = {"inline_data": {"mime_type": "image/png", "data": PNG}}
    told = turns(model(call(id="1")), user(result(id="1", parts=[nested])))
    assert told[1].parts[0].parts == (Text(text='{"a":1}'), Image(mime="image/png", data=PNG))


def test_reads_every_kind_of_media():
    pdf = base64.b64encode(b"%PDF-1.4").decode()
    request = asked(
        {
            "contents": [
                user(
                    {
                        "inlineData": {"mimeType": "image/png", "data": PNG},
                        "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
                    },
                    {"fileData": {"fileUri": "https://x.test/a.jpg"}},
                    {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
                    {
                        "fileData": {"fileUri": "https://youtu.be/x"},
                        "videoMetadata": {"startOffset": "3s"},
                    },
                    {"inlineData": {"data": pdf, "displayName": "a.pdf"}},
                )
            ],
            "generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_HIGH"},
        }
    )
    assert request.turns[0].parts == (
        Image(mime="image/png", data=PNG, detail="low"),
        Image(mime="image/jpeg", url="https://x.test/a.jpg", detail="high"),
        Audio(mime="audio/wav", data="UklGRg=="),
        Video(mime="video/mp4", url="https://youtu.be/x", native={"startOffset": "3s"}),
        Document(mime="application/pdf", data=pdf, name="a.pdf"),
    )


def test_mends_base64_in_the_urls_alphabet():
    part = {"inlineData": {"mimeType": "image/png", "data": "-_8"}}
    assert turns(user(part))[0].parts[0].data == "+/8="


def test_guesses_no_type_of_what_is_no_base64():
    (part,) = turns(user({"inlineData": {"data": "\x80\x81"}}))[0].parts
    assert part.mime == "application/octet-stream"


def test_turns_parameters_into_json_schema():
    declared = {
        "name": "f",
        "description": "d",
        "parameters": {
            "type": "OBJECT",
            "properties": {
                "b": {"type": "STRING", "nullable": True, "format": "enum", "enum": ["x"]},
                "a": {"type": "ARRAY", "items": {"type": "INTEGER"}, "min_items": "1"},
                "nullable": {"any_of": [{"type": "STRING"}, {"type": "NUMBER"}], "nullable": True},
            },
            "property_ordering": ["a", "b"],
            "required": ["a"],
        },
    }
    (tool,) = asked(tools=[{"function_declarations": [declared]}]).tools
    assert tool.schema == {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            "b": {"type": ["string", "null"], "enum": ["x", None]},
            "nullable": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
        },
        "required": ["a"],
    }
    assert list(tool.schema["properties"]) == ["a", "b", "nullable"]


def test_keeps_a_json_schema_as_it_is():
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/y"}}, "$defs": {"y": {}}}
    declared = [{"name": "f", "parameters_json_schema": schema}, {"name": "g"}]
    first, second = asked(tools=[{"functionDeclarations": declared}]).tools
    assert first.schema == schema
    assert second.schema == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"mode": "AUTO"}, ToolChoice(mode="auto")),
        ({"mode": "any"}, ToolChoice(mode="required")),
        ({"mode": "NONE"}, ToolChoice(mode="none")),
        ({"mode": "VALIDATED"}, ToolChoice(mode="auto")),
        (
            {"mode": "ANY", "allowed_function_names": ["f"]},
            ToolChoice(mode="required", names=("f",)),
        ),
    ],
)
def test_reads_the_choice_of_tools(config, wanted):
    assert asked(toolConfig={"functionCallingConfig": config}).tool_choice == wanted


def test_reads_plain_search_and_refuses_googles_other_tools():
    assert asked(tools=[{"googleSearch": {}}]).web_search == WebSearch()
    with pytest.raises(RelayError) as raised:
        asked(tools=[{"googleSearch": {}}, {"url_context": {}}])
    assert raised.value.code is Code.UNSUPPORTED
    assert raised.value.param == "tools[1].url_context"


def test_reads_structured_output_in_its_three_forms():
    schema = {"type": "object", "properties": {}}
    mime = {"responseMimeType": "application/json"}
    for config in (
        {**mime, "responseSchema": {"type": "OBJECT", "properties": {}}},
        {**mime, "response_json_schema": schema},
        {"responseFormat": {"text": {"mimeType": "application/json", "schema": schema}}},
    ):
        assert asked(generationConfig=config).output_format == OutputFormat(schema=schema)
    assert asked(generationConfig=mime).output_format == OutputFormat()
    assert asked(generationConfig={"responseMimeType": "text/plain"}).output_format is None


def test_reads_wishes_for_thinking_and_sound():
    request = asked(
        generationConfig={
            "thinkingConfig": {"thinking_budget": -1, "includeThoughts": True},
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            "candidateCount": 2,
            "responseLogprobs": True,
            "logprobs": 3,
            "topK": 40.0,
        },
        serviceTier="FLEX",
    )
    assert request.reasoning == ReasoningWish(budget=-1, shows=True)
    assert request.modalities == ("audio",)
    assert request.audio_out == AudioOut(voice="Kore", format="pcm16")
    sampling = request.sampling
    assert (sampling.choices, sampling.has_logprobs, sampling.top_logprobs) == (2, True, 3)
    assert sampling.top_k == 40
    assert request.service_tier == "flex"
    level = asked(generationConfig={"thinkingConfig": {"thinkingLevel": "HIGH"}})
    assert level.reasoning == ReasoningWish(effort="high")


def test_takes_text_for_the_only_modality_as_nothing_said():
    assert asked(generationConfig={"responseModalities": ["TEXT"]}).modalities == ()


def test_names_what_has_no_word_and_nothing_else():
    request = asked(
        safetySettings=[{"category": "x"}],
        labels={},
        toolConfig={"includeServerSideToolInvocations": True},
        generationConfig={"audioTimestamp": True, "speechConfig": {"languageCode": "de"}},
    )
    assert set(request.dropped) == {
        "safetySettings",
        "toolConfig.includeServerSideToolInvocations",
        "generationConfig.audioTimestamp",
        "generationConfig.speechConfig.languageCode",
    }


def test_never_tells_a_strange_key_back():
    assert asked(**{"x\r\nset-cookie: a": 1}).dropped == ("(unknown)",)


def test_keeps_googles_seals_on_their_parts():
    told = turns(
        model(
            {"text": "t", "thought": True, "thoughtSignature": GOOGLES.data},
            {"text": "a", "thoughtSignature": GOOGLES.data},
            {"text": "", "thought_signature": GOOGLES.data},
            {**call(id="1"), "thoughtSignature": GOOGLES.data},
            {
                "inlineData": {"mimeType": "image/png", "data": PNG},
                "thoughtSignature": GOOGLES.data,
            },
        )
    )
    assert told[0].parts == (
        Reasoning(text="t", format=SealFormat.GOOGLE, seal=GOOGLES),
        Text(text="a", seal=GOOGLES),
        Text(text="", seal=GOOGLES),
        ToolCall(id="1", name="get", arguments="{}", seal=GOOGLES),
        Image(mime="image/png", data=PNG, seal=GOOGLES),
    )


@pytest.mark.parametrize("part", [call(id="1"), {"text": "Hello"}, {"text": ""}])
def test_gives_an_envelopes_seal_back_to_the_reasoning_before_it(part):
    thoughts = [{"text": "I th", "thought": True}, {"text": "ink", "thought": True}]
    told = turns(model(*thoughts, {**part, "thoughtSignature": envelope()}))
    assert told[0].parts[0] == Reasoning(
        text="I think", format=SealFormat.ANTHROPIC, seal=FOREIGN, id=""
    )
    assert all(getattr(one, "seal", None) is None for one in told[0].parts[1:])


def test_finds_reasoning_that_the_client_did_not_send_back_in_its_seal():
    told = turns(model({"text": "Hello", "thoughtSignature": envelope()}))
    assert told[0].parts == (
        Reasoning(format=SealFormat.ANTHROPIC, seal=FOREIGN),
        Text(text="Hello"),
    )


@pytest.mark.parametrize("key", [b"other", KEY])
def test_drops_an_envelope_that_does_not_open(key):
    text = envelope(key=key) if key != KEY else envelope()[:-8] + "AAAAAAAA"
    told = turns(model({**call(id="1"), "thoughtSignature": text}))
    assert told[0].parts == (ToolCall(id="1", name="get", arguments="{}"),)


def test_takes_googles_word_for_no_signature_as_none():
    sentinel = base64.b64encode(b"skip_thought_signature_validator").decode()
    for text in (sentinel, "skip_thought_signature_validator"):
        assert turns(model({**call(id="1"), "thoughtSignature": text}))[0].parts[0].seal is None


def test_names_traces_of_googles_tools_and_refuses_unknown_parts():
    trace = {"executableCode": {"code": "1"}, "thoughtSignature": "abcd"}
    request = asked({"contents": [model(trace, {"text": "1"}), user({"text": "?"})]})
    assert request.turns[0].parts == (Text(text="1"),)
    assert request.dropped == ("contents.parts.executableCode",)
    with pytest.raises(RelayError) as raised:
        turns(user({"hologram": {}}))
    assert raised.value.param == "contents[0].parts[0].hologram"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"contents": "x"}, "contents"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": ["x"]}]}, "contents[0].parts[0]"),
        ({"contents": [{"role": 1}]}, "contents[0].role"),
        (
            {"contents": [{"parts": [{"functionCall": {"args": 1, "name": "f"}}]}]},
            "contents[0].parts[0].functionCall.args",
        ),
        (
            {"contents": [{"parts": [{"functionCall": {}}]}]},
            "contents[0].parts[0].functionCall.name",
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]},
            "contents[0].parts[0].inlineData.data",
        ),
        ({"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        (
            {"generationConfig": {"responseMimeType": "text/x.enum"}},
            "generationConfig.responseMimeType",
        ),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "much"}}},
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (
            {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": 1}}]}]},
            "tools[0].functionDeclarations[0].parameters.type",
        ),
        (
            {"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        ({"systemInstruction": {"parts": [{"inlineData": {}}]}}, "systemInstruction.parts[0]"),
    ],
)
def test_refuses_bad_input_naming_the_field(body, param):
    with pytest.raises(RelayError) as raised:
        asked(body)
    assert raised.value.status == 400
    assert raised.value.param == param


def test_writes_arguments_as_compact_json():
    told = turns(model({"functionCall": {"name": "f", "args": {"b": [1, {"ä": None}], "a": 1.5}}}))
    assert told[0].parts[0].arguments == '{"b":[1,{"ä":null}],"a":1.5}'
    assert json.loads(told[0].parts[0].arguments)["a"] == 1.5


@pytest.mark.parametrize("role", ["user", None])
def test_a_call_in_a_content_of_the_users_is_refused(role):
    call = {"functionCall": {"name": "f", "args": {}}}
    with pytest.raises(RelayError) as raised:
        asked({"contents": [{"role": role, "parts": [call]}]})
    assert raised.value.status == 400
    assert raised.value.param == "contents[0].parts[0].functionCall"
