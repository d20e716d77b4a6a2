"""/welcome: a key in place, code that holds it, a wait that turns green, trial money."""

import itertools
import re

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import keys, keytext, work
from accounts.models import Account
from billing import queries
from billing.models import Trial
from tests import factories
from tests.routing.test_planner import demo, install

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12
HTMX = {"HX-Request": "true"}
BITS = 4


@pytest.fixture(autouse=True)
def terms(settings):
    settings.TRIAL_NUSD, settings.TRIAL_WORK_BITS = 500_000_000, BITS
    cache.clear()


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


@pytest.fixture
def model():
    install(demo())
    return "demo/echo"


def text_of(response) -> str:
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def get(client) -> str:
    return text_of(client.get(reverse("welcome")))


def field(page, name) -> str:
    return re.search(rf'name="{name}"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="{name}"',
                     page).group(1)  # fmt: skip


def create(client, *, once="once", name="laptop", **options):
    return client.post(reverse("welcome"), {"name": name, "once": once}, **options)


def key_in(page) -> str:
    return re.search(r'id="new-key">([^<]+)<', page).group(1)


# The key


def test_the_page_asks_for_a_key_with_its_name_filled_in(client):
    page = get(client)
    assert 'value="First key"' in page
    assert len(field(page, "once")) >= 16
    assert field(page, "once") != field(get(client), "once")
    assert "Waiting for your first request" in page


def test_without_javascript_the_whole_page_answers_with_the_key_this_once(client, account, model):
    page = text_of(create(client))
    text = key_in(page)
    assert keytext.is_well_formed(text)
    assert keys.find(text).account == account
    assert keys.find(text).name == "laptop"
    assert page.count("<h1") == 1
    assert page.count(text) == 7  # the field, and six clients
    assert "$BANANAROUTER_API_KEY" not in page
    again = get(client)
    assert text not in again
    assert f"…{text[-4:]}" in again
    assert "$BANANAROUTER_API_KEY" in again


def test_with_javascript_the_step_and_the_code_are_swapped_in(client, model):
    response = create(client, headers=HTMX)
    page = text_of(response)
    text = key_in(page)
    assert "<html" not in page
    assert page.count(text) == 7
    assert re.findall(r'<li id="([\w-]+)"', page) == ["step-key", "step-code"]
    assert "no-store" in response["Cache-Control"]
    assert text not in str(dict(client.session.items()))


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_a_form_that_is_sent_twice_makes_one_key(headers, client, account):
    first = text_of(create(client, headers=headers))
    second = text_of(create(client, headers=headers))
    assert account.api_keys.count() == 1
    assert key_in(first) not in second
    assert "sent twice, and one key was made" in second
    assert "Create another key" in second
    text_of(create(client, once="another", headers=headers))
    assert account.api_keys.count() == 2


@pytest.mark.parametrize("headers", [HTMX, {}], ids=["htmx", "plain"])
def test_a_name_that_is_wrong_is_said_beside_the_field_and_kept(headers, client, account):
    page = text_of(create(client, name="x" * 81, headers=headers))
    assert 'id="id_name_error"' in page
    assert "x" * 81 in page
    assert not account.api_keys.exists()
    page = text_of(create(client, name="fine", headers=headers))  # the same form, mended
    assert key_in(page)


def test_a_name_cannot_break_out_of_the_page(client, account):
    create(client, name="<script>alert(1)</script>")
    assert "<script>alert" not in get(client)
    assert account.api_keys.get().name == "<script>alert(1)</script>"


def test_keys_of_others_and_revoked_ones_are_not_shown(client, account):
    mallory = factories.user("mallory")
    keys.mint(account=factories.account_of(mallory), created_by=mallory, name="quokka")
    key, _ = keys.mint(account=account, created_by=None, name="numbat")
    assert "numbat" in get(client)
    keys.revoke(key)
    page = get(client)
    assert "numbat" not in page
    assert "quokka" not in page


def test_a_role_that_makes_no_keys_is_told_so(account):
    bob = factories.user("bob")
    factories.join(bob, account, "billing")
    client = Client()
    client.force_login(bob)
    client.post(reverse("switch_account"), {"account": str(account.public_id)})
    assert client.get(reverse("welcome")).status_code == 403
    assert create(client).status_code == 403
    assert client.get(reverse("welcome_first"), headers=HTMX).status_code == 403
    assert client.post(reverse("welcome_trial")).status_code == 403
    assert not account.api_keys.exists()


def test_a_developer_makes_keys_and_sees_no_key_of_others(alice, account):
    keys.mint(account=account, created_by=alice, name="numbat")
    bob = factories.user("bob")
    factories.join(bob, account, "developer")
    client = Client()
    client.force_login(bob)
    client.post(reverse("switch_account"), {"account": str(account.public_id)})
    assert "numbat" not in get(client)
    assert keys.find(key_in(text_of(create(client)))).created_by == bob


# The wait


def poll(client, *, page=None):
    url = re.search(r'hx-get="([^"]+)"', page or get(client)).group(1).replace("&amp;", "&")
    return client.get(url, headers=HTMX)


def test_a_page_that_waits_is_told_nothing_as_long_as_nothing_came(client):
    page = get(client)
    assert 'hx-trigger="every 1s"' in page
    assert poll(client, page=page).status_code == 204


def test_an_answer_turns_it_green_with_what_it_was(client, account):
    page = get(client)
    request_id = factories.request(account, cost_nusd=317_000)
    answer = text_of(poll(client, page=page))
    for said in ("It works", "demo/banana", "12 in, 30 out", "$0.000317", "1.24 s"):
        assert said in answer
    assert reverse("request", args=[request_id]) in answer
    assert "hx-get" not in answer
    assert 'id="mark-first" hx-swap-oob="true"' in answer
    assert "It works" in get(client)
    assert "hx-get" not in get(client).partition('id="first"')[2]


def test_a_failure_is_explained_and_the_wait_goes_on(client, account):
    page = get(client)
    factories.request(account, status=402, error_code="trial_model", endpoint=None, vendor=None)
    answer = text_of(poll(client, page=page))
    assert "402" in answer
    assert "buys cheap models only" in answer
    assert "It works" not in answer
    assert poll(client, page=answer).status_code == 204
    factories.request(account)
    assert "It works" in text_of(poll(client, page=answer))


def test_nothing_of_others_turns_it_green(client):
    page = get(client)
    factories.request(factories.account_of(factories.user("mallory")))
    assert poll(client, page=page).status_code == 204


def test_the_fragment_alone_is_no_page(client):
    assert client.get(reverse("welcome_first"))["Location"] == reverse("welcome")


def test_a_page_whose_session_ended_is_sent_to_log_in(client):
    page = get(client)
    client.logout()
    response = poll(client, page=page)
    assert (response.status_code, response["HX-Refresh"]) == (403, "true")
    assert response.content == b""


@pytest.mark.parametrize(
    "query", ["", "?since=x", "?since=1&pace=1&seen=%00", "?pace=1&since=" + "9" * 400]
)
def test_a_poll_that_makes_no_sense_breaks_nothing(query, client):
    response = client.get(reverse("welcome_first") + query, headers=HTMX)
    assert response.status_code in {200, 204}


# The trial


def solve(page) -> dict[str, str]:
    challenge = field(page, "challenge")
    nonce = next(n for n in itertools.count() if work.zero_bits(challenge, n) >= BITS)
    return {"challenge": challenge, "nonce": str(nonce)}


def test_a_new_account_is_offered_money_and_gets_it(client, account):
    page = get(client)
    assert "$0.50" in page
    assert "14 days" in page
    assert "This step needs JavaScript" in page
    answer = text_of(client.post(reverse("welcome_trial"), solve(page), headers=HTMX))
    assert "of trial money until" in answer
    assert re.search(r'id="balance" hx-swap-oob="true">.*\$0\.50', answer)
    assert queries.balance(account.pk).available_nusd == 500_000_000
    assert Account.objects.get(pk=account.pk).is_trial
    for name in ("welcome", "overview"):
        page = text_of(client.get(reverse(name)))
        assert "of trial money until" in page
        assert 'name="challenge"' not in page


def test_a_form_sent_twice_gives_once(client, account):
    form = solve(get(client))
    for _ in range(2):
        answer = text_of(client.post(reverse("welcome_trial"), form, headers=HTMX))
        assert "of trial money until" in answer
    assert queries.balance(account.pk).credit_nusd == 500_000_000


def test_a_refusal_says_why_and_offers_another_try(client):
    form = {**solve(get(client)), "nonce": ""}
    answer = text_of(client.post(reverse("welcome_trial"), form, headers=HTMX))
    assert "does not fit" in answer
    assert field(answer, "challenge") != form["challenge"]
    assert "hx-swap-oob" not in answer
    response = client.post(reverse("welcome_trial"), form, follow=True)
    assert response.redirect_chain == [(reverse("welcome"), 302)]
    assert "does not fit" in text_of(response)
    assert not Trial.objects.exists()


def test_whoever_is_not_verified_is_told_where(client):
    EmailAddress.objects.update(verified=False)
    page = get(client)
    assert "Verify your email address first" in page
    assert reverse("account_email") in page
    assert 'name="challenge"' not in page


def test_nothing_is_said_of_trials_to_accounts_that_have_money(client, account):
    factories.give(account, 1_000_000_000)
    page = get(client)
    assert "to try" not in page
    assert 'id="step-trial" hidden' in page
    assert "402" not in page


def test_a_trial_that_ended_is_not_offered_again(client, account):
    client.post(reverse("welcome_trial"), solve(get(client)))
    Account.objects.update(is_trial=False)
    page = get(client)
    assert "to try" not in page
    assert "trial money until" not in page


# Cost


@pytest.mark.parametrize("name", ["welcome", "overview"])
def test_the_page_takes_few_queries(name, client, account, django_assert_max_num_queries, model):
    client.post(reverse("welcome_trial"), solve(get(client)))
    for _ in range(60):
        factories.request(account)
    create(client)
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse(name))
    with django_assert_max_num_queries(4):
        client.get(reverse("welcome_first"), headers=HTMX)
