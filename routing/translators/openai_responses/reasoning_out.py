"""One reasoning item of a Responses stream (pure)."""

from typing import Any

import orjson

from routing.translators.openai_responses.writer import Writer, delta_head


class Thinking:
    """A reasoning item; everybody's reasoning stands in its summary, as one part."""

    __slots__ = ("_head", "_pieces", "_where", "_writer", "id", "index", "kind")

    def __init__(self, writer: Writer, *, index: int, item_id: str, kind: Any = None) -> None:
        self._writer = writer
        self.index = index
        self.id = item_id
        self.kind = kind  # whose reasoning it is, and whether a summary
        self._where: dict[str, Any] = {
            "item_id": item_id,
            "output_index": index,
            "summary_index": 0,
        }
        self._head = b""
        self._pieces: list[str] = []

    def open(self) -> bytes:
        """Write the item's beginning."""
        item = {"id": self.id, "type": "reasoning", "summary": []}
        return self._writer.event(
            "response.output_item.added", {"output_index": self.index, "item": item}
        )

    def text(self, text: str) -> bytes:
        """Write more of it."""
        opening = b""
        if not self._head:
            self._head = delta_head("response.reasoning_summary_text.delta", self._where)
            part = {"type": "summary_text", "text": ""}
            opening = self._writer.event(
                "response.reasoning_summary_part.added", {**self._where, "part": part}
            )
        self._pieces.append(text)
        return opening + self._writer.delta(self._head, text)

    def close(self, sealed: str = "") -> bytes:
        """Write the item's end, with the seal where the client wants it."""
        events = b""
        summary = []
        if self._head:
            text = orjson.Fragment(orjson.dumps("".join(self._pieces)))
            part = {"type": "summary_text", "text": text}
            events = self._writer.event(
                "response.reasoning_summary_text.done", {**self._where, "text": text}
            )
            events += self._writer.event(
                "response.reasoning_summary_part.done", {**self._where, "part": part}
            )
            summary.append(part)
        item: dict[str, Any] = {"id": self.id, "type": "reasoning", "summary": summary}
        if sealed:
            item["encrypted_content"] = sealed
        return events + self._writer.keep(self.index, item)
