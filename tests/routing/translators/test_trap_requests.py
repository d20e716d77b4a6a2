"""Known traps in clients' requests, for every wire format that they go to; docs/traps.md."""

import base64
import itertools
import json
from typing import Any

import pytest

from routing import dialects
from routing.conversation import SealFormat
from routing.dialects.base import PathParts, Quirks
from routing.errors import RelayError
from routing.surfaces import Surface
from routing.translators import translator
from routing.translators.base import Encoded, Target
from routing.translators.registry import VENDORS
from tests.routing.translators import outbound, passage
from tests.routing.translators.seeds import PNG

CHAT, RESPONSES, MESSAGES, GENERATE = (
    Surface.CHAT,
    Surface.RESPONSES,
    Surface.MESSAGES,
    Surface.GENERATE,
)
CLIENTS = (CHAT, RESPONSES, MESSAGES, GENERATE)
pairs = pytest.mark.parametrize(
    ("client", "wire"), [*itertools.product(CLIENTS, VENDORS)], ids=lambda surface: surface.name
)
every_wire = pytest.mark.parametrize("wire", VENDORS, ids=lambda wire: wire.name)
PNG_URL = f"data:image/png;base64,{PNG}"
PDF = base64.b64encode(b"%PDF-1.4 tiny").decode()
WAV = base64.b64encode(b"RIFF\0\0\0\0WAVE").decode()


def encoded(client: Surface, wire: Surface, body: dict[str, Any], **quirks: Any) -> Encoded:
    """Put a request through all that a translated pair puts it through."""
    path = PathParts(model="m", query={"alt": "sse"}) if client is GENERATE else PathParts()
    told = body if client is GENERATE else {"model": "m", **body}
    if client is MESSAGES:
        told = {"max_tokens": 900, **told}
    dialect = dialects.for_surface(client)
    raw = json.dumps(told).encode()
    inbound = dialect.decode(surface=client, raw=raw, headers={}, path=path)
    dialect.demand(inbound)
    request = translator.decode_request(inbound, seal_key=passage.KEY)
    target = Target(upstream_name="up", quirks=Quirks(**quirks), seal_key=passage.KEY)
    found = translator.encode_request(request, client=client, wire=wire, target=target)
    outbound.check(found.outbound, wire=wire, target=target)
    return found


def sent(client: Surface, wire: Surface, body: dict[str, Any], **quirks: Any) -> dict[str, Any]:
    return json.loads(encoded(client, wire, body, **quirks).outbound.body)


def asking(client: Surface, *contents: Any, **fields: Any) -> dict[str, Any]:
    """Return a client's request of user's turns: texts, or lists of parts of its own form."""
    if client is RESPONSES:
        return {"input": [{"role": "user", "content": one} for one in contents], **fields}
    if client is GENERATE:
        parts = [[{"text": one}] if isinstance(one, str) else one for one in contents]
        return {"contents": [{"role": "user", "parts": one} for one in parts], **fields}
    return {"messages": [{"role": "user", "content": one} for one in contents], **fields}


def turns(wire: Surface, body: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the roles and parts of what a vendor gets."""
    if wire is GENERATE:
        return [(turn["role"], turn["parts"]) for turn in body["contents"]]
    told = body["input"] if wire is RESPONSES else body["messages"]
    return [
        (one.get("role", one.get("type")), one["content"])
        if isinstance(one.get("content"), list)
        else (one.get("role", one.get("type")), [{"text": one.get("content")}])
        for one in told
    ]


def texts(wire: Surface, body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return roles and texts, one after the other."""
    return [
        (role, part["text"])
        for role, parts in turns(wire, body)
        for part in parts
        if "text" in part
    ]


# Turns

AMID = {
    CHAT: {"messages": [{"role": "user", "content": "one"}, {"role": "system", "content": "AMID"},
                        {"role": "user", "content": "two"}]},
    RESPONSES: {"input": [{"role": "user", "content": "one"},
                          {"role": "developer", "content": "AMID"},
                          {"role": "user", "content": "two"}]},
    MESSAGES: {"messages": [{"role": "user", "content": "one"},
                            {"role": "system", "content": [{"type": "text", "text": "AMID"}]},
                            {"role": "user", "content": "two"}]},
}  # fmt: skip


@pytest.mark.parametrize("client", AMID, ids=lambda client: client.name)
@every_wire
def test_a_system_message_amid_the_conversation_is_never_hoisted(client, wire):
    body = sent(client, wire, AMID[client])
    found = texts(wire, body)
    marks = ("<system-message>", "</system-message>")
    told = [text.removeprefix(marks[0]).removesuffix(marks[1]) for _, text in found]
    assert told == ["one", "AMID", "two"]
    # A user's text that was none is marked, so that it weighs what it should.
    assert (found[1][1] != "AMID") is (wire in (MESSAGES, GENERATE))
    assert "AMID" not in json.dumps([body.get("system"), body.get("instructions"),
                                     body.get("systemInstruction")])  # fmt: skip
    wanted = "system" if wire in (CHAT, RESPONSES) else "user"
    assert found[1][0] == wanted


@pairs
def test_messages_of_one_role_in_a_row_lose_nothing(client, wire):
    found = texts(wire, sent(client, wire, asking(client, "one", "two")))
    assert found == [("user", "one"), ("user", "two")]
    roles = [role for role, _ in turns(wire, sent(client, wire, asking(client, "one", "two")))]
    assert roles == (["user"] if wire is MESSAGES else ["user", "user"])


@pairs
def test_empty_content_is_no_reason_to_fail(client, wire):
    body = sent(client, wire, asking(client, "one", "", "two"))
    assert [text for _, text in texts(wire, body) if text] == ["one", "two"]
    if wire is not CHAT:  # the others refuse an empty text
        assert all(text for _, text in texts(wire, body))


# Calls and results


def looped(client: Surface, *, output: Any = "done") -> dict[str, Any]:
    """Return a loop of two parallel calls of one function; results come in the other order."""
    if client is CHAT:
        calls = [
            {
                "id": f"call_{n}",
                "type": "function",
                "function": {"name": "f", "arguments": json.dumps({"n": n})},
            }
            for n in (1, 2)
        ]
        return {
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": None, "tool_calls": calls},
                {"role": "tool", "tool_call_id": "call_2", "content": output},
                {"role": "tool", "tool_call_id": "call_1", "content": "first"},
            ]
        }
    if client is RESPONSES:
        calls = [
            {
                "type": "function_call",
                "call_id": f"call_{n}",
                "name": "f",
                "arguments": json.dumps({"n": n}),
            }
            for n in (1, 2)
        ]
        return {
            "input": [
                {"role": "user", "content": "go"},
                *calls,
                {"type": "function_call_output", "call_id": "call_2", "output": output},
                {"type": "function_call_output", "call_id": "call_1", "output": "first"},
            ]
        }
    if client is MESSAGES:
        calls = [
            {"type": "tool_use", "id": f"call_{n}", "name": "f", "input": {"n": n}} for n in (1, 2)
        ]
        return {
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": calls},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "call_2", "content": output},
                        {"type": "tool_result", "tool_use_id": "call_1", "content": "first"},
                    ],
                },
            ]
        }
    calls = [{"functionCall": {"id": f"call_{n}", "name": "f", "args": {"n": n}}} for n in (1, 2)]
    results = [
        {"functionResponse": {"id": "call_2", "name": "f", **output}},
        {"functionResponse": {"id": "call_1", "name": "f", "response": {"output": "first"}}},
    ]
    return {
        "contents": [
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": calls},
            {"role": "user", "parts": results},
        ]
    }


def done(client: Surface) -> Any:
    return {"response": {"output": "done"}} if client is GENERATE else "done"


def results(wire: Surface, body: dict[str, Any]) -> dict[Any, str]:
    """Return the results by the numbers in their calls' arguments."""
    if wire is CHAT:
        called = {
            call["id"]: json.loads(call["function"]["arguments"])["n"]
            for one in body["messages"]
            for call in one.get("tool_calls") or ()
        }
        return {
            called[one["tool_call_id"]]: str(one["content"])
            for one in body["messages"]
            if one["role"] == "tool"
        }
    if wire is RESPONSES:
        called = {
            one["call_id"]: json.loads(one["arguments"])["n"]
            for one in body["input"]
            if one["type"] == "function_call"
        }
        return {
            called[one["call_id"]]: str(one["output"])
            for one in body["input"]
            if one["type"] == "function_call_output"
        }
    if wire is MESSAGES:
        blocks = [block for one in body["messages"] for block in one["content"]]
        called = {
            block["id"]: block["input"]["n"] for block in blocks if block["type"] == "tool_use"
        }
        return {
            called[block["tool_use_id"]]: str(block["content"])
            for block in blocks
            if block["type"] == "tool_result"
        }
    parts = [part for one in body["contents"] for part in one["parts"]]
    numbers = [p["functionCall"]["args"]["n"] for p in parts if "functionCall" in p]
    told = [p["functionResponse"] for p in parts if "functionResponse" in p]
    assert [one["name"] for one in told] == ["f", "f"]
    return {number: str(one) for number, one in zip(numbers, told, strict=True)}  # fmt: skip


@pairs
def test_parallel_results_find_their_calls(client, wire):
    found = results(wire, sent(client, wire, looped(client, output=done(client))))
    assert "first" in found[1]
    assert "done" in found[2]


def shown(client: Surface) -> Any:
    """Return a result that holds a picture."""
    if client is RESPONSES:
        return [
            {"type": "input_text", "text": "see"},
            {"type": "input_image", "image_url": PNG_URL},
        ]
    if client is MESSAGES:
        return [
            {"type": "text", "text": "see"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ]
    return {"response": {"output": "see"},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]}  # fmt: skip


@pytest.mark.parametrize("client", [RESPONSES, MESSAGES, GENERATE], ids=lambda one: one.name)
@pytest.mark.parametrize("reasoning", ["level", "budget"])
@every_wire
def test_a_result_with_a_picture_reaches_the_model(client, wire, reasoning):
    body = sent(client, wire, looped(client, output=shown(client)), reasoning=reasoning)
    assert json.dumps(body).count(PNG) == 1
    found = results(wire, body)
    assert "see" in found[2]
    # A tool's message of chat completions holds text alone: the picture follows all results.
    is_inside = PNG in found[2]
    assert is_inside is (wire in (RESPONSES, MESSAGES) or (wire, reasoning) == (GENERATE, "level"))
    if wire is CHAT:
        assert [one["role"] for one in body["messages"]][-3:] == ["tool", "tool", "user"]


def test_functions_of_gemini_keep_their_names_and_roles():
    """Chat's results name no function; Google's need it, in a content of the user's."""
    body = sent(CHAT, GENERATE, looped(CHAT))
    assert [role for role, _ in turns(GENERATE, body)] == ["user", "model", "user"]
    assert [p["functionResponse"]["name"] for p in body["contents"][2]["parts"]] == ["f", "f"]


def test_googles_signature_returns_to_its_call():
    loop = looped(GENERATE, output=done(GENERATE))
    seal = base64.b64encode(b"google's own").decode()
    loop["contents"][1]["parts"][0]["thoughtSignature"] = seal
    parts = sent(GENERATE, GENERATE, loop, seal=SealFormat.GOOGLE.value)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [seal, None]
    for wire in (CHAT, RESPONSES, MESSAGES):
        assert seal not in json.dumps(sent(GENERATE, wire, loop))


# Media


def picture(client: Surface) -> Any:
    if client is CHAT:
        return {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}}
    if client is RESPONSES:
        return {"type": "input_image", "image_url": PNG_URL, "detail": "low"}
    return {"inlineData": {"mimeType": "image/png", "data": PNG},
            "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}  # fmt: skip


@pytest.mark.parametrize("client", [CHAT, RESPONSES, GENERATE], ids=lambda one: one.name)
@every_wire
def test_the_detail_of_a_picture_is_kept_or_named(client, wire):
    found = encoded(client, wire, asking(client, [picture(client)] * 2), reasoning="level")
    body = found.outbound.body
    assert body.count(PNG.encode()) == 2
    if wire is MESSAGES:
        assert any("detail" in name for name in found.dropped)
    else:
        assert b'"detail":"low"' in body or b"MEDIA_RESOLUTION_LOW" in body
        assert not found.dropped


PAPER = {
    CHAT: {"type": "file", "file": {"filename": "a.pdf",
                                    "file_data": f"data:application/pdf;base64,{PDF}"}},
    RESPONSES: {"type": "input_file", "filename": "a.pdf",
                "file_data": f"data:application/pdf;base64,{PDF}"},
    MESSAGES: {"type": "document", "source": {"type": "base64", "media_type": "application/pdf",
                                              "data": PDF}},
    GENERATE: {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
}  # fmt: skip
SOUND = {
    CHAT: {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
    GENERATE: {"inlineData": {"mimeType": "audio/wav", "data": WAV}},
}


@pairs
def test_a_pdf_is_a_document_everywhere(client, wire):
    body = sent(client, wire, asking(client, [PAPER[client]]))
    assert json.dumps(body).count(PDF) == 1
    (part,) = turns(wire, body)[0][1]
    assert part.keys() & {"file", "file_data", "source", "inlineData"}


@pytest.mark.parametrize("client", SOUND, ids=lambda client: client.name)
@every_wire
def test_sound_is_heard_or_refused_by_name(client, wire):
    if wire in (CHAT, GENERATE):
        body = sent(client, wire, asking(client, [SOUND[client]]))
        assert json.dumps(body).count(WAV) == 1
        return
    with pytest.raises(RelayError) as refused:
        sent(client, wire, asking(client, [SOUND[client]]))
    assert refused.value.status == 400
    assert "audio" in str(refused.value.param)


# Limits, choices, schemas


@pytest.mark.parametrize("client", [CHAT, RESPONSES, GENERATE], ids=lambda one: one.name)
def test_anthropic_is_always_told_a_limit(client):
    assert sent(client, MESSAGES, asking(client, "Hi"))["max_tokens"] > 0


@pytest.mark.parametrize("client", [CHAT, GENERATE], ids=lambda one: one.name)
@every_wire
def test_several_choices_are_asked_for_or_refused(client, wire):
    wish = {"generationConfig": {"candidateCount": 2}} if client is GENERATE else {"n": 2}
    if wire in (CHAT, GENERATE):
        body = sent(client, wire, asking(client, "Hi", **wish))
        assert 2 in (body.get("n"), body.get("generationConfig", {}).get("candidateCount"))
        return
    with pytest.raises(RelayError) as refused:
        sent(client, wire, asking(client, "Hi", **wish))
    own = "generationConfig.candidateCount" if client is GENERATE else "n"
    assert refused.value.param == own


@every_wire
def test_probabilities_are_asked_for_or_named(wire):
    found = encoded(CHAT, wire, asking(CHAT, "Hi", logprobs=True, top_logprobs=3))
    words = (b'"top_logprobs":3', b'"logprobs":3')
    assert any(word in found.outbound.body for word in words) is (wire is not MESSAGES)
    assert bool(found.dropped) is (wire is MESSAGES)


SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a", "b"]},
        "when": {"type": "string", "format": "date-time"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["kind"],
    "additionalProperties": False,
    "$defs": {"node": {"type": "object", "properties": {"id": {"type": "integer"}}}},
}


def tool(client: Surface) -> dict[str, Any]:
    if client is CHAT:
        return {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
    if client is RESPONSES:
        return {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
    if client is MESSAGES:
        return {"name": "f", "input_schema": SCHEMA}
    return {"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}


def schema_of(wire: Surface, body: dict[str, Any]) -> Any:
    told = body["tools"][0]
    if wire is GENERATE:
        declared = told["functionDeclarations"][0]
        return declared.get("parametersJsonSchema") or declared["parameters"]
    if wire is MESSAGES:
        return told["input_schema"]
    return (told["function"] if wire is CHAT else told)["parameters"]


@pairs
def test_the_schema_of_a_tool_arrives_word_for_word(client, wire):
    """References, unions, enums, formats, closed objects."""
    body = sent(client, wire, asking(client, "Hi", tools=[tool(client)]))
    assert schema_of(wire, body) == SCHEMA


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_older_geminis_get_the_schema_in_googles_subset(client):
    body = sent(client, GENERATE, asking(client, "Hi", tools=[tool(client)]),
                takes_json_schema_tools=False)  # fmt: skip
    found = schema_of(GENERATE, body)
    assert found["properties"]["kind"]["enum"] == ["a", "b"]
    assert found["properties"]["next"]["nullable"] is True
    assert found["properties"]["next"]["properties"]["id"]["type"] == "INTEGER"
    assert not {"$ref", "$defs", "additionalProperties", "anyOf"} & set(
        json.dumps(found).split('"')
    )


@every_wire
def test_a_stop_sequence_is_told_or_named(wire):
    found = encoded(CHAT, wire, asking(CHAT, "Hi", stop=["END"]))
    assert (b'"END"' in found.outbound.body) is (wire is not RESPONSES)
    assert found.dropped == (("stop",) if wire is RESPONSES else ())
