"""Hand-made requests for what the recordings show seldom or never."""

import base64
from typing import Any

from routing import seals
from routing.conversation import Seal, SealFormat
from routing.dialects.base import PathParts
from routing.surfaces import Surface
from tests.routing.translators import passage
from tests.routing.translators.seeds import PNG

ENVELOPES = [
    seals.wrap(Seal(format=form, data="c2VhbA==", id="rs_1"), key=key)
    for form in (SealFormat.ANTHROPIC, SealFormat.GOOGLE, SealFormat.OPENAI)
    for key in (passage.KEY, b"another account")
]
_PNG_URL = f"data:image/png;base64,{PNG}"
_HOUR = {"type": "ephemeral", "ttl": "1h"}
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": ["string", "null"]}, "n": {"$ref": "#/$defs/n"}},
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"n": {"anyOf": [{"enum": [1, 2]}, {"type": "null"}], "format": "int32"}},
}


def client_bodies(client: Surface) -> list[dict[str, Any]]:
    """Return requests that change how their answers are written."""
    if client is Surface.CHAT:
        return [
            {"functions": [{"name": "f"}], "function_call": "auto"},
            {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
            {"reasoning": {"exclude": True}, "include_reasoning": False},
        ]
    if client is Surface.RESPONSES:
        function = {"type": "function", "name": "f", "parameters": _SCHEMA, "strict": True}
        return [
            {"tools": [{"type": "custom", "name": "f"}], "top_logprobs": 3},
            {"tools": [function, {"type": "local_shell"}, {"type": "apply_patch"}],
             "include": ["message.output_text.logprobs"], "instructions": "x"},
            {"tools": [{"type": "namespace", "name": "n", "description": "d",
                        "tools": [function]}]},
        ]  # fmt: skip
    return [{}]


_TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": _PNG_URL, "detail": "low"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==",
                                  "filename": "a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]},
    {"role": "user", "content": ""},
    {"role": "assistant", "content": None, "reasoning_details": [
        {"type": "reasoning.text", "text": "hm", "signature": ENVELOPES[0],
         "format": "anthropic-claude-v1"}],
     "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"id": "", "type": "function", "function": {"name": "a name / too odd", "arguments": "[]"}},
        {"id": "call_3", "type": "custom", "custom": {"name": "h", "input": "text"}}]},
    {"role": "tool", "tool_call_id": "call_3", "content": "3"},
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "1"}]},
    {"role": "tool", "tool_call_id": "", "content": "2"},
    {"role": "developer", "content": "Amid."},
    {"role": "user", "content": "Go on", "name": "alice"},
]  # fmt: skip
_CHAT_REQUEST = {
    "model": "m",
    "messages": _TURNS,
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": _SCHEMA, "strict": True}},
        {"type": "custom", "custom": {"name": "h"}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": _SCHEMA}},
    "max_completion_tokens": 3_000, "stop": ["a", "b", "c", "d", "e"], "n": 1, "seed": 7,
    "temperature": 1.5, "top_p": 0.5, "logprobs": True, "top_logprobs": 3, "logit_bias": {"1": 2},
    "reasoning_effort": "high", "service_tier": "flex", "stream": True, "user": "u",
    "modalities": ["text"], "verbosity": "low", "web_search_options": {},
}  # fmt: skip
_MESSAGES_REQUEST = {
    "model": "m", "max_tokens": 3_000, "stream": True,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "document", "title": "t", "source": {
                "type": "text", "media_type": "text/plain", "data": "plain"}}]},
        {"role": "assistant", "content": [
            *({"type": "thinking", "thinking": "hm", "signature": one} for one in ENVELOPES),
            {"type": "redacted_thinking", "data": ENVELOPES[1]},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True, "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                             "data": PNG}}]},
            {"type": "tool_result", "tool_use_id": "toolu_1"},
            {"type": "text", "text": "Go on", "cache_control": _HOUR}]},
    ],
    "tools": [{"name": "f", "input_schema": _SCHEMA, "cache_control": {"type": "ephemeral"}}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1_024}, "stop_sequences": ["x"], "top_k": 3,
    "output_config": {"effort": "max"}, "metadata": {"user_id": "u"},
}  # fmt: skip
_SIGNATURE = base64.b64encode(ENVELOPES[0].encode()).decode()
_GEMINI_REQUEST = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [
            {"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": PNG}},
            {"inline_data": {"mime_type": "audio/wav", "data": "UklGRg=="}}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": _SIGNATURE},
            {"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": {"error": "no"}}},
            {"functionResponse": {"name": "f", "response": {"$ref": "x", "output": 1}, "parts": [
                {"inlineData": {"mimeType": "image/png", "data": PNG}}]}}]},
        {"parts": [{"text": "Go on"}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": {
        "type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": True}}}}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {"maxOutputTokens": 3_000, "topK": 3, "stopSequences": ["x"],
                         "thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True},
                         "responseMimeType": "application/json", "responseJsonSchema": _SCHEMA,
                         "seed": 7, "responseLogprobs": True, "logprobs": 2},
}  # fmt: skip
_RESPONSES_REQUEST = {
    "model": "m", "instructions": "Be brief.", "max_output_tokens": 3_000, "stream": True,
    "store": False, "include": ["reasoning.encrypted_content"],
    "input": [
        {"role": "developer", "content": "First."},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": _PNG_URL, "detail": "high"},
            {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg=="}]},
        *({"type": "reasoning", "id": f"rs_{n}", "summary": [
            {"type": "summary_text", "text": "hm"}], "encrypted_content": one}
          for n, one in enumerate(ENVELOPES)),
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f",
         "arguments": "{"},
        {"type": "function_call", "call_id": "call_2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_2", "output": [
            {"type": "input_image", "image_url": _PNG_URL}]},
        {"type": "function_call_output", "call_id": "call_1", "output": "1"},
        {"type": "custom_tool_call", "call_id": "call_3", "name": "h", "input": "text"},
        {"type": "custom_tool_call_output", "call_id": "call_3", "output": "3"},
        {"role": "user", "content": "Go on"},
    ],
    "tools": [{"type": "function", "name": "f", "parameters": _SCHEMA, "strict": None},
              {"type": "custom", "name": "h", "format": {"type": "text"}},
              {"type": "web_search"}],
    "tool_choice": {"type": "allowed_tools", "mode": "required",
                    "tools": [{"type": "function", "name": "f"}]},
    "reasoning": {"effort": "minimal", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "s", "schema": _SCHEMA}},
    "top_logprobs": 3,
}  # fmt: skip
_REQUESTS = {
    Surface.CHAT: [_CHAT_REQUEST, {"model": "m", "messages": _TURNS}],
    Surface.COMPLETIONS: [
        {"model": "m", "prompt": "Once", "max_tokens": 9, "echo": False, "suffix": "", "n": 1},
        {"model": "m", "prompt": ["Once", "upon"], "stop": ["x"], "logprobs": 3, "best_of": 1},
    ],
    Surface.MESSAGES: [_MESSAGES_REQUEST, {**_MESSAGES_REQUEST, "thinking": {"type": "adaptive"}}],
    Surface.GENERATE: [_GEMINI_REQUEST],
    Surface.RESPONSES: [_RESPONSES_REQUEST],
}
for _name in ("stop", "logprobs", "web_search_options", "modalities"):
    _REQUESTS[Surface.CHAT].append({k: v for k, v in _CHAT_REQUEST.items() if k != _name})


def requests(surface: Surface) -> list[tuple[Any, PathParts]]:
    """Return hand-made requests of a client with what their paths say."""
    path = PathParts()
    if surface is Surface.GENERATE:
        path = PathParts(model="gemini-x", is_stream=True, query={"alt": "sse"})
    return [(body, path) for body in _REQUESTS[surface]]
