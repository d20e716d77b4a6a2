"""Home, overview, keys, log-in: what members see, what others do not."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey
from billing.models import Budget, Rate, RateCard
from routing.models import Channel, Endpoint, Model
from tests import factories

pytestmark = pytest.mark.django_db
PRIVATE = ["overview", "keys", "key_new", "requests", "requests_csv"]
QUERIES_MAX = 12


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client_of():
    def log_in(person) -> Client:
        client = Client()
        client.force_login(person)
        return client

    return log_in


@pytest.fixture
def demo_model():
    channel = Channel.objects.create(
        name="demo", vendor="demo", protocol="openai-chat", base_url="http://x/v1", is_demo=True
    )
    model = Model.objects.create(
        slug="demo/banana", author="demo", name="Banana", output_tokens_max=4_000
    )
    card = RateCard.objects.create(
        endpoint="demo:demo/banana", valid_from=timezone.now(), source="test"
    )
    Rate.objects.create(
        card=card, unit_class="output", unit="mtok", nusd_per_unit=1, vendor_nusd_per_unit=1
    )
    return Endpoint.objects.create(
        slug="demo:demo/banana", channel=channel, model=model, upstream_name="banana"
    )


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


# Access


@pytest.mark.parametrize("name", PRIVATE)
def test_a_stranger_is_sent_to_log_in(name):
    response = Client().get(reverse(name))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", PRIVATE)
def test_a_member_gets_the_page_uncached_and_within_its_queries(
    name, alice, client_of, django_assert_max_num_queries
):
    client = client_of(alice)
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get(reverse(name))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]


def test_a_user_without_an_account_is_told_so(client_of):
    person = factories.user("carol")
    person.memberships.all().delete()
    response = client_of(person).get(reverse("overview"))
    assert response.status_code == 403
    assert "You are in no account" in text_of(response)


def test_keys_of_another_account_are_neither_shown_nor_revoked(alice, account, client_of):
    key, _ = keys.mint(account=account, created_by=alice, name="production")
    mallory = client_of(factories.user("mallory"))
    assert "production" not in text_of(mallory.get(reverse("keys")))
    revoke = reverse("key_revoke", args=[key.pk])
    assert mallory.get(revoke).status_code == 404
    assert mallory.post(revoke).status_code == 404
    key.refresh_from_db()
    assert key.disabled_at is None


def test_a_member_switches_to_the_shared_account_and_a_stranger_cannot(account, client_of):
    bob = factories.user("bob")
    factories.join(bob, account)
    client = client_of(bob)
    switch = reverse("switch_account")
    assert client.post(switch, {"account": str(account.public_id)}).status_code == 302
    assert client.get(reverse("overview")).context["shell"].account == account

    mallory = client_of(factories.user("mallory"))
    assert mallory.post(switch, {"account": str(account.public_id)}).status_code == 404
    assert mallory.get(reverse("overview")).context["shell"].account != account


def test_leaving_an_account_ends_the_view_of_it(account, client_of):
    bob = factories.user("bob")
    factories.join(bob, account)
    client = client_of(bob)
    client.post(reverse("switch_account"), {"account": str(account.public_id)})
    bob.memberships.filter(account=account).delete()
    assert client.get(reverse("overview")).context["shell"].account != account


# Home, overview


def test_home_shows_the_base_urls_of_this_host():
    page = text_of(Client().get("/"))
    assert page.count("http://testserver") >= 6
    assert "http://testserver/v1" in page
    assert "demo vendor" not in page


def test_overview_shows_the_balance_and_todays_sums(alice, account, client_of):
    factories.give(account, 12_400_000_000)
    now = timezone.now()
    factories.request(account, cost_nusd=20_000_000)
    factories.request(account, status=402, error_code="insufficient_credit", cost_nusd=0)
    factories.request(account, at=now - dt.timedelta(days=1), cost_nusd=70_000_000)
    factories.request(account, at=now - dt.timedelta(days=2), cost_nusd=900_000_000)
    factories.request(factories.account_of(factories.user("mallory")), cost_nusd=5_000_000_000)
    response = client_of(alice).get(reverse("overview"))
    today, yesterday = response.context["today"], response.context["yesterday"]
    assert (today.requests, today.errors, today.spent_nusd) == (2, 1, 20_000_000)
    assert (today.prompt_tokens, today.completion_tokens) == (24, 60)
    assert (yesterday.requests, yesterday.spent_nusd) == (1, 70_000_000)
    page = text_of(response)
    assert 'title="$12.4">$12.40<' in page
    assert "$0.02" in page
    assert "$5.00" not in page


def test_a_new_account_gets_three_steps_and_a_curl_line(demo_model, client_of):
    person = factories.user("dora", is_demo=True)
    factories.give(factories.account_of(person), 1_000_000_000)
    page = text_of(client_of(person).get(reverse("overview")))
    assert "Three steps to a first answer" in page
    assert "curl http://testserver/v1/chat/completions" in page
    assert "demo/banana" in page


def test_the_steps_go_once_a_request_was_made(alice, account, client_of):
    factories.request(account)
    assert "Three steps" not in text_of(client_of(alice).get(reverse("overview")))


def test_a_paying_account_is_not_offered_a_demo_model(alice, demo_model, client_of):
    page = text_of(client_of(alice).get(reverse("overview")))
    assert "demo/banana" not in page
    assert "No model can be reached" in page


def test_only_a_demo_account_carries_the_demo_label(alice, client_of):
    demo = text_of(client_of(factories.user("dora", is_demo=True)).get(reverse("overview")))
    assert "simulated vendor" in demo
    assert "simulated vendor" not in text_of(client_of(alice).get(reverse("overview")))


# Keys


def create(client, **fields):
    return client.post(reverse("key_new"), {"name": "laptop", **fields})


def test_a_new_key_is_shown_once_and_works(alice, account, client_of):
    client = client_of(alice)
    response = create(client)
    shown = set(re.findall(r"bnr_live_\w{36}", text_of(response)))
    assert len(shown) == 1
    text = shown.pop()
    found = keys.find(text)
    assert found is not None
    assert (found.account, found.created_by, found.name) == (account, alice, "laptop")
    assert "no-store" in response["Cache-Control"]
    assert text not in text_of(client.get(reverse("keys")))
    assert f"…{found.last_four}" in text_of(client.get(reverse("keys")))
    assert text not in str(dict(client.session))


def test_a_key_carries_its_limit_models_and_latest_day(alice, demo_model, client_of):
    day = timezone.now().date() + dt.timedelta(days=3)
    create(
        client_of(alice), limit_usd="$2.50", expires_on=str(day),
        allowed_models="demo/banana\nopenai/* ",
    )  # fmt: skip
    key = ApiKey.objects.get()
    assert key.has_budget
    assert Budget.objects.get(api_key=key).limit_nusd == 2_500_000_000
    assert key.allowed_models == ["demo/banana", "openai/*"]
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
    assert key.expires_at == midnight + dt.timedelta(days=1)
    page = text_of(client_of(alice).get(reverse("keys")))
    assert str(day) in page
    assert "$2.50" in page


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "This field is required"),
        ("name", "n" * 81, "at most 80"),
        ("limit_usd", "0", "above 0"),
        ("limit_usd", "-5", "above 0"),
        ("limit_usd", "five", "above 0"),
        ("limit_usd", "0.0000000001", "above 0"),
        ("limit_usd", "1000000.01", "above 0"),
        ("limit_usd", "NaN", "above 0"),
        ("expires_on", "2020-01-01", "is over"),
        ("expires_on", "9999-12-31", "earlier day"),
        ("expires_on", "soon", "valid date"),
        ("allowed_models", "demo/missing", "There is no model"),
        ("allowed_models", "demo/*/x", "cannot name a model"),
        ("allowed_models", "<b>", "cannot name a model"),
        ("allowed_models", "\n".join(f"m{n}*" for n in range(201)), "at most 200"),
    ],
)
def test_a_wrong_field_is_explained_and_makes_no_key(field, value, said, alice, client_of):
    response = create(client_of(alice), **{field: value})
    assert said in text_of(response)
    assert 'aria-invalid="true"' in text_of(response)
    assert not ApiKey.objects.exists()


def test_what_was_written_is_kept_and_escaped_when_a_field_is_wrong(alice, client_of):
    page = text_of(create(client_of(alice), name='"><script>x</script>', limit_usd="zero"))
    assert "&quot;&gt;&lt;script&gt;" in page
    assert "<script>x" not in page


def test_revoking_asks_first_and_then_disables(alice, account, client_of):
    key, _ = keys.mint(account=account, created_by=alice, name="laptop")
    client = client_of(alice)
    revoke = reverse("key_revoke", args=[key.pk])
    assert "Revoke “laptop”?" in text_of(client.get(revoke))
    key.refresh_from_db()
    assert key.disabled_at is None
    page = text_of(client.post(revoke, follow=True))
    assert "“laptop” is revoked." in page
    key.refresh_from_db()
    assert key.disabled_at is not None
    assert client.post(revoke).status_code == 404


def test_disabled_and_management_keys_are_told_as_what_they_are(alice, account, client_of):
    ordinary, _ = keys.mint(account=account, created_by=alice, name="plain")
    keys.mint(account=account, created_by=alice, name="boss", is_management=True)
    page = text_of(client_of(alice).get(reverse("keys")))
    assert page.count("management") == 1
    assert "disabled" not in page
    keys.set_paused(ordinary, is_paused=True)
    assert "disabled" in text_of(client_of(alice).get(reverse("keys")))


def test_an_expired_key_is_told_from_an_active_one(alice, account, client_of):
    past = timezone.now() - dt.timedelta(seconds=1)
    keys.mint(account=account, created_by=alice, name="old", expires_at=past)
    keys.mint(account=account, created_by=alice, name="new")
    rows = client_of(alice).get(reverse("keys")).context["rows"]
    assert [(row.name, row.state) for row in rows] == [("new", "active"), ("old", "expired")]


def test_many_keys_cost_no_more_queries(alice, account, client_of, django_assert_max_num_queries):
    for n in range(20):
        keys.mint(account=account, created_by=alice, name=str(n))
    client = client_of(alice)
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse("keys"))


def test_forms_need_their_csrf_token(alice, account):
    key, _ = keys.mint(account=account, created_by=alice, name="laptop")
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    response = client.post(reverse("key_revoke", args=[key.pk]))
    assert response.status_code == 403
    assert "The form was too old" in text_of(response)
    key.refresh_from_db()
    assert key.disabled_at is None


# Log-in, staff


def test_signing_up_opens_an_account_and_the_overview():
    client = Client()
    response = client.post(
        reverse("account_signup"),
        {
            "email": "eve@example.com", "username": "eve",
            "password1": factories.PASSWORD, "password2": factories.PASSWORD,
        },
        follow=True,
    )  # fmt: skip
    assert response.redirect_chain[-1][0] == reverse("overview")
    assert "Three steps to a first answer" in text_of(response)


@pytest.mark.parametrize("login", ["alice", "alice@example.com"])
def test_logging_in_by_name_or_address_and_out_again(login):
    factories.user("alice", password=factories.PASSWORD)
    client = Client()
    response = client.post(
        reverse("account_login"), {"login": login, "password": factories.PASSWORD}, follow=True
    )
    assert response.redirect_chain[-1][0] == reverse("overview")
    client.post(reverse("account_logout"))
    assert client.get(reverse("overview")).status_code == 302


def test_a_wrong_password_is_refused():
    factories.user("alice", password=factories.PASSWORD)
    response = Client().post(reverse("account_login"), {"login": "alice", "password": "wrong"})
    assert response.status_code == 200
    assert "errorlist" in text_of(response)


ALLAUTH = [
    "account_email", "account_change_password", "account_logout", "mfa_index",
    "account_reset_password_done",
]  # fmt: skip


@pytest.mark.parametrize("name", ALLAUTH)
def test_allauths_pages_stand_in_our_layout(name, alice, client_of):
    response = client_of(alice).get(reverse(name), follow=True)
    assert response.status_code == 200
    page = text_of(response)
    assert "css/base.css" in page
    assert 'id="main"' in page


def test_staff_log_in_goes_through_allauth(client_of):
    staff = factories.user("sam", is_staff=True)
    response = Client().get(reverse("admin:index"), follow=True)
    assert response.redirect_chain[-1][0] == f"{reverse('account_login')}?next=/staff/"
    assert client_of(staff).get(reverse("staff_login"))["Location"] == reverse("admin:index")


def test_staff_log_in_leads_nowhere_else():
    response = Client().get(reverse("staff_login"), {"next": "https://evil.example/"})
    assert "evil" not in response["Location"]


def test_a_user_who_is_no_staff_is_told_so(alice, client_of):
    response = client_of(alice).get(reverse("admin:index"), follow=True)
    assert response.status_code == 403
    assert "You may not see this" in text_of(response)


def test_the_staff_site_wears_our_colors(client_of):
    staff = factories.user("sam", is_staff=True)
    assert "css/admin.css" in text_of(client_of(staff).get(reverse("admin:index")))
