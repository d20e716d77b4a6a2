"""Debug mode: who may switch it on, for how long, and that nothing is left when it ends."""

import datetime as dt
import hashlib
import os

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import consents, keys
from accounts.models import ApiKey, Change, Consent, Membership
from accounts.timeids import uuid7
from logs import debug, debug_consent, debug_keys, debug_reader, tasks
from logs.models import DebugCapture, DebugGrant, DebugSession
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("debug_folder")]
HOUR = dt.timedelta(hours=1)
TEXTS = {"1": "a74bf07c95c2622e753543f7608f698bf9e4bf9aae3335a69361e0e6a0f26ee9"}


def start(key, user, **changed):
    options = {"minutes": 60, "agreed_to": debug_consent.VERSION, "now": timezone.now()}
    return debug.start(key=key, user=user, **(options | changed))


def kept(session):
    """A capture of the session."""
    request_id = uuid7()
    factories.capture(session, request_id, request=b"what is said", response=b"what is heard")
    return request_id


def end_of(session):
    session.refresh_from_db()
    return session.end


@pytest.mark.clause("1.2-debug")
def test_starts_for_who_made_the_key(key, alice, debug_folder):
    session = start(key, alice)
    assert key.debug_session == session.pk
    assert key.debug_until == session.until == session.started_at + HOUR
    assert [file.name for file in debug_folder.iterdir()] == [f"{session.pk}.key"]
    assert Change.objects.filter(topic="key", ref=str(key.pk)).exists()


def test_keeps_which_text_was_agreed_to(key, alice):
    session = start(key, alice)
    assert session.consent_version == debug_consent.VERSION
    assert session.consent_sha256 == debug_consent.SHA256
    consent = consents.latest(user=alice, purpose=Consent.Purpose.DEBUG)
    assert consent.action == Consent.Action.GIVEN
    debug.stop(session, now=timezone.now())
    assert not consents.is_given(user=alice, purpose=Consent.Purpose.DEBUG)


def test_each_version_of_the_text_stays_what_it_was():
    assert TEXTS[debug_consent.VERSION] == debug_consent.SHA256
    english, chinese = debug_consent.paragraphs("en"), debug_consent.paragraphs("zh-hans")
    assert len(english) == len(chinese) == 5
    assert debug_consent.paragraphs("fr") == english
    texts = "\0".join("\n".join(text) + "\n" for text in (english, chinese))
    assert hashlib.sha256(texts.encode()).hexdigest() == debug_consent.SHA256


@pytest.mark.parametrize("minutes", [0, -1, 24 * 60 + 1])
def test_lasts_a_day_at_most(key, alice, minutes):
    with pytest.raises(ValueError, match="a day"):
        start(key, alice, minutes=minutes)


@pytest.mark.parametrize(
    "changed", [{"minutes": 24 * 60 + 1}, {"minutes": 0}, {"end": "stopped"}, {"ended_at": "now"}]
)
def test_the_database_refuses_what_cannot_be(key, alice, changed):
    session = start(key, alice)
    if "ended_at" in changed:
        changed = {"ended_at": timezone.now()}
    with pytest.raises(IntegrityError), transaction.atomic():
        DebugSession.objects.filter(pk=session.pk).update(**changed)


def test_the_database_refuses_a_second_session_and_a_second_grant(key, alice):
    session = start(key, alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        DebugSession.objects.create(api_key=key, user=alice, minutes=1)
    debug.grant(session, user=alice, minutes=1, now=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        DebugGrant.objects.create(session=session, minutes=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        DebugGrant.objects.update(minutes=24 * 60 + 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.update(debug_until=None)


def test_only_who_made_the_key_starts_it(key):
    bob = factories.user("bob")
    factories.join(bob, key.account, Membership.Role.ADMIN)
    with pytest.raises(debug.NotYours):
        start(key, bob)


@pytest.mark.parametrize(
    "changed",
    [
        {"is_demo": True}, {"is_management": True}, {"purpose": "playground"},
        {"disabled_at": timezone.now()}, {"expires_at": timezone.now() - HOUR},
    ],
)  # fmt: skip
def test_is_not_offered_for_keys_of_everybody_and_dead_ones(key, alice, changed, debug_folder):
    for name, value in changed.items():
        setattr(key, name, value)
    with pytest.raises(debug.NotOffered):
        start(key, alice)
    assert not debug_folder.exists()


def test_another_text_has_to_be_read_first(key, alice):
    with pytest.raises(debug.TextChanged):
        start(key, alice, agreed_to="0")


def test_started_twice_it_is_on_once(key, alice, debug_folder):
    session = start(key, alice)
    with pytest.raises(debug.AlreadyOn) as told:
        start(key, alice)
    assert told.value.session == session
    assert [file.name for file in debug_folder.iterdir()] == [f"{session.pk}.key"]


@pytest.mark.clause("1.2-debug")
def test_without_a_place_for_its_key_nothing_starts(key, alice, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.DEBUG_KEY_DIR = tmp_path / "file" / "keys"
    with pytest.raises(debug.CannotStart):
        start(key, alice)
    key.refresh_from_db()
    assert (key.debug_session, DebugSession.objects.count()) == (None, 0)
    assert not Consent.objects.filter(purpose="debug").exists()


@pytest.mark.clause("1.2-debug")
def test_stopping_destroys_the_key_and_the_rows(key, alice, debug_folder):
    session = start(key, alice)
    request_id = kept(session)
    assert debug_reader.read(request_id, user=alice, now=timezone.now()).request == b"what is said"
    assert debug.stop(session, now=timezone.now())
    assert list(debug_folder.iterdir()) == []
    assert not DebugCapture.objects.exists()
    key.refresh_from_db()
    assert (key.debug_session, key.debug_until, end_of(session)) == (None, None, "stopped")
    assert not debug.stop(session, now=timezone.now())


@pytest.mark.clause("1.2-debug")
def test_rows_of_a_restored_backup_stay_unreadable(key, alice, debug_folder):
    session = start(key, alice)
    request_id = kept(session)
    backup = [list(DebugSession.objects.values()), list(DebugCapture.objects.values())]
    debug.stop(session, now=timezone.now())
    DebugSession.objects.all().delete()
    DebugSession.objects.bulk_create(DebugSession(**row) for row in backup[0])
    DebugCapture.objects.bulk_create(DebugCapture(**row) for row in backup[1])
    keys.set_debug(key.pk, session=session.pk, until=session.until)
    with pytest.raises(debug_reader.NothingKept):
        debug_reader.read(request_id, user=alice, now=timezone.now())
    assert debug.sweep(now=timezone.now()) == 1
    assert (end_of(session), DebugCapture.objects.count()) == ("lost", 0)
    key.refresh_from_db()
    assert key.debug_session is None


@pytest.mark.clause("1.2-debug")
def test_the_sweep_ends_what_is_over_and_nothing_else(key, alice, debug_folder):
    at = timezone.now() - HOUR
    session = start(key, alice, minutes=60, now=at)
    other, _ = keys.mint(account=key.account, created_by=alice, name="other")
    running = start(other, alice, minutes=61, now=at)
    assert debug.sweep(now=at + HOUR) == 1
    assert (end_of(session), end_of(running)) == ("expired", "")
    assert [file.name for file in debug_folder.iterdir()] == [f"{running.pk}.key"]
    assert tasks.sweep_debug() == 0


def test_the_sweep_ends_the_session_of_a_key_that_ended(key, alice):
    session = start(key, alice)
    keys.delete(key)
    debug.sweep(now=timezone.now())
    assert end_of(session) == "key"


def test_the_sweep_ends_the_session_of_who_left(key, alice):
    session = start(key, alice)
    Membership.objects.filter(user=alice).delete()
    debug.sweep(now=timezone.now())
    assert end_of(session) == "member"


def test_the_sweep_destroys_keys_without_a_session(key, alice, debug_folder):
    session = start(key, alice)
    stray, fresh = uuid7(), uuid7()
    for each in (stray, fresh):
        debug_keys.make(each)
    os.utime(debug_folder / f"{stray}.key", (1, 1))
    debug.sweep(now=timezone.now())
    assert set(debug_keys.standing()) == {session.pk, fresh}


def test_a_key_that_could_not_be_destroyed_is_destroyed_later(key, alice, debug_folder):
    """The rows go first then; the sweep tries again for as long as it takes."""
    session = start(key, alice)
    kept(session)
    file = debug_folder / f"{session.pk}.key"
    away = debug_folder.parent / "away"
    file.rename(away)
    file.symlink_to(away)
    with pytest.raises(OSError, match="symbolic"):
        debug.stop(session, now=timezone.now())
    assert (end_of(session), DebugCapture.objects.count()) == ("stopped", 0)
    file.unlink()
    away.rename(file)
    debug.sweep(now=timezone.now())
    assert list(debug_folder.iterdir()) == []


def test_when_and_who_is_kept_for_a_year(key, alice):
    session = start(key, alice)
    debug.stop(session, now=timezone.now())
    debug.sweep(now=timezone.now() + debug.KEPT - HOUR)
    assert DebugSession.objects.count() == 1
    debug.sweep(now=timezone.now() + debug.KEPT + HOUR)
    assert DebugSession.objects.count() == 0


def test_a_grant_is_the_owners_and_ends(key, alice):
    session, now = start(key, alice), timezone.now()
    with pytest.raises(debug.NotYours):
        debug.grant(session, user=factories.user("bob"), minutes=5, now=now)
    with pytest.raises(ValueError, match="a day"):
        debug.grant(session, user=alice, minutes=24 * 60 + 1, now=now)
    first = debug.grant(session, user=alice, minutes=5, now=now)
    assert debug.granted(session, now=now) == first
    assert debug.granted(session, now=first.until) is None
    second = debug.grant(session, user=alice, minutes=10, now=now)
    assert debug.granted(session, now=now) == second
    assert debug.revoke(session, now=now)
    assert debug.granted(session, now=now) is None
    debug.stop(session, now=now)
    with pytest.raises(debug.GrantNotPossible):
        debug.grant(session, user=alice, minutes=5, now=now)


def test_erasure_destroys_the_keys_and_every_row(key, alice, debug_folder):
    session = start(key, alice)
    kept(session)
    debug.grant(session, user=alice, minutes=5, now=timezone.now())
    bobs, _ = keys.mint(account=key.account, created_by=factories.user("bob"), name="bobs")
    bobs_session = factories.debug_session(bobs)
    assert debug.forget(alice.pk) == 1
    assert set(debug_keys.standing()) == {bobs_session.pk}
    assert [row.pk for row in DebugSession.objects.all()] == [bobs_session.pk]
    assert not DebugCapture.objects.exists()
    key.refresh_from_db()
    assert key.debug_until is None
