"""The hash of an end user's name tells users of one account apart, and nobody else anything."""

import re

import pytest

from accounts import end_users, keytext

OLD, NEW = "o" * 40, "n" * 40


@pytest.fixture(autouse=True)
def peppers(settings):
    settings.KEY_PEPPERS = {1: OLD}


def digest(name: str, account_id: int = 7) -> str | None:
    return end_users.digest(name, account_id=account_id)


def test_a_hash_is_32_hexadecimal_digits_and_the_same_each_time():
    assert re.fullmatch("[0-9a-f]{32}", digest("ann@example.com"))
    assert digest("ann@example.com") == digest("ann@example.com")
    assert digest("ann@example.com") != digest("Ann@example.com")


def test_spaces_around_a_name_do_not_matter_and_no_name_is_no_hash():
    assert digest(" ann\n") == digest("ann")
    assert digest("") is None
    assert digest(" \t") is None
    assert end_users.digests(" ", account_id=7) == []


def test_equal_names_of_two_accounts_have_nothing_in_common():
    assert digest("ann", 7) != digest("ann", 8)
    # No account's key is another's with a longer name.
    assert len({digest("1ann", 7), digest("ann", 71)}) == 2


def test_the_pepper_keys_it_and_no_other_secret_derived_of_it_does(settings):
    before = digest("ann")
    settings.KEY_PEPPERS = {1: NEW}
    assert digest("ann") != before
    assert keytext.derive(OLD, label=end_users.LABEL) != keytext.derive(
        OLD, label=keytext.DEMO_LABEL
    )


def test_after_a_rotation_both_hashes_are_searched(settings):
    before = digest("ann")
    settings.KEY_PEPPERS = {1: OLD, 2: NEW, 3: ""}
    assert end_users.digests("ann", account_id=7) == [digest("ann"), before]
    assert digest("ann") != before


def test_half_a_pair_of_surrogates_is_a_name_like_any():
    assert digest("\ud800") != digest("\udc00")


def test_without_a_pepper_nothing_is_hashed(settings):
    settings.KEY_PEPPERS = {1: ""}
    with pytest.raises(keytext.NoPepper):
        digest("ann")
