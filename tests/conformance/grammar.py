"""The grammar of each dialect's streams (dialects, 3.1): what order events may come in."""

from typing import Any

from tests.conformance import frames
from tests.conformance.answers import responses as responses_answers
from tests.conformance.normal import CHAT, GEMINI, MESSAGES, RESPONSES

TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def faults(dialect: str, body: bytes, *, ends_in_error: bool = False) -> list[str]:
    """Return what a stream says out of order."""
    found = (
        frames.events(body)
        if frames.is_sse(body)
        else [("", document) for document in frames.documents(body)]
    )
    if not found:
        return ["an empty stream"]
    if ends_in_error:
        return [] if _is_error(found[-1][1]) else ["the error is not the last event"]
    try:
        return CHECKS[dialect](found)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        return [f"an event of another shape: {error!r}"]


def _is_error(document: Any) -> bool:
    return isinstance(document, dict) and bool(
        document.get("error") or document.get("type") in ("error", "response.failed")
    )


def _chat(events: list[tuple[str, Any]]) -> list[str]:
    faults = ["event names"] if any(name for name, _ in events) else []
    if events[-1][1] != "[DONE]":
        faults.append("no [DONE] at the end")
    chunks = [document for _, document in events if document != "[DONE]"]
    if any(chunk["id"] != chunks[0]["id"] for chunk in chunks):
        faults.append("the id changes")
    used = [at for at, chunk in enumerate(chunks) if chunk.get("usage")]
    if used != [len(chunks) - 1] or chunks[-1]["choices"]:
        faults.append("usage is not once, in a last chunk without choices")
    return faults + _finishes([choice for chunk in chunks for choice in chunk["choices"]])


def _finishes(choices: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the ends of choices: one each, nothing after it."""
    faults = []
    finishes: dict[int, int] = {}
    for choice in choices:
        index = choice["index"]
        if index in finishes and choice["delta"]:
            faults.append("a delta after the finish")
        if choice.get("finish_reason"):
            finishes[index] = finishes.get(index, 0) + 1
    if not finishes or any(count != 1 for count in finishes.values()):
        faults.append(f"finishes: {finishes}")
    return faults


def _responses(events: list[tuple[str, Any]]) -> list[str]:
    faults = [f"event {name} holds {d.get('type')}" for name, d in events if name != d.get("type")]
    kinds = [document["type"] for _, document in events]
    numbers = [document.get("sequence_number") for _, document in events]
    if numbers != list(range(len(events))):
        faults.append(f"sequence numbers: {numbers[:8]}")
    if kinds[0] != "response.created" or kinds[-1] not in TERMINAL:
        faults.append(f"from {kinds[0]} to {kinds[-1]}")
        return faults
    documents = [document for _, document in events]
    items = {d["output_index"]: d["item"] for d in documents
             if d["type"] == "response.output_item.done"}  # fmt: skip
    told = documents[-1]["response"]["output"]
    if [items[index] for index in sorted(items)] != told:
        faults.append("the items of the end are not those that were done")
    texts = [p["text"] for i in told if i["type"] == "message" for p in i["content"] if "text" in p]
    if responses_answers.deltas(documents) != "".join(texts):
        faults.append("the deltas are not the text")
    arguments = [i["arguments"] for i in told if i["type"] == "function_call"]
    if sorted(responses_answers.argument_deltas(documents)) != sorted("".join(arguments)):
        faults.append("the deltas are not the arguments")
    return faults + _pairs(kinds)


def _pairs(kinds: list[str]) -> list[str]:
    found = []
    for opened, closed in (
        ("response.output_item.added", "response.output_item.done"),
        ("response.content_part.added", "response.content_part.done"),
        ("response.reasoning_summary_part.added", "response.reasoning_summary_part.done"),
    ):
        if kinds.count(opened) != kinds.count(closed):
            found.append(f"{opened}: {kinds.count(opened)}, {closed}: {kinds.count(closed)}")
    return found


def _messages(events: list[tuple[str, Any]]) -> list[str]:
    faults = [f"event {name} holds {d.get('type')}" for name, d in events if name != d.get("type")]
    told = [document for _, document in events if document["type"] != "ping"]
    kinds = [document["type"] for document in told]
    if kinds[0] != "message_start" or kinds[-2:] != ["message_delta", "message_stop"]:
        faults.append(f"from {kinds[0]} to {kinds[-2:]}")
    open_at, following = None, 0
    for document in told:
        kind, index = document["type"], document.get("index")
        if kind == "content_block_start":
            if open_at is not None or index != following:
                faults.append(f"block {index} starts while {open_at} is open")
            open_at, following = index, following + 1
        elif kind.startswith("content_block_"):
            if index != open_at:
                faults.append(f"{kind} of {index} while {open_at} is open")
            open_at = None if kind == "content_block_stop" else open_at
    if open_at is not None or kinds.count("message_delta") != 1:
        faults.append("a block stays open, or not one message_delta")
    return faults + _empty_blocks(told)


def _empty_blocks(told: list[dict[str, Any]]) -> list[str]:
    """Return text blocks that say nothing: Anthropic refuses them when they come back."""
    texts: dict[int, str] = {}
    for document in told:
        if document["type"] == "content_block_start":
            if document["content_block"]["type"] == "text":
                texts[document["index"]] = document["content_block"]["text"]
        elif document["type"] == "content_block_delta" and document["index"] in texts:
            texts[document["index"]] += document["delta"].get("text") or ""
    return ["an empty text block"] if "" in texts.values() else []


def _gemini(events: list[tuple[str, Any]]) -> list[str]:
    faults = ["event names"] if any(name for name, _ in events) else []
    documents = [document for _, document in events]
    if "[DONE]" in documents:
        return ["a [DONE], which Gemini does not know"]
    finished = [bool(c.get("finishReason")) for d in documents for c in d.get("candidates") or []]
    if not finished or not finished[-1]:
        faults.append("no finishReason at the end")
    if not documents[-1].get("usageMetadata"):
        faults.append("no usage in the last chunk")
    return faults


CHECKS = {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages, GEMINI: _gemini}
