"""The text to which whoever switches debug mode on agrees: its version, in every language."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# A text that changes needs a version of its own: a test compares the hash of each.
VERSION: Final = "1"
_FOLDER = Path(__file__).parent / "consent"
_TEXTS: Final[Mapping[str, str]] = {
    language: (_FOLDER / f"debug.{language}.txt").read_text(encoding="utf-8")
    for language in ("en", "zh-hans")
}
SHA256: Final = hashlib.sha256("\0".join(_TEXTS.values()).encode()).hexdigest()


def paragraphs(language: str) -> list[str]:
    """Return the text in a language, English where it has none, a paragraph a line."""
    return _TEXTS.get(language, _TEXTS["en"]).splitlines()
