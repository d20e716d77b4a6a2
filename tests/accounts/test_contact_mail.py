"""Mails about requests go to who asked, once, and lead back to the request."""

import datetime as dt
import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.utils import translation

from accounts import contact, contact_links, contact_mail
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def cold():
    cache.clear()


def ask(kind="question", email="alice@example.com", **about):
    return contact.open_request(
        kind=kind, source="form", email=email, subject="Hi", text="?", now=NOW, **about
    )


def verified(user):
    return user


def link(text, part):
    (found,) = re.findall(rf"http://localhost:8000/contact/{part}(\S+)", text)
    return found


def test_the_sender_hears_of_it_once(settings):
    asked = ask()
    contact_mail.acknowledge(asked)
    contact_mail.acknowledge(asked)
    (sent,) = mail.outbox
    assert sent.to == ["alice@example.com"]
    assert sent.reply_to == [settings.CONTACT_EMAIL]
    assert "2026-12-01" in sent.body
    assert contact_links.tracked(link(sent.body, "")) == asked
    assert contact_links.in_subject(sent.subject) == asked
    assert sent.message()["Auto-Submitted"] == "auto-replied"


def test_the_mail_is_in_the_language_of_the_request():
    with translation.override("zh-hans"):
        asked = ask()
    contact_mail.acknowledge(asked)
    assert "我们已收到你的来信" in mail.outbox[0].body
    assert "We have received" not in mail.outbox[0].body


def test_nobodys_mailbox_is_flooded():
    for _ in range(contact_mail.ACKNOWLEDGED_MAX + 3):
        contact_mail.acknowledge(ask())
    assert len(mail.outbox) == contact_mail.ACKNOWLEDGED_MAX
    contact_mail.acknowledge(ask(email="bob@example.com"))
    assert mail.outbox[-1].to == ["bob@example.com"]


def test_the_holder_of_a_verified_address_gets_a_link_that_proves():
    alice = verified(factories.user("alice"))
    asked = ask("deletion")
    contact_mail.acknowledge(asked)
    assert contact_links.proven(link(mail.outbox[0].body, "confirm/")) == (asked, alice)


@pytest.mark.parametrize("case", ["no account", "not verified", "not active", "question", "proven"])
def test_nobody_else_gets_one(case):
    if case != "no account":
        alice = factories.user("alice")
        EmailAddress.objects.filter(user=alice).update(verified=case != "not verified")
        alice.is_active = case != "not active"
        alice.save()
    kind = "question" if case == "question" else "access"
    contact_mail.acknowledge(ask(kind, proven=case == "proven"))
    body = mail.outbox[0].body
    assert "confirm/" not in body
    assert ("log in to your account" in body) == (case not in {"question", "proven"})


def test_an_answer_carries_the_words_and_the_link():
    asked = ask()
    contact_mail.send_answer(asked, "Use Alipay.\n\nYours")
    (sent,) = mail.outbox
    assert sent.body.startswith("Use Alipay.\n\nYours")
    assert contact_links.tracked(link(sent.body, "")) == asked


def test_a_mail_server_that_fails_fails_nothing_and_no_address_is_logged(settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    asked = ask()
    contact_mail.acknowledge(asked)
    (record,) = [record for record in caplog.records if record.name == "accounts.contact_mail"]
    assert record.getMessage() == "contact mail not sent"
    assert record.request == str(asked.public_id)
    assert "alice" not in record.getMessage()
