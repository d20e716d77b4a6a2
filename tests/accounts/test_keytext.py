import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import keytext

PEPPER = "p" * 40


def test_a_key_is_prefix_30_random_and_6_checksum_characters():
    text = keytext.draw()
    assert len(text) == 45
    assert text.startswith("bnr_live_")
    assert set(text[9:]) <= set(keytext.ALPHABET)
    number = 0
    for char in text[-6:]:
        number = number * 62 + keytext.ALPHABET.index(char)
    assert number == zlib.crc32(text[:-6].encode())


def test_two_keys_differ():
    assert len({keytext.draw() for _ in range(1000)}) == 1000


def test_every_single_typo_is_noticed():
    text = keytext.draw()
    for place in range(len(text)):
        for char in ("A", "B", "~"):
            wrong = text[:place] + char + text[place + 1 :]
            assert keytext.is_well_formed(wrong) == (wrong == text)


@given(st.text(max_size=60))
def test_no_text_makes_the_check_fail(text):
    assert not keytext.is_well_formed(text)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "A", lambda t: " " + t])
def test_refuses_another_length(change):
    assert not keytext.is_well_formed(change(keytext.draw()))


def test_the_demo_key_follows_from_the_pepper():
    demo = keytext.derive_demo(PEPPER)
    assert keytext.is_well_formed(demo)
    assert demo == keytext.derive_demo(PEPPER)
    assert demo != keytext.derive_demo("q" * 40)


def test_the_demo_key_needs_a_pepper(settings):
    settings.KEY_PEPPERS = {1: ""}
    with pytest.raises(keytext.NoPepper):
        keytext.derive_demo()


def test_the_highest_version_that_is_set_mints(settings):
    settings.KEY_PEPPERS = {1: "a" * 40, 3: "c" * 40, 2: "b" * 40, 4: ""}
    peppers = keytext.peppers()
    text = keytext.draw()
    assert peppers.newest == 3
    assert peppers.digest(text) == peppers.digests(text)[3]
    assert set(peppers.digests(text)) == {1, 2, 3}
    assert len(set(peppers.digests(text).values())) == 3


def test_no_pepper_no_digest(settings):
    settings.KEY_PEPPERS = {1: ""}
    with pytest.raises(keytext.NoPepper):
        keytext.peppers().digest(keytext.draw())
