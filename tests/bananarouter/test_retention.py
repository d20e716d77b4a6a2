"""What accounts and billing remember of people ends by the table, a step at a time."""

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.template import Context, Template
from django.utils import timezone, translation

from accounts import contact, expiry
from accounts.models import ContactMessage, ContactRequest, Invitation, User
from accounts.timeids import DAY
from billing.models import Order, Trial, WebhookEvent
from logs import holds, removal, tasks
from logs.models import RequestLog, RetentionRun
from tests import factories
from tests.billing.payment_rows import order

pytestmark = pytest.mark.django_db


def run(now):
    return removal.run(now=now, actor="test", is_forced=True)


def ask(account, **fields):
    values = {
        "kind": "question", "source": "form", "email": "a@example.com", "subject": "s",
        "due_at": timezone.now(), "account": account, **fields,
    }  # fmt: skip
    made = ContactRequest.objects.create(**values)
    ContactMessage.objects.create(request=made, text="please")
    return made


@pytest.mark.clause("4.3-legal-hold")
def test_what_people_wrote_ends_a_year_after_it_was_closed_and_stays_while_held():
    alice, bob = (factories.account_of(factories.user(name)) for name in ("alice", "bob"))
    now = timezone.now()
    old = now - 366 * DAY
    kept = [
        ask(None, state=contact.State.OPEN, due_at=old),
        ask(bob, state=contact.State.CLOSED, closed_at=now - 364 * DAY),
        ask(alice, state=contact.State.CLOSED, closed_at=old),
    ]
    ask(bob, state=contact.State.CLOSED, closed_at=old)
    ask(None, state=contact.State.ANSWERED, due_at=old)
    made = holds.ask(account_id=alice.pk, reason="r", ends_at=now + DAY, actor="a", now=now)
    holds.approve(made.pk, actor="b", now=now)
    assert removal.preview(now=now)["contact_requests"] == (2, 1)
    assert run(now).removed == {"contact_requests": 2}
    assert set(ContactRequest.objects.all()) == set(kept)
    assert ContactMessage.objects.count() == 3
    holds.end(made.pk, actor="a", now=now)
    assert run(now).removed == {"contact_requests": 1}


def test_invitations_sessions_and_staffs_traces_end():
    alice = factories.user("alice")
    account = factories.account_of(alice)
    now = timezone.now()
    for n, fields in enumerate([
        {"expires_at": now - 31 * DAY},
        {"expires_at": now + DAY, "accepted_at": now - 31 * DAY},
        {"expires_at": now + DAY, "revoked_at": now - 31 * DAY},
        {"expires_at": now - 29 * DAY},
    ]):  # fmt: skip
        Invitation.objects.create(
            account=account, email=f"x{n}@example.com", role="developer", digest=bytes([n]) * 32,
            **fields,
        )  # fmt: skip
    for name, end in (("over", now - dt.timedelta(seconds=1)), ("runs", now + DAY)):
        Session.objects.create(session_key=name, session_data="", expire_date=end)
    for age in (366, 364):
        made = LogEntry.objects.create(
            user=alice, action_flag=2, object_repr="x",
            content_type=ContentType.objects.get_for_model(User),
        )  # fmt: skip
        LogEntry.objects.filter(pk=made.pk).update(action_time=now - age * DAY)
    assert run(now).removed == {"invitations": 3, "sessions": 1, "audit": 1}
    assert Session.objects.get().session_key == "runs"


def test_digests_against_fraud_end_and_orders_stay():
    account = factories.account_of(factories.user("alice"))
    now = timezone.now()
    for age in (8, 6, 181):
        order(
            {"wallet": account.pk}, created_at=now - age * DAY, network_digest=b"n" * 32,
            card_digest=b"c" * 32,
        ).save(force_insert=True)  # fmt: skip
    assert run(now).removed == {"network_digests": 2, "card_digests": 1}
    told = Order.objects.order_by("created_at").values_list("network_digest", "card_digest")
    assert [(len(bytes(a)), len(bytes(b))) for a, b in told] == [(0, 0), (0, 32), (32, 32)]
    assert run(now).removed == {}


def test_who_had_a_trial_is_forgotten_after_two_years_and_the_trial_stays():
    now = timezone.now()
    for name, age in (("alice", 731), ("bob", 729)):
        account, digest = factories.account_of(factories.user(name)), name.encode().ljust(32)
        Trial.objects.create(
            account=account, amount_nusd=1, granted_at=now - age * DAY, expires_at=now,
            email_digest=digest, phone_digest=digest, network_digest=b"",
        )  # fmt: skip
    assert run(now).removed == {"trial_digests": 1}
    told = Trial.objects.order_by("granted_at").values_list("email_digest", "phone_digest")
    assert [(a is None, b is None) for a, b in told] == [(True, True), (False, False)]
    assert run(now).removed == {}


def test_a_legal_hold_keeps_who_had_a_trial():
    now = timezone.now()
    account = factories.account_of(factories.user("alice"))
    Trial.objects.create(
        account=account, amount_nusd=1, granted_at=now - 731 * DAY, expires_at=now,
        email_digest=b"e" * 32, network_digest=b"",
    )  # fmt: skip
    (rule,) = (one for one in removal.expiries() if one.record == "trial_digests")
    assert rule.due(now, held=[account.pk]).count() == 0
    assert rule.kept(now, held=[account.pk]) == 1


def test_notices_end_when_they_were_applied_long_ago():
    now = timezone.now()
    for name, applied in (("old", now - 181 * DAY), ("new", now - DAY), ("waiting", None)):
        WebhookEvent.objects.create(
            processor="stripe", event_id=name, kind="paid", sha256=b"", notice={},
            received_at=now - 200 * DAY, applied_at=applied,
        )  # fmt: skip
    assert run(now).removed == {"webhook_events": 1}
    assert set(WebhookEvent.objects.values_list("event_id", flat=True)) == {"new", "waiting"}


def test_long_lists_go_in_steps(monkeypatch):
    monkeypatch.setattr(expiry, "STEP_ROWS", 2)
    now = timezone.now()
    for n in range(5):
        Session.objects.create(session_key=f"s{n}", session_data="", expire_date=now - DAY)
    report = removal.run(now=now, actor="test", steps_max=2)
    assert (report.removed, report.is_complete) == ({"sessions": 4}, False)
    assert run(now).removed == {"sessions": 1}


# The edges


def test_the_task_runs_once_an_hour():
    factories.request(factories.account_of(factories.user("alice")))
    Session.objects.create(session_key="s", session_data="", expire_date=timezone.now() - DAY)
    assert tasks.end_records() == 1
    Session.objects.create(session_key="s", session_data="", expire_date=timezone.now() - DAY)
    assert tasks.end_records() == 0
    assert RetentionRun.objects.get().actor == "task"


def test_the_command_previews_runs_and_stops_at_a_jumped_clock(capsys):
    account = factories.account_of(factories.user("alice"))
    factories.request(account, at=timezone.now() - 40 * DAY)
    call_command("retention", dry_run=True)
    assert "request_log: 1\n" in capsys.readouterr().out
    assert RequestLog.objects.count() == 1
    with pytest.raises(CommandError, match="clock"):
        call_command("retention")
    call_command("retention", force=True)
    assert "request_log: 1\ncomplete" in capsys.readouterr().out
    assert RequestLog.objects.count() == 0


def test_sums_are_rebuilt_by_the_command_within_the_logs_days(capsys):
    factories.request(factories.account_of(factories.user("alice")))
    today = timezone.now().date()
    call_command("rebuild_sums", first=today, last=today)
    assert f"{today}: 0 sums changed, +0 nUSD" in capsys.readouterr().out
    with pytest.raises(CommandError, match="first whose rows stand"):
        call_command("rebuild_sums", first=today - 99 * DAY, last=today)


@pytest.mark.clause("4.3-legal-hold")
def test_the_table_is_printed_as_it_is_in_force(settings):
    def page(language):
        with translation.override(language):
            return Template('{% include "legal/retention_table.html" %}').render(Context())

    settings.JURISDICTION, settings.LOG_RETENTION_DAYS = "", 30
    assert "Record of each API call, with source address" in page("en")
    assert "30 days" in page("en")
    assert "Security log" not in page("en")
    settings.JURISDICTION = "CN"
    assert "184 days" in page("en")
    assert "article 23 (21 before 2026)" in page("en")
    assert "《网络安全法》" in page("zh-hans")
    assert "184 天" in page("zh-hans")
