"""Parse what was received with the official SDKs' types, and requests with their parameters' types.

The SDKs' clients fill in what they can; their types alone are strict (../shared/specs/README.md).
"""

import functools
from typing import Any

import pydantic
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types import message_create_params as anthropic_params
from google.genai import types as genai
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses import response_create_params as response_params

from tests.conformance import frames
from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES

WHOLE = {
    CHAT: ChatCompletion,
    RESPONSES: Response,
    MESSAGES: Message,
    GEMINI: genai.GenerateContentResponse,
}
EVENT = {
    CHAT: ChatCompletionChunk,
    RESPONSES: ResponseStreamEvent,
    MESSAGES: RawMessageStreamEvent,
    GEMINI: genai.GenerateContentResponse,
}
ASKED = {
    CHAT: chat_params.CompletionCreateParams,
    RESPONSES: response_params.ResponseCreateParams,
    MESSAGES: anthropic_params.MessageCreateParams,
}
# Of Gemini's request the SDK types these parts; its own parameters are not those of the wire.
GEMINI_PARTS = {
    "contents": list[genai.Content],
    "systemInstruction": genai.Content,
    "tools": list[genai.Tool],
    "toolConfig": genai.ToolConfig,
    "generationConfig": genai.GenerationConfig,
}
# What our surface adds to Chat, as OpenRouter does; the SDK's types keep unknown fields, so they
# are no fault. An event of keep-alive is Anthropic's `ping`, which its union lacks.
PING = "ping"


@functools.cache
def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(kind)


def _faults(kind: Any, document: Any) -> list[str]:
    try:
        _adapter(kind).validate_python(document)
    except pydantic.ValidationError as error:
        return [f"{_place(e['loc'])}: {e['msg']}" for e in error.errors()[:5]]
    return []


def _place(location: tuple[Any, ...]) -> str:
    return ".".join(map(str, location))[-120:]


def answer(dialect: str, body: bytes, *, is_stream: bool) -> list[str]:
    """Return what the SDK's types say against an answer or against any event of a stream."""
    documents = frames.documents(body)
    if not is_stream:
        return _faults(WHOLE[dialect], documents[0])
    found: list[str] = []
    for document in documents:
        if not _is_untyped(document):
            found += _faults(EVENT[dialect], document)
    return found[:5]


def _is_untyped(document: Any) -> bool:
    return (
        document.get("type") == PING
        or bool(document.get("error"))
        or (document.get("type") == "error")
    )


def asked(protocol: str, body: dict[str, Any]) -> list[str]:
    """Return what the SDK's types say against a request that reached a vendor."""
    if protocol == GEMINI:
        return [
            f"{name}.{fault}"
            for name, kind in GEMINI_PARTS.items()
            if name in body
            for fault in _faults(kind, body[name])
        ]
    if protocol == RESPONSES and isinstance(body.get("input"), list):
        body = {**body, "input": [_typed(item) for item in body["input"]]}
    return _exhausted(ASKED[protocol], body)


def _typed(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item as the types have it, where recorded vendors asked for less.

    They know an assistant's parts with an id only, want an id of reasoning (23 recorded requests
    sent none), and a detail of each image (4 of 5 sent none).
    """
    parts = item.get("content")
    if item.get("role") == "assistant" and isinstance(parts, list):
        return {**item, "content": "".join(part.get("text") or "" for part in parts)}
    if item.get("type") == "reasoning":
        return {"id": "rs_1", **item}
    if isinstance(parts, list):
        return {**item, "content": [_detailed(part) for part in parts]}
    return item


def _detailed(part: dict[str, Any]) -> dict[str, Any]:
    return {"detail": "auto", **part} if part["type"] == "input_image" else part


def _exhausted(kind: Any, body: dict[str, Any]) -> list[str]:
    """Validate a TypedDict; its `Iterable` fields are lazy, so they are walked, too."""
    try:
        found = _adapter(kind).validate_python(body)
        _walk(found)
    except pydantic.ValidationError as error:
        return [f"{_place(e['loc'])}: {e['msg']}" for e in error.errors()[:5]]
    return []


def _walk(value: Any) -> None:
    if isinstance(value, dict):
        for part in value.values():
            _walk(part)
    elif hasattr(value, "__iter__") and not isinstance(value, str | bytes):
        for part in value:
            _walk(part)
