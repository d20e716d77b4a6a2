"""The chapters of the guide: Markdown files of docs/guide, one for each language."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from bananarouter.pages.words import Words

FALLBACK: Final = "en"
FOLDERS: Final = {"en": "en", "zh-hans": "zh"}
# In the order of reading; each group has a heading in the list at the side.
GROUPS: Final[Sequence[tuple[Words, tuple[str, ...]]]] = (
    (_("Begin"), ("quick-start", "authentication", "models")),
    (_("Protocols"), ("openai", "anthropic", "gemini")),
    (_("Work with it"), ("streaming", "tools", "labels", "errors", "limits")),
    (_("Money and data"), ("billing", "privacy")),
)
SLUGS: Final = tuple(slug for _title, slugs in GROUPS for slug in slugs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One page of the guide; what its text leaves open is filled by guide.places."""

    slug: str
    language: str
    title: str
    lead: str  # its first paragraph
    text: str


@cache
def chapter(slug: str, language: str) -> Chapter:
    """Return a chapter in a language, else in English. Raises: KeyError."""
    if slug not in SLUGS:
        raise KeyError(slug)
    path = _file(slug, language)
    if not path.is_file():
        path = _file(slug, FALLBACK)
    text = path.read_text()
    title, lead = text.removeprefix("# ").split("\n\n", 2)[:2]
    return Chapter(slug=slug, language=language, title=title, lead=_line(lead), text=text)


def shelf(language: str) -> Sequence[tuple[Words, Sequence[Chapter]]]:
    """Return all chapters of a language by group."""
    return [(title, [chapter(slug, language) for slug in slugs]) for title, slugs in GROUPS]


def _file(slug: str, language: str) -> Path:
    folder = FOLDERS.get(language, FALLBACK)
    return Path(settings.BASE_DIR) / "docs" / "guide" / folder / f"{slug}.md"


def _line(paragraph: str) -> str:
    """Join a paragraph's lines; Chinese words are not parted by a line's end."""
    lines = paragraph.split("\n")
    joined = lines[0]
    for line in lines[1:]:
        is_latin = joined[-1:].isascii() and line[:1].isascii()
        joined += f" {line}" if is_latin else line
    return joined
