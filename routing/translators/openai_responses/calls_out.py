"""One item of a tool's call in a Responses stream (pure)."""

from typing import Any

from routing.translators.openai_responses.tools_in import Origin
from routing.translators.openai_responses.wrapped_input import WrappedInput
from routing.translators.openai_responses.writer import Writer, delta_head


class Call:
    """A function's call: its arguments leave as they come, calls may interleave."""

    kind = "function_call"
    field = "arguments"
    event = "response.function_call_arguments"

    def __init__(
        self, writer: Writer, *, index: int, item_id: str, call_id: str, origin: Origin
    ) -> None:
        self._writer = writer
        self.index = index
        self.id = item_id
        self.call_id = call_id
        self.origin = origin
        self._where: dict[str, Any] = {"item_id": item_id, "output_index": index}
        self._head = delta_head(f"{self.event}.delta", self._where)
        self._pieces: list[str] = []

    def open(self) -> bytes:
        """Write the item's beginning."""
        item = self._item("in_progress", "")
        return self._writer.event(
            "response.output_item.added", {"output_index": self.index, "item": item}
        )

    def text(self, text: str) -> bytes:
        """Write more of the arguments."""
        if not text:
            return b""
        self._pieces.append(text)
        return self._writer.delta(self._head, text)

    def close(self, status: str) -> bytes:
        """Write the item's end."""
        return self._done("".join(self._pieces), status)

    def _done(self, text: str, status: str) -> bytes:
        done = {**self._where, self.field: text}
        if self.kind == "function_call":
            done["name"] = self.origin.name
        events = self._writer.event(f"{self.event}.done", done)
        return events + self._writer.keep(self.index, self._item(status, text))

    def _item(self, status: str, text: str) -> dict[str, Any]:
        item: dict[str, Any] = {
            "id": self.id,
            "type": self.kind,
            "status": status,
            "call_id": self.call_id,
            "name": self.origin.name,
            self.field: text,
        }
        if self.origin.namespace:
            item["namespace"] = self.origin.namespace
        return item


class CustomCall(Call):
    """A call with free text, which the vendor gives as it is."""

    kind = "custom_tool_call"
    field = "input"
    event = "response.custom_tool_call_input"


class WrappedCall(CustomCall):
    """A call with free text that the vendor gives as the one argument of a function."""

    def open(self) -> bytes:
        """Write the item's beginning."""
        self._wrapped = WrappedInput()
        return super().open()

    def text(self, text: str) -> bytes:
        """Write the text that more of the arguments brought."""
        return super().text(self._wrapped.feed(text))

    def close(self, status: str) -> bytes:
        """Write the rest of the text, and the item's end."""
        return super().text(self._wrapped.end()) + super().close(status)


class KindCall(Call):
    """A call of a tool that OpenAI names: it has no deltas, and leaves whole."""

    def open(self) -> bytes:
        """Write nothing yet: the beginning would need the arguments."""
        return b""

    def text(self, text: str) -> bytes:
        """Keep more of the arguments."""
        self._pieces.append(text)
        return b""

    def close(self, status: str) -> bytes:
        """Write the whole item; as a plain function's where its arguments do not fit."""
        text = "".join(self._pieces)
        kind = self.origin.kind
        item = kind.call_item(self.id, self.call_id, text) if kind is not None else None
        if item is None:
            return Call.open(self) + self._done(text, status)
        added = self._writer.event(
            "response.output_item.added",
            {"output_index": self.index, "item": {**item, "status": "in_progress"}},
        )
        return added + self._writer.keep(self.index, item)
