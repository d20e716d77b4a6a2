"""Links to requests: each for one purpose, none to be guessed."""

import datetime as dt
import uuid

import pytest
import time_machine

from accounts import contact, contact_links
from tests import factories

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


@pytest.fixture
def asked():
    return contact.open_request(
        kind="access", source="form", email="a@example.com", subject="Hi", text="?", now=NOW
    )


def test_a_word_finds_its_request(asked):
    assert contact_links.tracked(contact_links.track(asked)) == asked
    assert contact_links.in_subject(f"Re: hello {contact_links.subject(asked)} again") == asked


def test_no_other_word_finds_one(asked):
    word, mark = contact_links.track(asked), contact_links.subject(asked)
    for wrong in ("", "x", word[:-1], word[:-1] + ("A" if word[-1] != "A" else "B"),
                  asked.public_id.hex, f"{asked.public_id.hex}.", mark.strip("[]#")):  # fmt: skip
        assert contact_links.tracked(wrong) is None, wrong
    for wrong in ("", mark[:-2] + "]", mark.replace(mark[5], "-" if mark[5] != "-" else "_"),
                  "[#" + "A" * 35 + "]", "[#" + "é" * 35 + "]", word):  # fmt: skip
        assert contact_links.in_subject(wrong) is None, wrong


def test_a_words_purpose_cannot_be_changed(asked):
    alice = factories.user("alice")
    proof = contact_links.prove(asked, alice)
    assert contact_links.tracked(proof) is None
    assert contact_links.proven(contact_links.track(asked)) is None
    assert contact_links.form_id(proof) is None
    assert contact_links.proven(contact_links.form()) is None


def test_a_true_word_of_a_request_that_is_gone_finds_nothing(asked):
    word, mark = contact_links.track(asked), contact_links.subject(asked)
    asked.delete()
    assert contact_links.tracked(word) is None
    assert contact_links.in_subject(mark) is None


def test_a_proof_ends_with_time_address_and_user(asked):
    alice = factories.user("alice")
    with time_machine.travel(NOW):
        word = contact_links.prove(asked, alice)
    with time_machine.travel(NOW + dt.timedelta(seconds=contact_links.PROVE_AGE_S - 5)):
        assert contact_links.proven(word) == (asked, alice)
        alice.is_active = False
        alice.save()
        assert contact_links.proven(word) is None
        alice.is_active, alice.email = True, "other@example.com"
        alice.save()
        assert contact_links.proven(word) is None
        alice.email = "alice@example.com"
        alice.save()
    with time_machine.travel(NOW + dt.timedelta(seconds=contact_links.PROVE_AGE_S + 5)):
        assert contact_links.proven(word) is None


def test_a_forms_id_is_its_own_and_new_each_time():
    one, other = contact_links.form(), contact_links.form()
    assert contact_links.form_id(one) == contact_links.form_id(one) != contact_links.form_id(other)
    assert isinstance(contact_links.form_id(one), uuid.UUID)
    assert contact_links.form_id("forged") is None
