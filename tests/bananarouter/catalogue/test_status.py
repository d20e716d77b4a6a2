"""Status: true about the parts, silent about few, and there when the database is not."""

import datetime as dt
import re

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client

from bananarouter import health
from bananarouter.pages.catalogue import standing
from billing import bank
from routing import catalogue
from tests import factories
from tests.bananarouter.test_pages_words import inline

QUERIES_MAX = 12


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def serve(people: int, each: int, **fields) -> None:
    accounts = [factories.account_of(factories.user(f"person{n}")) for n in range(people)]
    for account in accounts:
        for _ in range(each):
            factories.request(account, **fields)
    standing.forget()


@pytest.mark.django_db
def test_it_says_which_part_refuses(stocked, django_assert_max_num_queries):
    assert bank.is_open() is False  # nothing started it here
    client = Client()
    client.force_login(factories.user("alice"))
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get("/status")
    page = text_of(response)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert "Requests are refused now." in page
    assert "Requests are taken." not in page
    assert page.count("does not work</span>") == 1
    assert page.count(">works<") == 2
    assert page.count("no data yet") == 2 * 4
    assert inline(page) == []


@pytest.mark.django_db
def test_a_vendors_state_is_that_of_the_last_hour(stocked):
    now = dt.datetime.now(dt.UTC)
    serve(3, 7, vendor="openai", endpoint="us:openai/alpha", at=now)
    serve_failures = {"status": 502, "error_code": "upstream_timeout", "first_byte_ms": None}
    accounts = [factories.account_of(factories.user(f"other{n}")) for n in range(3)]
    for account in accounts:
        for _ in range(8):
            factories.request(
                account, vendor="mistral", endpoint="fr:openai/alpha", at=now, **serve_failures
            )
            factories.request(
                account, vendor="deepseek", endpoint="cn:deepseek/gamma",
                at=now - dt.timedelta(hours=2),
            )  # fmt: skip
    standing.forget()
    rows = {line.vendor.slug: line for line in Client().get("/status").context["lines"]}
    assert rows["openai"].standing.state == "good"
    assert rows["openai"].standing.answered == "100.00 %"
    assert rows["mistral"].standing.state == "bad"
    assert rows["deepseek"].standing.state == ""
    assert rows["openai"].models == 3
    assert rows["mistral"].models == 2


@pytest.mark.django_db
@pytest.mark.parametrize(("people", "each"), [(2, 30), (3, 6), (1, 500)])
def test_nothing_is_told_of_few_requests_or_accounts(people, each, stocked):
    serve(people, each, vendor="openai", endpoint="us:openai/alpha")
    page = text_of(Client().get("/status"))
    assert " %" not in page
    assert page.count("no data yet") == 2 * 4
    assert "at least" not in text_of(Client().get("/"))


@pytest.mark.django_db
def test_simulated_answers_of_one_account_are_shown_as_simulated(stocked):
    serve(1, 20, vendor="demo", endpoint="demo:demo/banana")
    page = text_of(Client().get("/status"))
    assert page.count("100.00 %") == 1
    assert ">simulated<" in page


@pytest.mark.django_db
def test_what_is_measured_is_kept_for_a_minute(stocked, django_assert_num_queries):
    now = dt.datetime.now(dt.UTC)
    with django_assert_num_queries(2):
        standing.of_vendors(now=now)
    with django_assert_num_queries(0):
        standing.of_vendors(now=now + dt.timedelta(seconds=59))
    with django_assert_num_queries(2):
        standing.of_vendors(now=now + dt.timedelta(seconds=60))


def _away(*_statement):
    """Answer as a database does that has gone."""
    raise OperationalError("away")


@pytest.mark.django_db(transaction=True)  # the connection is closed by it
def test_the_page_is_there_while_the_database_is_not(stocked):
    client = Client()
    client.force_login(factories.user("alice"))
    with connection.execute_wrapper(_away):
        response = client.get("/status", headers={"accept-language": "zh-hans"})
    assert response.status_code == 503
    page = text_of(response)
    assert page.count("故障</span>") == 2
    assert "alice" not in page
    assert "no-store" in response["Cache-Control"]
    # Nobody is logged out by it.
    assert "sessionid" not in response.cookies
    assert settings.SESSION_COOKIE_NAME not in response.cookies
    assert client.get("/overview").status_code == 200


@pytest.mark.django_db
def test_a_worker_that_ends_says_so(stocked):
    health.drain()
    try:
        assert Client().get("/status").context["is_ready"] is False
    finally:
        health._Drain.is_draining = False


@pytest.mark.django_db
def test_an_installation_without_vendors_says_so(db):
    catalogue.refresh()
    page = text_of(Client().get("/status"))
    assert "<table" not in page


def test_crawlers_are_kept_from_what_needs_a_log_in():
    response = Client().get("/robots.txt")
    assert response["Content-Type"].startswith("text/plain")
    text = response.content.decode()
    assert "User-agent: *" in text
    for private in ("/overview", "/keys", "/requests", "/staff/", "/accounts/"):
        assert f"Disallow: {private}\n" in text
    assert "Disallow: /\n" not in text
    assert "/models" not in text
    assert Client().post("/robots.txt").status_code == 405
