"""Ready-made answers for tests/emulator.py, in the vendors' protocols."""

import json
from collections.abc import Sequence

from tests.emulator import Script

EVENT_STREAM = (("Content-Type", "text/event-stream; charset=utf-8"),)


def sse(value: object, *, event: str = "", end: str = "\n\n") -> bytes:
    """Return one event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value, separators=(',', ':'))}{end}".encode()


def whole(value: object, **options) -> Script:
    """Return a script that answers with JSON."""
    return Script(chunks=[json.dumps(value).encode()], **options)


def stream(events: Sequence[bytes], **options) -> Script:
    """Return a script that streams events."""
    return Script(headers=EVENT_STREAM, chunks=events, is_chunked=True, **options)


def error(status: int, *, headers: tuple[tuple[str, str], ...] = (), **options) -> Script:
    """Return a script that answers with an error of OpenAI's form."""
    body = {"error": {"message": "scripted", "type": "server_error", "param": None, "code": None}}
    kind = (("Content-Type", "application/json"),)
    return Script(status=status, headers=kind + headers, chunks=[json.dumps(body).encode()],
                  **options)  # fmt: skip


def chat_usage(prompt: int, completion: int) -> dict:
    return {"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion}  # fmt: skip


def chat(*, model: str = "m", text: str = "ok", prompt: int = 10, completion: int = 5,
         **options) -> Script:  # fmt: skip
    """Return a whole chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text},
              "finish_reason": "stop"}  # fmt: skip
    return whole({"id": "c1", "object": "chat.completion", "created": 1, "model": model,
                  "choices": [choice], "usage": chat_usage(prompt, completion)},
                 **options)  # fmt: skip


def chat_events(*, model: str = "m", texts: Sequence[str] = ("a", "b", "c"), prompt: int = 10,
                has_usage: bool = True) -> list[bytes]:  # fmt: skip
    """Return the events of a streamed chat completion: one token for each text."""
    frame = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model}

    def chunk(delta: dict, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return sse({**frame, "choices": [choice]})

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": text}) for text in texts]
    events.append(chunk({}, "stop"))
    if has_usage:
        events.append(sse({**frame, "choices": [], "usage": chat_usage(prompt, len(texts))}))
    return [*events, b"data: [DONE]\n\n"]


def chat_stream(*, model: str = "m", texts: Sequence[str] = ("a", "b", "c"), prompt: int = 10,
                has_usage: bool = True, **options) -> Script:  # fmt: skip
    """Return a streamed chat completion."""
    events = chat_events(model=model, texts=texts, prompt=prompt, has_usage=has_usage)
    return stream(events, **options)


def message_events(*, model: str = "m", texts: Sequence[str] = ("a", "b"),
                   prompt: int = 10) -> list[bytes]:  # fmt: skip
    """Return the events of a streamed Anthropic message."""
    usage = {"input_tokens": prompt, "output_tokens": 1}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": model, "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip
    steps: list[dict] = [{"type": "message_start", "message": message}]
    block = {"type": "text", "text": ""}
    steps.append({"type": "content_block_start", "index": 0, "content_block": block})
    steps += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in texts
    ]
    steps.append({"type": "content_block_stop", "index": 0})
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    ended = {"output_tokens": len(texts)}
    steps += [{"type": "message_delta", "delta": delta, "usage": ended}, {"type": "message_stop"}]
    return [sse(step, event=step["type"]) for step in steps]


def gemini_events(*, texts: Sequence[str] = ("a", "b"), prompt: int = 10) -> list[bytes]:
    """Return the events of a Gemini stream."""
    events = []
    for number, text in enumerate(texts, start=1):
        candidate: dict = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
        if number == len(texts):
            candidate["finishReason"] = "STOP"
        usage = {"promptTokenCount": prompt, "candidatesTokenCount": number,
                 "totalTokenCount": prompt + number}  # fmt: skip
        events.append(sse({"candidates": [candidate], "usageMetadata": usage}, end="\r\n\r\n"))
    return events
