"""How notices leave: once, after the commit, and what becomes of them when a server is away."""

import datetime as dt
import json
import threading

import pytest
from allauth.account.models import EmailAddress
from celery import Celery
from django.core.cache import cache
from django.db import connection, transaction

from accounts import deliveries, notifications
from accounts.models import Delivery, Notification
from accounts.notifications import Notice
from bananarouter.celery import app
from tests import smtp
from tests.accounts.test_sms_backends import Carrier

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)
FACTS = {"account": "Fish & <Chips>", "available": "$1.20", "threshold": "$10.00"}
LOW = Notice(
    kind="low_balance", key="low:1", name="low_balance", facts=FACTS, path="/billing",
    is_urgent=True,
)  # fmt: skip
ROUTINE = Notice(kind="security", key="device:1", name="new_device", facts={"device": "Firefox"})


@pytest.fixture
def server(settings):
    found = smtp.Server()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = (
        "127.0.0.1",
        found.port,
        False,
    )
    yield found
    found.stop()


@pytest.fixture
def carrier(settings):
    found = Carrier()
    settings.SMS_BACKEND, settings.TWILIO_URL = "accounts.sms_backends.Twilio", found.url
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC1", "token"
    yield found
    found.stop()


def verify_phone(user) -> None:
    user.phone, user.phone_verified_at = "+6581234567", NOW
    user.save(update_fields=["phone", "phone_verified_at"])


def tell(user, notice=LOW, **options) -> Notification:
    notifications.tell(user=user, notice=notice, now=NOW, **options)
    return Notification.objects.get(user=user, key=notice.key)


def row(way: str = "email") -> Delivery:
    return Delivery.objects.get(way=way)


def send(notification: Notification, *, now=NOW) -> int:
    return deliveries.send_all(notification.pk, now=now)


def parts(mail) -> tuple[str, str]:
    return mail.get_body(["plain"]).get_content(), mail.get_body(["html"]).get_content()


def test_a_mail_has_text_and_html_and_is_marked_as_a_programs(alice, server):
    notification = tell(alice)
    assert send(notification) == 1
    [mail] = server.mails
    text, html = parts(mail)
    assert server.recipients == ["alice@example.com"]
    assert mail["Subject"] == "Your balance is low"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "“Fish & <Chips>” has $1.20 left, less than $10.00." in text
    assert "http://localhost:8000/billing" in text
    assert "Fish &amp; &lt;Chips&gt;" in html
    assert "<Chips>" not in html
    assert 'href="http://localhost:8000/billing"' in html
    done = row()
    assert (done.state, done.attempts, done.done_at, done.error) == ("sent", 1, NOW, "")


def test_a_mail_speaks_the_language_of_its_reader(alice, server):
    type(alice).objects.filter(pk=alice.pk).update(language="zh-hans")
    send(tell(alice))
    text, html = parts(server.mails[0])
    assert server.mails[0]["Subject"] == "余额不足"
    assert "低于 $10.00" in text
    assert '<html lang="zh-hans">' in html


def test_what_is_sent_is_not_sent_again(alice, server):
    notification = tell(alice)
    send(notification)
    later = NOW + dt.timedelta(days=1)
    assert send(notification, now=later) == deliveries.sweep(now=later) == 0
    assert len(server.mails) == 1


def test_what_somebody_else_is_sending_is_left_alone(alice, server):
    tell(alice)
    Delivery.objects.filter(way="email").update(state="sending", next_try_at=NOW + deliveries.CLAIM)
    assert deliveries._send(row().pk, now=NOW) == ""
    assert server.mails == []


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_at_once_one_sends(alice, server, transactional_db):
    notification = tell(alice)
    start = threading.Barrier(6)

    def work() -> None:
        try:
            connection.ensure_connection()
            start.wait()
            send(notification)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.mails) == 1
    assert row().attempts == 1


def test_a_claim_whose_worker_died_ends_and_the_mail_keeps_its_name(alice, server):
    notification = tell(alice)
    server.dies_after_data = True  # taken, but nobody heard of it
    send(notification)
    server.dies_after_data = False
    assert row().state == "waiting"
    cache.clear()
    Delivery.objects.filter(way="email").update(state="sending", next_try_at=NOW + deliveries.CLAIM)
    assert deliveries.sweep(now=NOW + deliveries.CLAIM / 2) == 0
    assert deliveries.sweep(now=NOW + deliveries.CLAIM) == 1
    first, second = server.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert row().state == "sent"


def test_the_sweep_sends_what_no_task_took(alice, server):
    tell(alice)
    assert deliveries.sweep(now=NOW) == 1
    assert len(server.mails) == 1


def test_a_server_that_is_away_fails_nobody_and_is_asked_later(alice, server, settings):
    settings.EMAIL_PORT = 1
    notification = tell(alice)
    assert send(notification) == 0
    waiting = row()
    assert (waiting.state, waiting.error, waiting.attempts) == ("waiting", "away", 1)
    assert waiting.next_try_at == NOW + deliveries.WAITS[0]
    settings.EMAIL_PORT = server.port
    cache.clear()
    assert deliveries.sweep(now=NOW + deliveries.WAITS[0]) == 1
    assert (row().state, row().attempts) == ("sent", 2)


def test_a_sweep_asks_an_absent_server_once(alice, settings, server):
    settings.EMAIL_PORT = 1
    for number in range(5):
        tell(alice, Notice(kind="security", key=f"k{number}", name="new_device"))
    assert deliveries.sweep(now=NOW) == 0
    mails = Delivery.objects.filter(way="email").order_by("-attempts")
    assert list(mails.values_list("attempts", flat=True)) == [1, 0, 0, 0, 0]


def test_tries_are_bounded(alice, server):
    server.answers["RCPT"] = "451 try later"
    tell(alice)
    now = NOW
    for _ in range(len(deliveries.WAITS) + 1):
        deliveries.sweep(now=now)
        now = row().next_try_at or now
    assert (row().state, row().error) == ("failed", "refused")
    assert row().attempts == len(deliveries.WAITS) + 1
    assert deliveries.sweep(now=now + dt.timedelta(days=9)) == 0
    assert server.mails == []


def test_a_mailbox_that_does_not_exist_is_asked_once(alice, server):
    server.answers["RCPT"] = "550 no such user"
    send(tell(alice))
    assert (row().state, row().error, row().attempts) == ("failed", "refused", 1)


def test_nobody_is_written_to_at_an_address_without_proof(alice, server):
    EmailAddress.objects.update(verified=False)
    send(tell(alice))
    assert (row().state, row().error) == ("failed", "no_address")
    assert server.recipients == []


def test_an_older_address_is_forgotten_once_it_was_written_to(alice, server):
    notification = tell(alice, address="old@example.com")
    assert row().address == "old@example.com"
    send(notification)
    assert server.recipients == ["old@example.com"]
    assert row().address == ""


def test_no_log_line_repeats_an_address(alice, server, caplog):
    server.answers["RCPT"] = "550 <alice@example.com> no such user"
    with caplog.at_level(0):
        send(tell(alice))
    assert caplog.records
    assert "alice@" not in json.dumps([vars(r) for r in caplog.records], default=repr)


def test_what_is_rolled_back_is_neither_told_nor_sent(alice, django_capture_on_commit_callbacks):
    def fail() -> None:
        with transaction.atomic():
            tell(alice)
            raise ZeroDivisionError

    with django_capture_on_commit_callbacks() as callbacks, pytest.raises(ZeroDivisionError):
        fail()
    assert callbacks == []
    assert not Notification.objects.exists()


def test_a_broker_that_is_away_fails_nothing(alice, settings, django_capture_on_commit_callbacks):
    # An app of its own: what is known of a broker outlives its address.
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    away.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    away.set_current()
    try:
        with django_capture_on_commit_callbacks(execute=True):
            tell(alice)
    finally:
        app.set_current()
        away.close()
    assert row().state == "waiting"


@pytest.mark.clause("1.1-phone")
def test_an_urgent_notice_reaches_the_verified_phone_and_a_routine_one_does_not(
    alice, server, carrier
):
    verify_phone(alice)
    notifications.choose(alice, dict.fromkeys(notifications.KINDS, notifications.WAYS))
    send(tell(alice, ROUTINE))
    assert carrier.requests == []
    send(tell(alice, LOW))
    [(_path, _headers, fields)] = carrier.requests
    assert fields["To"] == "+6581234567"
    assert fields["Body"].startswith("BananaRouter: Your balance is low.")
    assert len(server.mails) == 2


def test_a_number_that_lost_its_proof_gets_no_message(alice, server, carrier):
    verify_phone(alice)
    notifications.choose(alice, {"low_balance": ["sms"]})
    notification = tell(alice)
    alice.phone_verified_at = None
    alice.save(update_fields=["phone_verified_at"])
    send(notification)
    assert (row("sms").state, row("sms").error) == ("failed", "no_phone")
    assert carrier.requests == []


def test_a_carrier_that_is_away_holds_up_no_mail(alice, server, carrier, settings):
    verify_phone(alice)
    notifications.choose(alice, {"low_balance": ["sms", "email"]})
    settings.TWILIO_URL = "http://127.0.0.1:1"
    assert send(tell(alice)) == 1
    assert (row("sms").state, row("sms").error) == ("waiting", "away")
    assert len(server.mails) == 1


def test_what_cannot_be_written_holds_up_nothing_else(alice, server):
    tell(alice, Notice(kind="security", key="no-words", name="no_such_template"))
    tell(alice)
    assert deliveries.sweep(now=NOW) == 1
    assert len(server.mails) == 1
    assert Delivery.objects.get(error="broken").state == "waiting"


def test_staff_may_send_again_what_is_done(alice, server):
    notification = tell(alice)
    assert not deliveries.send_again(row(), now=NOW)  # it is under way
    send(notification)
    assert deliveries.send_again(row(), now=NOW)
    assert send(notification) == 1
    assert len(server.mails) == 2
    assert not deliveries.send_again(row("web"), now=NOW)
