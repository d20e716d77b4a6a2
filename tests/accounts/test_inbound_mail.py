"""Mail that is delivered becomes a request, or a part of one: once, and only if signed."""

import datetime as dt

import pytest
from django.core import mail as outgoing
from django.core.cache import cache

from accounts import contact, contact_links, inbound_mail, mail_text
from accounts.models import ContactMessage, ContactRequest
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
STAMP = int(NOW.timestamp())
BODY = b"From: a@example.com\r\n\r\nHello"


@pytest.fixture(autouse=True)
def secret(settings):
    cache.clear()
    settings.INBOUND_MAIL_SECRET = "a secret of the mail server, long enough"
    return settings


def mail(text="Hello", *, number=1, sender="Eve Ott <eve@example.com>", **headers):
    fields = {
        "From": sender, "To": "contact@bananarouter.com", "Subject": "Hi",
        "Message-ID": f"<{number}@example.com>", **headers,
    }  # fmt: skip
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"{head}\r\n{text}".encode()


def receive(raw, now=NOW):
    return inbound_mail.receive(raw, now=now)


# Signatures


def test_a_signature_of_now_passes():
    inbound_mail.check(BODY, signature=inbound_mail.sign(BODY, timestamp=STAMP), now=NOW)


@pytest.mark.parametrize("off", [-301, 301, -86_400])
def test_an_old_or_early_signature_is_refused(off):
    signature = inbound_mail.sign(BODY, timestamp=STAMP + off)
    with pytest.raises(inbound_mail.NotSigned):
        inbound_mail.check(BODY, signature=signature, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "", lambda s: s[:-1], lambda s: s.replace("v1=", "v2="), lambda _: "v1=,t=",
        lambda s: s.replace(str(STAMP), str(STAMP + 1)), lambda s: s.split(",")[1],
        lambda s: s.replace(str(STAMP), "²"), lambda s: s[:-4] + "é\udc00xx", lambda s: s.upper(),
        lambda _: f"t={STAMP},v1=" + "0" * 64,
    ],
)  # fmt: skip
def test_a_changed_signature_is_refused(change):
    signature = change(inbound_mail.sign(BODY, timestamp=STAMP))
    with pytest.raises(inbound_mail.NotSigned):
        inbound_mail.check(BODY, signature=signature, now=NOW)


def test_another_body_or_secret_is_refused(settings):
    signature = inbound_mail.sign(BODY, timestamp=STAMP)
    with pytest.raises(inbound_mail.NotSigned):
        inbound_mail.check(BODY + b" ", signature=signature, now=NOW)
    settings.INBOUND_MAIL_SECRET = "another secret"
    with pytest.raises(inbound_mail.NotSigned):
        inbound_mail.check(BODY, signature=signature, now=NOW)


def test_without_a_secret_nothing_passes(settings):
    settings.INBOUND_MAIL_SECRET = ""
    signature = inbound_mail.sign(BODY, timestamp=STAMP)
    with pytest.raises(inbound_mail.NotSigned):
        inbound_mail.check(BODY, signature=signature, now=NOW)


# What becomes of a mail


@pytest.mark.clause("8-contact")
def test_a_mail_opens_a_request_and_is_acknowledged():
    assert receive(mail("Please delete me.")) == "opened"
    opened = ContactRequest.objects.get()
    assert (opened.kind, opened.source, opened.state) == ("question", "mail", "open")
    assert (opened.email, opened.sender_name) == ("eve@example.com", "Eve Ott")
    assert (opened.user, opened.proven_at) == (None, None)
    assert opened.messages.get().text == "Please delete me."
    assert outgoing.outbox[0].to == ["eve@example.com"]


def test_a_sender_is_not_believed_to_be_the_user_of_that_address():
    factories.user("alice")
    receive(mail(sender="alice@example.com"))
    assert ContactRequest.objects.get().user is None


@pytest.mark.parametrize(("to", "kind"), [("abuse", "abuse"), ("Security", "security")])
def test_the_address_says_what_it_is_about(to, kind):
    receive(mail(To=f"x@example.com, {to}@bananarouter.com"))
    assert ContactRequest.objects.get().kind == kind


def test_a_mail_counts_once_however_often_it_comes():
    assert [receive(mail()) for _ in range(3)] == ["opened", "known", "known"]
    assert ContactMessage.objects.count() == len(outgoing.outbox) == 1
    contact.close(ContactRequest.objects.get(), now=NOW)
    assert receive(mail()) == "known"
    assert ContactRequest.objects.count() == 1


def test_a_reply_is_added_and_not_acknowledged():
    receive(mail())
    opened = ContactRequest.objects.get()
    contact.answer(opened, text="Yes?", author=factories.user("staff", is_staff=True), now=NOW)
    outgoing.outbox.clear()
    reply = mail("Thanks", number=2, Subject=f"AW: got it {contact_links.subject(opened)}")
    assert [receive(reply), receive(reply)] == ["added", "known"]
    opened.refresh_from_db()
    assert opened.state == "open"
    assert [m.text for m in opened.messages.order_by("pk")] == ["Hello", "Yes?", "Thanks"]
    assert outgoing.outbox == []


def test_a_reply_to_a_closed_request_opens_another():
    receive(mail())
    first = ContactRequest.objects.get()
    contact.close(first, now=NOW)
    assert receive(mail(number=2, Subject=f"Re: {contact_links.subject(first)}")) == "opened"
    assert ContactRequest.objects.count() == 2
    assert first.messages.count() == 1


def test_a_forged_mark_in_the_subject_opens_another():
    receive(mail())
    assert receive(mail(number=2, Subject="Re: [#" + "A" * 35 + "]")) == "opened"
    assert ContactRequest.objects.count() == 2


@pytest.mark.parametrize(
    "headers",
    [{"Auto_Submitted": "auto-replied"}, {"List_Id": "<x.example.com>"}, {"Precedence": "bulk"},
     {"Return_Path": "<>"}, {"sender": "MAILER-DAEMON@example.com"}, {"sender": "nobody"},
     {"sender": "contact@bananarouter.com"}, {"sender": "X <Contact@BananaRouter.com>"}],
)  # fmt: skip
def test_programs_and_ourselves_open_nothing_and_hear_nothing(headers):
    assert receive(mail(**headers)) == "ignored"
    assert not ContactRequest.objects.exists()
    assert outgoing.outbox == []


def test_our_own_acknowledgment_would_be_ignored_when_it_came_back():
    receive(mail())
    assert receive(outgoing.outbox[0].message().as_bytes()) == "ignored"
    assert ContactMessage.objects.count() == 1


def test_a_mail_above_the_limit_is_refused():
    with pytest.raises(inbound_mail.TooLarge):
        receive(mail("x" * inbound_mail.MAIL_BYTES_MAX))
    with pytest.raises(mail_text.Unreadable):
        receive(b"X: y\r\n" * 100_000)
    assert not ContactRequest.objects.exists()
