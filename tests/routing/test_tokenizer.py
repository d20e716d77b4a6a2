import json
import subprocess
import sys

import pytest
from django.conf import settings

from routing import tokenizer

# A process that has counted nothing yet: estimates, how long they took, what is loaded by then.
FRESH = """
import json, sys, time
from routing import tokenizer
began = time.monotonic()
early = [tokenizer.estimate(text) for text in ("x" * 4_000, "\u6f22" * 4)]
took_s = time.monotonic() - began
is_loaded = "bpe_openai" in sys.modules
tokenizer.load()
print(json.dumps([early, took_s, is_loaded, tokenizer.estimate("hello world")]))
"""


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


def test_a_process_estimates_by_bytes_until_it_has_loaded_then_counts():
    ended = subprocess.run(
        [sys.executable, "-c", FRESH], cwd=settings.BASE_DIR, capture_output=True, check=True
    )
    early, took_s, is_loaded, late = json.loads(ended.stdout)
    assert early == [1_000, 3]
    assert took_s < 0.05
    assert not is_loaded
    assert late == 2
