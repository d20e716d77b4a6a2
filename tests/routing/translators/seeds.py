"""Hand-made answers for what the recordings show seldom or never."""

import base64
import json
from typing import Any

from routing import sse
from routing.surfaces import Surface

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 12).decode()
Stream = list[tuple[bytes, Any]]


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
    [(b"", {"promptFeedback": {"blockReason": "SAFETY"},
            "usageMetadata": {"promptTokenCount": 5}})],
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


def documents(data: bytes, client: Surface) -> list[Any]:
    """Return the JSON of what a client got, without the end mark."""
    if client is Surface.GENERATE and data.startswith(b"["):
        return list(json.loads(data))
    texts = [sse.data_of(event) for event in sse.Splitter().feed(data)]
    return [json.loads(text) for text in texts if text and text != b"[DONE]"]


def unsign(document: dict[str, Any]) -> None:
    """Take the seals out of a chunk of Gemini's."""
    for candidate in document.get("candidates") or ():
        for part in candidate["content"].get("parts") or ():
            part.pop("thoughtSignature", None)
