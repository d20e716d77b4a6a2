"""Read an answer of Gemini generateContent: one document, events, or an array."""

from typing import Any

from tests.conformance.answers.envelopes import failed
from tests.conformance.normal import Answer, Call, Candidate, Citation, Media

FILTERED = (
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
    "ESCALATION", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER",
)  # fmt: skip
BROKEN = (
    "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "NO_IMAGE",
)  # fmt: skip
FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
    **dict.fromkeys(FILTERED, "content_filter"),
    **dict.fromkeys(BROKEN, "error"),
}


def read(documents: list[Any]) -> Answer:
    found: dict[int, _Choice] = {}
    usage: dict[str, Any] = {}
    blocked, error, told = False, None, {"responseId": "", "modelVersion": ""}
    for document in documents:
        if (fault := failed(document)) is not None:
            error = fault.error
        usage = {**usage, **(document.get("usageMetadata") or {})}
        blocked = blocked or bool((document.get("promptFeedback") or {}).get("blockReason"))
        told = {k: document.get(k) or told[k] for k in told}
        for number, candidate in enumerate(document.get("candidates") or []):
            found.setdefault(candidate.get("index") or number, _Choice()).take(candidate)
    choices = tuple(found[index].candidate() for index in sorted(found))
    empty = "content_filter" if blocked else "error" if error else "stop"
    return Answer(
        candidates=choices or (Candidate(finish=empty),),
        usage=usage,
        error=error,
        id=told["responseId"],
        model=told["modelVersion"],
        searches=max((len(choice.queries) for choice in found.values()), default=0),
    )


class _Choice:
    def __init__(self) -> None:
        self.text = self.reasoning = ""
        self.calls: list[Call] = []
        self.seals: list[str] = []
        self.media: list[Media] = []
        self.chunks: list[dict[str, Any]] = []
        self.supports: list[dict[str, Any]] = []
        self.sources: list[dict[str, Any]] = []
        self.queries: list[str] = []
        self.logprobs: list[tuple[str, float]] = []
        self.finish = ""

    def take(self, candidate: dict[str, Any]) -> None:
        self.finish = self.finish or candidate.get("finishReason") or ""
        for part in (candidate.get("content") or {}).get("parts") or []:
            self._part(part)
        grounding = candidate.get("groundingMetadata") or {}
        self.chunks = grounding.get("groundingChunks") or self.chunks
        self.supports = grounding.get("groundingSupports") or self.supports
        self.queries = grounding.get("webSearchQueries") or self.queries
        self.sources += (candidate.get("citationMetadata") or {}).get("citations") or []
        for row in (candidate.get("logprobsResult") or {}).get("chosenCandidates") or []:
            self.logprobs.append((row["token"], round(row["logProbability"], 6)))

    def _part(self, part: dict[str, Any]) -> None:
        if part.get("thoughtSignature") and not {"toolCall", "toolResponse"} & set(part):
            self.seals.append(part["thoughtSignature"])
        if "functionCall" in part:
            told = part["functionCall"]
            call = Call(id=told.get("id") or "", name=told["name"],
                        arguments=told.get("args") or {})  # fmt: skip
            self.calls.append(call)
        elif "inlineData" in part:
            told = part["inlineData"]
            kind = told["mimeType"].partition("/")[0]
            data = told["data"].rstrip("=")
            self.media.append(Media(kind=kind, mime=told["mimeType"], data=data))
        elif part.get("thought"):
            self.reasoning += part.get("text") or ""
        else:
            self.text += part.get("text") or ""

    def candidate(self) -> Candidate:
        finish = FINISH.get(self.finish, "other" if self.finish else "stop")
        return Candidate(
            text=self.text,
            calls=tuple(self.calls),
            finish="tool_calls" if finish == "stop" and self.calls else finish,
            reasoning=self.reasoning,
            seals=tuple(self.seals),
            citations=tuple(self._citations()),
            media=tuple(self.media),
            logprobs=tuple(self.logprobs),
        )

    def _citations(self) -> list[Citation]:
        """Return each support of each source; segments count UTF-8 bytes."""
        raw = self.text.encode()
        found = [Citation(url=row["uri"], title=row.get("title") or "")
                 for row in self.sources if row.get("uri")]  # fmt: skip
        if not self.supports:
            webs = [chunk.get("web") or {} for chunk in self.chunks]
            found += [Citation(url=web["uri"], title=web.get("title") or "")
                      for web in webs if web.get("uri")]  # fmt: skip
        for support in self.supports:
            segment = support.get("segment") or {}
            span = raw[segment.get("startIndex") or 0 : segment.get("endIndex")]
            for index in support.get("groundingChunkIndices") or []:
                web = self.chunks[index].get("web") or {} if index < len(self.chunks) else {}
                if web.get("uri"):
                    found.append(Citation(url=web["uri"], title=web.get("title") or "",
                                          span=span.decode("utf-8", "replace")))  # fmt: skip
        return found
