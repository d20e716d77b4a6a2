"""What staff read and do is in their log: by number, without names."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey
from bananarouter import staff_audit
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss():
    made = factories.user("boss", is_staff=True)
    made.is_superuser = True
    made.save()
    client = Client()
    client.force_login(made)
    return client


def noted():
    rows = LogEntry.objects.order_by("pk")
    assert not any(row.object_repr for row in rows if row.action_flag == staff_audit.READ)
    return [(row.action_flag, row.object_id, row.change_message) for row in rows]


@pytest.mark.clause("4.2-access")
def test_whose_row_was_read_is_noted(boss):
    alice = factories.user("alice")
    boss.get(reverse("admin:accounts_user_change", args=[alice.pk]))
    boss.get(reverse("admin:accounts_user_history", args=[alice.pk]))
    assert noted() == [(staff_audit.READ, str(alice.pk), "Read.")] * 2


@pytest.mark.clause("4.2-access")
def test_which_rows_a_list_showed_is_noted_and_what_was_searched_is_not(boss):
    alice = factories.user("alice")
    boss.get(reverse("admin:accounts_user_changelist"), {"q": "alice@example.com"})
    assert noted() == [(staff_audit.READ, None, f"Listed: {alice.pk}.")]


def look_up(client, field, term):
    """Type into a field of the form that adds a member."""
    asked = {"app_label": "accounts", "model_name": "membership", "field_name": field, "term": term}
    return client.get(reverse("admin:autocomplete"), asked)


@pytest.mark.clause("4.2-access")
def test_whom_a_field_offers_as_one_types_is_noted_and_what_was_typed_is_not(boss):
    alice = factories.user("alice")
    found = look_up(boss, "user", "alice@example.com").json()["results"]
    assert [one["id"] for one in found] == [str(alice.pk)]
    assert noted() == [(staff_audit.READ, None, f"Looked up: {alice.pk}.")]
    (row,) = LogEntry.objects.all()
    assert row.content_type.model == "user"


def test_a_look_up_that_finds_nobody_or_is_refused_is_not_noted(boss):
    factories.user("alice")
    assert look_up(boss, "user", "nobody").json()["results"] == []
    clerk = Client()
    clerk.force_login(factories.user("clerk", is_staff=True))
    assert look_up(clerk, "user", "alice").status_code == 403
    model = {"app_label": "routing", "model_name": "endpoint", "field_name": "model", "term": ""}
    assert boss.get(reverse("admin:autocomplete"), model).status_code == 200
    assert noted() == []


def test_rows_about_nobody_and_empty_lists_are_not_noted(boss):
    boss.get(reverse("admin:routing_channel_changelist"))
    boss.get(reverse("admin:accounts_closure_changelist"))
    boss.get(reverse("admin:accounts_user_change", args=[0]))
    assert noted() == []


@pytest.mark.clause("4.2-access")
def test_an_action_on_chosen_rows_is_noted(boss):
    alice = factories.user("alice")
    boss.post(
        reverse("admin:accounts_user_changelist"),
        {"action": "lock_out", "_selected_action": [alice.pk], "index": "0"},
    )
    assert noted() == [(CHANGE, None, f"lock_out: {alice.pk}.")]


def test_an_action_on_all_rows_and_one_that_does_not_exist(boss):
    url = reverse("admin:accounts_apikey_changelist")
    chosen = {"_selected_action": ["1"], "index": "0", "select_across": "1"}
    boss.post(url, {"action": "disable", **chosen})
    boss.post(url, {"action": "invent", **chosen})
    assert noted() == [(CHANGE, None, "disable: all rows of the list.")]
    assert not ApiKey.objects.exists()


def test_the_log_is_read_by_staff_and_rewritten_by_nobody(boss):
    alice = factories.user("alice")
    boss.get(reverse("admin:accounts_user_change", args=[alice.pk]))
    row = LogEntry.objects.get()
    assert b"Read." in boss.get(reverse("admin:admin_logentry_changelist")).content
    page = reverse("admin:admin_logentry_change", args=[row.pk])
    assert boss.get(page).status_code == 200
    assert boss.post(page, {}).status_code == 403
    assert boss.post(reverse("admin:admin_logentry_delete", args=[row.pk])).status_code == 403
