"""Who reads what debug mode kept: its owner, and staff while the owner lets them."""

import datetime as dt

import pytest
from django.utils import timezone

from accounts import keys
from accounts.models import Membership
from accounts.timeids import uuid7
from logs import debug, debug_keys, debug_reader
from logs.models import DebugCapture, DebugView
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug_folder")]


@pytest.fixture
def session(key):
    return factories.debug_session(key)


@pytest.fixture
def request_id(session):
    made = uuid7()
    factories.capture(session, made, request=b"what is said", response=b"what is heard")
    return made


@pytest.fixture
def staff():
    return factories.user("staff", is_staff=True)


def read(request_id, user, *, after=dt.timedelta()):
    return debug_reader.read(request_id, user=user, now=timezone.now() + after)


def read_as_staff(request_id, session, staff, *, after=dt.timedelta()):
    return debug_reader.read_as_staff(
        request_id, session_id=session.pk, staff=staff, now=timezone.now() + after
    )


@pytest.mark.clause("1.2-debug")
def test_the_owner_reads_it(request_id, alice):
    found = read(request_id, alice)
    assert (found.request, found.response) == (b"what is said", b"what is heard")
    assert "what" not in repr(found)


@pytest.mark.clause("1.2-training")
@pytest.mark.parametrize("role", [*Membership.Role.values, None])
def test_nobody_else_does_whatever_the_role(request_id, key, role):
    bob = factories.user("bob")
    if role:
        factories.join(bob, key.account, role)
    with pytest.raises(debug_reader.NothingKept):
        read(request_id, bob)


def test_who_left_the_account_reads_nothing(request_id, alice):
    Membership.objects.filter(user=alice).delete()
    with pytest.raises(debug_reader.NothingKept):
        read(request_id, alice)


@pytest.mark.clause("1.2-debug")
def test_it_ends_on_time_even_when_the_sweep_is_late(request_id, alice):
    read(request_id, alice, after=dt.timedelta(minutes=59))
    with pytest.raises(debug_reader.NothingKept):
        read(request_id, alice, after=dt.timedelta(minutes=60))


@pytest.mark.clause("1.2-debug")
def test_without_the_key_it_is_noise(request_id, session, alice):
    debug_keys.destroy(session.pk)
    assert DebugCapture.objects.exists()
    with pytest.raises(debug_reader.NothingKept):
        read(request_id, alice)


def test_a_row_moved_to_another_request_opens_not(request_id, alice):
    other = uuid7()
    DebugCapture.objects.filter(pk=request_id).update(request_id=other)
    with pytest.raises(debug_reader.NothingKept):
        read(other, alice)


@pytest.mark.clause("4.2-access")
def test_staff_read_only_while_the_owner_lets_them(request_id, session, alice, staff):
    with pytest.raises(debug_reader.NothingKept):
        read_as_staff(request_id, session, staff)
    debug.grant(session, user=alice, minutes=5, now=timezone.now())
    assert read_as_staff(request_id, session, staff).request == b"what is said"
    with pytest.raises(debug_reader.NothingKept):
        read_as_staff(request_id, session, staff, after=dt.timedelta(minutes=5))
    debug.revoke(session, now=timezone.now())
    with pytest.raises(debug_reader.NothingKept):
        read_as_staff(request_id, session, staff)


@pytest.mark.clause("4.2-access")
def test_each_reading_of_staff_is_written_down(request_id, session, alice, staff):
    debug.grant(session, user=alice, minutes=5, now=timezone.now())
    for _ in range(2):
        read_as_staff(request_id, session, staff)
    rows = DebugView.objects.values_list("staff", "request_id", "grant__session")
    assert list(rows) == [(staff.pk, request_id, session.pk)] * 2


def test_a_grant_opens_its_own_session_alone(request_id, key, alice, staff):
    other, _ = keys.mint(account=key.account, created_by=alice, name="other")
    session = factories.debug_session(other)
    debug.grant(session, user=alice, minutes=5, now=timezone.now())
    with pytest.raises(debug_reader.NothingKept):
        read_as_staff(request_id, session, staff)
    assert not DebugView.objects.exists()


def test_staff_who_own_nothing_have_no_other_way(request_id, session, alice, staff):
    debug.grant(session, user=alice, minutes=5, now=timezone.now())
    with pytest.raises(debug_reader.NothingKept):
        read(request_id, staff)
