"""The checker of a stream of Responses: items, parts and their numbers."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.routing.translators.grammars import Gathered, named

TERMINAL = ("response.completed", "response.incomplete", "response.failed")
_DELTAS = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "summary_text",
}
_FIELDS = {"output_text": "text", "refusal": "refusal", "summary_text": "text"}


def responses(data: bytes, *, is_finished: bool, wants_usage: bool = True) -> Gathered:
    """Check a stream of Responses."""
    del wants_usage
    documents = list(named(data))
    if documents[0]["type"] == "error":
        assert len(documents) == 1
        assert not is_finished
        return Gathered()
    assert [one["sequence_number"] for one in documents] == list(range(len(documents)))
    assert [one["type"] for one in documents[:2]] == ["response.created", "response.in_progress"]
    reading = _Responses()
    for document in documents[2:-1]:
        reading.take(document)
    last = documents[-1]
    assert last["type"] in TERMINAL
    assert not any(one["type"] in TERMINAL for one in documents[:-1])
    response = last["response"]
    assert response["status"] == last["type"].removeprefix("response.")
    assert response["output"] == [reading.done[index] for index in sorted(reading.done)]
    if is_finished:
        assert not reading.open, "an item is left open"
        assert response["usage"]["output_tokens"] >= 0
        reading.gathered.usages += 1
    else:
        assert response["status"] == "failed"
        assert response["error"]["message"]
    return reading.gathered


class _Item:
    def __init__(self, item: dict[str, Any]) -> None:
        self.id = item["id"]
        self.kind = item["type"]
        self.part = -1  # the number of its latest part
        self.open = ""  # the kind of the part that is open
        self.text = ""


class _Responses:
    def __init__(self) -> None:
        self.gathered = Gathered()
        self.items = 0
        self.ids: set[str] = set()
        self.open: dict[int, _Item] = {}
        self.done: dict[int, dict[str, Any]] = {}

    def take(self, document: dict[str, Any]) -> None:
        kind = document["type"]
        if kind == "response.output_item.added":
            self._add(document)
            return
        item = self.open[document["output_index"]]
        if kind == "response.output_item.done":
            self._done(document, item)
            return
        assert document["item_id"] == item.id
        if kind in _DELTAS:
            assert item.open == _DELTAS[kind]
            assert document.get("content_index", document.get("summary_index")) == item.part
            item.text += document["delta"]
        else:
            _TAKERS[kind](item, document)

    def _add(self, document: dict[str, Any]) -> None:
        item = document["item"]
        assert document["output_index"] == self.items, "items are counted"
        assert item["id"] not in self.ids
        self.ids.add(item["id"])
        self.open[self.items] = _Item(item)
        self.items += 1

    def _done(self, document: dict[str, Any], item: _Item) -> None:
        told = document["item"]
        assert not item.open, "a part is left open"
        assert (told["id"], told["type"]) == (item.id, item.kind)
        index = document["output_index"]
        self.done[index] = told
        del self.open[index]
        for part in told.get("content") or ():
            if part["type"] == "output_text":
                self.gathered.add(part["text"])
        if item.kind == "function_call":
            assert told["arguments"] == item.text
            assert told["call_id"]
            self.gathered.calls.append((told["name"], told["arguments"]))


def _part_added(item: _Item, document: dict[str, Any]) -> None:
    assert not item.open
    item.part += 1
    assert document.get("content_index", document.get("summary_index")) == item.part
    item.open, item.text = document["part"]["type"], ""


def _text_done(item: _Item, document: dict[str, Any]) -> None:
    assert document[_FIELDS[item.open]] == item.text


def _part_done(item: _Item, document: dict[str, Any]) -> None:
    part = document["part"]
    assert part["type"] == item.open
    assert part[_FIELDS[item.open]] == item.text
    item.open = ""


def _annotated(item: _Item, document: dict[str, Any]) -> None:
    assert item.open == "output_text"
    note = document["annotation"]
    assert 0 <= note["start_index"] <= note["end_index"] <= len(item.text)


def _call_delta(item: _Item, document: dict[str, Any]) -> None:
    assert item.kind in ("function_call", "custom_tool_call")
    item.text += document["delta"]


def _arguments_done(item: _Item, document: dict[str, Any]) -> None:
    assert document["arguments"] == item.text


def _input_done(item: _Item, document: dict[str, Any]) -> None:
    assert document["input"] == item.text


_TAKERS: Mapping[str, Callable[[_Item, dict[str, Any]], None]] = {
    "response.content_part.added": _part_added,
    "response.reasoning_summary_part.added": _part_added,
    "response.output_text.done": _text_done,
    "response.refusal.done": _text_done,
    "response.reasoning_summary_text.done": _text_done,
    "response.content_part.done": _part_done,
    "response.reasoning_summary_part.done": _part_done,
    "response.output_text.annotation.added": _annotated,
    "response.function_call_arguments.delta": _call_delta,
    "response.custom_tool_call_input.delta": _call_delta,
    "response.function_call_arguments.done": _arguments_done,
    "response.custom_tool_call_input.done": _input_done,
}
