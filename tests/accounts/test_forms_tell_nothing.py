"""Nobody learns from our answers, or from the work behind them, whether an address is known."""

import re

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests import factories, mailbox

pytestmark = pytest.mark.django_db
KNOWN, UNKNOWN = "alice@example.com", "ellen@example.com"  # of one length
VARYING = {"Content-Security-Policy", "Expires"}  # a nonce, the clock


@pytest.fixture(autouse=True)
def alice():
    return factories.user("alice", password=factories.PASSWORD)


@pytest.fixture
def hashings(monkeypatch):
    """Every time that the expensive hash is computed."""
    done: list[str] = []
    for name in ("encode", "verify"):
        real = getattr(Argon2PasswordHasher, name)

        def counted(self, *args, _real=real, _name=name, **kwargs):
            done.append(_name)
            return _real(self, *args, **kwargs)

        monkeypatch.setattr(Argon2PasswordHasher, name, counted)
    return done


def told(response) -> tuple:
    """An answer without what differs anyhow: tokens, and what the visitor typed."""
    text = re.sub(r'(name="csrfmiddlewaretoken" value=")[^"]*', r"\1", response.content.decode())
    for typed in (KNOWN, UNKNOWN):
        text = text.replace(typed, "TYPED")
    headers = {name: value for name, value in response.items() if name not in VARYING}
    return response.status_code, headers, sorted(response.cookies), text


def dialogue(posts) -> list:
    """What a new visitor is answered to each form; redirects are followed by themselves."""
    client = Client()
    answers = []
    for name, fields in posts:
        response = client.post(reverse(name), fields)
        answers.append(told(response))
        while response.status_code == 302:
            response = client.get(response["Location"])
            answers.append(told(response))
    return answers


def sign_up_with(address):
    username = "new" + address.partition("@")[0]
    fields = {
        "email": address, "username": username, "password1": factories.PASSWORD,
        "phone": "+8613800138000", "accepts_policies": "on",
    }  # fmt: skip
    wrong = ("account_email_verification_sent", {"code": "0000-0000"})
    return [("account_signup", fields), wrong, wrong, wrong]


def log_in_with(address):
    return [("account_login", {"login": address, "password": "wrong"})]


def reset_with(address):
    wrong = ("account_confirm_password_reset_code", {"code": "0000-0000"})
    return [("account_reset_password", {"email": address}), wrong, wrong, wrong]


def code_with(address):
    wrong = ("account_confirm_login_code", {"code": "0000-0000"})
    return [("account_request_login_code", {"email": address}), wrong, wrong, wrong]


@pytest.mark.parametrize("posts", [sign_up_with, log_in_with, reset_with, code_with])
def test_known_and_unknown_addresses_get_the_same_answers(posts, hashings):
    known = dialogue(posts(KNOWN))
    work_for_known, mails = list(hashings), len(mail.outbox)
    hashings.clear()
    unknown = dialogue(posts(UNKNOWN))
    assert known == unknown
    assert len(hashings) == len(work_for_known)
    assert len(mail.outbox) == 2 * mails


def test_the_comparison_sees_a_difference():
    client = Client()
    assert told(client.get("/accounts/login/")) != told(client.get("/accounts/signup/"))


def test_a_sign_up_with_a_known_address_makes_nobody_and_tells_the_owner():
    dialogue(sign_up_with(KNOWN)[:1])
    assert User.objects.count() == 1
    assert mailbox.subjects(KNOWN) == ["You have an account already"]


@pytest.mark.parametrize("login", [KNOWN, "alice", UNKNOWN, "ellen"])
def test_each_try_to_log_in_hashes_once(login, hashings):
    Client().post(reverse("account_login"), {"login": login, "password": "wrong"})
    assert len(hashings) == 1


def test_a_user_without_a_password_costs_as_much(alice, hashings):
    alice.set_unusable_password()
    alice.save()
    Client().post(reverse("account_login"), {"login": KNOWN, "password": "wrong"})
    assert len(hashings) == 1


@pytest.mark.parametrize("posts", [reset_with, code_with])
def test_an_unknown_address_is_told_by_mail_alone(posts):
    dialogue(posts(UNKNOWN))
    assert mailbox.subjects(UNKNOWN) == ["There is no account with this address"]
    assert not re.search(r"\d{4}-\d{4}", mail.outbox[-1].body)


def test_a_taken_phone_is_no_matter_until_its_code_was_typed(alice, capsys):
    """Only who gets the message can learn that somebody else has the number."""
    alice.phone, alice.phone_verified_at = "+8613800138000", alice.date_joined
    alice.save()
    client = Client()
    factories.sign_up(client, "bob", phone="+86 138 0013 8000")
    response = factories.prove_address(client, "bob", follow=True)
    assert response.redirect_chain[-1][0] == reverse("account_verify_phone")
    code = re.search(r"SMS to \+8613800138000: (\d{6})", capsys.readouterr().out).group(1)
    page = client.post(reverse("account_verify_phone"), {"code": "000000"}).content.decode()
    assert "Another user has this number" not in page
    page = client.post(reverse("account_verify_phone"), {"code": code}).content.decode()
    assert "Another user has this number" in page
