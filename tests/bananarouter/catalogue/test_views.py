"""The catalogue's pages: public, within their queries, honest, and nothing of ours in them."""

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse

from bananarouter.pages.catalogue import standing, views
from routing import catalogue
from routing.models import Channel, Model
from tests import factories
from tests.bananarouter.catalogue.conftest import BASE, channel, model
from tests.bananarouter.test_pages_words import inline

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12
HTMX = {"hx-request": "true"}


def text_of(response) -> str:
    assert response.status_code == 200, response.status_code
    return re.sub(r"\s+", " ", response.content.decode())


def slugs(page: str) -> list[str]:
    return re.findall(r'name="m" value="([^"]+)"', page)


def member() -> Client:
    client = Client()
    client.force_login(factories.user("alice"))
    return client


@pytest.mark.parametrize("url", ["/models", "/models/compare?m=openai/alpha&m=openai/beta",
                                 "/models/openai/alpha"])  # fmt: skip
@pytest.mark.parametrize("is_member", [False, True])
def test_a_page_is_public_and_within_its_queries(
    url, is_member, stocked, django_assert_max_num_queries
):
    client = member() if is_member else Client()
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get(url)
    page = text_of(response)
    assert inline(re.sub(r'href="https://[^"]+" rel="noopener', 'rel="noopener', page)) == []
    assert ("no-store" in response.get("Cache-Control", "")) is is_member
    assert ('class="rail"' in page) is is_member
    for secret in (BASE["api_key"], "example/v1", "us:openai", ">us<", "bnr_live_Q"):
        assert secret not in page


def test_the_list_shows_prices_places_and_policies(stocked):
    page = text_of(Client().get("/models"))
    assert len(slugs(page)) == 6
    assert "6 of 6 models" in page
    for shown in ("$2.10", "$0.21", "$8.40", "128K", "16.4K", "United States, France",
                  "OpenAI, Mistral AI", "trains unless opted out", "kept up to 30 days",
                  "retention not stated", "$0.378<span", "per hour"):  # fmt: skip
        assert shown in page, shown
    assert page.count(">simulated<") == 1


def test_filters_of_the_url_narrow_and_stay_in_the_form(stocked):
    page = text_of(Client().get("/models?q=openai&where=US&sort=input"))
    assert slugs(page) == ["openai/vectors", "openai/beta"]
    assert "2 of 6 models" in page
    assert 'value="openai" maxlength' in page
    assert '<option value="US" selected>' in page
    assert '<details class="more" open>' in page
    assert '<details class="more">' in text_of(Client().get("/models?sort=input"))


def test_a_search_is_escaped(stocked):
    page = text_of(Client().get("/models", {"q": '"><script>x</script>'}))
    assert "<script>x" not in page
    assert "Nothing matches" in page
    assert "Show all models" in page


def test_htmx_gets_the_results_alone_and_a_tidy_address(stocked):
    response = Client().get("/models?q=beta&vendor=&price=&sort=", headers=HTMX)
    page = text_of(response)
    assert slugs(page) == ["openai/beta"]
    assert "<html" not in page
    assert "<h1" not in page
    assert response["HX-Push-Url"] == "/models?q=beta"
    assert "HX-Request" in response["Vary"]
    assert Client().get("/models?q=", headers=HTMX)["HX-Push-Url"] == "/models"


def test_the_back_button_gets_the_whole_page(stocked):
    back = {**HTMX, "hx-history-restore-request": "true"}
    response = Client().get("/models?q=beta", headers=back)
    assert "<html" in text_of(response)
    assert "HX-Push-Url" not in response


def test_an_empty_catalogue_says_what_is_missing(db):
    catalogue.refresh()
    page = text_of(Client().get("/models"))
    assert "No models yet" in page
    assert 'name="q"' not in page


def test_many_models_are_paged_and_the_last_page_is_reached(install):
    count = views.PAGE_ROWS + 1
    install(channel("us", "openai", [model(f"x/m{n:03}") for n in range(count)]))
    first = text_of(Client().get("/models?sort=input"))
    assert len(slugs(first)) == views.PAGE_ROWS
    assert 'rel="next" href="/models?sort=input&amp;page=2"' in first
    assert 'rel="prev"' not in first
    last = text_of(Client().get("/models?sort=input&page=2"))
    assert slugs(last) == [f"x/m{count - 1:03}"]
    assert 'rel="prev" href="/models?sort=input"' in last
    assert 'rel="next"' not in last
    assert slugs(text_of(Client().get("/models?sort=input&page=99"))) == slugs(last)


def test_a_row_speaks_the_readers_language_each_time(stocked):
    for _ in range(2):
        assert "does not train" in text_of(Client().get("/models"))
        chinese = text_of(Client().get("/models", headers={"accept-language": "zh-hans"}))
        assert "不用于训练" in chinese
        assert "does not train" not in chinese


# Compare


def test_models_stand_side_by_side(stocked):
    page = text_of(Client().get("/models/compare?m=openai/alpha&m=beta&m=mistral/ears"))
    assert page.count('<th scope="col">') == 4
    for shown in ("$2.10", "$0.0525", "1,000,000", "transcripts", "United States, France"):
        assert shown in page, shown


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "Nothing to compare"),
        ("?m=", "Nothing to compare"),
        ("?m=x/y", "is no model that can be called here now."),
        ("?m=beta", "One model alone"),
        ("?m=beta&m=openai/beta&m=alpha&m=gamma&m=ears", "Four models fit"),
    ],
)
def test_a_comparison_of_too_few_or_too_many_says_so(query, said, stocked):
    assert said in text_of(Client().get(f"/models/compare{query}"))


def test_a_model_named_twice_stands_there_once(stocked):
    page = text_of(Client().get("/models/compare?m=openai/beta&m=openai/beta&m=openai/alpha"))
    assert page.count('<th scope="col">') == 3


# One model


@pytest.mark.parametrize("name", ["alpha", "models/alpha"])
def test_another_name_leads_to_the_models_one_address(name, stocked):
    response = Client().get(f"/models/{name}")
    assert response.status_code == 302
    assert response["Location"] == "/models/openai/alpha"


@pytest.mark.parametrize("name", ["x", "x/y", "openai/", "%00", "a" * 300, "..%2f..%2fetc"])
def test_an_unknown_model_is_a_404(name, stocked):
    assert Client().get(f"/models/{name}").status_code == 404


def test_the_page_names_every_vendor_and_its_policy(stocked):
    page = text_of(Client().get("/models/openai/alpha"))
    for shown in (
        'href="#vendor-openai"', 'href="#vendor-mistral"',
        "https://openai.com/policies/privacy-policy/",
        "https://legal.mistral.ai/terms/commercial-terms-of-service",
        "trains only after an opt-in", "2026-11-23", "30 rolling days", "no data yet",
    ):  # fmt: skip
        assert shown in page, shown
    assert "DeepSeek" not in page


def test_unknown_policies_are_called_unknown(install):
    install(channel("n", "nobody", [model("n/one")]))
    page = text_of(Client().get("/models/n/one"))
    assert "training unknown" in page
    assert 'Privacy policy: <span class="soft">unknown</span>' in page
    assert "not stated" in page


def test_prices_that_differ_by_vendor_are_listed_apart(stocked):
    page = text_of(Client().get("/models/openai/alpha"))
    assert page.count('class="table prices slim"') == 2
    assert "$3.15" in page
    assert page.index("$2.10") < page.index("$3.15")
    for vendor in ("OpenAI", "Mistral AI"):
        assert f'{vendor} <span class="soft">OpenAI Chat Completions</span>' in page
    assert 'class="among"' not in text_of(Client().get("/models/openai/beta"))


def test_code_names_the_model_and_this_host(stocked):
    page = text_of(Client().get("/models/openai/alpha"))
    for shown in ("curl http://testserver/v1/chat/completions", "from anthropic import",
                  "from google import genai", "new OpenAI(", "openai/alpha",
                  "BANANAROUTER_API_KEY"):  # fmt: skip
        assert shown in page, shown
    vectors = text_of(Client().get("/models/openai/vectors"))
    assert "client.embeddings.create" in vectors
    assert "chat.completions" not in vectors
    ears = text_of(Client().get("/models/mistral/ears"))
    assert "client.audio.transcriptions.create" in ears


def test_a_simulated_model_is_called_one(stocked):
    assert "Simulated." in text_of(Client().get("/models/demo/banana"))
    assert "Simulated." not in text_of(Client().get("/models/openai/alpha"))


def test_a_model_that_will_end_says_when(stocked):
    ends_at = dt.datetime(2031, 4, 1, 12, tzinfo=dt.UTC)
    Model.objects.filter(slug="openai/alpha").update(withdrawn_at=ends_at)
    catalogue.refresh()
    page = text_of(Client().get("/models/openai/alpha"))
    assert "This model ends." in page
    assert 'datetime="2031-04-01T12:00:00+00:00"' in page
    assert "This model ends." not in text_of(Client().get("/models/openai/beta"))


def test_measured_shares_are_shown_once_enough_accounts_asked(stocked):
    people = [factories.account_of(factories.user(name)) for name in ("alice", "bob", "carol")]
    now = dt.datetime.now(dt.UTC)
    served = {"endpoint": "us:openai/alpha", "vendor": "openai", "at": now, "first_byte_ms": 180}
    for person in people[:2]:
        for _ in range(10):
            factories.request(person, **served)
    url = reverse("model", args=["openai/alpha"])
    assert "100.00 %" not in text_of(Client().get(url))
    factories.request(people[2], **{**served, "status": 502, "error_code": "upstream_error"})
    standing.forget()
    page = text_of(Client().get(url))
    assert "95.23 %" in page
    assert "half within 200 ms" in page
    assert page.count("no data yet") == 4  # of the other endpoint


# Rows at a time


def test_a_catalogue_of_two_thousand_costs_no_query(install, django_assert_num_queries):
    install(channel("us", "openai", [model(f"x/m{n:04}") for n in range(2_000)]))
    assert Channel.objects.count() == 1
    with django_assert_num_queries(0):
        page = text_of(Client().get("/models?sort=newest&page=20"))
    assert "2,000 of 2,000 models" in page
    assert len(slugs(page)) == 100
