"""The pieces that a vendor's whole answers and its chunks have in common (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from routing.conversation import Citation, FinishReason, Image, Seal, SealFormat
from routing.readers.answer import dicts, mapping, word
from routing.readers.openai_chat import FINISHES
from routing.translators import arguments, media

_ENDED_BY_CALL: Final = frozenset({FinishReason.STOP, FinishReason.OTHER})


def finish_of(native: str, *, has_calls: bool, has_refusal: bool) -> FinishReason:
    """Return why an answer ended. Many vendors say `stop` to calls and refusals."""
    reason = FinishReason.ERROR if native == "error" else FINISHES.get(native)
    if reason is None:
        reason = FinishReason.OTHER
    if has_calls and reason in _ENDED_BY_CALL:
        return FinishReason.TOOL_CALLS
    if has_refusal and reason is FinishReason.STOP:
        return FinishReason.REFUSAL
    return reason


def native_finish(choice: Mapping[str, Any]) -> str:
    """Return the maker's own reason, where a reseller tells it too."""
    return word(choice.get("native_finish_reason")) or word(choice.get("finish_reason"))


def annotations(message: Mapping[str, Any]) -> Iterator[Citation]:
    """Read what a text cites; numbers count its characters."""
    for note in dicts(message.get("annotations")):
        cited = mapping(note.get("url_citation"))
        if cited.get("url"):
            yield Citation(
                url=word(cited.get("url")),
                title=word(cited.get("title")),
                cited_text=word(cited.get("content")),  # OpenRouter
                start=_count(cited.get("start_index")),
                end=_count(cited.get("end_index")),
            )


def sources(document: Mapping[str, Any]) -> Iterator[Citation]:
    """Read Perplexity's sources: of the whole answer, by no place in it (recorded 2026)."""
    titles = {
        word(found.get("url")): word(found.get("title"))
        for found in dicts(document.get("search_results"))
    }
    cited = document.get("citations")
    urls = [url for url in cited if isinstance(url, str)] if isinstance(cited, list) else []
    for url in dict.fromkeys([*urls, *titles]):
        if url:
            yield Citation(url=url, title=titles.get(url, ""))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def images(message: Mapping[str, Any]) -> Iterator[Image]:
    """Read pictures that a model made (OpenRouter's form)."""
    for item in dicts(message.get("images")):
        url = word(mapping(item.get("image_url")).get("url"))
        inline = media.split(url)
        if inline is not None:
            yield Image(mime=inline[0], data=inline[1])
        elif url:
            yield Image(url=url)


def tokens(choice: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Read the tokens' probabilities."""
    return tuple(
        token
        for token in dicts(mapping(choice.get("logprobs")).get("content"))
        if isinstance(token.get("token"), str)
    )


def google_seal(call: Mapping[str, Any]) -> Seal | None:
    """Read the seal of a call in Google's own chat completions ([mem], 2026-11)."""
    google = mapping(mapping(call.get("extra_content")).get("google"))
    data = word(google.get("thought_signature"))
    return Seal(format=SealFormat.GOOGLE, data=data) if data else None


def arguments_of(function: Mapping[str, Any]) -> str:
    """Return arguments as text; some vendors give the object itself."""
    given = function.get("arguments")
    if isinstance(given, dict):
        return arguments.as_text(given)
    return word(given)
