"""A label is one short word."""

import pytest

from logs import labels


@pytest.mark.parametrize("text", ["a", "team-7", "eu/prod:web", "x" * 64, "2026.11", "a@b"])
def test_takes_a_word(text):
    assert labels.is_label(text)


@pytest.mark.parametrize("text", ["", "two words", "x" * 65, "-a", "naïve", "a\n", "a?", "<b>"])
def test_refuses_what_could_be_a_sentence(text):
    assert not labels.is_label(text)
