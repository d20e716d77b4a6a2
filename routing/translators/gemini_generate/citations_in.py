"""Sources of a Gemini answer (pure).

Segments count UTF-8 bytes: 6 of 6 recorded ones that the two countings part (2026). They may be
told late, and again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from routing.conversation import Citation
from routing.readers.answer import dicts, mapping
from routing.translators.gemini_generate.offsets import Offsets

CITATIONS_MAX: Final = 1_000  # of one choice
_LINK_KEYS: Final = ("uri", "sourceUri", "imageUri")


@dataclass(slots=True)
class Spot:
    """A visible text part: where it began, and where in the events its sources belong.

    `part` is its number in this chunk; -1: it was open before.
    """

    part: int
    byte: int
    char: int
    event: int


class Sources:
    """Reads the sources of one choice, each once."""

    __slots__ = ("_links", "_offsets", "_seen", "_unused")

    def __init__(self, offsets: Offsets) -> None:
        self._offsets = offsets
        self._seen: set[tuple[str, int | None, int | None]] = set()
        self._links: set[str] = set()  # those that were given
        self._unused: dict[str, str] = {}  # sources that no segment names: url -> title

    def read(
        self, candidate: dict[str, Any], spots: list[Spot], *, is_last: bool
    ) -> Iterator[tuple[int, Citation]]:
        """Give new citations, each with the place in the events where it belongs; -1: the end.

        `spots` are the text parts of this chunk, after the one that was open before it.
        """
        grounding = mapping(candidate.get("groundingMetadata"))
        chunks = [_source(chunk) for chunk in dicts(grounding.get("groundingChunks"))]
        for url, title in chunks[:CITATIONS_MAX]:
            if url and url not in self._links:
                self._unused[url] = title
        for support in dicts(grounding.get("groundingSupports")):
            segment = mapping(support.get("segment"))
            indices = support.get("groundingChunkIndices")
            for index in indices if isinstance(indices, list) else ():
                if isinstance(index, int) and 0 <= index < len(chunks):
                    yield from self._cite(*chunks[index], segment, spots)
        for told in dicts(mapping(candidate.get("citationMetadata")).get("citations")):
            yield from self._cite(*_source({"": told}), told, spots)
        if is_last:
            yield from self.rest(spots)

    def rest(self, spots: list[Spot]) -> Iterator[tuple[int, Citation]]:
        """Give the sources that no segment named."""
        unused, self._unused = self._unused, {}
        for url, title in unused.items():
            yield from self._cite(url, title, {}, spots)

    def _cite(
        self, url: str, title: str, segment: dict[str, Any], spots: list[Spot]
    ) -> Iterator[tuple[int, Citation]]:
        if not url and not title:
            return
        spot, start, end = self._place(segment, spots)
        key = (url, start, end)
        if key in self._seen or len(self._seen) >= CITATIONS_MAX:
            return
        self._seen.add(key)
        self._links.add(url)
        self._unused.pop(url, None)
        if spot is not None and start is not None and end is not None:
            start, end = start - spot.char, end - spot.char
        if start is None or end is None or not 0 <= start <= end:
            start = end = None
        citation = Citation(url=url, title=title, start=start, end=end)
        yield (spot.event if spot else -1), citation

    def _place(
        self, segment: dict[str, Any], spots: list[Spot]
    ) -> tuple[Spot | None, int | None, int | None]:
        """Return the text part of a segment, and its span in characters of the whole text."""
        end = segment.get("endIndex")
        start = segment.get("startIndex") or 0  # zero is left out
        if not isinstance(end, int) or not isinstance(start, int):
            return (spots[-1] if spots else None), None, None
        named = [s for s in spots if s.part == segment.get("partIndex")]
        if named:
            start, end = start + named[0].byte, end + named[0].byte
        spot = named[0] if named else _around(start, spots)
        return spot, self._offsets.char_of(start), self._offsets.char_of(end)


def _around(start: int, spots: list[Spot]) -> Spot | None:
    before = [spot for spot in spots if spot.byte <= start]
    return before[-1] if before else spots[0] if spots else None


def _source(chunk: dict[str, Any]) -> tuple[str, str]:
    """Return link and title of a source: of the web, a map, a picture, a document."""
    told = next((value for value in chunk.values() if isinstance(value, dict)), {})
    links = (told.get(key) for key in _LINK_KEYS)
    url = next((link for link in links if isinstance(link, str) and link), "")
    title = told.get("title")
    return url, title if isinstance(title, str) else ""
