"""Profile, notifications, privacy, billing details: what is kept, what is refused and why."""

import re
import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from accounts import consents, contact, keys
from accounts.models import (
    BillingDetails,
    Change,
    Consent,
    Membership,
    NotificationPreference,
)
from logs import debug, debug_consent, removal, retention_rules
from logs.retention_rules import Record
from routing.models import Channel
from tests import factories

pytestmark = pytest.mark.django_db
PAGES = [
    "settings", "settings_notifications", "settings_privacy", "settings_billing",
    "settings_export", "settings_closure",
]  # fmt: skip
QUERIES_MAX = 12


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client(alice):
    found = Client()
    found.force_login(alice)
    return found


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.fixture
def as_role(account):
    """Return a client of bob, who looks at alice's account in a role."""

    def enter(role: str) -> Client:
        bob = factories.user("bob")
        factories.join(bob, account, role)
        found = Client()
        found.force_login(bob)
        found.post(reverse("switch_account"), {"account": str(account.public_id)})
        return found

    return enter


@pytest.mark.parametrize("name", PAGES)
def test_a_page_keeps_to_its_queries(name, client, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get(reverse(name))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert response.content.count(b"<h1") == 1


TABS = [
    "settings", "security", "settings_notifications", "settings_privacy", "organization",
    "settings_billing",
]  # fmt: skip


@pytest.mark.parametrize("name", TABS)
def test_a_page_stands_among_the_tabs(name, client):
    page = text_of(client.get(reverse(name)))
    tabs = page.partition('class="settings-tabs"')[2].partition("</nav>")[0]
    assert re.findall(r'href="([^"]+)"', tabs) == [reverse(tab) for tab in TABS]
    assert re.findall(r'href="([^"]+)" aria-current="page"', tabs) == [reverse(name)]


# Profile


def profile(client, **fields):
    known = {"username": "alice", "display_name": "", "language": "en", **fields}
    return client.post(reverse("settings"), known)


@pytest.mark.clause("1.1-name")
def test_names_and_language_are_saved(alice, client):
    response = profile(client, username="ally", display_name="Alice A.", language="zh-hans")
    assert response.status_code == 302
    alice.refresh_from_db()
    assert (alice.username, alice.display_name) == ("ally", "Alice A.")
    page = text_of(client.get(reverse("settings")))
    assert '<html lang="zh-hans">' in page
    assert "个人资料已保存" in page
    assert 'value="Alice A."' in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"username": "bob"}, "id_username_error"),
        ({"username": "BOB"}, "id_username_error"),
        ({"username": "bob@example.com"}, "contains no @"),
        ({"username": ""}, "This field is required"),
        ({"username": "a b"}, "valid username"),
        ({"username": "x" * 151}, "at most 150"),
        ({"display_name": "x" * 81}, "at most 80"),
        ({"language": "tlh"}, "not one of the available choices"),
    ],
)
def test_a_wrong_name_is_explained_and_kept_in_the_form(fields, said, alice, client):
    factories.user("bob")
    response = profile(client, **fields)
    page = text_of(response)
    assert response.status_code == 200
    assert said in page
    (value,) = fields.values()
    assert value in page
    alice.refresh_from_db()
    assert (alice.username, alice.display_name) == ("alice", "")


def test_only_the_case_of_a_username_may_change(alice, client):
    profile(client, username="Alice")
    alice.refresh_from_db()
    assert alice.username == "Alice"


# Notifications


def test_notifications_are_chosen_and_security_mail_stays(alice, client):
    url = reverse("settings_notifications")
    response = client.post(url, {"product-email": "on", "product-sms": "on"}, follow=True)
    page = text_of(response)
    assert "Your choice is saved." in page
    row = NotificationPreference.objects.get(user=alice, kind="product")
    assert (row.by_email, row.by_web, row.by_sms) == (True, False, False)
    assert NotificationPreference.objects.get(user=alice, kind="security").by_email
    assert re.search(r'name="security-email" checked disabled', page)
    assert re.search(r'name="product-email" checked>', page)
    assert re.search(r'name="product-web">', page)


def test_the_page_says_what_is_always_mailed_and_what_a_phone_is_for(alice, client):
    page = text_of(client.get(reverse("settings_notifications")))
    assert "Nor can the answer to a fapiao" in page
    assert "needs a verified phone number" in page
    assert 'name="low_balance-sms" disabled' in page
    assert 'name="product-sms"' not in page
    alice.phone, alice.phone_verified_at = "+6581234567", timezone.now()
    alice.save(update_fields=["phone", "phone_verified_at"])
    page = text_of(client.get(reverse("settings_notifications")))
    assert "needs a verified phone number" not in page
    assert 'name="low_balance-sms">' in page


# Privacy


def test_the_cross_border_consent_is_given_and_taken_back_once_each(alice, client):
    url = reverse("settings_consent")
    for action in ("withdraw", "give", "give", "withdraw", "withdraw", "nonsense"):
        client.post(url, {"action": action})
    rows = Consent.objects.filter(user=alice).order_by("pk")
    assert [row.action for row in rows] == ["given", "withdrawn"]
    assert {row.purpose for row in rows} == {"cross_border"}
    page = text_of(client.get(reverse("settings_privacy")))
    assert "withdrawn" in page
    assert "Give consent" in page
    assert "Withdraw consent" not in page


def test_the_page_tells_versions_and_the_terms_that_the_program_goes_by(client, settings):
    settings.LOG_RETENTION_DAYS = 17
    page = text_of(client.get(reverse("settings_privacy")))
    assert "not recorded" in page
    rules = dict(retention_rules.table(ended=removal.ended_records()))
    assert rules[Record.REQUEST_LOG].days == 17
    for rule in rules.values():
        assert escape(str(rule.what)) in page
    assert "<td>17 days</td>" in page
    assert "<td>365 days after it was closed</td>" in page


def test_the_page_tells_when_debug_mode_was_on_and_that_it_is(
    alice, account, client, settings, tmp_path
):
    settings.DEBUG_KEY_DIR = tmp_path / "keys"
    assert "You never switched it on." in text_of(client.get(reverse("settings_privacy")))
    made, _ = keys.mint(account=account, created_by=alice, name="laptop")
    started = {"key": made, "user": alice, "minutes": 60, "agreed_to": debug_consent.VERSION}
    debug.stop(debug.start(**started, now=timezone.now()), now=timezone.now())
    debug.start(**started, now=timezone.now())
    page = text_of(client.get(reverse("settings_privacy")))
    assert page.count(f'<a href="{reverse("key_debug", args=[made.pk])}">laptop</a>') == 1
    assert page.count('<th scope="row">laptop</th>') == 1
    assert reverse("keys") in page
    bob = factories.user("bob")
    factories.join(bob, account, Membership.Role.ADMIN)
    other = Client()
    other.force_login(bob)
    other.post(reverse("switch_account"), {"account": str(account.public_id)})
    assert "laptop" not in text_of(other.get(reverse("settings_privacy")))


@pytest.fixture
def channels():
    for code in ("US", "CN", "operator"):
        Channel.objects.create(
            name=code, vendor="openai", protocol="openai-chat", base_url="http://x",
            jurisdiction=code,
        )  # fmt: skip
    Channel.objects.create(
        name="off", vendor="openai", protocol="openai-chat", base_url="http://x",
        jurisdiction="FR", is_enabled=False,
    )  # fmt: skip


def test_requests_are_confined_and_every_worker_hears_of_it(account, client, channels):
    url = reverse("settings_places")
    page = text_of(client.get(reverse("settings_privacy")))
    assert "United States" in page
    assert "France" not in page
    before = Change.objects.count()
    response = client.post(url, {"scope": "some", "places": ["US", "CN"]})
    assert response.status_code == 302
    account.refresh_from_db()
    assert account.allowed_jurisdictions == ["CN", "US"]
    change = Change.objects.latest("seq")
    assert (change.topic, change.ref) == (Change.Topic.ACCOUNT, str(account.pk))
    assert Change.objects.count() == before + 1
    # "everywhere" wins over boxes that stayed ticked.
    client.post(url, {"scope": "all", "places": ["US"]})
    account.refresh_from_db()
    assert account.allowed_jurisdictions == []


def test_an_empty_list_of_places_is_refused_because_it_would_mean_all(account, client, channels):
    account.allowed_jurisdictions = ["US"]
    account.save(update_fields=["allowed_jurisdictions"])
    url = reverse("settings_places")
    page = text_of(client.post(url, {"scope": "some"}))
    assert "Tick at least one place" in page
    page = text_of(client.post(url, {"scope": "some", "places": ["FR"]}))
    assert "FR is not one of the available choices" in page
    account.refresh_from_db()
    assert account.allowed_jurisdictions == ["US"]


def test_a_place_that_is_not_offered_any_more_is_still_shown(account, client):
    account.allowed_jurisdictions = ["FR"]
    account.save(update_fields=["allowed_jurisdictions"])
    page = text_of(client.get(reverse("settings_privacy")))
    assert re.search(r'value="FR"[^>]* checked', page)


@pytest.mark.parametrize("role", ["developer", "billing"])
def test_who_may_not_change_the_account_reads_where_requests_go(role, account, as_role):
    account.allowed_jurisdictions = ["US"]
    account.save(update_fields=["allowed_jurisdictions"])
    client = as_role(role)
    page = text_of(client.get(reverse("settings_privacy")))
    assert "Only to: United States" in page
    assert "Owners and admins choose." in page
    response = client.post(reverse("settings_places"), {"scope": "all"})
    assert response.status_code == 403
    account.refresh_from_db()
    assert account.allowed_jurisdictions == ["US"]


# Rights


def test_a_request_is_shown_with_its_due_date_and_taken_back(alice, client):
    found = contact.open_request(
        kind="access", source="page", email=alice.email, subject="A copy", text="please",
        now=timezone.now(), user=alice, proven=True,
    )  # fmt: skip
    assert found.due_at.strftime("%Y-%m-%d") in text_of(client.get(reverse("settings_privacy")))
    page = text_of(
        client.post(reverse("settings_withdraw"), {"request": found.public_id}, follow=True)
    )
    found.refresh_from_db()
    assert found.state == "closed"
    assert "Your request is withdrawn." in page


@pytest.mark.parametrize(
    ("name", "method"),
    [("settings_export", "post"), ("settings_closure", "get"), ("settings_closure", "post")],
)
def test_a_right_is_exercised_by_who_just_showed_to_be_the_user(name, method):
    person = factories.user("pat", password=factories.PASSWORD)
    client = Client()
    client.force_login(person)  # a session that somebody may have found open
    response = getattr(client, method)(reverse(name))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_reauthenticate"))
    target = f"{reverse('account_reauthenticate')}?next={reverse(name)}"
    assert client.post(target, {"password": "wrong"}).status_code == 200
    client.post(target, {"password": factories.PASSWORD})
    assert client.get(reverse(name)).status_code == 200


def test_requests_of_others_are_neither_shown_nor_withdrawn(client):
    mallory = factories.user("mallory")
    other = contact.open_request(
        kind="deletion", source="page", email="mallory@example.com", subject="Delete mallory",
        text="x", now=timezone.now(), user=mallory, proven=True,
    )  # fmt: skip
    assert "Delete mallory" not in text_of(client.get(reverse("settings_privacy")))
    for wanted in (other.public_id, uuid.uuid4(), "nonsense", ""):
        response = client.post(reverse("settings_withdraw"), {"request": wanted})
        assert response.status_code == 404
    other.refresh_from_db()
    assert other.state == "open"


def test_other_kinds_of_requests_are_not_withdrawn_here(alice, client):
    dispute = contact.open_request(
        kind="question", source="page", email=alice.email, subject="?", text="x",
        now=timezone.now(), user=alice,
    )  # fmt: skip
    response = client.post(reverse("settings_withdraw"), {"request": dispute.public_id})
    assert response.status_code == 404


# Billing details

FIELDS = {
    "legal_name": "Acme Ltd", "email": "bills@acme.example", "tax_id": "DE 123",
    "address": "1 Road\n12345 Town", "country": "DE",
}  # fmt: skip


@pytest.mark.parametrize("role", ["admin", "billing"])
def test_billing_details_are_saved_for_the_account(role, account, as_role):
    client = as_role(role)
    url = reverse("settings_billing")
    client.post(url, {**FIELDS, "legal_name": "First"})
    assert client.post(url, FIELDS).status_code == 302
    row = BillingDetails.objects.get()
    assert row.account == account
    found = {name: getattr(row, name).replace("\r\n", "\n") for name in FIELDS}
    assert found == FIELDS
    page = text_of(client.get(url))
    assert 'value="Acme Ltd"' in page
    assert '<option value="DE" selected>Germany' in page


def test_a_wrong_billing_field_is_explained_and_saves_nothing(client):
    url = reverse("settings_billing")
    page = text_of(client.post(url, {**FIELDS, "email": "nobody", "country": "XX"}))
    assert "valid email" in page
    assert "XX is not one of the available choices" in page
    assert "Acme Ltd" in page
    assert not BillingDetails.objects.exists()


def test_developers_do_not_see_billing_details(account, as_role):
    BillingDetails.objects.create(account=account, legal_name="Acme Ltd")
    client = as_role("developer")
    response = client.get(reverse("settings_billing"))
    assert response.status_code == 403
    assert "Acme Ltd" not in text_of(response)
    assert client.post(reverse("settings_billing"), FIELDS).status_code == 403
    assert BillingDetails.objects.get().legal_name == "Acme Ltd"
    assert reverse("settings_billing") not in text_of(client.get(reverse("settings")))


def test_consents_of_sign_up_are_shown_with_their_version(alice, client):
    consents.give(user=alice, purpose=Consent.Purpose.TERMS, version=None, now=timezone.now())
    page = text_of(client.get(reverse("settings_privacy")))
    assert page.count("not recorded") == 1
