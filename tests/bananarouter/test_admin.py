"""The queue of abuse reports: by due date, decided once, about a request, a key or an account."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import contact, keys
from accounts.models import Takedown
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
LIST = reverse("admin:accounts_abusereport_changelist")


@pytest.fixture
def staff():
    user = factories.user("staff", is_staff=True)
    user.is_superuser = True
    user.save()
    client = Client()
    factories.log_in(client, user)
    return client


@pytest.fixture
def key():
    alice = factories.user("alice")
    return keys.mint(account=factories.account_of(alice), created_by=alice, name="laptop")[0]


def report(*, days_ago=0, subject="Spam", **about):
    return contact.open_request(
        kind="abuse", source="form", email="eve@example.com", subject=subject, text="It sends.",
        now=timezone.now() - dt.timedelta(days=days_ago), **about,
    )  # fmt: skip


def use(client, row, slug, **said):
    return client.post(reverse("admin:accounts_abusereport_do", args=[row.pk, slug]), said)


def decide(client, row, decision, target="", reason="Spam."):
    return use(client, row, "decide", decision=decision, target=target, reason=reason)


def test_reports_wait_by_due_date_and_other_requests_are_not_there(staff):
    report(subject="new")
    report(subject="old", days_ago=3)
    contact.open_request(
        kind="question", source="form", email="a@example.com", subject="?", text="?",
        now=timezone.now(),
    )  # fmt: skip
    rows = staff.get(LIST).context["cl"].queryset
    assert [row.subject for row in rows] == ["old", "new"]


def test_a_requests_id_leads_to_its_account_and_key(staff, key):
    request_id = factories.request(key.account, api_key_id=key.pk)
    row = report(request_id=request_id)
    assert decide(staff, row, "pause_key").status_code == 302
    made = Takedown.objects.get()
    assert (made.account, made.api_key) == (key.account, key)
    key.refresh_from_db()
    assert key.paused_at is not None
    assert "pause the key" in staff.get(LIST).content.decode()


def test_a_keys_last_four_lead_to_it(staff, key):
    decide(staff, report(), "pause_key", key.last_four)
    assert Takedown.objects.get().api_key == key


def test_an_accounts_id_leads_to_it(staff, key):
    decide(staff, report(), "suspend", str(key.account.public_id))
    key.account.refresh_from_db()
    assert not key.account.is_active


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("0190a000-0000-7000-8000-000000000000", "No request and no account has this id"),
        ("zzzz", "No key ends so"),
        ("some words", "neither an id nor"),
        ("", "which account, or which key"),
    ],
)
def test_a_target_that_is_none_is_explained_and_nothing_is_decided(staff, target, said):
    answer = decide(staff, report(), "warn", target)
    assert said in answer.content.decode()
    assert "Spam." in answer.content.decode()
    assert not Takedown.objects.exists()


def test_a_report_decided_meanwhile_says_so(staff, key):
    row = report()
    decide(staff, row, "none")
    answer = staff.get(reverse("admin:accounts_abusereport_do", args=[row.pk, "decide"]))
    assert answer["Location"] == reverse("admin:accounts_abusereport_change", args=[row.pk])
    decide(staff, row, "suspend", str(key.account.public_id))
    assert Takedown.objects.get().decision == "none"


def test_a_decision_is_lifted_with_a_reason(staff, key):
    row = report()
    decide(staff, row, "suspend", str(key.account.public_id))
    assert use(staff, row, "lift", reason="").status_code == 200
    use(staff, row, "lift", reason="Settled.")
    key.account.refresh_from_db()
    assert key.account.is_active


def test_only_who_answers_requests_sees_them():
    row = report()
    client = Client()
    factories.log_in(client, factories.user("finance", is_staff=True))
    for url in (LIST, reverse("admin:accounts_abusereport_do", args=[row.pk, "decide"])):
        assert client.get(url).status_code == 403
        assert client.post(url).status_code == 403
    assert not Takedown.objects.exists()
