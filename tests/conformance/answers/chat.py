"""Read an answer of OpenAI Chat Completions, whole or streamed."""

from typing import Any

from tests.conformance.answers.envelopes import arguments, failed
from tests.conformance.normal import Answer, Call, Candidate, Citation, Media

FINISH = {
    "stop": "stop",
    "eos": "stop",
    "": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}


def read(documents: list[Any]) -> Answer:
    """Fold the documents: a stream's deltas join, a whole answer is one delta."""
    choices: dict[int, _Choice] = {}
    usage, searches, error, told = {}, [], None, {}
    for document in documents:
        if (fault := failed(document)) is not None:
            error = fault.error
        usage = _usage(document) or usage
        searches = document.get("citations") or searches
        told = {k: document.get(k) or told.get(k, "") for k in ("id", "model")}
        for choice in document.get("choices") or []:
            choices.setdefault(choice.get("index") or 0, _Choice()).take(choice)
    for choice in choices.values():
        if error is not None and choice.finish is None:
            choice.finish = "error"
    found = [choices[index].candidate(searches) for index in sorted(choices)]
    return Answer(
        candidates=tuple(found) or (Candidate(finish="error" if error else "stop"),),
        usage=usage,
        error=error,
        id=told["id"],
        model=told["model"],
    )


def _usage(document: dict[str, Any]) -> dict[str, Any]:
    usage = document.get("usage") or (document.get("x_groq") or {}).get("usage") or {}
    return usage if any(value for value in usage.values()) else {}


class _Choice:
    """What the pieces of one choice add up to."""

    def __init__(self) -> None:
        self.text = self.refusal = self.mistral = ""
        self.reasoning: dict[str, str] = {}  # by field: the same thinking is told under several
        self.details: list[dict[str, Any]] = []
        self.calls: list[dict[str, str]] = []
        self.annotations: list[dict[str, Any]] = []
        self.media: list[Media] = []
        self.audio: dict[str, str] = {}
        self.logprobs: list[tuple[str, float]] = []
        self.finish: str | None = None

    def take(self, choice: dict[str, Any]) -> None:
        if self.finish is None:
            self.finish = choice.get("finish_reason") or None
        told = choice.get("message") or choice.get("delta") or {}
        self._content(told.get("content"))
        self.refusal += told.get("refusal") or ""
        for field in ("reasoning", "reasoning_content"):
            if told.get(field):
                self.reasoning[field] = self.reasoning.get(field, "") + told[field]
        self.details += told.get("reasoning_details") or []
        self.annotations += told.get("annotations") or []
        for piece in told.get("tool_calls") or []:
            self._call(piece)
        self._rest(told)
        for row in (choice.get("logprobs") or {}).get("content") or []:
            self.logprobs.append((row["token"], round(row["logprob"], 6)))

    def _content(self, content: Any) -> None:
        if isinstance(content, str):
            self.text += content
            return
        for part in content or []:  # Mistral's thinking models
            if part.get("type") == "thinking":
                self.mistral += "".join(row.get("text", "") for row in part["thinking"])
            else:
                self.text += part.get("text", "")

    def _call(self, piece: dict[str, Any]) -> None:
        custom = piece.get("custom") or {}
        function = piece.get("function") or {}
        if custom:
            told = {"input": custom.get("input") or ""}
            function = {"name": custom.get("name"), "arguments": told}
        index, told_id, name = piece.get("index"), piece.get("id"), function.get("name")
        last = self.calls[-1] if self.calls else None
        known = [c for c in self.calls if index is not None and c["index"] == index]
        if known and not (told_id and known[-1]["id"] and told_id != known[-1]["id"]):
            call = known[-1]
        elif index is None and last and not name and not told_id:
            call = last
        else:
            call = {"index": index, "id": "", "name": "", "arguments": ""}
            self.calls.append(call)
        call["id"] = call["id"] or told_id or ""
        call["name"] += name or ""
        text = function.get("arguments")
        call["arguments"] = text if isinstance(text, dict) else call["arguments"] + (text or "")

    def _rest(self, told: dict[str, Any]) -> None:
        for image in told.get("images") or []:
            head, _, data = image["image_url"]["url"].partition(",")
            mime = head.removeprefix("data:").partition(";")[0]
            self.media.append(Media(kind="image", mime=mime, data=data.rstrip("=")))
        for field, value in (told.get("audio") or {}).items():
            if isinstance(value, str):
                self.audio[field] = self.audio.get(field, "") + value
        old = told.get("function_call") or {}
        if old.get("name"):
            self.calls.append({"index": None, "id": "", **old})

    def candidate(self, sources: list[Any]) -> Candidate:
        calls = tuple(
            Call(id=c["id"], name=c["name"], arguments=arguments(c["arguments"]))
            for c in self.calls
        )
        media = list(self.media)
        if self.audio.get("data"):
            media.append(Media(kind="audio", data=self.audio["data"].rstrip("=")))
        return Candidate(
            text=self.text or self.audio.get("transcript", ""),
            refusal=self.refusal,
            calls=calls,
            finish=self._finish(calls),
            reasoning=self._reasoning(),
            seals=tuple(_seals(self.details)),
            citations=(*_citations(self.annotations, self.text), *map(_source, sources)),
            media=tuple(media),
            logprobs=tuple(self.logprobs),
        )

    def _finish(self, calls: tuple[Call, ...]) -> str:
        finish = FINISH.get(self.finish or "", "other")
        if finish == "stop" and calls:
            return "tool_calls"
        return "refusal" if finish == "stop" and self.refusal else finish

    def _reasoning(self) -> str:
        told = [self.mistral, *self.reasoning.values()]
        pieces = [d.get("text") or d.get("summary") or "" for d in self.details]
        return max([*told, "".join(pieces)], key=len)


def _seals(details: list[dict[str, Any]]) -> list[str]:
    """Return signatures and encrypted blobs; a stream tells each of them whole."""
    found = [detail.get("signature") or detail.get("data") for detail in details]
    return [seal for seal in found if seal]


def _citations(annotations: list[dict[str, Any]], text: str) -> list[Citation]:
    found = []
    for annotation in annotations:
        told = annotation.get("url_citation") or annotation
        if annotation.get("type") == "url_citation":
            start, end = told.get("start_index"), told.get("end_index")
            span = text[start:end] if start is not None and end else None
            found.append(Citation(url=told["url"], title=told.get("title") or "", span=span))
    return found


def _source(source: Any) -> Citation:
    """Return a source of the whole answer, as Perplexity tells them."""
    if isinstance(source, str):
        return Citation(url=source)
    return Citation(url=source.get("url", ""), title=source.get("title") or "")
