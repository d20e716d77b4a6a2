"""One message item of a Responses stream (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from routing.conversation import Citation
from routing.translators.openai_responses.writer import Writer, delta_head

_EMPTY_TEXT = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
_EMPTY_REFUSAL = {"type": "refusal", "refusal": ""}


class Message:
    """A message: text and refusals are its parts, one open at a time."""

    __slots__ = (
        "_annotations",
        "_base",
        "_content",
        "_head",
        "_kind",
        "_length",
        "_logprobs",
        "_pieces",
        "_waiting",
        "_where",
        "_writer",
        "id",
        "index",
    )

    def __init__(self, writer: Writer, *, index: int, item_id: str) -> None:
        self._writer = writer
        self.index = index
        self.id = item_id
        self._content: list[dict[str, Any]] = []
        self._kind = ""  # of the open part: "output_text", "refusal", ""
        self._head = b""
        self._where: dict[str, Any] = {}
        self._pieces: list[str] = []
        self._length = 0  # characters of the open part
        self._base = 0  # where our own part began in it
        self._annotations: list[dict[str, Any]] = []
        self._waiting: list[Citation] = []  # sources of the whole text under way
        self._logprobs: list[dict[str, Any]] = []

    def open(self) -> bytes:
        """Write the item's beginning."""
        item = self._item("in_progress")
        return self._writer.event(
            "response.output_item.added", {"output_index": self.index, "item": item}
        )

    def text(self, text: str) -> bytes:
        """Write more text."""
        if self._kind == "output_text":
            self._pieces.append(text)
            self._length += len(text)
            return self._writer.delta(self._head, text)
        return self._begin("output_text", _EMPTY_TEXT, logprobs=[]) + self.text(text)

    def refusal(self, text: str) -> bytes:
        """Write more of a refusal."""
        if self._kind == "refusal":
            self._pieces.append(text)
            return self._writer.delta(self._head, text)
        return self._begin("refusal", _EMPTY_REFUSAL) + self.refusal(text)

    def mark(self) -> bytes:
        """Note that another text begins: it is joined to the one before, without a gap."""
        events = self._cite_whole()
        self._base = self._length
        return events

    def cite(self, citation: Citation) -> bytes:
        """Write a source; one of text that has not come yet waits for it (Anthropic's)."""
        opening = b""
        if self._kind != "output_text":
            opening = self._begin("output_text", _EMPTY_TEXT, logprobs=[])
        if citation.end is None or self._base + citation.end > self._length:
            self._waiting.append(citation)
            return opening
        return opening + self._cite(citation)

    def _cite_whole(self) -> bytes:
        waiting, self._waiting = self._waiting, []
        return b"".join(self._cite(citation) for citation in waiting)

    def _cite(self, citation: Citation) -> bytes:
        length = self._length - self._base
        start = min(max(citation.start or 0, 0), length)
        end = length if citation.end is None else citation.end
        annotation = {
            "type": "url_citation",
            "start_index": self._base + start,
            "end_index": self._base + min(max(start, end), length),
            "url": citation.url,
            "title": citation.title,
        }
        self._annotations.append(annotation)
        return self._writer.event(
            "response.output_text.annotation.added",
            {
                **self._where,
                "annotation_index": len(self._annotations) - 1,
                "annotation": annotation,
            },
        )

    def logprobs(self, tokens: Sequence[Mapping[str, Any]]) -> bytes:
        """Write the probabilities of what was just said: a delta without text."""
        opening = b""
        if self._kind != "output_text":
            opening = self._begin("output_text", _EMPTY_TEXT, logprobs=[])
        written = [_logprob(token) for token in tokens]
        self._logprobs += written
        return opening + self._writer.event(
            "response.output_text.delta", {**self._where, "delta": "", "logprobs": written}
        )

    def close(self, status: str) -> bytes:
        """Write the item's end."""
        events = self._end() if self._kind else b""
        return events + self._writer.keep(self.index, self._item(status))

    def _item(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": self._content,
        }

    def _begin(self, kind: str, part: dict[str, Any], **rest: Any) -> bytes:
        ended = self._end() if self._kind else b""
        self._kind = kind
        self._where = {
            "item_id": self.id,
            "output_index": self.index,
            "content_index": len(self._content),
        }
        self._head = delta_head(f"response.{kind}.delta", {**self._where, **rest})
        return ended + self._writer.event(
            "response.content_part.added", {**self._where, "part": part}
        )

    def _end(self) -> bytes:
        """Write the end of the open part."""
        cited = self._cite_whole()
        text = orjson.Fragment(orjson.dumps("".join(self._pieces)))
        if self._kind == "refusal":
            part: dict[str, Any] = {"type": "refusal", "refusal": text}
            done: dict[str, Any] = {"refusal": text}
        else:
            part = {
                "type": "output_text",
                "annotations": self._annotations,
                "logprobs": self._logprobs,
                "text": text,
            }
            done = {"text": text, "logprobs": self._logprobs}
        events = cited + self._writer.event(f"response.{self._kind}.done", {**self._where, **done})
        events += self._writer.event("response.content_part.done", {**self._where, "part": part})
        self._content.append(part)
        self._kind, self._pieces, self._length, self._base = "", [], 0, 0
        self._annotations, self._logprobs = [], []
        return events


def _logprob(token: Mapping[str, Any]) -> dict[str, Any]:
    """Write one token with its alternatives; the bytes, which not all vendors tell, are its own."""
    return {**_token(token), "top_logprobs": [_token(one) for one in _alternatives(token)]}


def _alternatives(token: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    given = token.get("top_logprobs")
    return [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []


def _token(token: Mapping[str, Any]) -> dict[str, Any]:
    text, told = token.get("token"), token.get("bytes")
    said = text if isinstance(text, str) else ""
    logprob = token.get("logprob")
    return {
        "token": said,
        "bytes": told if _are_bytes(told) else list(said.encode("utf-8", "replace")),
        "logprob": logprob if isinstance(logprob, (int, float)) else 0.0,
    }


def _are_bytes(value: Any) -> bool:
    return isinstance(value, list) and all(type(one) is int and 0 <= one < 256 for one in value)
