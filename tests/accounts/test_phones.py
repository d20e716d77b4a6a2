import pytest
from django.utils import timezone

from accounts import owners, phones


@pytest.mark.parametrize(
    "text", ["+8613800138000", " +86 138 0013 8000", "+86-138-0013-8000", "+86 (138) 00138000"]
)
def test_a_number_is_read_however_it_is_grouped(text):
    assert phones.parse(text) == "+8613800138000"


@pytest.mark.parametrize(
    "text", ["", "13800138000", "+86138", "+999 1", "hello", "+1 415 555 0100 0", "0" * 300]
)
def test_what_cannot_be_called_from_anywhere_is_refused(text):
    with pytest.raises(phones.NotAPhone):
        phones.parse(text)


def test_a_number_is_shown_in_groups():
    assert phones.shown("+8613800138000") == "+86 138 0013 8000"


def test_a_number_has_one_holder(alice):
    now = timezone.now()
    phones.confirm(user=alice, phone="+8613800138000", now=now)
    alice.refresh_from_db()
    assert (alice.phone, alice.phone_verified_at) == ("+8613800138000", now)
    assert phones.holder("+8613800138000") == alice
    mallory = owners.register(email="mallory@example.com")
    with pytest.raises(phones.PhoneTaken):
        phones.confirm(user=mallory, phone="+8613800138000", now=now)
    phones.confirm(user=alice, phone="+8613800138000", now=now)  # again is fine


def test_a_proof_beats_what_was_only_written_down(alice):
    alice.phone = "+8613800138000"
    alice.save()
    assert phones.holder("+8613800138000") is None
    bob = owners.register(email="bob@example.com")
    phones.confirm(user=bob, phone="+8613800138000", now=timezone.now())
    alice.refresh_from_db()
    assert alice.phone == ""
    assert phones.holder("+8613800138000") == bob


def test_a_number_can_be_forgotten(alice):
    phones.confirm(user=alice, phone="+8613800138000", now=timezone.now())
    phones.forget(user=alice)
    alice.refresh_from_db()
    assert (alice.phone, alice.phone_verified_at) == ("", None)
    assert phones.holder("+8613800138000") is None
