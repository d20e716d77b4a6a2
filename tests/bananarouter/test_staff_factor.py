"""Staff need a second factor, used in this session, before any page of theirs."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests import factories, second_factor

pytestmark = pytest.mark.django_db
STAFF = reverse("admin:index")


@pytest.fixture(autouse=True)
def needed(settings):
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture
def boss():
    made = factories.user("boss", is_staff=True, password=factories.PASSWORD)
    made.is_superuser = True
    made.save()
    return made


def log_in(client):
    return client.post(
        reverse("account_login"), {"login": "boss@example.com", "password": factories.PASSWORD}
    )


def told(response):
    return [str(message) for message in response.context["messages"]]


@pytest.mark.clause("4.2-access")
def test_staff_without_a_second_factor_are_led_to_set_one_up(boss):
    client = Client()
    log_in(client)
    response = client.get(STAFF, follow=True)
    assert [url for url, _ in response.redirect_chain][-1] == reverse("security")
    assert "needs a second factor, and you have none yet" in told(response)[0]
    assert reverse("mfa_activate_totp") in response.content.decode()


@pytest.mark.clause("4.2-access")
def test_every_page_and_act_of_the_site_is_shut_without_one(boss):
    client = Client()
    client.force_login(boss)
    for page in admin.site._registry.values():
        url = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
        for response in (client.get(url), client.post(url, {"action": "close"})):
            assert response["Location"].startswith(reverse("staff_login")), url
    for name in ("policy_publish", "password_change", "jsi18n", "autocomplete"):
        response = client.get(reverse(f"admin:{name}"))
        assert response["Location"].startswith(reverse("staff_login")), name


@pytest.mark.clause("4.2-access")
def test_a_session_that_was_opened_without_it_proves_it_once(boss):
    """It was set up in this very session: it is there, but nobody has used it yet."""
    client = Client()
    log_in(client)
    second_factor.activate(boss)
    wanted = reverse("admin:accounts_user_changelist")
    response = client.get(wanted, follow=True)
    at, _ = response.redirect_chain[-1]
    assert at == f"{reverse('mfa_reauthenticate')}?next={wanted.replace('/', '%2F')}"
    assert told(response) == ["The staff site needs your second factor once in each session."]
    # The password alone opens nothing more.
    client.post(reverse("account_reauthenticate"), {"password": factories.PASSWORD})
    assert client.get(wanted).status_code == 302
    response = client.post(at, {"code": second_factor.code(), "next": wanted})
    assert response["Location"] == wanted
    assert client.get(wanted).status_code == 200


@pytest.mark.clause("4.2-access")
def test_a_session_that_was_opened_with_it_goes_in_and_out_when_it_is_removed(boss):
    second_factor.activate(boss)
    client = Client()
    log_in(client)
    assert client.get(STAFF).status_code == 302  # half logged in
    client.post(reverse("mfa_authenticate"), {"code": second_factor.code()})
    assert client.get(STAFF).status_code == 200
    Authenticator.objects.all().delete()
    assert client.get(STAFF, follow=True).redirect_chain[-1][0] == reverse("security")


def test_a_passkey_is_asked_for_where_it_is_the_only_one(boss):
    Authenticator.objects.create(
        user=boss, type="webauthn", data={"name": "laptop", "credential": {}, "passwordless": True}
    )
    client = Client()
    client.force_login(boss)
    response = client.get(reverse("staff_login"), {"next": STAFF})
    assert response["Location"] == f"{reverse('mfa_reauthenticate_webauthn')}?next=%2Fstaff%2F"


def test_who_is_no_staff_is_told_so_and_led_nowhere():
    client = Client()
    client.force_login(factories.user("alice"))
    assert client.get(reverse("staff_login")).status_code == 403


def test_it_is_not_needed_where_it_is_switched_off(boss, settings):
    settings.STAFF_SECOND_FACTOR = False
    client = Client()
    client.force_login(boss)
    assert client.get(STAFF).status_code == 200
