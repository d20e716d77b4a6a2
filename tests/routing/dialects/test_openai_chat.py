import json

import pytest

from billing.usage import UnitClass
from routing.dialects.content import TOOL_USES_BOUND
from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls

CHAT = Surface.CHAT
PIXEL = "data:image/png;base64," + "A" * 4_000


def user(*parts):
    return [{"role": "user", "content": list(parts)}]


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}]}, Code.MISSING_FIELD, "model"),
        ({"model": None, "messages": []}, Code.MISSING_FIELD, "model"),
        ({"model": 5, "messages": []}, Code.INVALID_TYPE, "model"),
        ({"model": "", "messages": []}, Code.INVALID_VALUE, "model"),
        ({"model": "m" * 257, "messages": []}, Code.INVALID_VALUE, "model"),
        ({"model": "m"}, Code.MISSING_FIELD, "messages"),
        ({"model": "m", "messages": []}, Code.MISSING_FIELD, "messages"),
        ({"model": "m", "messages": "Hi"}, Code.INVALID_TYPE, "messages"),
        ({"model": "m", "messages": ["Hi"]}, Code.INVALID_TYPE, "messages[0]"),
        (
            {"model": "m", "messages": [{"role": "user", "content": {"a": 1}}]},
            Code.INVALID_TYPE,
            "messages[0].content",
        ),
        (
            {"model": "m", "messages": user(7)},
            Code.INVALID_TYPE,
            "messages[0].content[0]",
        ),
        (
            {"model": "m", "messages": user(image(None))},
            Code.INVALID_TYPE,
            "messages[0].content[0].image_url.url",
        ),
        ([1], Code.INVALID_TYPE, None),
    ],
)
def test_a_wrong_body_is_refused_by_the_name_of_its_field(body, code, param):
    error = calls.refusal(CHAT, body)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("max_tokens", "100", Code.INVALID_TYPE),
        ("max_tokens", 100.0, Code.INVALID_TYPE),
        ("max_tokens", True, Code.INVALID_TYPE),
        ("max_tokens", -1, Code.INVALID_VALUE),
        ("max_completion_tokens", 2**40, Code.INVALID_VALUE),
        ("n", 0, Code.INVALID_VALUE),
        ("n", 129, Code.INVALID_VALUE),
        ("n", "2", Code.INVALID_TYPE),
        ("stream", "true", Code.INVALID_TYPE),
        ("stream", 1, Code.INVALID_TYPE),
        ("stream_options", [], Code.INVALID_TYPE),
        ("tools", {}, Code.INVALID_TYPE),
        ("tools", ["f"], Code.INVALID_TYPE),
        ("service_tier", 1, Code.INVALID_TYPE),
        ("models", ["other/model"], Code.UNPRICED),
        ("plugins", [{"id": "web"}], Code.UNPRICED),
        ("search_parameters", {"mode": "on"}, Code.UNPRICED),
        ("enable_search", True, Code.UNPRICED),
        ("tools", [{"type": "web_search"}], Code.UNPRICED),
        ("tools", [{"type": "builtin_function"}], Code.UNPRICED),
        ("deferred", True, Code.VENDOR_HANDLE),
        ("prompt_cache_options", {"comparison_response_id": "r"}, Code.VENDOR_HANDLE),
    ],
)
def test_a_wrong_field_is_refused(field, value, code):
    error = calls.refusal(CHAT, **{field: value})
    assert error.code is code
    assert (error.param or "").startswith(field)


@pytest.mark.parametrize(
    "extra",
    [
        {"max_tokens": None, "stream": None, "tools": None, "stream_options": None, "n": None},
        {"store": False, "enable_search": False, "models": [], "container": None},
        {"brand_new_field": {"anything": [1]}},
        {"messages": [{"role": "assistant", "content": None, "audio": None, "tool_calls": []}]},
        {"messages": user("a plain string", {"type": "text", "text": "x"})},
        {"tools": [{"function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}]},
    ],
)
def test_nulls_and_unknown_fields_pass(extra):
    calls.demand(CHAT, **extra)


def test_the_demand_of_text_is_its_bytes():
    body = {**calls.MINIMAL[CHAT], "messages": [{"role": "user", "content": "é" * 100}]}
    raw = calls.dump(body)
    demand = calls.demand(CHAT, raw)
    assert demand.prompt_bytes == len(raw) > 200
    assert (demand.images, demand.has_remote_content, demand.fees) == (0, False, {})
    assert (demand.output_tokens, demand.choices, demand.service_tier) == (None, 1, "standard")
    assert demand.has_output


def test_inline_images_count_by_number_and_not_by_bytes():
    body = {**calls.MINIMAL[CHAT], "messages": user(image(PIXEL), image(PIXEL))}
    demand = calls.demand(CHAT, body)
    assert demand.images == 2
    assert not demand.has_remote_content
    assert demand.prompt_bytes == len(calls.dump(body)) - 2 * len(PIXEL)


@pytest.mark.parametrize(
    "part",
    [
        image("https://example.com/cat.png"),
        image("https://storage.googleapis.com/public/cat.png?to=api.openai.com"),
        image("data:application/pdf;base64,AAAA"),
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "https://example.com/x.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "https://example.com/x.mp4"}},
        {"type": "document_url", "document_url": "https://example.com/x.pdf"},
        {"type": "brand_new", "data": "AAAA"},
    ],
)
def test_what_bytes_do_not_bound_is_said(part):
    assert calls.demand(CHAT, messages=user(part)).has_remote_content


@pytest.mark.parametrize(
    "url",
    [
        "gs://bucket/x",
        "s3://bucket/x",
        "file:///etc/passwd",
        "files/abc",
        "file-abc",
        "https://generativelanguage.googleapis.com/v1beta/%66iles/abc",
        "https://user@API.OpenAI.com:443/v1/files/file-1/content",
        "https://api.openai.com/v1/files/file-1/content",
    ],
)
def test_links_that_only_our_credential_opens_are_refused(url):
    for part in (image(url), {"type": "video_url", "video_url": {"url": url}}):
        assert calls.refusal(CHAT, messages=user(part)).code is Code.VENDOR_HANDLE


def test_limits_choices_and_tier():
    demand = calls.demand(CHAT, max_tokens=10, max_completion_tokens=20, n=3, service_tier="flex")
    assert (demand.output_tokens, demand.choices, demand.service_tier) == (20, 3, "flex")
    for tier in ("auto", "default", "on_demand", None):
        assert calls.demand(CHAT, service_tier=tier).service_tier == "standard"


def test_a_web_search_has_a_stated_bound():
    demand = calls.demand(CHAT, web_search_options={})
    assert demand.fees == {UnitClass.WEB_SEARCH: TOOL_USES_BOUND}
    assert demand.has_remote_content


def encoded(inbound, **options):
    return json.loads(calls.encode(inbound, **options).body)


def test_usage_is_asked_for_where_the_client_did_not():
    asked = calls.decode(CHAT, stream=True, stream_options={"include_usage": True})
    assert asked.wants_stream_usage
    assert encoded(asked)["stream_options"] == {"include_usage": True}

    silent = calls.decode(CHAT, stream=True)
    assert silent.is_stream
    assert not silent.wants_stream_usage
    assert encoded(silent)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in encoded(silent, takes_stream_options=False)

    other = calls.decode(CHAT, stream=True, stream_options={"include_obfuscation": False})
    assert encoded(other)["stream_options"] == {
        "include_obfuscation": False,
        "include_usage": True,
    }
    whole = calls.decode(CHAT)
    assert "stream_options" not in encoded(whole)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"max_completion_tokens": 7}),
        ({"max_tokens": 100}, {"max_tokens": 7}),
        ({"max_completion_tokens": 100}, {"max_completion_tokens": 7}),
        (
            {"max_tokens": 100, "max_completion_tokens": 90},
            {"max_tokens": 7, "max_completion_tokens": 7},
        ),
        ({"max_tokens": None}, {"max_tokens": None, "max_completion_tokens": 7}),
    ],
)
def test_a_clamped_limit_goes_where_the_client_or_the_vendor_has_it(given, expected):
    inbound = calls.decode(CHAT, **given)
    body = encoded(inbound, output_limit=7, output_limit_field="max_completion_tokens")
    assert {key: value for key, value in body.items() if "tokens" in key} == expected


def test_the_accounts_tag_replaces_what_the_client_said_of_its_user():
    inbound = calls.decode(CHAT, safety_identifier="alice@example.com")
    body = encoded(inbound, account_field="safety_identifier", tag="t-1")
    assert body["safety_identifier"] == "t-1"
    assert "safety_identifier" not in encoded(calls.decode(CHAT), tag="t-1")


def test_only_known_headers_go_on():
    headers = {
        "authorization": "Bearer bnr_live_x",
        "cookie": "a=b",
        "x-forwarded-for": "1.2.3.4",
        "openai-organization": "org-1",
        "openai-project": "proj-1",
        "openai-beta": "responses=experimental",
    }
    outbound = calls.encode(calls.decode(CHAT, headers=headers), extra_query="api-version=2024")
    assert outbound.headers == {
        "content-type": "application/json",
        "openai-beta": "responses=experimental",
    }
    assert outbound.path == "chat/completions"
    assert outbound.query == "api-version=2024"
    error = calls.refusal(CHAT, headers={"openai-beta": "brand-new=v1"})
    assert error.code is Code.UNKNOWN_BETA
