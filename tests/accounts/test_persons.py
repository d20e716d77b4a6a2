"""Who is the same person: spellings of a mailbox, networks, and domains that tell nobody."""

import pytest

from accounts import keytext, persons


@pytest.mark.parametrize(("one", "other"), [
    ("eve@example.com", " Eve@EXAMPLE.com "),
    ("eve@example.com", "eve+trial@example.com"),
    ("eve.smith@gmail.com", "evesmith@gmail.com"),
    ("eve@gmail.com", "E.V.E+x.y@googlemail.com"),
])  # fmt: skip
def test_spellings_of_one_mailbox_are_one_person(one, other):
    assert persons.mailbox(one) == persons.mailbox(other)
    assert persons.email_digest(one) == persons.email_digest(other)


@pytest.mark.parametrize(("one", "other"), [
    ("eve@example.com", "eva@example.com"),
    ("eve@example.com", "eve@example.org"),
    ("eve.smith@example.com", "evesmith@example.com"),
    ("+1@example.com", "+2@example.com"),
])  # fmt: skip
def test_other_mailboxes_are_other_people(one, other):
    assert persons.email_digest(one) != persons.email_digest(other)


@pytest.mark.parametrize(("one", "other", "is_same"), [
    ("192.0.2.1", "192.0.2.254", True),
    ("192.0.2.1", "192.0.3.1", False),
    ("192.0.2.1", "::ffff:192.0.2.9", True),
    ("2001:db8:1::1", "2001:db8:1:ffff::9", True),
    ("2001:db8:1::1", "2001:db8:2::1", False),
    ("", "unknown", False),
])  # fmt: skip
def test_a_network_is_a_24_or_a_48(one, other, is_same):
    assert (persons.network_digest(one) == persons.network_digest(other)) is is_same


def test_digests_are_keyed_and_of_one_purpose_each(settings):
    text = "192.0.2.1"
    found = {persons.email_digest(text), persons.phone_digest(text), persons.network_digest(text)}
    assert len(found) == 3
    assert all(len(digest) == 32 for digest in found)
    before = persons.phone_digest("+15550100")
    settings.KEY_PEPPERS = {1: "another pepper of thirty-two characters or more"}
    assert persons.phone_digest("+15550100") != before


def test_a_new_pepper_does_not_make_new_people(settings):
    before = persons.email_digest("eve@example.com")
    settings.KEY_PEPPERS = {**settings.KEY_PEPPERS, 2: "a later pepper of thirty-two characters"}
    assert persons.email_digest("eve@example.com") == before


def test_without_a_secret_there_is_no_digest(settings):
    settings.KEY_PEPPERS = {1: ""}
    with pytest.raises(keytext.NoPepper):
        persons.email_digest("eve@example.com")


@pytest.mark.parametrize(("address", "is_disposable"), [
    ("eve@mailinator.com", True),
    ("eve@MAILINATOR.COM", True),
    ("eve@deep.sub.mailinator.com", True),
    ("eve@notmailinator.com", False),
    ("eve@gmail.com", False),
    ("eve@example.com", False),
    ("eve@com", False),
    ("", False),
])  # fmt: skip
def test_throwaway_domains_are_known_with_their_subdomains(address, is_disposable):
    assert persons.is_disposable(address) is is_disposable


def test_an_operator_adds_domains(settings, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("# ours\n\nThrow.Example # a reason\n")
    assert not persons.is_disposable("eve@a.throw.example")
    settings.TRIAL_BLOCKED_DOMAINS = more
    assert persons.is_disposable("eve@a.throw.example")
    assert persons.is_disposable("eve@mailinator.com")
    assert not persons.is_disposable("eve@example.com")


def test_the_list_is_sorted_and_says_each_once():
    lines = [line for line in persons.LISTED.read_text().splitlines() if not line.startswith("#")]
    assert lines == sorted(set(lines))
    assert all("." in line and line == line.strip().lower() for line in lines)
