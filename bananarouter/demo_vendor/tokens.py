"""Counts and pieces of text by a real tokenizer."""

import functools
import hashlib
from collections import OrderedDict

import bpe_openai

# The tokenizer refuses very long inputs.
CHARS_MAX = 100_000
# OpenAI caches prompts of 1,024 tokens and more, in steps of 128 (prompt caching guide, 2026-08).
CACHED_TOKENS_MIN = 1_024
CACHED_TOKENS_STEP = 128
PREFIXES_MAX = 4_096


@functools.cache
def _encoding() -> bpe_openai.Encoding:
    return bpe_openai.get_encoding("o200k_base")


def encode(text: str) -> list[int]:
    """Return the tokens of a text of any length."""
    parts = (text[at : at + CHARS_MAX] for at in range(0, len(text), CHARS_MAX))
    return [token for part in parts for token in _encoding().encode_ordinary(part)]


def count(text: str) -> int:
    """Return how many tokens a text has."""
    return len(encode(text))


def pieces(text: str, *, tokens_max: int | None = None) -> list[str]:
    """Cut a text into one string for each token, at most `tokens_max`; they join to the text.

    A character that spans tokens stands whole in the last of them, so strings may be empty.
    """
    found: list[str] = []
    held = b""
    for token in encode(text)[:tokens_max]:
        held += _encoding().decode_single_token_bytes(token)
        try:
            found.append(held.decode())
            held = b""
        except UnicodeDecodeError:
            found.append("")
    return found


class PromptCache:
    """Remembers digests of long prompts, as vendors do, to say how much of one was cached."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def read(self, prompt: list[int]) -> int:
        """Return how many leading tokens were seen before, and remember the prompt."""
        cached = 0
        digest = hashlib.sha256()
        end = 0
        for length in range(CACHED_TOKENS_MIN, len(prompt) + 1, CACHED_TOKENS_STEP):
            digest.update(repr(prompt[end:length]).encode())
            end = length
            key = digest.digest()
            if key in self._seen:
                cached = length
                self._seen.move_to_end(key)
            self._seen[key] = None
        while len(self._seen) > PREFIXES_MAX:
            self._seen.popitem(last=False)
        return cached
