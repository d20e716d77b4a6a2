"""Staff's side of debug mode: sessions, never content, unless the owner allowed it just now."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.timeids import uuid7
from logs import debug
from logs.models import DebugCapture, DebugView
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug_folder")]
WORD = "numbat in a burrow"


@pytest.fixture
def session(key):
    return factories.debug_session(key)


@pytest.fixture
def request_id(session):
    made = uuid7()
    factories.capture(session, made, request=WORD.encode(), response=f"<b>{WORD}".encode())
    return made


@pytest.fixture
def staff():
    user = factories.user("staff", is_staff=True)
    user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    client.user = user
    return client


def listing(session):
    return reverse("admin:logs_debugsession_content", args=[session.pk])


def reading(session, request_id):
    return reverse("admin:logs_debugsession_content_read", args=[session.pk, request_id])


def let(session, alice):
    return debug.grant(session, user=alice, minutes=5, now=timezone.now())


@pytest.mark.clause("4.2-access")
def test_without_a_grant_even_a_superuser_reads_nothing(staff, session, request_id):
    change = staff.get(reverse("admin:logs_debugsession_change", args=[session.pk]))
    assert "alone" in change.content.decode()
    assert WORD not in change.content.decode()
    assert staff.get(listing(session)).status_code == 403
    assert staff.post(reading(session, request_id)).status_code == 403
    assert not DebugView.objects.exists()


@pytest.mark.clause("4.2-access")
def test_under_a_grant_staff_read_and_it_is_written_down(staff, session, request_id, alice):
    let(session, alice)
    listed = staff.get(listing(session))
    assert str(request_id) in listed.content.decode()
    assert WORD not in listed.content.decode()
    assert not DebugView.objects.exists()
    shown = staff.post(reading(session, request_id))
    assert shown.content.decode().count(WORD) == 2
    assert f"<b>{WORD}" not in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    view = DebugView.objects.get()
    assert (view.staff, view.request_id) == (staff.user, request_id)
    table = staff.get(reverse("admin:logs_debugview_changelist"))
    assert str(request_id) in table.content.decode()


def test_a_link_that_is_followed_reads_nothing(staff, session, request_id, alice):
    let(session, alice)
    assert staff.get(reading(session, request_id)).status_code == 404
    assert not DebugView.objects.exists()


def test_another_request_is_not_found(staff, session, request_id, alice):
    let(session, alice)
    assert staff.post(reading(session, uuid7())).status_code == 404


@pytest.mark.parametrize("granted", [(), ("view_debugsession",)])
def test_a_role_without_the_permission_reads_nothing(session, request_id, alice, granted):
    user = factories.user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=granted))
    client = Client()
    client.force_login(user)
    let(session, alice)
    assert client.get(listing(session)).status_code == 403
    assert client.post(reading(session, request_id)).status_code == 403


def test_an_ended_session_is_not_there(staff, session, request_id, alice):
    let(session, alice)
    debug.stop(session, now=timezone.now())
    assert staff.get(listing(session)).status_code == 404
    change = staff.get(reverse("admin:logs_debugsession_change", args=[session.pk]))
    assert "destroyed" in change.content.decode()


def test_captures_have_no_page_of_their_own(staff):
    assert DebugCapture not in admin.site._registry
    response = staff.get(reverse("admin:logs_debugsession_changelist"))
    assert response.status_code == 200
    assert staff.get(reverse("admin:logs_debugsession_changelist") + "add/").status_code in {
        302,
        403,
    }
