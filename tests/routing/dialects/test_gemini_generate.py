import json

import pytest

from billing.usage import UnitClass
from routing.dialects.base import PathParts
from routing.dialects.content import TOOL_USES_BOUND
from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls

GENERATE = Surface.GENERATE


def contents(*parts):
    return [{"role": "user", "parts": list(parts)}]


@pytest.mark.parametrize(
    ("extra", "code", "param"),
    [
        ({"contents": []}, Code.MISSING_FIELD, "contents"),
        ({"contents": "Hi"}, Code.INVALID_TYPE, "contents"),
        ({"contents": ["Hi"]}, Code.INVALID_TYPE, "contents[0]"),
        ({"contents": [{"parts": "Hi"}]}, Code.INVALID_TYPE, "contents[0].parts"),
        ({"contents": contents("Hi")}, Code.INVALID_TYPE, "contents[0].parts[0]"),
        ({"systemInstruction": "Be"}, Code.INVALID_TYPE, "systemInstruction"),
        ({"generationConfig": []}, Code.INVALID_TYPE, "generationConfig"),
        (
            {"generationConfig": {"maxOutputTokens": "5"}},
            Code.INVALID_TYPE,
            "generationConfig.maxOutputTokens",
        ),
        (
            {"generationConfig": {"candidateCount": 500}},
            Code.INVALID_VALUE,
            "generationConfig.candidateCount",
        ),
        (
            {"generationConfig": {"routingConfig": {"autoMode": {}}}},
            Code.UNPRICED,
            "generationConfig.routingConfig",
        ),
        ({"tools": [{"googleMaps": {}}]}, Code.UNPRICED, "tools[0].googleMaps"),
        ({"tools": [{"google_maps": {}}]}, Code.UNPRICED, "tools[0].google_maps"),
        (
            {"contents": contents({"inlineData": {"mimeType": "image/png"}})},
            Code.INVALID_TYPE,
            "contents[0].parts[0].inlineData.data",
        ),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(extra, code, param):
    error = calls.refusal(GENERATE, **extra)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize(
    "extra",
    [
        {"generationConfig": {"maxOutputTokens": 5, "max_output_tokens": 90_000}},
        {"generationConfig": {}, "generation_config": {"maxOutputTokens": 90_000}},
        {"cachedContent": "", "cached_content": "cachedContents/1"},
        {"contents": contents({"inlineData": {}, "inline_data": {"data": "A"}})},
    ],
)
def test_both_spellings_of_one_key_are_refused(extra):
    assert calls.refusal(GENERATE, **extra).code in (Code.DUPLICATE_KEY, Code.VENDOR_HANDLE)


@pytest.mark.parametrize(
    ("config", "limit"), [("generationConfig", "maxOutputTokens"),
                          ("generation_config", "max_output_tokens")]
)  # fmt: skip
def test_either_spelling_is_read_and_kept(config, limit):
    inbound = calls.decode(GENERATE, **{config: {limit: 100, "candidateCount": 2}})
    demand = calls.demand(GENERATE, **{config: {limit: 100, "candidateCount": 2}})
    assert (demand.output_tokens, demand.choices) == (100, 2)
    sent = json.loads(calls.encode(inbound, output_limit=7).body)
    assert sent[config] == {limit: 7, "candidateCount": 2}
    assert set(sent) == {"contents", config}


def test_a_limit_is_added_where_there_was_none():
    sent = json.loads(calls.encode(calls.decode(GENERATE), output_limit=7).body)
    assert sent["generationConfig"] == {"maxOutputTokens": 7}


def test_media_in_both_spellings_and_in_results():
    part = {"inlineData": {"mimeType": "image/png", "data": "A" * 400}}
    snake = {"inline_data": {"mime_type": "image/jpeg", "data": "A" * 400}}
    result = {"functionResponse": {"name": "f", "response": {}, "parts": [part]}}
    body = {"contents": contents(part, snake, result)}
    demand = calls.demand(GENERATE, body)
    assert demand.images == 3
    assert demand.prompt_bytes == len(calls.dump(body)) - 1200
    assert not demand.has_remote_content


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}},
        {"inlineData": {"data": "AAAA"}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        {"file_data": {"file_uri": "https://example.com/x.pdf"}},
    ],
)
def test_what_bytes_do_not_bound_is_said(part):
    assert calls.demand(GENERATE, contents=contents(part)).has_remote_content


@pytest.mark.parametrize(
    ("tool", "fees", "is_remote"),
    [
        ({"functionDeclarations": [{"name": "f"}]}, {}, False),
        ({"google_search": {}}, {UnitClass.WEB_SEARCH: TOOL_USES_BOUND}, True),
        ({"googleSearch": {}}, {UnitClass.WEB_SEARCH: TOOL_USES_BOUND}, True),
        ({"urlContext": {}}, {}, True),
        ({"codeExecution": {}}, {}, True),
        ({"googleSearch": None}, {}, False),
    ],
)
def test_tools(tool, fees, is_remote):
    demand = calls.demand(GENERATE, tools=[tool])
    assert (demand.fees, demand.has_remote_content) == (fees, is_remote)


@pytest.mark.parametrize(
    ("given", "tier"),
    [
        ({"serviceTier": "SERVICE_TIER_FLEX"}, "flex"),
        ({"service_tier": "priority"}, "priority"),
        ({"serviceTier": "standard"}, "standard"),
        ({"serviceTier": "SERVICE_TIER_UNSPECIFIED"}, "standard"),
    ],
)
def test_the_service_tier(given, tier):
    assert calls.demand(GENERATE, **given).service_tier == tier


@pytest.mark.parametrize(
    ("surface", "is_stream", "path"),
    [
        (GENERATE, False, "models/up:generateContent"),
        (GENERATE, True, "models/up:streamGenerateContent"),
        (Surface.GEMINI_COUNT, False, "models/up:countTokens"),
        (Surface.GEMINI_EMBED, False, "models/up:embedContent"),
        (Surface.GEMINI_BATCH_EMBED, False, "models/up:batchEmbedContents"),
    ],
)
def test_the_path_names_the_model(surface, is_stream, path):
    parts = PathParts(
        model="models/gemini-x", is_stream=is_stream, query={"alt": "sse", "key": "secret"}
    )
    inbound = calls.decode(surface, path=parts, headers={"x-goog-api-key": "secret"})
    assert inbound.model == "gemini-x"
    for name in ("up", "models/up"):
        outbound = calls.encode(inbound, upstream_name=name, tag="t")
        assert outbound.path == path
        assert outbound.query == ("alt=sse" if is_stream else "")
        assert outbound.headers == {"content-type": "application/json"}
        assert outbound.body == inbound.raw  # nothing in the body names the model


def test_a_model_in_the_body_follows_the_path():
    inbound = calls.decode(
        Surface.GEMINI_BATCH_EMBED,
        requests=[
            {"model": "models/a", "content": {"parts": [{"text": "x"}]}},
            {"content": {"parts": [{"text": "y"}]}},
        ],
    )
    sent = json.loads(calls.encode(inbound).body)
    assert [item.get("model") for item in sent["requests"]] == ["models/up", None]

    wrapped = {"model": "models/a", "contents": contents({"text": "x"})}
    inbound = calls.decode(Surface.GEMINI_COUNT, {"generateContentRequest": wrapped})
    sent = json.loads(calls.encode(inbound).body)
    assert sent["generateContentRequest"]["model"] == "models/up"

    inbound = calls.decode(GENERATE, model="models/expensive")
    assert json.loads(calls.encode(inbound).body)["model"] == "models/up"


def test_handles_inside_a_count_are_refused_too():
    part = {"fileData": {"fileUri": "files/1"}}
    body = {"generateContentRequest": {"contents": contents(part)}}
    error = calls.refusal(Surface.GEMINI_COUNT, body)
    assert error.code is Code.VENDOR_HANDLE
    assert error.param == "generateContentRequest.contents[0].parts[0].fileData.fileUri"


def test_forms_of_an_answer_that_are_unknown_are_refused():
    error = calls.refusal(GENERATE, path=PathParts(model="m", query={"alt": "proto"}))
    assert error.param == "alt"


@pytest.mark.parametrize(
    ("surface", "body", "param"),
    [
        (Surface.GEMINI_EMBED, {}, "content"),
        (Surface.GEMINI_BATCH_EMBED, {}, "requests"),
        (Surface.GEMINI_BATCH_EMBED, {"requests": [{}]}, "requests[0].content"),
        (Surface.GEMINI_BATCH_EMBED, {"requests": [5]}, "requests[0]"),
        (Surface.GEMINI_COUNT, {}, "contents"),
    ],
)
def test_embeddings_and_counts_need_their_content(surface, body, param):
    assert calls.refusal(surface, body).param == param


@pytest.mark.parametrize(
    "surface", [Surface.GEMINI_COUNT, Surface.GEMINI_EMBED, Surface.GEMINI_BATCH_EMBED]
)
def test_counts_and_embeddings_have_no_output(surface):
    demand = calls.demand(surface)
    assert not demand.has_output
    assert demand.output_tokens is None
