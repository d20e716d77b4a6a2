"""Hand-made answers and requests for what the recordings show seldom or never."""

import base64
import json
from typing import Any

from routing import seals, sse
from routing.conversation import Seal, SealFormat
from routing.dialects.base import PathParts
from routing.surfaces import Surface
from tests.routing.translators import passage

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 12).decode()
ENVELOPES = [
    seals.wrap(Seal(format=form, data="c2VhbA==", id="rs_1"), key=key)
    for form in (SealFormat.ANTHROPIC, SealFormat.GOOGLE, SealFormat.OPENAI)
    for key in (passage.KEY, b"another account")
]
Stream = list[tuple[bytes, Any]]
_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": ["string", "null"]}, "n": {"$ref": "#/$defs/n"}},
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"n": {"anyOf": [{"enum": [1, 2]}, {"type": "null"}], "format": "int32"}},
}


def _chat(*deltas: tuple[dict[str, Any], Any], usage: Any = None) -> Stream:
    chunks: list[Any] = [
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "model": "m",
            "choices": [{"index": delta.pop("_", 0), "delta": delta, "finish_reason": reason}],
        }
        for delta, reason in deltas
    ]
    chunks.append({"id": "c", "choices": [], "usage": usage})
    return [*((b"", chunk) for chunk in chunks), (b"", b"[DONE]")]


def _piece(index: int, **function: Any) -> dict[str, Any]:
    call_id = {"id": f"call_{index}", "type": "function"} if "name" in function else {}
    return {"tool_calls": [{"index": index, **call_id, "function": function}]}


def _named(*documents: dict[str, Any]) -> Stream:
    return [(document["type"].encode(), document) for document in documents]


_USAGE = {"prompt_tokens": 9, "completion_tokens": 6, "total_tokens": 15}
_CHATS = [
    _chat(
        ({"role": "assistant", "content": None}, None),
        (_piece(0, name="f", arguments=""), None),
        (_piece(1, name="g", arguments='{"a"'), None),
        (_piece(0, arguments='{"b":'), None),
        (_piece(1, arguments=":1}"), None),
        (_piece(0, arguments="2}"), None),
        ({"content": "amid"}, None),
        ({}, "tool_calls"),
        usage=_USAGE,
    ),
    _chat(
        ({"role": "assistant", "content": "é"}, None),
        ({"_": 1, "content": "two"}, None),
        ({"reasoning_content": "hm"}, None),
        ({"refusal": "no"}, None),
        ({"audio": {"id": "a", "data": "AAAA", "transcript": "said"}}, None),
        ({"images": [{"image_url": {"url": f"data:image/png;base64,{PNG}"}}]}, None),
        ({"_": 1}, "length"),
        ({}, "stop"),
        usage=_USAGE,
    ),
    _chat(
        (
            {
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "hm",
                        "signature": "c2ln",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                    },
                    {"type": "reasoning.encrypted", "data": "ZGF0YQ==", "id": "rs_1", "index": 1},
                ]
            },
            None,
        ),
        ({"content": "so", "annotations": [{"type": "url_citation", "url_citation": {
            "url": "https://a.example/", "title": "A", "start_index": 0, "end_index": 2}}]}, None),
        (_piece(0, name="f", arguments=""), None),
        ({}, "stop"),
        usage=_USAGE,
    ),
]  # fmt: skip
_MESSAGES = [
    _named(
        {"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [],
                                              "usage": {"input_tokens": 0, "output_tokens": 0}}},
        {"type": "content_block_start", "index": 0,
         "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "signature_delta", "signature": "c2ln"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1,
         "content_block": {"type": "redacted_thinking", "data": "ZGF0YQ=="}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "é漢"}},
        {"type": "content_block_stop", "index": 2},
        {"type": "content_block_start", "index": 3,
         "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}},
        {"type": "content_block_delta", "index": 3,
         "delta": {"type": "input_json_delta", "partial_json": ""}},
        {"type": "content_block_delta", "index": 3,
         "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}},
        {"type": "content_block_stop", "index": 3},
        {"type": "ping"},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
         "usage": {"input_tokens": 12, "output_tokens": 7}},
        {"type": "message_stop"},
        {"type": "error", "error": {"type": "overloaded_error", "message": "late"}},
    ),
]  # fmt: skip
_GEMINI: list[Stream] = [
    [
        (b"", {"usageMetadata": {"trafficType": "ON_DEMAND"}}),
        (b"", {"candidates": [{"content": {"role": "model", "parts": [
            {"text": "hm", "thought": True}, {"text": "", "thoughtSignature": "c2ln"},
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "g"}},
        ]}, "index": 0}]}),
        (b"", {"candidates": [
            {"content": {"parts": [{"text": "é漢"}]}, "index": 0},
            {"content": {"parts": [{"text": "two"}]}, "index": 1, "finishReason": "SAFETY"},
        ]}),
        (b"", {"candidates": [{"finishReason": "STOP", "index": 0, "groundingMetadata": {
            "groundingChunks": [{"web": {"uri": "https://a.example/", "title": "A"}}],
            "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 5, "text": "é漢"},
                                   "groundingChunkIndices": [0]}]}}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 3,
                              "thoughtsTokenCount": 2, "totalTokenCount": 10}}),
    ],
    [(b"", {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}})],
]  # fmt: skip


def _item(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"{kind}_1", **fields}


_CALL = _item("function_call", call_id="call_1", name="f", arguments='{"a":1}', status="completed")
_DONE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [_CALL],
    "usage": {"input_tokens": 9, "output_tokens": 6, "total_tokens": 15},
}
_RESPONSES = [
    _named(
        {"type": "response.created", "response": {"id": "resp_1", "output": []}},
        {"type": "response.output_item.added", "output_index": 0,
         "item": _item("reasoning", summary=[])},
        {"type": "response.reasoning_summary_part.added", "item_id": "reasoning_1",
         "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}},
        {"type": "response.reasoning_summary_text.delta", "item_id": "reasoning_1",
         "output_index": 0, "summary_index": 0, "delta": "hm"},
        {"type": "response.output_item.done", "output_index": 0,
         "item": _item("reasoning", summary=[{"type": "summary_text", "text": "hm"}],
                       encrypted_content="c2ln")},
        {"type": "response.output_item.added", "output_index": 1,
         "item": {**_CALL, "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "function_call_1",
         "output_index": 1, "delta": '{"a":1}'},
        {"type": "response.output_item.added", "output_index": 2,
         "item": _item("message", role="assistant", content=[])},
        {"type": "response.content_part.added", "item_id": "message_1", "output_index": 2,
         "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}},
        {"type": "response.output_text.delta", "item_id": "message_1", "output_index": 2,
         "content_index": 0, "delta": "é漢"},
        {"type": "response.refusal.delta", "item_id": "message_1", "output_index": 2,
         "content_index": 1, "delta": "no"},
        {"type": "response.output_item.done", "output_index": 1, "item": _CALL},
        {"type": "response.completed", "response": _DONE},
    ),
]  # fmt: skip
_STREAMS = {
    Surface.CHAT: _CHATS,
    Surface.MESSAGES: _MESSAGES,
    Surface.GENERATE: _GEMINI,
    Surface.RESPONSES: _RESPONSES,
}


def streams(surface: Surface) -> list[Stream]:
    """Return hand-made streams of a vendor: events' names and JSON."""
    return list(_STREAMS[surface])


def wholes(surface: Surface) -> list[Any]:
    """Return hand-made whole answers of a vendor."""
    if surface is Surface.RESPONSES:
        refused = _item("message", role="assistant", content=[{"type": "refusal", "refusal": "no"}])
        return [_DONE, {**_DONE, "output": [refused, _CALL]}]
    if surface is Surface.GENERATE:
        return [event for stream in _GEMINI for _, event in stream]
    if surface is Surface.MESSAGES:
        blocks = [event["content_block"] for _, event in _MESSAGES[0] if "content_block" in event]
        usage = {"input_tokens": 9, "output_tokens": 6}
        told = {"id": "m", "type": "message", "role": "assistant", "content": blocks}
        return [{**told, "stop_reason": reason, "stop_sequence": "X", "usage": usage}
                for reason in ("stop_sequence", "refusal", "pause_turn")]  # fmt: skip
    deltas = [
        chunk["choices"][0]["delta"]
        for stream in _CHATS
        for _, chunk in stream
        if isinstance(chunk, dict) and chunk["choices"]
    ]
    return [
        {
            "id": "c",
            "object": "chat.completion",
            "choices": [
                {"index": n, "message": delta, "finish_reason": "stop", "logprobs": {"content": [
                    {"token": "a", "logprob": -1, "bytes": [97], "top_logprobs": []}]}}
                for n, delta in enumerate(deltas[:2])
            ],
            "usage": _USAGE,
        }
        for deltas in (deltas[:2], deltas[2:4], deltas[-4:])
    ]  # fmt: skip


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
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
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
            {"type": "text", "text": "Go on", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
    ],
    "tools": [{"name": "f", "input_schema": _SCHEMA, "cache_control": {"type": "ephemeral"}}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1_024}, "stop_sequences": ["x"], "top_k": 3,
    "output_config": {"effort": "max"}, "metadata": {"user_id": "u"},
}  # fmt: skip
_GEMINI_SIGNATURE = base64.b64encode(ENVELOPES[0].encode()).decode()
_GEMINI_REQUEST = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [
            {"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": PNG}},
            {"inline_data": {"mime_type": "audio/wav", "data": "UklGRg=="}}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": _GEMINI_SIGNATURE},
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
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "high"},
            {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg=="}]},
        *({"type": "reasoning", "id": f"rs_{n}", "summary": [
            {"type": "summary_text", "text": "hm"}], "encrypted_content": one}
          for n, one in enumerate(ENVELOPES)),
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f",
         "arguments": "{"},
        {"type": "function_call", "call_id": "call_2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_2", "output": [
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]},
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


def documents(data: bytes, client: Surface) -> list[Any]:
    """Return the JSON of what a client got, without the end mark."""
    if client is Surface.GENERATE and data.startswith(b"["):
        return list(json.loads(data))
    texts = [sse.data_of(event) for event in sse.Splitter().feed(data)]
    return [json.loads(text) for text in texts if text and text != b"[DONE]"]
