"""The home page counts what is there, and nothing else."""

import datetime as dt
import re

import pytest
from django.test import Client

from bananarouter.pages import home
from bananarouter.pages.catalogue import standing
from logs import service_hours
from routing import catalogue
from tests import factories
from tests.bananarouter.catalogue.conftest import CHANNELS

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12


def numbers(response) -> dict[str, str]:
    page = re.sub(r"\s+", " ", response.content.decode())
    found = re.findall(r"<dt>([^<]+)</dt> <dd>(?:<a[^>]*>)?([^<]+)", page)
    return {name.strip(): value for name, value in found}


def test_real_models_are_counted_without_the_simulated_ones(stocked, django_assert_max_num_queries):
    client = Client()
    client.force_login(factories.user("alice"))
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get("/")
    assert numbers(response) == {
        "models": "5", "vendors": "3", "wire formats, each reaching every chat model": "4",
    }  # fmt: skip


def test_a_demo_alone_is_called_simulated(install):
    install(CHANNELS[-1])
    found = numbers(Client().get("/"))
    assert found["simulated models"] == "1"
    assert "demo vendor" in Client().get("/").content.decode()
    assert "models" not in found


def test_an_empty_installation_claims_nothing(db):
    catalogue.refresh()
    found = numbers(Client().get("/"))
    assert (found["models"], found["vendors"]) == ("0", "0")


def test_requests_of_a_day_are_counted_rounded_down_and_without_demo(stocked):
    now = dt.datetime.now(dt.UTC)
    accounts = [factories.account_of(factories.user(f"person{n}")) for n in range(3)]
    served = {"vendor": "openai", "endpoint": "us:openai/alpha"}
    for account in accounts:
        for _ in range(30):
            factories.request(account, at=now - dt.timedelta(hours=8), **served)
        for _ in range(10):
            factories.request(account, at=now, **served)
            factories.request(account, at=now, vendor="demo", endpoint="demo:demo/banana")
        factories.request(account, at=now - dt.timedelta(hours=30), **served)
    service_hours.close_hours(now=now)
    standing.forget()
    assert numbers(Client().get("/"))["requests in the last 24 hours, at least"] == "120"
    factories.request(accounts[0], at=now, **served)
    standing.forget()
    assert numbers(Client().get("/"))["requests in the last 24 hours, at least"] == "120"


@pytest.mark.parametrize(
    ("count", "shown"), [(20, 20), (99, 99), (129, 120), (98_765, 98_000), (1_000_000, 1_000_000)]
)
def test_counts_are_rounded_down_to_two_digits(count, shown):
    assert home._rounded(count) == shown


def test_links_lead_to_pages_that_exist(stocked):
    page = Client().get("/").content.decode()
    for path in set(re.findall(r'href="(/[^"#]*)"', page)):
        if not path.startswith("/static/"):
            assert Client().get(path).status_code == 200, path
