"""Staff read what was removed; two of them make a hold, either ends it."""

import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.timeids import DAY
from logs import holds
from logs.models import LegalHold, RetentionRun
from tests import factories

pytestmark = pytest.mark.django_db
HOLDS = reverse("admin:logs_legalhold_changelist")
ASK = reverse("admin:logs_legalhold_ask")
MODELS = ("heldrequest", "legalhold", "modelday", "retentionrun", "securityentry")


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("staff", "staff@example.com", "x"))
    return client


def form(account):
    ends = (timezone.now() + 30 * DAY).date()
    return {"account": account.public_id, "reason": "order 7", "ends_on": ends}


def act(client, action, hold):
    return client.post(HOLDS, {"action": action, "_selected_action": [hold.pk]}, follow=True)


@pytest.mark.parametrize("name", MODELS)
def test_every_list_opens_and_nothing_is_edited_by_hand(staff, name):
    assert staff.get(reverse(f"admin:logs_{name}_changelist")).status_code == 200
    assert staff.get(reverse(f"admin:logs_{name}_add")).status_code == 403


def test_a_run_tells_what_it_removed_and_what_went_wrong(staff):
    now = timezone.now()
    RetentionRun.objects.create(
        started_at=now, ended_at=now, running=None, actor="task", removed={"request_log": 1_234},
        held={"request_log": 5}, errors={"sessions": "OperationalError"}, is_complete=False,
    )  # fmt: skip
    RetentionRun.objects.create(
        started_at=now, ended_at=now, running=None, actor="task", is_held_back=True
    )
    url = reverse("admin:logs_retentionrun_changelist")
    page = staff.get(url).content.decode()
    for word in (
        "request_log 1,234",
        "request_log 5",
        "sessions: OperationalError",
        "clock jumped",
    ):
        assert word in page
    for outcome, rows in (("complete", 0), ("held_back", 1), ("errors", 1), ("removed", 1)):
        shown = staff.get(url, {"outcome": outcome}).context["cl"].result_count
        assert (outcome, shown) == (outcome, rows)


@pytest.mark.clause("4.3-legal-hold")
def test_one_asks_and_another_approves(staff, client):
    account = factories.account_of(factories.user("alice"))
    assert staff.get(ASK).status_code == 200
    assert staff.post(ASK, form(account)).status_code == 302
    hold = LegalHold.objects.get()
    assert hold.reason == "order 7"
    page = act(staff, "approve", hold).content.decode()
    assert "cannot approve it" in page
    assert "waits for approval" in page
    assert holds.held_accounts(now=timezone.now()) == frozenset()
    client.force_login(User.objects.create_superuser("second", "second@example.com", "x"))
    assert "in force" in act(client, "approve", hold).content.decode()
    assert holds.held_accounts(now=timezone.now()) == {account.pk}
    for standing, rows in (("waiting", 0), ("in_force", 1), ("over", 0)):
        assert client.get(HOLDS, {"standing": standing}).context["cl"].result_count == rows
    assert "over" in act(client, "end", hold).content.decode()
    assert holds.held_accounts(now=timezone.now()) == frozenset()


def test_what_cannot_be_held_is_said_beside_the_field(staff):
    account = factories.account_of(factories.user("alice"))
    past = timezone.now().date() - dt.timedelta(days=1)
    for changes, field in (
        ({"ends_on": past}, "ends_on"),
        ({"reason": "  "}, "reason"),
        ({"account": "0198c0de-0000-7000-8000-000000000000"}, "account"),
    ):
        answer = staff.post(ASK, form(account) | changes)
        assert answer.status_code == 200
        assert answer.context["form"].errors.get(field)
    assert LegalHold.objects.count() == 0


def test_a_reader_neither_asks_nor_decides(client):
    person = User.objects.create_user(username="reader", email="reader@example.com", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_legalhold"))
    client.force_login(person)
    assert "Ask for a hold" not in client.get(HOLDS).content.decode()
    assert client.get(ASK).status_code == 403
    assert client.post(ASK, {}).status_code == 403
    account = factories.account_of(factories.user("alice"))
    made = holds.ask(
        account_id=account.pk, reason="r", ends_at=timezone.now() + DAY, actor="a",
        now=timezone.now(),
    )  # fmt: skip
    act(client, "approve", made)
    assert holds.held_accounts(now=timezone.now()) == frozenset()
