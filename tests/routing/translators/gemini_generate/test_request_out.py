"""Our request as a Gemini endpoint gets it."""

import base64
import json

import pytest

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
from routing.dialects.base import Quirks
from routing.errors import Code, RelayError
from routing.translators.base import Target
from routing.translators.gemini_generate import ids, signatures
from tests.routing.translators.gemini_generate.play import PNG, encoded, sent

GOOGLES = Seal(format=SealFormat.GOOGLE, data="EuABCt0BAb4+9vsq")
FOREIGN = Seal(format=SealFormat.ANTHROPIC, data="ErUB")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
USER = Turn(role=Role.USER, parts=(Text(text="Hi"),))


def says(role: Role, *parts) -> Turn:
    return Turn(role=role, parts=tuple(parts))


def model(*parts) -> Turn:
    return says(Role.ASSISTANT, *parts)


def call(name="get", call_id="toolu_1", arguments="{}", **fields) -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments, **fields)


def result(text="ok", call_id="toolu_1", *parts, **fields) -> ToolResult:
    return ToolResult(call_id=call_id, parts=(Text(text=text), *parts), **fields)


def contents(*turns, **quirks):
    return sent(Request(turns=turns), **quirks)["contents"]


def loop(text="ok", *parts, **fields):
    """Return the functionResponse that a tool's result becomes."""
    told = contents(USER, model(call()), says(Role.TOOL, result(text, "toolu_1", *parts, **fields)))
    return told[2]["parts"][0]["functionResponse"]


def config(quirks=None, **fields):
    quirks = quirks or {}
    return sent(Request(turns=(USER,), **fields), **quirks).get("generationConfig", {})


@pytest.mark.parametrize(
    ("is_stream", "extra", "path", "query"),
    [
        (False, "", "models/gemini-x:generateContent", ""),
        (True, "", "models/gemini-x:streamGenerateContent", "alt=sse"),
        (True, "v=1", "models/gemini-x:streamGenerateContent", "v=1&alt=sse"),
    ],
)
def test_names_model_and_operation_in_the_path(is_stream, extra, path, query):
    outbound = encoded(Request(turns=(USER,), is_stream=is_stream), extra_query=extra).outbound
    assert (outbound.path, outbound.query) == (path, query)
    assert outbound.headers == {"content-type": "application/json"}


def test_puts_leading_instructions_apart_and_later_ones_where_they_stand():
    body = sent(
        Request(
            instructions=(Text(text="one"), Text(text=""), Text(text="two")),
            turns=(USER, says(Role.SYSTEM, Text(text="Be brief.")), model(Text(text="ok")), USER),
        )
    )
    assert body["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert body["contents"][1] == {
        "role": "user",
        "parts": [{"text": "<system-message>Be brief.</system-message>"}],
    }
    assert [content["role"] for content in body["contents"]] == ["user", "user", "model", "user"]


def test_asks_instructions_alone_as_a_user():
    body = sent(Request(instructions=(Text(text="one"),)))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "one"}]}]
    assert "systemInstruction" not in body


def test_sends_neither_empty_texts_nor_empty_contents():
    told = contents(says(Role.USER, Text(text="")), USER, model(Text(text="")), USER)
    assert [content["parts"] for content in told] == [[{"text": "Hi"}]] * 2


def test_keeps_users_turns_apart_and_joins_the_models():
    told = contents(USER, USER, model(Text(text="a")), model(call()), says(Role.TOOL, result()))
    assert [content["role"] for content in told] == ["user", "user", "model", "user"]
    assert [list(part) for part in told[2]["parts"]] == [
        ["text"],
        ["functionCall", "thoughtSignature"],
    ]


def test_sends_arguments_as_objects():
    big = "123456789012345678901234567890"
    told = contents(USER, model(call("a", "1", ""), call("b", "2", f'{{"n":{big}}}'),
                                call("c", "3", "no json"), call("d", "4", "[1]")),
                    says(Role.TOOL, *(result(call_id=str(i)) for i in (1, 2, 3, 4))))  # fmt: skip
    args = [part["functionCall"]["args"] for part in told[1]["parts"]]
    assert args == [{}, {"n": int(big)}, {"_raw": "no json"}, {"_raw": "[1]"}]


def test_survives_arguments_and_results_of_any_depth():
    deep = '{"a":' * 900 + "1" + "}" * 900
    told = contents(USER, model(call(arguments=deep)), says(Role.TOOL, result(deep)))
    args = told[1]["parts"][0]["functionCall"]["args"]
    assert args == {"_raw": deep} or json.dumps(args, separators=(",", ":")) == deep
    assert told[2]["parts"][0]["functionResponse"]["response"]


def test_gathers_parallel_results_in_the_order_of_their_calls():
    turns = (
        USER,
        model(call("a", "1"), call("b", "2")),
        USER,
        says(Role.TOOL, result("two", "2")),
        says(Role.TOOL, result("one", "1")),
    )
    told = contents(*turns)
    assert [content["role"] for content in told] == ["user", "model", "user", "user"]
    assert [part["functionResponse"]["name"] for part in told[2]["parts"]] == ["a", "b"]
    assert [part["functionResponse"]["response"]["output"] for part in told[2]["parts"]] == [
        "one",
        "two",
    ]
    assert told[3]["parts"] == [{"text": "Hi"}]


def test_matches_results_by_name_then_in_order_where_ids_say_nothing():
    told = contents(
        USER,
        model(call("a", ""), call("b", ""), call("b", "")),
        says(Role.TOOL, ToolResult(call_id="", name="b", parts=(Text(text="B"),)),
             ToolResult(call_id="", name="a", parts=(Text(text="A"),)),
             ToolResult(call_id="", parts=(Text(text="C"),))),
    )  # fmt: skip
    outputs = [part["functionResponse"]["response"]["output"] for part in told[2]["parts"]]
    assert outputs == ["A", "B", "C"]


def test_knows_ids_again_that_a_client_uses_in_every_turn():
    turn = (model(call("a", "call_0")), says(Role.TOOL, result("x", "call_0")))
    told = contents(USER, *turn, *turn)
    assert [content["role"] for content in told] == ["user", "model", "user", "model", "user"]


def test_sends_the_vendors_ids_and_no_made_ones():
    made = ids.make("x", is_signed=False)
    told = contents(USER, model(call("a", made), call("b", "zi06h2mp")),
                    says(Role.TOOL, result("1", made), result("2", "zi06h2mp")))  # fmt: skip
    calls = [part["functionCall"] for part in told[1]["parts"]]
    results = [part["functionResponse"] for part in told[2]["parts"]]
    assert [one.get("id") for one in calls] == [one.get("id") for one in results]
    assert [one.get("id") for one in calls] == [None, "zi06h2mp"]


@pytest.mark.parametrize(
    "turns",
    [
        (USER, says(Role.TOOL, result())),
        (USER, model(call()), says(Role.TOOL, result(), result())),
        (USER, model(call()), USER),
        (USER, model(call("a", "1"), call("b", "2")), says(Role.TOOL, result("x", "1"))),
    ],
)
def test_refuses_calls_and_results_without_each_other(turns):
    with pytest.raises(RelayError) as raised:
        contents(*turns)
    assert raised.value.code is Code.INVALID_VALUE
    assert raised.value.param == "tool_call_id"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"b": 1, "a": [2]}', {"b": 1, "a": [2]}),
        ("sunny", {"output": "sunny"}),
        ("[1]", {"output": "[1]"}),
        ("", {"output": ""}),
        ('{"a": {"$ref": "#/x"}}', {"output": '{"a": {"$ref": "#/x"}}'}),
        ('{"$defs": {}}', {"output": '{"$defs": {}}'}),
    ],
)
def test_sends_results_as_objects(text, wanted):
    told = loop(text)
    assert told["response"] == wanted
    assert told["name"] == "get"
    assert told["id"] == "toolu_1"


def test_sends_errors_as_errors():
    assert loop('{"a": 1}', is_error=True)["response"] == {"error": '{"a": 1}'}


def test_puts_media_inside_of_a_result():
    image = Image(mime="image/png", data=PNG)
    blob = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    assert loop("see", image)["parts"] == [blob]
    turns = (USER, model(call()), says(Role.TOOL, result("see", "toolu_1", image)))
    told = contents(*turns, reasoning="budget")
    assert "parts" not in told[2]["parts"][0]["functionResponse"]
    assert told[2]["parts"][1:] == [{"text": "Output of get:"}, blob]


def signatures_of(*parts, **quirks):
    calls = [part for part in parts if isinstance(part, ToolCall)]
    results = says(Role.TOOL, *(result("ok", part.id) for part in calls))
    told = contents(USER, model(*parts), *([results] if calls else [USER]), **quirks)
    found = next((content for content in told if content["role"] == "model"), {"parts": []})
    return [part.get("thoughtSignature") for part in found["parts"]]


def test_sends_googles_seals_on_the_very_same_parts():
    parts = (
        Reasoning(text="t", format=SealFormat.GOOGLE),
        Text(text="a", seal=GOOGLES),
        Text(text="", seal=GOOGLES),
        Image(mime="image/png", data=PNG, seal=GOOGLES),
        call("a", "1", seal=GOOGLES),
        call("b", "2"),
    )
    data = GOOGLES.data
    assert signatures_of(*parts) == [None, data, data, data, data, None]


def test_sends_a_seal_alone_on_a_thought_without_text():
    told = contents(USER, model(Reasoning(format=SealFormat.GOOGLE, seal=GOOGLES)), USER)
    assert told[1]["parts"] == [{"thought": True, "thoughtSignature": GOOGLES.data}]


def test_sends_no_foreign_seal_and_no_foreign_reasoning():
    parts = (
        Reasoning(text="hm", format=SealFormat.ANTHROPIC, seal=FOREIGN),
        Reasoning(text="hm"),
        Text(text="a", seal=FOREIGN),
    )
    request = Request(turns=(USER, model(*parts), USER))
    assert sent(request)["contents"][1]["parts"] == [{"text": "a"}]
    assert encoded(request).dropped == ("reasoning_details",)


def test_sends_no_envelope_whatever_it_calls_itself():
    seal = Seal(format=SealFormat.GOOGLE, data="br1.abc")
    assert signatures_of(Text(text="a", seal=seal)) == [None]


@pytest.mark.parametrize(
    ("call_id", "is_needed"),
    [
        ("toolu_1", True),
        ("call_" + "Zz" * 12, True),
        (ids.make("x", is_signed=False), True),
        (ids.make("x", is_signed=True), False),  # it was lost, which is another matter
        ("zi06h2mp", False),
    ],
)
def test_says_that_there_was_no_signature_only_where_there_never_was_one(call_id, is_needed):
    wanted = signatures.SENTINEL if is_needed else None
    assert signatures_of(call("a", call_id), call("b", "toolu_2")) == [wanted, None]
    assert signatures_of(call("a", call_id), reasoning="budget") == [None]


def test_writes_media_in_googles_words():
    pdf = base64.b64encode(b"%PDF-1.4").decode()
    told = contents(
        says(
            Role.USER,
            Image(mime="image/png", data=PNG, detail="high"),
            Image(url="https://x.test/a.webp?x=1", detail="auto"),
            Audio(mime="audio/wav", data="UklGRg=="),
            Video(mime="video/mp4", url="https://youtu.be/x", native={"fps": 1}),
            Document(data=pdf, name="a.pdf"),
            Document(text="plain ü"),
            Audio(transcript="said before"),
        )
    )
    assert told[0]["parts"] == [
        {
            "inlineData": {"mimeType": "image/png", "data": PNG},
            "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"},
        },
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://x.test/a.webp?x=1"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
        {
            "fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x"},
            "videoMetadata": {"fps": 1},
        },
        {"inlineData": {"mimeType": "application/pdf", "data": pdf}},
        {
            "inlineData": {
                "mimeType": "text/plain",
                "data": base64.b64encode("plain ü".encode()).decode(),
            }
        },
        {"text": "said before"},
    ]


def test_tells_one_resolution_of_all_pictures_before_gemini_three():
    parts = [Image(mime="image/png", data=PNG, detail=word) for word in ("low", "low")]
    body = sent(Request(turns=(says(Role.USER, *parts),)), reasoning="budget")
    assert body["generationConfig"]["mediaResolution"] == "MEDIA_RESOLUTION_LOW"
    assert all("mediaResolution" not in part for part in body["contents"][0]["parts"])
    mixed = Request(turns=(says(Role.USER, *parts, Image(mime="image/png", data=PNG)),))
    assert encoded(mixed, reasoning="budget").dropped == ("image_url.detail",)


def test_refuses_what_the_model_cannot_take_naming_it():
    link = Request(turns=(says(Role.USER, Image(url="https://x.test/a.png")),))
    sound = Request(turns=(says(Role.USER, Audio(mime="audio/wav", data="UklGRg==")),))
    for request, quirks, param in (
        (link, {"takes_links": False}, "image_url.url"),
        (sound, {"takes_audio": False}, "input_audio"),
    ):
        with pytest.raises(RelayError) as raised:
            encoded(request, **quirks)
        assert (raised.value.status, raised.value.param) == (400, param)


def test_declares_tools_by_json_schema():
    body = sent(Request(turns=(USER,), tools=(Tool(name="f", description="d", schema=SCHEMA),
                                              Tool(name="g"))))  # fmt: skip
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": SCHEMA},
                {
                    "name": "g",
                    "description": "",
                    "parametersJsonSchema": {"type": "object", "properties": {}},
                },
            ]
        }
    ]
    assert "toolConfig" not in body


def test_declares_tools_in_googles_own_schema_to_older_models():
    schema = {**SCHEMA, "additionalProperties": False}
    request = Request(turns=(USER,), tools=(Tool(name="f", schema=schema), Tool(name="g")))
    made = encoded(request, takes_json_schema_tools=False)
    declared = json.loads(made.outbound.body)["tools"][0]["functionDeclarations"]
    assert declared[0]["parameters"] == {
        "type": "OBJECT",
        "properties": {"a": {"type": "STRING"}},
        "required": ["a"],
    }
    assert "parameters" not in declared[1]
    assert made.dropped == ("tools[].parameters.additionalProperties",)


@pytest.mark.parametrize("name", ["9lives", "a/b", "ä" * 80, "-x"])
def test_shortens_illegal_names_and_knows_the_way_back(name):
    request = Request(
        turns=(USER, model(call(name)), says(Role.TOOL, result())),
        tools=(Tool(name=name, schema=SCHEMA),),
        tool_choice=ToolChoice(mode="required", names=(name,)),
    )
    made = encoded(request)
    body = json.loads(made.outbound.body)
    (short,) = body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"]
    assert made.tool_names == {short: name}
    assert len(short) <= 64
    assert short.isascii()
    assert short[0] == "_" or short[0].isalpha()
    assert body["tools"][0]["functionDeclarations"][0]["name"] == short
    assert body["contents"][1]["parts"][0]["functionCall"]["name"] == short
    assert body["contents"][2]["parts"][0]["functionResponse"]["name"] == short


@pytest.mark.parametrize(
    ("choice", "is_strict", "wanted"),
    [
        (None, None, None),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice(mode="auto"), None, {"mode": "AUTO"}),
        (ToolChoice(mode="auto"), True, {"mode": "VALIDATED"}),
        (ToolChoice(mode="none"), True, {"mode": "NONE"}),
        (ToolChoice(mode="required"), None, {"mode": "ANY"}),
        (
            ToolChoice(mode="required", names=("f",)),
            True,
            {"mode": "ANY", "allowedFunctionNames": ["f"]},
        ),
    ],
)
def test_tells_the_choice_of_tools(choice, is_strict, wanted):
    tools = (Tool(name="f", schema=SCHEMA, is_strict=is_strict), Tool(name="g", schema=SCHEMA))
    body = sent(Request(turns=(USER,), tools=tools, tool_choice=choice))
    assert body.get("toolConfig", {}).get("functionCallingConfig") == wanted


def test_offers_only_the_tools_of_a_choice_that_has_names_and_is_free():
    tools = (Tool(name="f", schema=SCHEMA), Tool(name="g", schema=SCHEMA))
    choice = ToolChoice(mode="auto", names=("g",))
    body = sent(Request(turns=(USER,), tools=tools, tool_choice=choice))
    assert [one["name"] for one in body["tools"][0]["functionDeclarations"]] == ["g"]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}


def test_names_a_switch_against_parallel_calls_or_refuses_it_where_all_is_required():
    request = Request(turns=(USER,), tools=(Tool(name="f"),), is_parallel=False)
    assert encoded(request).dropped == ("parallel_tool_calls",)
    strict = Request(turns=(USER,), tools=(Tool(name="f"),), is_parallel=False, requires_all=True)
    with pytest.raises(RelayError) as raised:
        encoded(strict)
    assert raised.value.param == "parallel_tool_calls"


def test_writes_plain_search_and_refuses_what_google_has_no_word_for():
    body = sent(Request(turns=(USER,), web_search=WebSearch(blocked_domains=("x.test",))))
    assert body["tools"] == [{"googleSearch": {"excludeDomains": ["x.test"]}}]
    assert sent(Request(turns=(USER,), web_search=WebSearch()))["tools"] == [{"googleSearch": {}}]
    for search in (WebSearch(allowed_domains=("x",)), WebSearch(uses_max=1),
                   WebSearch(location={"country": "DE"})):  # fmt: skip
        with pytest.raises(RelayError):
            encoded(Request(turns=(USER,), web_search=search))


def test_writes_a_custom_tool_as_a_function_of_one_text():
    request = Request(
        turns=(USER, model(call("c", arguments="ls", is_custom=True)), says(Role.TOOL, result())),
        tools=(Tool(name="c", is_custom=True),),
    )
    made = encoded(request)
    body = json.loads(made.outbound.body)
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": "ls"}
    declared = body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]
    assert declared["required"] == ["input"]
    assert "tools[].custom" in made.dropped


def test_writes_sampling_in_googles_words():
    sampling = Sampling(temperature=1.5, top_p=0.9, top_k=40, presence_penalty=0.1,
                        frequency_penalty=0.2, seed=7, stop=("a",) * 5, choices=2,
                        has_logprobs=True, top_logprobs=4)  # fmt: skip
    assert config(sampling=sampling) == {
        "temperature": 1.5,
        "topP": 0.9,
        "topK": 40,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "seed": 7,
        "candidateCount": 2,
        "stopSequences": ["a"] * 5,
        "responseLogprobs": True,
        "logprobs": 4,
    }


def test_names_sampling_without_a_word():
    sampling = Sampling(min_p=0.1, top_a=0.2, repetition_penalty=1.1, logit_bias={"1": 2})
    made = encoded(Request(turns=(USER,), sampling=sampling, verbosity="low", cache_key="k",
                           service_tier="scale"))  # fmt: skip
    assert set(made.dropped) == {"min_p", "top_a", "repetition_penalty", "logit_bias",
                                 "verbosity", "prompt_cache_key", "service_tier"}  # fmt: skip
    assert b"k" not in made.outbound.body.replace(b"text", b"").replace(b"parts", b"")


@pytest.mark.parametrize(("stops", "stops_max"), [(6, 4), (3, 2)])
def test_refuses_more_stop_sequences_than_there_may_be(stops, stops_max):
    with pytest.raises(RelayError) as raised:
        config(sampling=Sampling(stop=("a",) * stops), quirks={"stops_max": stops_max})
    assert raised.value.param == "stop"


@pytest.mark.parametrize(
    ("asked", "held", "wanted"),
    [(None, None, None), (100, None, 100), (None, 50, 50), (100, 50, 50), (20, 50, 20)],
)
def test_never_writes_a_limit_above_the_hold(asked, held, wanted):
    target = Target(upstream_name="x", quirks=Quirks(), output_limit=held)
    made = encoded(Request(turns=(USER,), output_tokens_max=asked), target=target)
    told = json.loads(made.outbound.body).get("generationConfig", {})
    assert told.get("maxOutputTokens") == wanted


def thinking(quirks=None, limit=10_000, **wish):
    fields = {"reasoning": ReasoningWish(**wish), "output_tokens_max": limit}
    return config(quirks={"reasoning": "level", **(quirks or {})}, **fields).get("thinkingConfig")


@pytest.mark.parametrize(
    ("wish", "wanted"),
    [
        ({}, None),
        ({"effort": "none"}, {"thinkingLevel": "MINIMAL"}),
        ({"effort": "medium", "shows": True}, {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ({"effort": "xhigh"}, {"thinkingLevel": "HIGH"}),
        ({"budget": 5_000}, {"thinkingLevel": "MEDIUM"}),
        ({"budget": 100}, {"thinkingLevel": "MINIMAL"}),
        ({"budget": 0, "shows": True}, {"thinkingLevel": "MINIMAL"}),
        ({"budget": -1}, None),
        ({"is_on": True, "summary": "auto"}, {"includeThoughts": True}),
        ({"is_on": False}, {"thinkingLevel": "MINIMAL"}),
        ({"shows": False}, {"includeThoughts": False}),
    ],
)
def test_tells_a_level(wish, wanted):
    assert thinking(**wish) == wanted


def test_tells_only_levels_that_the_model_knows():
    assert thinking({"efforts": "low high"}, effort="none") == {"thinkingLevel": "LOW"}
    assert thinking({"efforts": "low high"}, effort="medium") == {"thinkingLevel": "LOW"}
    assert thinking({"efforts": "low xhigh"}, effort="max") == {"thinkingLevel": "XHIGH"}


BUDGET = {"reasoning": "budget", "budget_min": 128}


@pytest.mark.parametrize(
    ("quirks", "wish", "wanted"),
    [
        ({}, {"effort": "low"}, {"thinkingBudget": 2_000}),
        ({}, {"effort": "none", "shows": True}, {"thinkingBudget": 0}),
        ({"reasoning_stops": False}, {"effort": "none"}, None),
        ({}, {"budget": 3_000, "shows": True}, {"thinkingBudget": 3_000, "includeThoughts": True}),
        ({}, {"budget": 5}, {"thinkingBudget": 128}),
        ({}, {"budget": 50_000}, {"thinkingBudget": 9_999}),
        ({"budget_max": 4_000}, {"budget": 50_000}, {"thinkingBudget": 4_000}),
        ({"budget_max": 4_000}, {"effort": "max"}, {"thinkingBudget": 4_000}),
        ({}, {"budget": -1}, {"thinkingBudget": -1}),
        ({"budget_min": 20_000}, {"effort": "high"}, {"thinkingBudget": 0}),
        ({"budget_min": 20_000, "reasoning_stops": False}, {"effort": "high"}, None),
    ],
)
def test_tells_a_budget_inside_of_the_limit(quirks, wish, wanted):
    assert thinking({**BUDGET, **quirks}, **wish) == wanted


def test_names_reasoning_that_a_model_cannot_be_told():
    request = Request(turns=(USER,), reasoning=ReasoningWish(effort="high"))
    made = encoded(request, reasoning="")
    assert made.dropped == ("reasoning",)
    assert b"thinking" not in made.outbound.body


def test_asks_for_json_by_a_schema_of_its_own_form():
    wanted = OutputFormat(schema=SCHEMA, name="r", description="d", is_strict=True)
    assert config(output_format=wanted) == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {**SCHEMA, "description": "d"},
    }
    assert config(output_format=OutputFormat()) == {"responseMimeType": "application/json"}
    older = config(output_format=wanted, quirks={"takes_json_schema_tools": False})
    assert older["responseSchema"]["type"] == "OBJECT"
    assert "responseJsonSchema" not in older


@pytest.mark.parametrize(
    ("quirks", "fields"),
    [
        ({"takes_json_schema": False}, {"output_format": OutputFormat(schema=SCHEMA)}),
        ({"takes_json_mode": False}, {"output_format": OutputFormat()}),
        (
            {"takes_schema_with_tools": False},
            {"output_format": OutputFormat(schema=SCHEMA), "tools": (Tool(name="f"),)},
        ),
    ],
)
def test_refuses_a_format_that_the_model_does_not_have(quirks, fields):
    with pytest.raises(RelayError) as raised:
        encoded(Request(turns=(USER,), **fields), **quirks)
    assert raised.value.param == "response_format"


def test_asks_for_sound_and_pictures():
    told = config(modalities=("text", "audio"), audio_out=AudioOut(voice="Kore", format="pcm16"))
    assert told == {
        "responseModalities": ["AUDIO"],
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    }
    assert config(modalities=("image", "text")) == {"responseModalities": ["IMAGE", "TEXT"]}
    mp3 = Request(turns=(USER,), modalities=("audio",), audio_out=AudioOut(format="mp3"))
    assert encoded(mp3).dropped == ("audio.format",)


def test_notes_marks_for_caches_even_where_all_is_required():
    marked = Text(text="Hi", cache=Cache(ttl="1h"))
    request = Request(turns=(says(Role.USER, marked),), requires_all=True)
    assert encoded(request).dropped == ("cache_control",)


def test_writes_service_tiers_that_google_has():
    assert sent(Request(turns=(USER,), service_tier="flex"))["serviceTier"] == "flex"
    assert "serviceTier" not in sent(Request(turns=(USER,), service_tier="standard"))


def test_sends_a_refusal_as_what_was_said():
    assert contents(USER, model(Refusal(text="No.")), USER)[1]["parts"] == [{"text": "No."}]


def test_writes_the_same_prefix_for_the_same_prefix():
    turns = (USER, model(Reasoning(text="t", format=SealFormat.GOOGLE), call(seal=GOOGLES)),
             says(Role.TOOL, result()))  # fmt: skip
    tools = (Tool(name="get", schema=SCHEMA),)
    first = encoded(Request(turns=turns, tools=tools)).outbound.body
    again = encoded(Request(turns=turns, tools=tools)).outbound.body
    longer = sent(Request(turns=(*turns, model(Text(text="done")), USER), tools=tools))
    assert first == again
    assert longer["contents"][: len(turns)] == json.loads(first)["contents"]


def test_a_request_without_any_content_is_refused():
    with pytest.raises(RelayError) as refused:
        encoded(Request())
    assert refused.value.status == 400


def test_a_type_that_is_no_word_is_left_out_of_a_schema():
    said_hi = Turn(role=Role.USER, parts=(Text(text="Hi"),))
    tool = Tool(name="f", schema={"type": [{"a": 1}, "string"], "properties": {"b": {"type": 3}}})
    declared = sent(Request(turns=(said_hi,), tools=(tool,)), takes_json_schema_tools=False)
    assert declared["tools"][0]["functionDeclarations"][0]["parameters"]["type"] == "STRING"
