"""Lists of models: who sees what, filters that hold, pages that hold each model once."""

import datetime as dt
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from routing import catalogue as snapshots
from routing import model_list
from routing.errors import RelayError
from routing.model_list import Filters, Page
from routing.models import Model
from tests.routing.test_planner import caller, channel, demo, install

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)


def model(name, prompt, completion=None, **more):
    prices = {"input": prompt, **({"output": completion} if completion else {})}
    return {"name": name, "prices": prices, **more}


@pytest.fixture
def catalogue():
    install(
        channel("one", models=[
            model("small", "1", "2", context_tokens_max=8_000, output_tokens_max=100),
            model("large", "10", "40", context_tokens_max=200_000),
            {"name": "hears", "prices": {"input": "3", "output": "3", "audio_input": "9",
                                         "web_search": "10"}},
            model("vectors", "0.1"),
        ]),
        channel("two", vendor="deepseek", base_url="https://y.example/v1", priority=1,
                models=[model("openai/large", "9", "30", context_tokens_max=100_000)]),
        demo(),
    )  # fmt: skip


def names(query=None, *, who=None):
    sheets = model_list.reached(who or caller(), at=NOW)
    query = {"output_modalities": "all", **(query or {})}
    return [s.model.slug for s in model_list.chosen(sheets, Filters.read(query))]


EVERY = ["demo/echo", "openai/hears", "openai/large", "openai/small", "openai/vectors"]


def test_every_model_that_can_be_reached_by_name(catalogue):
    assert names() == EVERY
    assert names(who=caller(account_is_demo=True)) == ["demo/echo"]


@pytest.mark.parametrize(("query", "expected"), [
    ({"q": "LARGE"}, ["openai/large"]),
    ({"q": "openai sma"}, ["openai/small"]),
    ({"q": "nothing"}, []),
    ({"model_authors": "demo,acme"}, ["demo/echo"]),
    ({"providers": "DeepSeek"}, ["openai/large"]),
    ({"providers": "openai"}, EVERY[1:]),
    ({"context": "8001"}, ["openai/large"]),
    ({"context": "8000"}, ["openai/large", "openai/small"]),
    ({"min_price": "3"}, ["openai/hears", "openai/large"]),
    ({"max_price": "1.05"}, ["demo/echo", "openai/small", "openai/vectors"]),
    ({"max_price": "1.04"}, ["openai/vectors"]),
    ({"min_output_price": "4"}, ["openai/large"]),
    ({"max_output_price": "0"}, ["openai/vectors"]),
    ({"input_modalities": "text,audio"}, ["openai/hears"]),
    ({"output_modalities": "embeddings"}, ["openai/vectors"]),
    ({"output_modalities": ""}, EVERY[:-1]),
    ({"output_modalities": "text,embeddings"}, EVERY),
    ({"supported_parameters": "max_tokens"}, EVERY[:-1]),
    ({"supported_parameters": "web_search_options"}, ["openai/hears"]),
    ({"supported_parameters": "tools"}, []),
])  # fmt: skip
def test_filters_leave_what_passes(catalogue, query, expected):
    assert names(query) == expected


@pytest.mark.parametrize(("sort", "first", "last"), [
    ("pricing-low-to-high", "openai/vectors", "openai/large"),
    ("pricing-high-to-low", "openai/large", "openai/vectors"),
    ("context-high-to-low", "openai/large", "openai/vectors"),
])  # fmt: skip
def test_are_sorted_as_asked(catalogue, sort, first, last):
    found = names({"sort": sort})
    assert sorted(found) == EVERY
    assert (found[0], found[-1]) == (first, last)


def test_a_sheet_tells_the_best_endpoint_and_lists_the_rest(catalogue):
    sheet = next(s for s in model_list.reached(caller(), at=NOW) if s.model.slug == "openai/large")
    item, listing = sheet.item(), sheet.listing()
    assert [e["tag"] for e in listing["endpoints"]] == ["deepseek", "openai"]
    assert [e["jurisdiction"] for e in listing["endpoints"]] == ["CN", "US"]
    assert item["pricing"] == listing["endpoints"][0]["pricing"]
    assert item["pricing"]["prompt"] == "0.00000945"
    assert (item["context_length"], item["top_provider"]["context_length"]) == (200_000, 100_000)
    assert item["architecture"]["modality"] == "text->text"
    unknown = {"description", "hugging_face_id", "knowledge_cutoff", "default_parameters",
               "per_request_limits", "supported_voices", "expiration_date"}  # fmt: skip
    assert {item[name] for name in unknown} == {None}


def test_a_model_that_ends_says_on_which_day_in_utc(catalogue):
    late = dt.datetime(2031, 4, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    Model.objects.filter(slug="openai/large").update(withdrawn_at=late)
    snapshots.refresh()
    found = {s.model.slug: s.item() for s in model_list.reached(caller(), at=NOW)}
    assert found["openai/large"]["expiration_date"] == "2031-03-31"
    assert found["openai/small"]["expiration_date"] is None
    here = replace(snapshots.current().models["openai/large"], withdrawn_at=late)
    assert here.shutdown_date == "2031-03-31"  # in whichever zone the moment was written


@pytest.mark.parametrize(("prices", "outputs"), [
    ({"characters": "15"}, ["speech"]),
    ({"audio_duration": "0.36"}, ["transcription"]),
    ({"search_unit": "2"}, ["rerank"]),
    ({"input": "5", "image": "40"}, ["image"]),
    ({"input": "0.1"}, ["embeddings"]),
    ({"input": "0"}, []),  # moderations: what is free tells nothing
])  # fmt: skip
def test_prices_tell_what_comes_out(prices, outputs):
    install(channel("a", models=[{"name": "x", "prices": prices}]))
    (sheet,) = model_list.reached(caller(), at=NOW)
    assert sheet.item()["architecture"]["output_modalities"] == outputs
    assert (sheet.item()["architecture"]["modality"] is None) == (not outputs)
    assert "max_tokens" not in sheet.item()["supported_parameters"]


def test_what_a_vendors_file_states_of_a_model_is_told_and_found():
    install(channel("a", models=[model("gpt-4.1", "1", "2"), model("other", "1", "2")]))
    assert names({"supported_parameters": "tools,max_tokens"}) == ["openai/gpt-4.1"]
    assert names({"input_modalities": "image"}) == ["openai/gpt-4.1"]
    stated, silent = (sheet.item() for sheet in model_list.reached(caller(), at=NOW))
    assert stated["architecture"]["modality"] == "text+image->text"
    assert silent["architecture"]["modality"] == "text->text"
    assert silent["supported_parameters"] == ["max_tokens"]


def test_pages_hold_each_model_once(catalogue):
    sheets = model_list.reached(caller(), at=NOW)
    seen, query = [], {"limit": "2", "q": "/"}
    while query:
        page = model_list.listing(sheets, page=Page.read(query), query=query, path="/api/v1/models")
        assert page["total_count"] == 5
        assert len(page["data"]) <= 2
        seen += [item["id"] for item in page["data"]]
        following = page["links"]["next"]
        query = dict(parse_qsl(following.partition("?")[2])) if following else None
        assert query is None or query["q"] == "/"
    assert seen == EVERY


@pytest.mark.parametrize(("query", "expected"), [
    ({}, Page()), ({"offset": "3"}, Page(offset=3, limit=500)), ({"limit": "7"}, Page(limit=7)),
])  # fmt: skip
def test_without_a_page_all_is_one(query, expected):
    assert Page.read(query) == expected


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1001"}, {"offset": "-1"}])
def test_refuses_pages_that_are_none(query):
    with pytest.raises(RelayError) as caught:
        Page.read(query)
    assert caught.value.param in query
