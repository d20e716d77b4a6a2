"""A vendor's whole answer of Responses in our words (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from routing.conversation import (
    Answer,
    Choice,
    Citation,
    FinishReason,
    Image,
    Part,
    Reasoning,
    Refusal,
    Seal,
    SealFormat,
    Text,
    ToolCall,
)
from routing.translators import arguments, media

_INCOMPLETE: Final = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "max_messages": FinishReason.PAUSE,
    "steered": FinishReason.PAUSE,
}
CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}


def decode_answer(document: Mapping[str, Any]) -> Answer:
    """Read a whole answer; what cannot be read is skipped."""
    items = dicts(document.get("output"))
    parts: list[Part] = []
    logprobs: list[Mapping[str, Any]] = []
    for item in items:
        parts += parts_of(item)
        for content in dicts(item.get("content")):
            logprobs += dicts(content.get("logprobs"))
    reason, native = finish_of(document)
    return Answer(
        choices=(
            Choice(
                parts=tuple(parts), finish=reason, native_finish=native, logprobs=tuple(logprobs)
            ),
        )
    )


def finish_of(document: Mapping[str, Any]) -> tuple[FinishReason, str]:
    """Return why the answer ended, in our words and in the vendor's."""
    status = word(document.get("status"))
    if status == "incomplete":
        details = document.get("incomplete_details")
        native = word(details.get("reason")) if isinstance(details, dict) else ""
        return _INCOMPLETE.get(native, FinishReason.OTHER), native or status
    if status in ("failed", "cancelled"):
        return FinishReason.ERROR, status
    if status in ("queued", "in_progress"):  # only with `background`, which is refused
        return FinishReason.OTHER, status
    items = dicts(document.get("output"))
    if any(word(item.get("type")) in CALLS for item in items):
        return FinishReason.TOOL_CALLS, status
    if any(part.get("type") == "refusal" for item in items for part in dicts(item.get("content"))):
        return FinishReason.REFUSAL, status
    return FinishReason.STOP, status


def parts_of(item: Mapping[str, Any]) -> Iterator[Part]:
    """Read one item of the output; traces of the vendor's own tools are none of ours."""
    kind = word(item.get("type"))
    if kind == "message":
        yield from _message(item)
    elif kind == "reasoning":
        yield from _reasoning(item)
    elif kind in CALLS:
        yield ToolCall(
            id=word(item.get("call_id")) or word(item.get("id")),
            name=word(item.get("name")),
            arguments=arguments_of(item),
            is_custom=kind == "custom_tool_call",
        )
    elif kind == "image_generation_call":
        picture = image_of(item)
        if picture is not None:
            yield picture


def arguments_of(item: Mapping[str, Any]) -> str:
    """Return a call's arguments as text, also where a vendor sends an object."""
    given = item.get(CALLS[word(item.get("type"))])
    if isinstance(given, dict):
        return arguments.as_text(given)
    return word(given)


def image_of(item: Mapping[str, Any]) -> Image | None:
    """Return the picture of a generation call that has one."""
    data = word(item.get("result"))
    if not data:
        return None
    form = word(item.get("output_format")) or "png"
    return Image(mime=media.sniff(data, f"image/{form}"), data=data)


def seal_of(item: Mapping[str, Any]) -> Seal | None:
    """Return the seal of a reasoning item; which vendor's it is, the relay knows."""
    data = word(item.get("encrypted_content"))
    if not data:
        return None
    return Seal(format=SealFormat.OPENAI, data=data, id=word(item.get("id")))


def citation_of(annotation: Any) -> Citation | None:
    """Read a source of a text; None for what points into a vendor's files."""
    if not isinstance(annotation, dict) or annotation.get("type") != "url_citation":
        return None
    start, end = annotation.get("start_index"), annotation.get("end_index")
    return Citation(
        url=word(annotation.get("url")),
        title=word(annotation.get("title")),
        start=start if type(start) is int else None,
        end=end if type(end) is int else None,
        native=annotation,
    )


def _message(item: Mapping[str, Any]) -> Iterator[Part]:
    for content in dicts(item.get("content")):
        if content.get("type") == "output_text":
            text = word(content.get("text"))
            found = (citation_of(one) for one in dicts(content.get("annotations")))
            citations = tuple(citation for citation in found if citation is not None)
            if text or citations:
                yield Text(text=text, citations=citations)
        elif content.get("type") == "refusal" and word(content.get("refusal")):
            yield Refusal(text=word(content.get("refusal")))


def _reasoning(item: Mapping[str, Any]) -> Iterator[Part]:
    """Read the model's own text, then its summary; the seal stands on the last of them."""
    content, summary = joined(item.get("content")), joined(item.get("summary"))
    seal, item_id = seal_of(item), word(item.get("id"))
    if content:
        own = None if summary else seal
        yield Reasoning(text=content, format=format_of(own), id=item_id, seal=own)
    if summary or (seal is not None and not content):
        yield Reasoning(
            text=summary,
            is_summary=bool(summary),
            format=SealFormat.OPENAI,
            id=item_id,
            seal=seal,
        )


def format_of(seal: Seal | None) -> SealFormat:
    """Tell whose a model's own thoughts are: open models' (DeepSeek) are nobody's."""
    return SealFormat.UNKNOWN if seal is None else SealFormat.OPENAI


def joined(parts: Any) -> str:
    """Join the texts of reasoning as one, with an empty line between."""
    return "\n\n".join(text for part in dicts(parts) if (text := word(part.get("text"))))


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects of an array; what is none has none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def word(value: Any) -> str:
    """Return a string; "" for anything else."""
    return value if isinstance(value, str) else ""
