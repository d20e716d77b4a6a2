"""All recorded exchanges of generateContent, through the translator and back."""

import pytest

from routing.conversation import Audio, Document, Image, Text, ToolCall, Video
from routing.errors import Code, RelayError
from routing.readers.gemini_generate import FINISHES
from routing.translators import gemini_generate
from routing.translators.folding import unfold
from routing.translators.gemini_generate import ids, signatures, spelling
from tests.routing.translators.gemini_generate import play

# Tools that Google runs: refused between wire formats.
SERVER_TOOLS = {"codeExecution", "urlContext"}
FREE = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema",
        "responseJsonSchema")  # fmt: skip


def camel(value):
    """Return a body with the protocol's keys in camelCase, the client's own as they are."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {spelling.camel(key): inner for key, inner in value.items()}
    return {key: inner if key in FREE else camel(inner) for key, inner in named.items()}


def content_of(case):
    """Return text, thoughts, calls, media and finishes, by code of this test's own."""
    text, thoughts, calls, media, finish = {}, {}, [], 0, {}
    for document in case.documents():
        for number, candidate in enumerate(document.get("candidates", [])):
            index = candidate.get("index", number)
            finish.setdefault(index, candidate.get("finishReason"))
            finish[index] = finish[index] or candidate.get("finishReason")
            for part in candidate.get("content", {}).get("parts", []):
                kind = thoughts if part.get("thought") else text
                kind[index] = kind.get(index, "") + part.get("text", "")
                if "functionCall" in part:
                    calls.append((part["functionCall"]["name"], part["functionCall"]["args"]))
                media += "inlineData" in part
    return text, thoughts, calls, media, finish


def answered():
    return [case for case in play.recorded() if case.status == 200]


def test_hears_everything_that_was_said():
    cases = answered()
    for case in cases:
        text, thoughts, calls, media, finish = content_of(case)
        told = play.heard(case)
        for index, choice in enumerate(told.choices):
            assert play.text_of(told, index) == text.get(index, ""), case.id
            heard = "".join(
                part.text for part in choice.parts if type(part).__name__ == "Reasoning"
            )
            assert heard == thoughts.get(index, ""), case.id
            expected = "STOP" if finish[index] is None else finish[index]
            wanted = FINISHES[expected]
            assert choice.native_finish == expected, case.id
            assert choice.finish == ("tool_calls" if calls and wanted == "stop" else wanted)
        assert play.calls_of(told) == calls, case.id
        assert sum(isinstance(p, (Image, Audio)) for c in told.choices for p in c.parts) == media
    assert len(cases) >= 100


def test_says_it_again_to_a_client_of_the_same_wire_format():
    for case in answered():
        told = play.heard(case)
        again = gemini_generate.decode_answer(play.whole(told))
        assert _plain(again) == _plain(told), case.id
        stream = play.documents(play.written(unfold(told)))
        events = play.decoded(*stream)
        restreamed = gemini_generate.decode_answer(play.whole(play.fold(events)))
        assert play.text_of(restreamed) == play.text_of(told), case.id
        assert play.calls_of(restreamed) == play.calls_of(told), case.id
        assert [c.finish for c in restreamed.choices] == [c.finish for c in told.choices]


def _plain(answer):
    """Leave out the spans of sources: one without gets its whole text."""
    return [
        [
            (part.text, part.seal, [one.url for one in part.citations])
            if isinstance(part, Text)
            else part
            for part in choice.parts
        ]
        for choice in answer.choices
    ]


def test_reads_every_request_but_those_with_googles_own_tools():
    read = refused = 0
    for case in play.recorded():
        body = camel(case.request)
        used = {name for tool in body.get("tools", []) for name in tool}
        if used & SERVER_TOOLS:
            with pytest.raises(RelayError) as raised:
                play.asked(play.body_of(case))
            assert raised.value.code is Code.UNSUPPORTED
            refused += 1
            continue
        _compare(case, body, play.asked(play.body_of(case)))
        read += 1
    assert read >= 100
    assert refused >= 1


def _compare(case, body, request):
    wish = body.get("generationConfig", {}).get("thinkingConfig", {})
    again = play.sent(request, reasoning="budget" if "thinkingBudget" in wish else "level",
                      budget_min=0)  # fmt: skip
    assert again.get("systemInstruction", {}).get("parts", []) == [
        part for part in body.get("systemInstruction", {}).get("parts", []) if part["text"]
    ], case.id
    assert _said(again["contents"]) == _said(body["contents"]), case.id
    assert _config(again) == _config(body), case.id
    assert _declared(again) == _declared(body), case.id


def _said(contents):
    """Return all parts in order; results behind their calls are of the user."""
    found = []
    for content in contents:
        role = content.get("role", "user")
        parts = content["parts"] if isinstance(content["parts"], list) else [content["parts"]]
        results = [p for p in parts if "functionResponse" in p]
        for part in (*results, *(p for p in parts if p not in results)):
            found += [(role, told) for told in _meaning(part)]
    return found


def _meaning(part):
    seal = part.get("thoughtSignature")
    seal = None if seal == signatures.SENTINEL else seal
    if "functionCall" in part:
        call = part["functionCall"]
        return [(_id(call), call["name"], call["args"], seal)]
    if "functionResponse" in part:
        told = part["functionResponse"]
        media = [told for nested in told.get("parts", []) for told in _meaning(nested)]
        return [(_id(told), told["name"], told["response"]), *media]
    if "text" in part or "thought" in part:
        text = part.get("text", "")
        return [(text, part.get("thought", False), seal)] if text or seal else []
    if "inlineData" in part:
        blob = part["inlineData"]
        return [(blob["mimeType"], blob["data"].replace("-", "+").replace("_", "/"))]
    return [(part["fileData"]["mimeType"], part["fileData"]["fileUri"])]


def _id(told):
    return "" if ids.is_made(told.get("id", "")) else told.get("id", "")


def _config(body):
    config = dict(body.get("generationConfig", {}))
    for name in ("responseSchema", "responseJsonSchema"):
        config.pop(name, None)  # compared by the tests of schemas
    if config.get("responseModalities") == ["TEXT"]:
        del config["responseModalities"]
    if not config.get("stopSequences", True):
        del config["stopSequences"]
    thinking = dict(config.pop("thinkingConfig", {}))
    level = thinking.pop("thinkingLevel", "").upper()
    return config, thinking.get("includeThoughts"), level or thinking.get("thinkingBudget")


def _declared(body):
    tools = [one for tool in body.get("tools", []) for one in tool.get("functionDeclarations", [])]
    choice = body.get("toolConfig", {}).get("functionCallingConfig", {})
    mode = {"VALIDATED": "AUTO"}.get(choice.get("mode"), choice.get("mode"))
    searches = any("googleSearch" in tool for tool in body.get("tools", []))
    told = [(one["name"], one.get("description", ""), _schema(one)) for one in tools]
    return told, mode, choice.get("allowedFunctionNames"), searches


def _schema(declared):
    schema = declared.get("parametersJsonSchema") or declared.get("parameters") or {}
    return sorted((schema.get("properties") or {}).keys()), schema.get("required", [])


def test_keeps_media_of_every_kind_that_was_recorded():
    kinds = set()
    for case in play.recorded():
        try:
            request = play.asked(play.body_of(case))
        except RelayError:
            continue
        kinds |= {type(part) for turn in request.turns for part in turn.parts}
    assert kinds >= {Text, Image, Audio, Video, Document, ToolCall}
