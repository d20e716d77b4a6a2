"""Estimates bound what admission holds, and name every endpoint of the model."""

import asyncio
import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from routing import admission, catalogue, dialects, estimate, planner
from routing.dialects.base import PathParts
from routing.errors import Code, RelayError
from routing.surfaces import Surface
from tests.routing.test_planner import caller, channel, install

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
TEXT = "Tell me a story about a banana."


def priced(**prices):
    return [{"name": "openai/m", "context_tokens_max": 10_000, "output_tokens_max": 500,
             "prices": {"input": "1", "output": "2", **prices}}]  # fmt: skip


def read(surface=Surface.CHAT, **fields):
    body = {"model": "m", "messages": [{"role": "user", "content": TEXT}], **fields}
    dialect = dialects.for_surface(surface)
    inbound = dialect.decode(surface=surface, raw=json.dumps(body).encode(), headers={},
                             path=PathParts(is_platform=True))  # fmt: skip
    return replace(inbound, is_platform=True), dialect.demand(inbound)


def told(who=None, surface=Surface.CHAT, **fields):
    inbound, demand = read(surface, **fields)
    models = [catalogue.current().resolve(name) for name in (inbound.model, *inbound.fallbacks)]
    asked = estimate.estimate(inbound, demand, models=models, caller=who or caller(), at=NOW)
    return asyncio.run(asked)


def test_the_range_spans_all_endpoints_and_its_end_is_what_admission_holds():
    install(
        channel("cheap", models=priced()),
        channel("dear", priority=200, models=priced(input="5", output="30", cache_read="0.5")),
    )
    found = told(max_tokens=100)
    inbound, demand = read(max_tokens=100)
    model = catalogue.current().resolve("m")
    plan = planner.plan(model, caller=caller(), surface=inbound.surface, at=NOW)
    hold = admission.terms_of(demand, plan, NOW).bound()
    assert Decimal(found["price"]["max"]) * 10**9 == hold
    cheap, dear = found["endpoints"]
    assert dear["price"]["max"] == found["price"]["max"]
    assert Decimal(cheap["price"]["max"]) < hold / Decimal(10**9)
    # 1.05 dollars a million uncached; half a dollar from the dear one's cache is less.
    words = found["prompt_tokens"]
    assert 5 <= words <= 15
    assert Decimal(found["price"]["min"]) == Decimal("0.525") * words / 10**6
    assert Decimal(cheap["price"]["min"]) == Decimal("1.05") * words / 10**6
    assert found["excluded"] == []
    assert "banana" not in json.dumps(found)


def test_output_is_bounded_by_choices_and_by_the_model():
    install(channel("a", models=priced()))
    assert told(max_tokens=20, n=3)["endpoints"][0]["completion_tokens_max"] == 60
    assert told()["endpoints"][0]["completion_tokens_max"] == 500


def test_every_endpoint_that_is_left_out_says_why():
    install(
        channel("good", models=priced(web_search="10")),
        channel("silent", priority=101, models=priced()),
        channel("bare", priority=103, vendor="acme", models=["openai/m"]),
    )
    found = told(web_search_options={})
    assert [e["endpoint_id"] for e in found["endpoints"]] == ["good:openai/m"]
    reasons = {e["endpoint_id"].partition(":")[0]: e["reason"] for e in found["excluded"]}
    assert reasons == {"silent": "unpriced", "bare": "unpriced"}
    assert all(e["message"] for e in found["excluded"])


def test_an_endpoint_that_does_not_have_the_operation_is_left_out():
    install(
        channel("a", models=priced()),
        channel("b", priority=0, protocol="anthropic-messages", models=priced()),
    )
    found = told(surface=Surface.EMBEDDINGS, input=TEXT)
    assert [e["protocol"] for e in found["endpoints"]] == ["openai-chat"]
    assert [(e["protocol"], e["reason"]) for e in found["excluded"]] == [
        ("anthropic-messages", "wrong_protocol")
    ]


def test_a_service_tier_without_a_price_leaves_the_endpoint_out():
    install(channel("a", models=priced()))
    found = told(service_tier="flex")
    assert (found["price"], found["endpoints"]) == (None, [])
    assert [e["reason"] for e in found["excluded"]] == ["unpriced"]


def test_a_demo_caller_is_told_that_nothing_is_open_to_it():
    install(channel("a", models=priced()))
    found = told(caller(account_is_demo=True))
    assert [e["reason"] for e in found["excluded"]] == ["model_not_allowed"]
    assert found["endpoints"] == []


def test_a_trial_is_told_what_its_money_does_not_buy(settings):
    settings.TRIAL_PRICE_NUSD_PER_MTOK_MAX = 2_000_000_000
    install(channel("a", models=priced()))
    found = told(caller(is_trial=True))
    assert [e["reason"] for e in found["excluded"]] == ["trial_model"]
    assert found["endpoints"] == []


def test_a_model_that_the_key_may_not_use_is_refused():
    install(channel("a", models=priced()))
    with pytest.raises(RelayError) as caught:
        told(caller(allowed_models=("acme/*",)))
    assert caught.value.code is Code.MODEL_NOT_ALLOWED


def test_fallback_models_widen_the_range():
    dear = {**priced(output="90")[0], "name": "openai/dear"}
    install(channel("a", models=[*priced(), dear]))
    alone, both = told(max_tokens=100), told(max_tokens=100, models=["dear"])
    assert alone["price"]["max"] < both["price"]["max"] == told(
        model="dear", max_tokens=100, messages=[{"role": "user", "content": TEXT}],
        models=["m"],
    )["price"]["max"]  # fmt: skip
    names = [e["endpoint_id"] for e in both["endpoints"]]
    assert names == ["a:openai/m", "a:openai/dear"]
    # A key that may not use the fallback is told so, and served by the other.
    own = told(caller(allowed_models=("openai/m",)), max_tokens=100, models=["dear"])
    assert [e["endpoint_id"] for e in own["endpoints"]] == ["a:openai/m"]
    assert [e["reason"] for e in own["excluded"]] == ["model_not_allowed"]


def test_another_wire_format_is_an_offer_unless_it_has_no_words_for_the_request():
    install(channel("b", protocol="anthropic-messages", models=priced()))
    assert [e["protocol"] for e in told()["endpoints"]] == ["anthropic-messages"]
    found = told(n=2)
    assert found["endpoints"] == []
    (left_out,) = found["excluded"]
    assert left_out["message"]
    assert left_out["reason"] in {code.value for code in Code}


def test_a_link_is_not_fetched(vendor):
    install(channel("a", vendor="google", protocol="gemini", models=priced()))
    image = {"type": "image_url", "image_url": {"url": f"{vendor.url}/a.png"}}
    content = [{"type": "text", "text": TEXT}, image]
    found = told(model="openai/m", messages=[{"role": "user", "content": content}])
    assert len(found["endpoints"]) == 1
    # What a link names may fill the window: the bound says so.
    assert found["endpoints"][0]["prompt_tokens_max"] == 10_000
    assert vendor.connections == 0


def test_media_and_names_are_no_words():
    install(channel("a", models=priced()))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4_000}}
    content = [{"type": "text", "text": TEXT}, image]
    found = told(messages=[{"role": "user", "content": content}], user="x" * 100)
    assert found["prompt_tokens"] == told()["prompt_tokens"]
