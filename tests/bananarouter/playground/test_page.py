"""The playground's page and its key: who gets one, how long it works, where it shows."""

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys, session_keys
from accounts.models import ApiKey, Membership
from billing.models import Rate, RateCard
from billing.usage import UnitClass
from routing import catalogue
from routing.models import Channel, Endpoint, Model
from tests import factories

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client(alice):
    client = Client()
    client.force_login(alice)
    return client


def offer(slug, *, is_demo=False, paid_for=UnitClass.OUTPUT):
    channel, _ = Channel.objects.get_or_create(
        name=f"demo-{is_demo}", vendor="demo", protocol="gemini", is_demo=is_demo
    )
    model = Model.objects.create(slug=slug, author="demo", name=slug)
    endpoint = Endpoint.objects.create(
        slug=f"{channel.name}:{slug}", channel=channel, model=model, upstream_name=slug
    )
    card = RateCard.objects.create(endpoint=endpoint.slug, valid_from=NOW, source="test")
    Rate.objects.create(
        card=card, unit_class=paid_for, unit="mtok", nusd_per_unit=1, vendor_nusd_per_unit=1
    )
    catalogue.refresh()


def test_offers_models_that_write_text_and_can_be_reached(client, django_assert_max_num_queries):
    offer("a/writes")
    offer("a/embeds", paid_for=UnitClass.INPUT)
    offer("a/other", is_demo=True)
    with django_assert_max_num_queries(12):
        page = client.get(reverse("playground")).content.decode()
    assert '<option value="a/writes">' in page
    assert "a/embeds" not in page
    assert "a/other" not in page


def test_without_a_model_says_so(client):
    catalogue.refresh()
    page = client.get(reverse("playground")).content.decode()
    assert "No model can be reached" in page
    assert "main.js" not in page


def test_a_key_is_made_by_a_post_for_an_hour_and_kept_in_no_cache(client, account):
    assert client.get(reverse("playground_key")).status_code == 405
    answer = client.post(reverse("playground_key"))
    assert "no-store" in answer["Cache-Control"]
    found = keys.find(answer.json()["key"])
    assert found.account == account
    assert found.purpose == ApiKey.Purpose.PLAYGROUND
    assert answer.json()["lifetime_s"] == 3600
    left = found.expires_at - timezone.now()
    assert dt.timedelta(minutes=59) < left <= dt.timedelta(hours=1)


def test_a_key_needs_the_form_token_and_a_role_that_makes_keys(alice, account):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(reverse("playground_key")).status_code == 403
    carol = factories.user("carol")
    carol.memberships.all().delete()
    Membership.objects.create(account=account, user=carol, role=Membership.Role.BILLING)
    client = Client()
    client.force_login(carol)
    assert client.post(reverse("playground_key")).status_code == 403
    assert not ApiKey.objects.filter(purpose=ApiKey.Purpose.PLAYGROUND).exists()


def test_a_user_holds_a_few_keys_at_once_and_the_oldest_end(alice, account):
    made = [
        session_keys.mint(account=account, user=alice, now=timezone.now())[0]
        for _ in range(session_keys.LIVE_MAX + 2)
    ]
    for key in made:
        key.refresh_from_db()
    assert [key.disabled_at is None for key in made] == [False, False] + [True] * 5


def test_anothers_keys_are_left_alone(alice, account):
    bob = factories.user("bob")
    factories.join(bob, account)
    own, _ = keys.mint(account=account, created_by=alice, name="production")
    first, _ = session_keys.mint(account=account, user=alice, now=timezone.now())
    for _ in range(session_keys.LIVE_MAX + 1):
        session_keys.mint(account=account, user=bob, now=timezone.now())
    for key in (own, first):
        key.refresh_from_db()
        assert key.disabled_at is None
