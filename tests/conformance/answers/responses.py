"""Read an answer of OpenAI Responses, whole or streamed."""

import dataclasses
from typing import Any

from tests.conformance.answers.envelopes import arguments, failed
from tests.conformance.normal import Answer, Call, Candidate, Citation, Media

TERMINAL = ("response.completed", "response.incomplete", "response.failed")
SEARCHES = ("search", None)


def read(documents: list[Any]) -> Answer:
    """Read the terminal event's response, or the one document."""
    for document in reversed(documents):
        if isinstance(document, dict) and document.get("type") in TERMINAL:
            return _sealed(_response(document["response"]), documents)
    for document in documents:
        if document.get("object") == "response" or "output" in document:
            return _response(document)
        if (fault := failed(document)) is not None:
            return fault
    return Answer(error={"message": "no terminal event"}, candidates=(Candidate(finish="error"),))


def _sealed(answer: Answer, documents: list[Any]) -> Answer:
    """Return the answer with the seals of the items' ends; the terminal event seals them anew."""
    done = [d["item"] for d in documents if d.get("type") == "response.output_item.done"]
    seals = tuple(i["encrypted_content"] for i in done if i.get("encrypted_content"))
    candidate = dataclasses.replace(answer.candidates[0], seals=seals)
    return dataclasses.replace(answer, candidates=(candidate,)) if seals else answer


def deltas(documents: list[Any]) -> str:
    """Return the text as the deltas of a stream tell it; it must be that of the terminal event."""
    return "".join(d["delta"] for d in documents if d.get("type") == "response.output_text.delta")


def argument_deltas(documents: list[Any]) -> str:
    kind = "response.function_call_arguments.delta"
    return "".join(d["delta"] for d in documents if d.get("type") == kind)


def _response(response: dict[str, Any]) -> Answer:
    items = response.get("output") or []
    searches = [i for i in items if i.get("type") == "web_search_call"]
    return Answer(
        candidates=(_candidate(response, items),),
        usage=response.get("usage") or {},
        error=response.get("error"),
        id=response.get("id") or "",
        model=response.get("model") or "",
        searches=sum((i.get("action") or {}).get("type") in SEARCHES for i in searches),
    )


def _candidate(response: dict[str, Any], items: list[dict[str, Any]]) -> Candidate:
    parts = [p for i in items if i.get("type") == "message" for p in i.get("content") or []]
    texts = [part for part in parts if part.get("type") == "output_text"]
    refusal = "".join(p.get("refusal") or "" for p in parts if p.get("type") == "refusal")
    thinking = [item for item in items if item.get("type") == "reasoning"]
    calls = tuple(call for item in items if (call := _call(item)) is not None)
    return Candidate(
        text="".join(part["text"] for part in texts),
        refusal=refusal,
        calls=calls,
        finish=_finish(response, calls, refusal),
        reasoning="".join(map(_reasoning, thinking)),
        seals=tuple(i["encrypted_content"] for i in thinking if i.get("encrypted_content")),
        citations=tuple(c for part in texts for c in _citations(part)),
        media=tuple(_image(i) for i in items if i.get("type") == "image_generation_call"),
        logprobs=tuple(
            (row["token"], round(row["logprob"], 6))
            for part in texts
            for row in part.get("logprobs") or []
        ),
    )


def _call(item: dict[str, Any]) -> Call | None:
    if item.get("type") == "function_call":
        told = arguments(item.get("arguments"))
    elif item.get("type") == "custom_tool_call":
        told = {"input": item.get("input")}
    else:
        return None
    return Call(id=item.get("call_id") or "", name=item["name"], arguments=told)


def _reasoning(item: dict[str, Any]) -> str:
    rows = item.get("content") or item.get("summary") or []
    return "\n\n".join(row.get("text") or "" for row in rows)


def _finish(response: dict[str, Any], calls: tuple[Call, ...], refusal: str) -> str:
    status = response.get("status") or "completed"
    if status == "incomplete":
        reason = (response.get("incomplete_details") or {}).get("reason")
        named = {"max_output_tokens": "length", "content_filter": "content_filter"}
        return named.get(reason, "other")
    if status != "completed":
        return "error" if status in ("failed", "cancelled") else "other"
    if calls:
        return "tool_calls"
    return "refusal" if refusal else "stop"


def _citations(part: dict[str, Any]) -> list[Citation]:
    return [
        Citation(
            url=told["url"],
            title=told.get("title") or "",
            span=part["text"][told["start_index"] : told["end_index"]],
        )
        for told in part.get("annotations") or []
        if told.get("type") == "url_citation"
    ]


def _image(item: dict[str, Any]) -> Media:
    mime = f"image/{item.get('output_format') or 'png'}"
    return Media(kind="image", mime=mime, data=(item.get("result") or "").rstrip("="))
