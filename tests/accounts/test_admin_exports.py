"""Staff's side of exports: who, when, what became of it; started for a proven request only."""

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import contact
from accounts.models import Export
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff():
    person = factories.user("staff", is_staff=True)
    person.is_superuser = True
    person.save(update_fields=["is_superuser"])
    found = Client()
    found.force_login(person)
    return found


def ask(user, *, kind="access", proven=True):
    return contact.open_request(
        kind=kind, source="form", email=user.email, subject="?", text="My data", user=user,
        now=timezone.now(), proven=proven,
    )  # fmt: skip


def start(staff, *asked):
    data = {"action": "start_export", "_selected_action": [row.pk for row in asked]}
    return staff.post(reverse("admin:accounts_contactrequest_changelist"), data, follow=True)


def test_staff_start_the_export_of_a_proven_request_and_it_is_on_record(staff):
    asked = ask(factories.user("alice"))
    page = start(staff, asked).content.decode()
    made = Export.objects.get()
    assert (made.user, made.request, made.started_by.username) == (asked.user, asked, "staff")
    assert bytes(made.session_digest) == b""
    assert "Started 1 exports" in page
    assert str(made.public_id) in LogEntry.objects.get(action_flag=CHANGE).change_message


def test_none_is_started_that_was_not_proven_or_asks_for_something_else(staff):
    alice, bob = factories.user("alice"), factories.user("bob")
    page = start(staff, ask(alice, proven=False), ask(bob, kind="deletion")).content.decode()
    assert not Export.objects.exists()
    assert page.count("not started, its sender has not proved") == 2


def test_staff_see_the_state_of_exports_and_no_way_to_their_content(staff):
    alice = factories.user("alice")
    start(staff, ask(alice))
    made = Export.objects.get()
    for url in (
        reverse("admin:accounts_export_changelist"),
        reverse("admin:accounts_export_change", args=[made.pk]),
    ):
        page = staff.get(url).content.decode()
        assert str(made.public_id) in page
        assert "download/" not in page
        assert reverse("export_download", args=[made.public_id]) not in page
    assert staff.get(reverse("export_download", args=[made.public_id])).status_code == 404


def test_staff_cancel_what_is_under_way(staff):
    start(staff, ask(factories.user("alice")))
    made = Export.objects.get()
    data = {"action": "cancel", "_selected_action": [made.pk]}
    staff.post(reverse("admin:accounts_export_changelist"), data)
    made.refresh_from_db()
    assert made.state == "canceled"
