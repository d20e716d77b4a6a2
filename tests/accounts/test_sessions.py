"""Sessions end by themselves, change their name at log-in, and are listed where they were used."""

import datetime as dt

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from tests import factories

pytestmark = pytest.mark.django_db
START = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"


def hours(count: float) -> dt.datetime:
    return START + dt.timedelta(hours=count)


@pytest.fixture
def alice():
    return factories.user("alice", password=factories.PASSWORD)


def log_in(client: Client, **options):
    fields = {"login": "alice", "password": factories.PASSWORD}
    return client.post(reverse("account_login"), fields, **options)


def is_in(client: Client) -> bool:
    return client.get(reverse("overview")).status_code == 200


def test_a_session_ends_after_twelve_hours_without_use(alice):
    client = Client()
    with time_machine.travel(START, tick=False) as clock:
        log_in(client)
        clock.move_to(hours(11.9))
        assert is_in(client)
        clock.move_to(hours(23.8))
        assert is_in(client)
        clock.move_to(hours(35.9))
        assert not is_in(client)
        assert not Session.objects.exists()


def test_a_session_ends_seven_days_after_log_in_however_much_it_is_used(alice):
    client = Client()
    with time_machine.travel(START, tick=False) as clock:
        log_in(client)
        for hour in range(0, 7 * 24, 6):
            clock.move_to(hours(hour))
            assert is_in(client)
        clock.move_to(hours(7 * 24 + 0.1))
        assert not is_in(client)


def test_staff_are_out_after_half_an_hour_without_use_and_eight_hours_at_most(alice):
    alice.is_staff = True
    alice.save()
    idle, busy = Client(), Client()
    with time_machine.travel(START, tick=False) as clock:
        for client in (idle, busy):
            log_in(client)
            assert is_in(client)
        for minutes in range(20, 8 * 60 + 1, 20):
            clock.move_to(START + dt.timedelta(minutes=minutes))
            assert is_in(busy), minutes
            if minutes == 40:
                assert not is_in(idle)
        clock.move_to(START + dt.timedelta(hours=8, seconds=1))
        assert not is_in(busy)


def test_a_session_without_its_times_is_none(alice):
    client = Client()
    log_in(client)
    session = client.session
    del session["started"]
    session._session_cache.pop("seen")
    row = Session.objects.get(session_key=session.session_key)
    row.session_data = session.encode(session._session_cache)
    row.save()
    assert not is_in(client)


def test_visitors_keep_their_session_without_times(client):
    client.post(reverse("account_reset_password"), {"email": "nobody@example.com"})
    assert client.get(reverse("account_confirm_password_reset_code")).status_code == 200
    assert "started" not in client.session


def test_the_session_changes_its_name_at_log_in(alice):
    client = Client()
    client.post(reverse("account_reset_password"), {"email": "alice@example.com"})
    before = client.cookies["session"].value
    log_in(client)
    assert client.cookies["session"].value != before
    assert not Session.objects.filter(session_key=before).exists()


def test_only_the_family_of_a_browser_is_kept(alice):
    client = Client(headers={"user-agent": FIREFOX})
    log_in(client)
    assert [row.user_agent for row in UserSession.objects.all()] == ["Firefox, Linux"]
    assert UserSession.objects.get().ip == "127.0.0.1"


def test_use_is_noted_every_five_minutes(alice):
    client = Client()
    with time_machine.travel(START, tick=False) as clock:
        log_in(client)
        for minute, seen in ((4, START), (6, hours(0.1)), (10, hours(0.1))):
            clock.move_to(START + dt.timedelta(minutes=minute))
            assert is_in(client)
            assert UserSession.objects.get().last_seen_at == seen


def test_logging_out_everywhere_else_ends_the_others_alone(alice):
    here, there = Client(), Client(headers={"user-agent": FIREFOX})
    log_in(here)
    log_in(there)
    page = here.get(reverse("usersessions_list")).content.decode()
    assert "Firefox, Linux" in page
    here.post(reverse("usersessions_list"))
    assert is_in(here)
    assert not is_in(there)
    assert UserSession.objects.count() == 1


def test_anothers_sessions_are_neither_shown_nor_ended(alice):
    mine = Client(headers={"user-agent": FIREFOX})
    log_in(mine)
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    assert "Firefox" not in mallory.get(reverse("usersessions_list")).content.decode()
    mallory.post(reverse("usersessions_list"))
    assert is_in(mine)


@pytest.mark.parametrize("name", ["account_email", "account_change_phone", "usersessions_list"])
def test_pages_of_a_session_are_in_no_cache_and_public_ones_do_not_vary(name, alice):
    client = Client()
    assert "Cookie" not in client.get(reverse("openapi")).get("Vary", "")
    log_in(client)
    assert "no-store" in client.get(reverse(name))["Cache-Control"]


def test_a_new_password_ends_the_other_sessions(alice):
    here, there = Client(), Client()
    log_in(here)
    log_in(there)
    fields = {"oldpassword": factories.PASSWORD, "password1": "another long pass phrase"}
    here.post(reverse("account_change_password"), fields)
    assert is_in(here)
    assert not is_in(there)


def test_a_user_is_written_to_in_the_language_of_the_latest_page(alice):
    client = Client()
    log_in(client)
    for language, expected in (("zh-hans", "zh-hans"), ("en", "en")):
        client.get(reverse("overview"), headers={"accept-language": language})
        alice.refresh_from_db()
        assert alice.language == expected
