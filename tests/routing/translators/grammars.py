"""One checker of each client protocol's stream: what an official client relies on.

Each takes the bytes and how the stream ended, and returns what a client would have gathered.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from routing.surfaces import Surface

FINISH_WORDS = {"stop", "length", "tool_calls", "content_filter", "function_call", "error"}
STOP_REASONS = {
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal",
    "model_context_window_exceeded",
}  # fmt: skip

ENVELOPE = base64.b64encode(b"br1.")[:5].decode()


@dataclass
class Gathered:
    """What a client has at the end: texts by choice, and the calls of the first."""

    texts: dict[int, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments as they came
    usages: int = 0

    def add(self, text: str, choice: int = 0) -> None:
        if text:
            self.texts[choice] = self.texts.get(choice, "") + text


def strict(data: bytes) -> Any:
    """Read JSON as strictly as it is defined: no NaN, no key twice in one object."""
    return json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), "a key twice"
    return found


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def _blocks(data: bytes, end: bytes) -> list[bytes]:
    blocks = data.split(end)
    assert blocks.pop() == b"", "the last event is not whole"
    return blocks


def named(data: bytes) -> Iterator[dict[str, Any]]:
    """Tell events that have a name, which must be their type."""
    for block in _blocks(data, b"\n\n"):
        name, data_row = block.split(b"\n")
        assert name.startswith(b"event: ")
        assert data_row.startswith(b"data: ")
        document = strict(data_row[6:])
        assert document["type"] == name[7:].decode()
        yield document


# Chat completions, and the legacy ones


def chat(data: bytes, *, is_finished: bool, wants_usage: bool = True) -> Gathered:
    """Check a stream of chat completions."""
    gathered, choices = Gathered(), dict[int, _ChatChoice]()
    for chunk in _chunks(data, gathered, is_finished=is_finished, wants_usage=wants_usage):
        (told,) = chunk["choices"]
        choice = choices.setdefault(told["index"], _ChatChoice())
        choice.take(told)
    for index, choice in choices.items():
        assert choice.is_finished == is_finished, "an end for each choice, and only at the end"
        if choice.text:
            gathered.texts[index] = choice.text
    first = choices.get(0, _ChatChoice())
    gathered.calls = [(call["name"], call["arguments"]) for call in first.calls]
    assert all(arguments for _, arguments in gathered.calls) or not is_finished
    return gathered


class _ChatChoice:
    def __init__(self) -> None:
        self.has_role = self.is_finished = False
        self.text = ""
        self.calls: list[dict[str, str]] = []

    def take(self, told: dict[str, Any]) -> None:
        delta, reason = told["delta"], told["finish_reason"]
        assert not self.is_finished, "something after the end of the choice"
        assert ("role" in delta) is not self.has_role, "the role once, and first"
        self.has_role = True
        assert reason is None or reason in FINISH_WORDS
        self.is_finished = reason is not None
        self.text += delta.get("content") or ""
        for piece in delta.get("tool_calls") or ():
            self._take_call(piece)

    def _take_call(self, piece: dict[str, Any]) -> None:
        function = piece.get("function") or {
            "name": piece["custom"]["name"], "arguments": piece["custom"]["input"] or " ",
        }  # fmt: skip
        if piece["index"] == len(self.calls):
            assert isinstance(piece["id"], str)
            assert piece["id"]
            assert piece["type"] in ("function", "custom")
            self.calls.append({"name": function["name"], "arguments": ""})
        else:
            assert "id" not in piece
            assert "name" not in function
        self.calls[piece["index"]]["arguments"] += function["arguments"]


def completions(data: bytes, *, is_finished: bool, wants_usage: bool = True) -> Gathered:
    """Check a stream of legacy completions."""
    gathered, ended = Gathered(), set[int]()
    for chunk in _chunks(data, gathered, is_finished=is_finished, wants_usage=wants_usage):
        (told,) = chunk["choices"]
        assert told["index"] not in ended
        gathered.add(told["text"], told["index"])
        if told["finish_reason"] is not None:
            assert told["finish_reason"] in FINISH_WORDS
            ended.add(told["index"])
    assert bool(ended) == is_finished
    assert not is_finished or ended >= set(gathered.texts)
    return gathered


def _chunks(
    data: bytes, gathered: Gathered, *, is_finished: bool, wants_usage: bool
) -> Iterator[dict[str, Any]]:
    """Tell the chunks that hold a choice, after the end's own were checked and taken off."""
    blocks = _blocks(data, b"\n\n")
    assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks)
    assert (blocks[-1] == b"data: [DONE]") is is_finished
    chunks = [strict(block[6:]) for block in blocks[: len(blocks) - is_finished]]
    if not is_finished:
        error = chunks.pop()
        assert error["error"]["message"]
    elif wants_usage:
        last = chunks.pop()
        assert last["choices"] == []
        counted = last["usage"]
        assert counted["total_tokens"] == counted["prompt_tokens"] + counted["completion_tokens"]
        gathered.usages += 1
    heads = {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks}
    assert len(heads) <= 1
    assert not any(chunk.get("usage") or chunk.get("error") for chunk in chunks)
    yield from chunks


# Anthropic's messages


def messages(data: bytes, *, is_finished: bool, wants_usage: bool = True) -> Gathered:
    """Check a stream of messages."""
    del wants_usage
    reading = _Messages()
    for document in named(data):
        assert not reading.is_over, "something after the end"
        reading.TAKERS[document["type"]](reading, document)
    assert reading.is_over
    assert reading.is_stopped == is_finished
    return reading.gathered


class _Messages:
    DELTAS = {
        "text_delta": ("text", "text"),
        "citations_delta": ("text", "citation"),
        "thinking_delta": ("thinking", "thinking"),
        "signature_delta": ("thinking", "signature"),
        "input_json_delta": ("tool_use", "partial_json"),
    }

    def __init__(self) -> None:
        self.gathered = Gathered()
        self.is_started = self.is_ending = self.is_stopped = self.is_over = False
        self.open: str | None = None
        self.index = -1
        self.is_signed = False
        self.ids: set[str] = set()

    def start(self, document: dict[str, Any]) -> None:
        assert not self.is_started
        self.is_started = True
        message = document["message"]
        assert message["content"] == []
        assert message["stop_reason"] is None
        assert message["usage"]["input_tokens"] > 0
        assert message["usage"]["output_tokens"] > 0

    def block_start(self, document: dict[str, Any]) -> None:
        assert self.is_started
        assert not self.is_ending
        assert self.open is None, "one block at a time"
        self.index += 1
        assert document["index"] == self.index
        block = document["content_block"]
        self.open, self.is_signed = block["type"], False
        if self.open == "tool_use":
            assert re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"])
            assert block["id"] not in self.ids
            self.ids.add(block["id"])
            assert isinstance(block["name"], str)
            assert block["input"] == {}
            self.gathered.calls.append((block["name"], ""))
        else:
            assert self.open in ("text", "thinking", "redacted_thinking")

    def delta(self, document: dict[str, Any]) -> None:
        assert document["index"] == self.index
        delta = document["delta"]
        kind, name = self.DELTAS[delta["type"]]
        assert self.open == kind
        assert not self.is_signed, "the signature is a thought's last"
        self.is_signed = name == "signature"
        if name == "text":
            self.gathered.add(delta["text"])
        elif name == "partial_json":
            tool, arguments = self.gathered.calls[-1]
            self.gathered.calls[-1] = tool, arguments + delta["partial_json"]

    def block_stop(self, document: dict[str, Any]) -> None:
        assert self.open is not None
        assert document["index"] == self.index
        self.open = None

    def message_delta(self, document: dict[str, Any]) -> None:
        assert self.is_started
        assert self.open is None
        assert not self.is_ending
        self.is_ending = True
        self.gathered.usages += 1
        assert document["delta"]["stop_reason"] in STOP_REASONS
        assert document["usage"]["output_tokens"] >= 0

    def message_stop(self, _: dict[str, Any]) -> None:
        assert self.is_ending
        self.is_stopped = self.is_over = True

    def error(self, document: dict[str, Any]) -> None:
        assert not self.is_ending
        assert document["error"]["message"]
        self.is_over = True

    def ping(self, _: dict[str, Any]) -> None:
        assert self.is_started

    TAKERS: Mapping[str, Callable[["_Messages", dict[str, Any]], None]] = {
        "message_start": start,
        "content_block_start": block_start,
        "content_block_delta": delta,
        "content_block_stop": block_stop,
        "message_delta": message_delta,
        "message_stop": message_stop,
        "error": error,
        "ping": ping,
    }


# Gemini


def generate(data: bytes, *, is_finished: bool, wants_usage: bool = True) -> Gathered:
    """Check a stream of generateContent, of events or as one array."""
    del wants_usage
    if data.startswith(b"["):
        chunks = strict(data)
    else:
        blocks = _blocks(data, b"\r\n\r\n")
        assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks)
        chunks = [strict(block[6:]) for block in blocks]
    gathered = Gathered()
    last = chunks[-1]
    if is_finished:
        assert last["usageMetadata"]["totalTokenCount"] >= 0
        gathered.usages += 1
    else:
        assert chunks.pop()["error"]["message"]
    for chunk in chunks:
        is_last = is_finished and chunk is last
        assert ("usageMetadata" in chunk) is is_last
        assert is_last or len(chunk["candidates"]) == 1
        for candidate in chunk["candidates"]:
            assert ("finishReason" in candidate) is is_last
            _candidate(candidate, gathered)
    return gathered


def _candidate(candidate: dict[str, Any], gathered: Gathered) -> None:
    content, index = candidate["content"], candidate["index"]
    assert content["role"] == "model"
    assert content["parts"]
    for part in content["parts"]:
        # A vendor's own seal passes as it is; ours are base64, which the SDK decodes.
        if (seal := part.get("thoughtSignature")) and seal.startswith(ENVELOPE):
            base64.b64decode(seal, validate=True)
        if "text" in part and not part.get("thought"):
            gathered.add(part["text"], index)
        if call := part.get("functionCall"):
            assert isinstance(call["args"], dict)
            if index == 0:
                gathered.calls.append((call["name"], json.dumps(call["args"])))


CHECKS: Mapping[Surface, Callable[..., Gathered]] = {
    Surface.CHAT: chat,
    Surface.COMPLETIONS: completions,
    Surface.MESSAGES: messages,
    Surface.GENERATE: generate,
}
