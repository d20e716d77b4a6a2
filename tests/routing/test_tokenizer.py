import time

import pytest

from routing import tokenizer


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("hello", 1), ("hello world", 2), ("🍌" * 3, 6), ("\ud800", 1)]
)
def test_counts(text, tokens):
    assert tokenizer.count(text) == tokens


def test_counts_texts_of_any_length():
    text = "The quick brown fox jumps over the lazy dog. " * 60_000
    assert tokenizer.count(text) == pytest.approx(10 * 60_000, rel=0.01)


def test_special_tokens_are_text_like_any_other():
    assert tokenizer.count("<|endoftext|>") > 1


def test_estimates_by_bytes_until_loaded(monkeypatch):
    monkeypatch.setattr(tokenizer, "_encoding", tokenizer._Encoding())
    started = time.monotonic()
    assert tokenizer.estimate("x" * 4_000) == 1_000
    assert tokenizer.estimate("漢" * 4) == 3
    assert time.monotonic() - started < 0.05
    assert not tokenizer._encoding.is_loaded


def test_counts_exactly_once_loaded(monkeypatch):
    monkeypatch.setattr(tokenizer, "_encoding", tokenizer._Encoding())
    tokenizer.load()
    assert tokenizer.estimate("hello world") == 2
