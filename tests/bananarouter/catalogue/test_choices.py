"""The URL's filters: read leniently, written back whole, and each one narrows."""

import datetime as dt

import pytest
from django.http import QueryDict

from bananarouter.pages.catalogue import offers
from bananarouter.pages.catalogue.choices import PAGE_MAX, Choices

NOW = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)  # after every price that is made here
ALL = ["openai/alpha", "demo/banana", "openai/beta", "mistral/ears", "deepseek/gamma",
       "openai/vectors"]  # fmt: skip


def read(query: str) -> Choices:
    return Choices.read(QueryDict(query))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", ALL),
        ("q=OPENAI+alp", ["openai/alpha"]),
        ("q=%25", []),
        ("vendor=mistral", ["openai/alpha", "mistral/ears"]),
        ("vendor=nobody", []),
        ("takes=audio", ["mistral/ears"]),
        ("gives=embeddings", ["openai/vectors"]),
        ("gives=text", ["openai/alpha", "demo/banana", "openai/beta", "deepseek/gamma"]),
        ("price=0.5", ["openai/beta", "openai/vectors"]),
        ("price=%240.525", ["openai/beta", "deepseek/gamma", "openai/vectors"]),
        ("context=128000", ["openai/alpha", "openai/beta"]),
        ("where=CN", ["deepseek/gamma"]),
        ("where=FR", ["mistral/ears"]),
        ("data=no-training", ["openai/alpha", "demo/banana", "openai/beta", "mistral/ears",
                              "openai/vectors"]),
        ("data=not-kept", ["demo/banana"]),
        ("sort=input", ["openai/vectors", "openai/beta", "deepseek/gamma", "openai/alpha",
                        "demo/banana", "mistral/ears"]),
        ("sort=context&gives=text", ["openai/beta", "openai/alpha", "demo/banana",
                                     "deepseek/gamma"]),
        ("vendor=openai&price=1&gives=text", ["openai/beta"]),
    ],
)  # fmt: skip
def test_each_filter_lets_through_what_it_says(query, wanted, stocked):
    found = read(query).apply(offers.current(now=NOW).offers)
    assert [offer.slug for offer in found] == wanted


@pytest.mark.parametrize(
    "query",
    [
        "price=-1", "price=NaN", "price=1e99", "price=free", "price=0", "context=-5",
        "context=many", "vendor=<b>", "takes=%00", "data=all", "sort=cost", "page=0", "page=-1",
        "page=x", "q=+++", "unknown=1", f"vendor={'x' * 41}", f"context={'9' * 13}",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_left_out(query):
    assert read(query) == Choices()


def test_a_query_survives_reading_and_writing():
    query = "q=a+b&vendor=openai&takes=image&gives=text&price=0.5&context=8000&where=US"
    query += "&data=no-training&sort=input"
    assert read(query).query() == query
    assert read(query).query(page=1) == query
    assert read(query).query(page=2) == f"{query}&page=2"
    assert read(f"{query}&page=7").page == 7
    assert read(f"page={PAGE_MAX * 10}").page == PAGE_MAX


def test_a_search_is_cut_to_a_length():
    assert len(read(f"q={'x' * 500}").search) == 80


def test_a_value_of_the_url_stands_in_its_select():
    assert read("price=0.123").prices[0] == "0.123"
    assert read("context=5").contexts[0] == "5"
    assert "" not in read("").prices
