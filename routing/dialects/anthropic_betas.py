"""The values of `anthropic-beta` that may pass, by family (pure).

Claude Code and the SDKs send new dates of a known family often; the date changes no price.
"""

import re
from collections.abc import Mapping
from typing import Final

from routing.dialects.content import refuse_beta, token_header

_VALUE: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,60}?)-(\d{4}-\d{2}-\d{2}|\d{8})")

# They change no price, or what they allow is priced by its own field or tool.
PASSED: Final = frozenset(
    {
        "advanced-tool-use",
        "advisor-tool",  # the tool itself is refused: it runs another model
        "adaptive-thinking",
        "afk-mode",
        "cache-diagnosis",
        "claude-code",
        "code-execution",  # the tool itself is refused: containers have no price
        "compact",
        "computer-use",
        "context-1m",  # priced by the rate's tiers of prompt tokens
        "context-management",
        "dev-full-thinking",
        "effort",
        "extended-cache-ttl",
        "fallback-credit",  # the fields that it allows are refused
        "fast-mode",  # `speed` is a service tier
        "fine-grained-tool-streaming",
        "inline-tools",
        "interleaved-thinking",
        "max-tokens-3-5-sonnet",
        "mcp-client",
        "message-batches",
        "mid-conversation-output-config",
        "mid-conversation-system",
        "mid-conversation-system-clear-at",
        "mid-conversation-tool-changes",
        "model-context-window-exceeded",
        "oauth",
        "output-128k",
        "output-300k",
        "pdfs",
        "prompt-caching",
        "prompt-caching-scope",
        "redact-thinking",
        "search-results",
        "server-side-fallback",  # `fallbacks` is refused
        "structured-outputs",
        "summarize-connector-text",
        "task-budgets",
        "thinking-binding-controls",
        "thinking-display-updates",
        "thinking-token-count",
        "token-counting",
        "token-efficient-tools",
        "tool-examples",
        "tool-search-tool",
        "web-fetch",
        "web-search",
    }
)
# They exist to name things that are stored at the vendor.
REFUSED: Final = frozenset(
    {
        "agent-memory",
        "files-api",
        "managed-agents",
        "mcp-tunnels",
        "message-threads",
        "skills",
        "user-profiles",
        "user-profiles-billing",
    }
)


def read(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the beta values to forward. Raises: RelayError (400) for any other."""
    values = token_header(headers, "anthropic-beta")
    for value in values:
        match = _VALUE.fullmatch(value)
        family = match.group(1) if match else ""
        if family in REFUSED:
            refuse_beta("anthropic-beta", value, "which works with things stored at the vendor")
        if family not in PASSED:
            refuse_beta("anthropic-beta", value, "which is not known here, so it has no price")
    return values
