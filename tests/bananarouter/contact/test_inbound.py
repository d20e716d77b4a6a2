"""The address where mails are delivered: signed or refused, and silent about what they say."""

import json
import time

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import inbound_mail
from accounts.models import ContactRequest

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canary-4d1f-of-a-mail"
MAIL = (
    f"From: Eve <eve-{CANARY}@example.com>\r\nSubject: {CANARY}\r\n"
    f"Message-ID: <1@example.com>\r\n\r\n{CANARY}"
).encode()


@pytest.fixture(autouse=True)
def secret(settings):
    cache.clear()
    settings.INBOUND_MAIL_SECRET = "a secret of the mail server, long enough"
    return settings


def deliver(body=MAIL, *, content_type="message/rfc822", signature=None, **headers):
    if signature is None:
        signature = inbound_mail.sign(body, timestamp=int(time.time()))
    return Client(enforce_csrf_checks=True).post(
        reverse("contact_inbound"), body, content_type=content_type,
        headers={"X-Signature": signature, **headers},
    )  # fmt: skip


def test_a_signed_mail_is_taken_as_it_is():
    response = deliver()
    assert (response.status_code, response.json()) == (200, {"status": "opened"})
    assert ContactRequest.objects.get().messages.get().text == CANARY


def test_a_signed_mail_is_taken_from_json():
    body = json.dumps({"raw": MAIL.decode()}).encode()
    assert deliver(body, content_type="application/json").json() == {"status": "opened"}
    assert ContactRequest.objects.get().messages.get().text == CANARY


@pytest.mark.parametrize("signature", ["", "t=1,v1=00", "nonsense"])
def test_an_unsigned_mail_is_refused(signature):
    response = deliver(signature=signature)
    assert (response.status_code, response.json()) == (403, {"error": "not_signed"})
    assert not ContactRequest.objects.exists()


def test_it_is_shut_without_a_secret(settings):
    signature = inbound_mail.sign(MAIL, timestamp=int(time.time()))
    settings.INBOUND_MAIL_SECRET = ""
    assert deliver(signature=signature).status_code == 403


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"raw":1}']
)
def test_json_that_holds_no_mail_opens_nothing(body):
    response = deliver(body, content_type="application/json")
    assert response.status_code in {200, 400}
    assert not ContactRequest.objects.exists()


def test_a_mail_above_the_limit_is_refused_whatever_it_says():
    assert deliver(b"x" * (inbound_mail.MAIL_BYTES_MAX + 1)).status_code == 413
    assert deliver(b"x" * (2 * inbound_mail.MAIL_BYTES_MAX + 1), signature="").status_code == 413
    assert not ContactRequest.objects.exists()


def test_only_post_is_answered():
    assert Client().get(reverse("contact_inbound")).status_code == 405


def test_no_log_line_holds_a_word_of_it(caplog, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    caplog.set_level("DEBUG")
    deliver()
    deliver(signature="")
    deliver(b"X: " + CANARY.encode() + b"\r\n" * 200_000)
    assert len(caplog.records) >= 2
    for record in caplog.records:
        if record.name != "django.db.backends":  # told at DEBUG only, which no setting prints
            assert CANARY not in record.getMessage() + repr(record.args) + repr(vars(record))
