"""Counts tokens where a vendor does not: OpenAI's o200k, an estimate for everyone else's (pure)."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpe_openai

# The tokenizer refuses very long inputs; a cut costs one token at most.
PART_CHARS_MAX = 100_000
# What a token is on the average, in UTF-8 bytes of prose (4.2) and of code or JSON (3.3).
BYTES_PER_TOKEN = 4


class _Encoding:
    """Loads the vocabulary once: half a second and 150 MB that many processes never need."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._encoding: bpe_openai.Encoding | None = None

    @property
    def is_loaded(self) -> bool:
        return self._encoding is not None

    def get(self) -> "bpe_openai.Encoding":
        with self._lock:
            if self._encoding is None:
                import bpe_openai  # noqa: PLC0415 - the import alone takes 70 MB

                self._encoding = bpe_openai.get_encoding("o200k_base")
            return self._encoding


_encoding = _Encoding()


def load() -> None:
    """Load the vocabulary now: half a second that a worker spends beside its first requests."""
    _encoding.get()


def count(text: str) -> int:
    """Return how many tokens a text of any length has; waits for the vocabulary."""
    encoding = _encoding.get()
    starts = range(0, len(text), PART_CHARS_MAX)
    return sum(len(encoding.encode_ordinary(text[at : at + PART_CHARS_MAX])) for at in starts)


def estimate(text: str) -> int:
    """Return about how many tokens a text has, without waiting: good enough for checkpoints."""
    return count(text) if _encoding.is_loaded else of_bytes(len(text.encode(errors="replace")))


def of_bytes(size: int) -> int:
    """Return about how many tokens so many bytes of UTF-8 are."""
    return size // BYTES_PER_TOKEN
