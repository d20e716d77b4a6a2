"""`reasoning_details`: OpenRouter's carrier of any vendor's reasoning and seals (pure)."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from routing import seals
from routing.conversation import Image, Part, Reasoning, Seal, SealFormat, Text, ToolCall
from routing.readers.answer import dicts, word

TEXT: Final = "reasoning.text"
SUMMARY: Final = "reasoning.summary"
ENCRYPTED: Final = "reasoning.encrypted"
_FORMATS: Final[Mapping[str, SealFormat]] = {form.value: form for form in SealFormat}


def format_of(value: Any) -> SealFormat:
    """Read a format; one that a client's accumulator wrote several times over is the same.

    OpenAI's Python SDK joins all strings of a delta's list entry but `type` (3.54.0, 2026-11).
    """
    name = word(value)
    found = _FORMATS.get(name)
    if found is not None:
        return found
    for known, form in _FORMATS.items():
        if name and name == known * (len(name) // len(known)):
            return form
    return SealFormat.UNKNOWN


class Details:
    """Reads a whole list: reasoning in order, and the seals that stand on calls or texts.

    Entries of one index may be pieces of a stream that a client gave back unjoined.
    """

    def __init__(self, entries: Any, *, seal_key: bytes = b"") -> None:
        self.seals: list[Seal] = []  # Google's; `id` names the call, "" where it is none
        self._seal_key = seal_key
        self._parts: list[_Part] = []
        for entry in dicts(entries):
            self._take(entry)

    @property
    def reasoning(self) -> tuple[Reasoning, ...]:
        """What was thought."""
        parts = (part.reasoning() for part in self._parts)
        return tuple(part for part in parts if part.text or part.seal is not None)

    def _take(self, entry: Mapping[str, Any]) -> None:
        kind = entry.get("type")
        if kind == ENCRYPTED:
            self._take_encrypted(entry)
        elif kind in (TEXT, SUMMARY):
            self._take_text(entry, is_summary=kind == SUMMARY)

    def _take_text(self, entry: Mapping[str, Any], *, is_summary: bool) -> None:
        form = format_of(entry.get("format"))
        part = self._parts[-1] if self._parts else None
        if part is None or not part.goes_on(entry.get("index"), form, is_summary=is_summary):
            part = _Part(entry.get("index"), form, is_summary=is_summary)
            self._parts.append(part)
        part.texts.append(word(entry.get("summary" if is_summary else "text")))
        part.id = part.id or word(entry.get("id"))
        seal = self._opened(Seal(format=part.form, data=word(entry.get("signature"))))
        if seal is not None:
            part.seal = seal

    def _take_encrypted(self, entry: Mapping[str, Any]) -> None:
        form = format_of(entry.get("format"))
        seal = self._opened(
            Seal(
                format=form,
                data=word(entry.get("data")),
                id=word(entry.get("id")),
                is_redacted=form is SealFormat.ANTHROPIC,
            )
        )
        if seal is None:
            return
        part = self._parts[-1] if self._parts else None
        if seal.format is SealFormat.GOOGLE:
            self.seals.append(seal)
        elif seal.is_redacted or part is None or part.seal is not None or part.form is not form:
            alone = _Part(entry.get("index"), seal.format, is_summary=False)
            alone.seal = seal
            self._parts.append(alone)
        else:
            part.seal = seal

    def _opened(self, seal: Seal) -> Seal | None:
        """Return the seal itself; what stands in an envelope of ours comes out of it."""
        if not seals.is_envelope(seal.data):
            return seal if seal.data else None
        return seals.unwrap(seal.data, key=self._seal_key) if self._seal_key else None


class _Part:
    """One piece of reasoning under way."""

    def __init__(self, index: Any, form: SealFormat, *, is_summary: bool) -> None:
        self.index = index
        self.form = form
        self.is_summary = is_summary
        self.texts: list[str] = []
        self.seal: Seal | None = None
        self.id = ""

    def goes_on(self, index: Any, form: SealFormat, *, is_summary: bool) -> bool:
        """Tell whether an entry is more of this part."""
        return (
            self.seal is None
            and self.is_summary == is_summary
            and (index is None or index == self.index)
            and form in (self.form, SealFormat.UNKNOWN)
        )

    def reasoning(self) -> Reasoning:
        return Reasoning(
            text="".join(self.texts),
            is_summary=self.is_summary,
            format=self.form,
            seal=self.seal,
            id=self.id or (self.seal.id if self.seal else ""),
        )


def sealed(found: list[Part], loose: list[Seal]) -> list[Part]:
    """Put Google's seals back: onto the call that they name, else the text, else the first call.

    Of parallel calls only the first carries one (recorded 2026).
    """
    for seal in loose:
        bare = Seal(format=seal.format, data=seal.data)
        index = _place(found, seal)
        if index is None:
            calls = (i for i, part in enumerate(found) if isinstance(part, ToolCall))
            found.insert(next(calls, len(found)), Text(text="", seal=bare))
        else:
            found[index] = msgspec.structs.replace(found[index], seal=bare)
    return found


def _place(found: list[Part], seal: Seal) -> int | None:
    calls = [(i, part) for i, part in enumerate(found) if isinstance(part, ToolCall)]
    named = [i for i, call in calls if seal.id and call.id == seal.id and call.seal is None]
    texts = [
        i for i, part in enumerate(found) if isinstance(part, (Text, Image)) and part.seal is None
    ]
    if named or texts:
        return named[0] if named else texts[-1]
    is_free = calls and all(call.seal is None for _, call in calls)
    return calls[0][0] if is_free else None
