"""What a client may ask in its own dialect and another vendor's cannot say (dialects, 5).

Each is refused with a 400 in the client's envelope before anything is sent: no part of what was
asked for is dropped in silence.
"""

import dataclasses
from typing import Any

from tests.conformance.clients import PATHS
from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES

SOUND = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
HELLO = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    RESPONSES: {"input": "hi"},
    MESSAGES: {"max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]},
    GEMINI: {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
}
LIST = {"type": "array", "items": {"type": "string"}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refused:
    """A body of `dialect` that none of `vendors` takes; the error names `field`."""

    name: str
    dialect: str
    vendors: tuple[str, ...]
    extra: dict[str, Any]
    field: str

    def body_for(self, model: str) -> dict[str, Any]:
        named = {} if self.dialect == GEMINI else {"model": model}
        return {**named, **HELLO[self.dialect], **self.extra}

    def path(self, model: str) -> str:
        return PATHS.get(self.dialect, f"/v1beta/models/{model}:generateContent")


def _chat(name: str, vendors: tuple[str, ...], field: str, **extra: Any) -> Refused:
    return Refused(name=name, dialect=CHAT, vendors=vendors, extra=extra, field=field)


def _parts(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


OTHERS = {
    CHAT: (RESPONSES, MESSAGES, GEMINI),
    RESPONSES: (CHAT, MESSAGES, GEMINI),
    MESSAGES: (CHAT, RESPONSES, GEMINI),
    GEMINI: (CHAT, RESPONSES, MESSAGES),
}
SERVER_TOOLS = {
    RESPONSES: (
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "mcp", "server_label": "x", "server_url": "https://example.com/mcp",
         "require_approval": "never"},
    ),
    MESSAGES: (
        {"type": "code_execution_20260120", "name": "code_execution"},
        {"type": "web_fetch_20250910", "name": "web_fetch"},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "computer_20250124", "name": "computer", "display_width_px": 800,
         "display_height_px": 600},
    ),
    GEMINI: ({"codeExecution": {}}, {"urlContext": {}}),
}  # fmt: skip
CASES = [
    _chat("several choices", (RESPONSES, MESSAGES), "n", n=2),
    _chat("sound", (RESPONSES, MESSAGES), "input_audio", messages=_parts(
        {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}})),
    _chat("spoken answers", (RESPONSES, MESSAGES), "modalities", modalities=["text", "audio"],
          audio={"voice": "alloy", "format": "wav"}),
    _chat("a list as root", (MESSAGES,), "response_format", response_format={
        "type": "json_schema", "json_schema": {"name": "x", "schema": LIST}}),
    _chat("an unknown role", OTHERS[CHAT], "messages", messages=[{"role": "oracle",
                                                                 "content": "hi"}]),
    _chat("an unknown part", OTHERS[CHAT], "messages", messages=_parts({"type": "smell"})),
    _chat("a result without its call", OTHERS[CHAT], "call_1", messages=[
        {"role": "user", "content": "hi"},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"}]),
    _chat("many stop sequences", (GEMINI,), "stop", stop=["1", "2", "3", "4", "5", "6"]),
    Refused(name="several candidates", dialect=GEMINI, vendors=(RESPONSES, MESSAGES),
            field="candidateCount", extra={"generationConfig": {"candidateCount": 2}}),
    Refused(name="a film", dialect=GEMINI, vendors=OTHERS[GEMINI], field="video", extra={
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "video/mp4",
                                                               "data": "AAAA"}}]}]}),
    # Vendors of Chat refuse such a conversation themselves, but for those that take it.
    Refused(name="a call without its result", dialect=MESSAGES, vendors=(RESPONSES, GEMINI),
            field="toolu_1", extra={"messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]},
                {"role": "user", "content": "and?"}]}),
    *(
        Refused(name=str(tool.get("type") or next(iter(tool))), dialect=dialect,
                vendors=OTHERS[dialect], extra={"tools": [tool]}, field="tools")
        for dialect, tools in SERVER_TOOLS.items()
        for tool in tools
    ),
]  # fmt: skip


def hello(dialect: str, model: str, *, is_stream: bool) -> tuple[str, dict[str, Any]]:
    """Return path and body of the smallest request."""
    if dialect == GEMINI:
        operation = "streamGenerateContent?alt=sse" if is_stream else "generateContent"
        return f"/v1beta/models/{model}:{operation}", HELLO[dialect]
    return PATHS[dialect], {"model": model, **HELLO[dialect], "stream": is_stream}


def pairs() -> list[tuple[Refused, str]]:
    return [(refused, vendor) for refused in CASES for vendor in refused.vendors]
