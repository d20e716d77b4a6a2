import json

import pytest

from billing.usage import UnitClass
from routing.dialects import anthropic_betas
from routing.dialects.base import PathParts
from routing.dialects.content import TOOL_USES_BOUND
from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls

MESSAGES = Surface.MESSAGES
# What Claude Code 2.1 sends (public captures of 2026).
CLAUDE_CODE = (
    "claude-code-20250219,oauth-2025-04-20,context-1m-2025-08-07,interleaved-thinking-2025-05-14,"
    "redact-thinking-2026-02-12,thinking-token-count-2026-05-13,context-management-2025-06-27,"
    "prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,advisor-tool-2026-03-01,"
    "advanced-tool-use-2025-11-20,effort-2025-11-24,extended-cache-ttl-2025-04-11,"
    "cache-diagnosis-2026-04-07,fine-grained-tool-streaming-2025-05-14,fallback-credit-2026-06-01,"
    "structured-outputs-2025-12-15,fast-mode-2026-02-01,token-efficient-tools-2026-03-28,"
    "afk-mode-2026-01-31"
)


def user(*blocks):
    return [{"role": "user", "content": list(blocks)}]


@pytest.mark.parametrize(
    ("extra", "code", "param"),
    [
        ({"max_tokens": None}, Code.MISSING_FIELD, "max_tokens"),
        ({"max_tokens": "5"}, Code.INVALID_TYPE, "max_tokens"),
        ({"messages": []}, Code.MISSING_FIELD, "messages"),
        ({"messages": ["Hi"]}, Code.INVALID_TYPE, "messages[0]"),
        ({"messages": [{"role": "user"}]}, Code.INVALID_TYPE, "messages[0].content"),
        ({"messages": user("Hi")}, Code.INVALID_TYPE, "messages[0].content[0]"),
        ({"system": 5}, Code.INVALID_TYPE, "system"),
        ({"metadata": "x"}, Code.INVALID_TYPE, "metadata"),
        ({"stream": "yes"}, Code.INVALID_TYPE, "stream"),
        ({"fallbacks": [{"model": "other"}]}, Code.UNPRICED, "fallbacks"),
        ({"inference_geo": "us"}, Code.UNPRICED, "inference_geo"),
        ({"tools": [{"type": "code_execution_20250825"}]}, Code.UNPRICED, "tools[0].type"),
        ({"tools": [{"type": "advisor_20260301"}]}, Code.UNPRICED, "tools[0].type"),
        ({"tools": [{"type": "brand_new_20300101"}]}, Code.UNPRICED, "tools[0].type"),
        (
            {"tools": [{"type": "web_search_20250305", "max_uses": "3"}]},
            Code.INVALID_TYPE,
            "tools[0].max_uses",
        ),
        (
            {"messages": user({"type": "tool_addition", "tool": {"type": "advisor_20260301"}})},
            Code.UNPRICED,
            "messages[0].content[0].tool.type",
        ),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(extra, code, param):
    error = calls.refusal(MESSAGES, **extra)
    assert (error.code, error.param) == (code, param)


def test_claude_codes_request_passes():
    inbound = calls.decode(
        MESSAGES,
        headers={"anthropic-version": "2023-06-01", "anthropic-beta": CLAUDE_CODE, "x-app": "cli"},
        path=PathParts(query={"beta": "true"}),
        stream=True,
        system=[{"type": "text", "text": "You.", "cache_control": {"type": "ephemeral"}}],
        metadata={"user_id": "user_abc_account__session_1"},
        diagnostics={"previous_message_id": None},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        thinking={"type": "adaptive"},
        output_config={"effort": "high"},
        tools=[
            {"name": "Bash", "input_schema": {"type": "object"}, "eager_input_streaming": True},
            {"type": "tool_search_tool_regex_20251119", "name": "search"},
        ],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": "AAAA"},
                    {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}],
            },
        ],
    )
    outbound = calls.encode(inbound, tag="tag", account_field="metadata.user_id")
    assert outbound.path == "messages"
    assert outbound.query == "beta=true"
    assert outbound.headers == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": CLAUDE_CODE,
    }
    assert json.loads(outbound.body)["metadata"] == {"user_id": "tag"}
    assert inbound.beta == tuple(CLAUDE_CODE.split(","))
    assert not inbound.content.has_remote


@pytest.mark.parametrize(
    "value",
    [
        "files-api-2025-04-14",
        "skills-2025-10-02",
        "user-profiles-2026-09-04",
        "brand-new-2030-01-01",
        "claude-code",
        "claude-code-2025021",
        "claude-code-20250219 x",
        "x\u00e9-2025-01-01",
    ],
)
def test_an_unknown_beta_is_refused_and_never_dropped(value):
    error = calls.refusal(
        MESSAGES, headers={"anthropic-beta": f"interleaved-thinking-2025-05-14, {value}"}
    )
    assert error.code is Code.UNKNOWN_BETA
    assert error.param == "anthropic-beta"


def test_no_beta_is_both_passed_and_refused():
    assert not anthropic_betas.PASSED & anthropic_betas.REFUSED


def test_the_version_defaults_and_must_be_a_date():
    inbound = calls.decode(MESSAGES)
    assert inbound.headers["anthropic-version"] == "2023-06-01"
    assert inbound.query == ""
    inbound = calls.decode(MESSAGES, headers={"anthropic-version": "2026-10-21"})
    assert inbound.headers["anthropic-version"] == "2026-10-21"
    error = calls.refusal(MESSAGES, headers={"anthropic-version": "latest"})
    assert error.code is Code.INVALID_HEADER


def test_media():
    picture = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "A" * 400},
    }
    result = {"type": "tool_result", "tool_use_id": "t", "content": [picture]}
    body = {**calls.MINIMAL[MESSAGES], "messages": user(picture, result)}
    demand = calls.demand(MESSAGES, body)
    assert demand.images == 2
    assert demand.prompt_bytes == len(calls.dump(body)) - 800
    assert not demand.has_remote_content


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
        },
        {"type": "document", "source": {"type": "url", "url": "https://example.com/x.pdf"}},
        {"type": "web_fetch_tool_result", "tool_use_id": "t", "content": {}},
        {"type": "brand_new"},
    ],
)
def test_what_bytes_do_not_bound_is_said(block):
    assert calls.demand(MESSAGES, messages=user(block)).has_remote_content


def test_text_documents_are_bounded_by_their_bytes():
    sources = [
        {"type": "text", "media_type": "text/plain", "data": "Hi"},
        {"type": "content", "content": [{"type": "text", "text": "Hi"}]},
    ]
    blocks = [{"type": "document", "source": source} for source in sources]
    assert not calls.demand(MESSAGES, messages=user(*blocks)).has_remote_content


def test_server_tools_cost_at_most_their_uses():
    tools = [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        {"type": "web_fetch_20250910", "name": "web_fetch"},
    ]
    demand = calls.demand(MESSAGES, tools=tools)
    assert demand.fees == {UnitClass.WEB_SEARCH: 3, UnitClass.WEB_FETCH: TOOL_USES_BOUND}
    assert demand.has_remote_content


@pytest.mark.parametrize(
    ("extra", "tier"),
    [
        ({}, "standard"),
        ({"service_tier": "auto"}, "standard"),
        ({"service_tier": "standard_only"}, "standard"),
        ({"speed": "fast"}, "fast"),
        ({"speed": "standard"}, "standard"),
    ],
)
def test_the_service_tier(extra, tier):
    assert calls.demand(MESSAGES, **extra).service_tier == tier


def test_count_tokens_needs_no_limit_and_gives_no_output():
    inbound = calls.decode(Surface.COUNT_TOKENS)
    outbound = calls.encode(inbound, output_limit=5, tag="t", account_field="metadata.user_id")
    assert outbound.path == "messages/count_tokens"
    assert json.loads(outbound.body) == {**calls.MINIMAL[Surface.COUNT_TOKENS], "model": "up"}
    assert not calls.demand(Surface.COUNT_TOKENS).has_output


def test_a_clamped_limit():
    inbound = calls.decode(MESSAGES, max_tokens=1000)
    assert calls.demand(MESSAGES, max_tokens=1000).output_tokens == 1000
    assert json.loads(calls.encode(inbound, output_limit=9).body)["max_tokens"] == 9
