"""Who may be served by whom, in which order, and what is said when nobody can."""

import datetime as dt

import pytest

from accounts.keys import Caller
from billing import models as billing
from billing import rates
from routing import catalogue, channel_import, import_file, planner
from routing.errors import Code, RelayError
from routing.models import Channel
from routing.surfaces import Surface

pytestmark = pytest.mark.django_db
PRICES = {"input": "1", "output": "2"}
FOREVER = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)


def channel(name, **changes):
    return {
        "name": name,
        "vendor": "openai",
        "protocol": "openai-chat",
        "base_url": "https://x.example/v1",
        "models": [{"name": "m", "prices": PRICES}],
        **changes,
    }


def demo(name="demo"):
    return channel(name, vendor="demo", base_url="http://127.0.0.1:9/v1",
                   models=[{"name": "demo/echo", "prices": PRICES}])  # fmt: skip


def caller(**changes):
    values = {
        "key_id": 1, "account_id": 1, "key_is_demo": False, "account_is_demo": False,
        "allowed_models": (), "has_budget": False, "requests_per_minute_max": None,
        "concurrency_max": None, "last_four": "abcd",
    }  # fmt: skip
    return Caller(**{**values, **changes})


def install(*channels):
    channel_import.install(import_file.read({"channels": list(channels)}))
    catalogue.refresh()


def plan(name="m", *, surface=Surface.EMBEDDINGS, who=None, **options):
    model = catalogue.current().resolve(name)
    found = planner.plan(model, caller=who or caller(), surface=surface, **options)
    return [endpoint.channel.name for endpoint in found]


def refusal(*arguments, **options):
    with pytest.raises(RelayError) as caught:
        plan(*arguments, **options)
    return caught.value


def test_endpoints_of_the_callers_protocol_in_the_order_of_priority():
    install(
        channel("b", priority=2),
        channel("a", priority=1),
        channel("c", priority=0, protocol="anthropic-messages"),
    )
    assert plan() == ["a", "b"]
    assert plan(surface=Surface.COUNT_TOKENS) == ["c"]


@pytest.mark.clause("2-route")
def test_native_endpoints_come_before_translated_ones():
    install(channel("a", priority=1), channel("b", priority=0, protocol="anthropic-messages"))
    assert plan(surface=Surface.CHAT) == ["a", "b"]
    assert plan(surface=Surface.MESSAGES) == ["b", "a"]
    assert plan(surface=Surface.GENERATE) == ["b", "a"]


def test_a_channel_of_responses_serves_chat_by_translation_only():
    install(channel("r", priority=0, protocol="openai-responses"), channel("c", priority=1))
    assert plan(surface=Surface.CHAT) == ["c", "r"]
    assert plan(surface=Surface.RESPONSES) == ["r", "c"]


def test_another_protocol_is_a_400_that_names_those_spoken():
    install(channel("a"), channel("b", protocol="anthropic-messages"))
    error = refusal(surface=Surface.GEMINI_EMBED)
    assert (error.code, error.status) == (Code.WRONG_PROTOCOL, 400)
    assert "anthropic-messages, openai-chat" in error.message


@pytest.mark.parametrize("who", [
    caller(account_is_demo=True),
    caller(key_is_demo=True),
    caller(account_is_demo=True, key_is_demo=True),
], ids=["demo account", "demo key", "both"])  # fmt: skip
def test_demo_callers_reach_demo_channels_only(who):
    install(channel("real"), demo())
    assert plan("demo/echo", who=who) == ["demo"]
    error = refusal(who=who)
    assert (error.code, error.status) == (Code.MODEL_NOT_ALLOWED, 403)
    assert not planner.is_visible(catalogue.current().resolve("m"), caller=who)


def test_paying_callers_reach_demo_models_too():
    install(channel("real"), demo())
    assert plan("demo/echo") == ["demo"]
    assert plan() == ["real"]


def test_a_demo_channel_serves_no_real_model_to_anyone():
    install(channel("real"))
    # What the import refuses, written into the database by hand.
    Channel.objects.update(is_demo=True)
    catalogue.refresh()
    assert refusal().code is Code.NO_ENDPOINT
    assert refusal(who=caller(account_is_demo=True)).code is Code.MODEL_NOT_ALLOWED


@pytest.mark.parametrize(("allowed", "is_allowed"), [
    ((), True), (("openai/m",), True), (("openai/*",), True), (("anthropic/*",), False),
    (("openai/mm",), False),
])  # fmt: skip
def test_a_keys_allowed_models_hold(allowed, is_allowed):
    install(channel("a"))
    who = caller(allowed_models=allowed)
    if is_allowed:
        assert plan(who=who) == ["a"]
    else:
        assert refusal(who=who).code is Code.MODEL_NOT_ALLOWED


def test_an_endpoint_without_a_price_is_not_tried():
    install(channel("priced"), channel("bare", vendor="acme", priority=1, models=["openai/m"]))
    assert plan() == ["priced"]


def test_a_model_without_any_price_is_refused_clearly():
    install(channel("bare", vendor="acme", models=["x"]))
    error = refusal("x")
    assert (error.code, error.status, error.param) == (Code.UNPRICED, 400, "model")
    assert "acme/x has no price" in error.message


def test_a_price_that_begins_later_is_no_price_yet():
    install(channel("a"))
    billing.RateCard.objects.update(valid_from=FOREVER)
    rates.load()
    assert refusal().code is Code.UNPRICED
    assert plan(at=FOREVER) == ["a"]


def test_unhealthy_endpoints_come_last_and_are_still_tried():
    install(channel("a", priority=1), channel("b", priority=2), channel("c", priority=3))
    assert plan(is_healthy=lambda e: e.channel.name != "a") == ["b", "c", "a"]
    assert plan(is_healthy=lambda _e: False) == ["a", "b", "c"]


# Trial money: cheap models only (the ceiling is for the price with markup)


TRIAL = caller(is_trial=True)


@pytest.fixture
def ceiling(settings):
    settings.MARKUP_PPM = 0
    settings.TRIAL_PRICE_NUSD_PER_MTOK_MAX = 2_000_000_000


def sold(name, **prices):
    return channel(name, models=[{"name": name, "prices": prices}])


def test_trial_money_buys_what_is_cheap_in_every_class(ceiling):
    install(
        sold("cheap", input="1", output="2"),
        sold("talker", input="1", output="2.000000001"),
        sold("reader", input="2.1", output="2"),
        sold("thinker", input="1", output="2", reasoning="9"),
    )
    assert plan("cheap", who=TRIAL) == ["cheap"]
    for name in ("talker", "reader", "thinker"):
        assert plan(name) == [name]
        error = refusal(name, who=TRIAL)
        assert (error.code, error.status, error.param) == (Code.TRIAL_MODEL, 402, "model")
        assert f"openai/{name}" in error.message
        assert "$2.00" in error.message
        assert "/billing" in error.message


@pytest.mark.parametrize("prices", [
    {"image": "0.001"}, {"characters": "0.001"}, {"audio_duration": "0.001"},
    {"search_unit": "0.001"}, {"input": "0.1", "output": "0.1", "audio_duration": "0.001"},
])  # fmt: skip
def test_trial_money_buys_tokens_only(prices, ceiling):
    install(sold("m", **prices))
    assert refusal(who=TRIAL).code is Code.TRIAL_MODEL


def test_a_dear_endpoint_of_a_cheap_model_is_passed_over_by_trial_money(ceiling):
    install(
        channel("dear", priority=1, models=[{"name": "m", "prices": {**PRICES, "output": "20"}}]),
        channel("cheap", priority=2, models=[{"name": "m", "prices": PRICES}]),
    )
    assert plan() == ["dear", "cheap"]
    assert plan(who=TRIAL) == ["cheap"]
    model = catalogue.current().resolve("m")
    assert [e.channel.name for e in planner.on_offer(model, caller=TRIAL)] == ["cheap"]
    assert [e.channel.name for e in planner.reachable(model, caller=TRIAL)] == ["cheap"]


def test_lists_show_trial_callers_what_they_can_call(ceiling):
    install(sold("cheap", input="1", output="2"), sold("dear", input="1", output="3"))
    dear, cheap = (catalogue.current().resolve(name) for name in ("dear", "cheap"))
    assert planner.is_visible(cheap, caller=TRIAL)
    assert not planner.is_visible(dear, caller=TRIAL)
    assert planner.is_visible(dear, caller=caller())


def test_a_trial_follows_the_price_in_force(ceiling):
    install(sold("m", input="1", output="3"))
    assert refusal(who=TRIAL).code is Code.TRIAL_MODEL
    install(sold("m", input="1", output="2"))
    assert plan(who=TRIAL) == ["m"]


def test_a_trial_opens_nothing_that_the_key_forbids(ceiling):
    install(sold("m", input="1", output="9"))
    who = caller(is_trial=True, allowed_models=("acme/*",))
    assert refusal(who=who).code is Code.MODEL_NOT_ALLOWED


# Jurisdictions


def two_places():
    install(
        channel("us", jurisdiction="US", priority=1), channel("cn", jurisdiction="CN", priority=2)
    )


def within(*key, account=None):
    both = frozenset(key) & frozenset(account) if key and account else frozenset(key or account)
    return caller(
        allowed_jurisdictions=both,
        account_jurisdictions=frozenset(account) if account else None,
    )


@pytest.mark.clause("6-crossborder")
def test_a_key_reaches_its_jurisdictions_only():
    two_places()
    assert plan() == ["us", "cn"]
    assert plan(who=within("CN")) == ["cn"]
    assert plan(who=within("CN", "US", "FR")) == ["us", "cn"]
    assert plan(who=within(account=["US"])) == ["us"]
    assert plan(surface=Surface.MESSAGES, who=within("CN")) == ["cn"]


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (within("FR"), "This API key allows vendors in FR only, and openai/m is offered in CN, US"),
        (within(account=["SG"]), "This account allows vendors in SG only"),
        (within("US", account=["SG"]), "This account allows vendors in SG only"),
        (within("FR", account=["FR", "US"]), "This API key allows vendors in FR only"),
        (
            within("US", account=["CN"]),
            "This API key allows no jurisdiction that its account allows",
        ),
    ],
)
def test_when_no_jurisdiction_is_left_it_says_who_forbids_it(who, said):
    two_places()
    error = refusal(who=who)
    assert (error.code, error.status, error.param) == (Code.JURISDICTION, 403, "model")
    assert said in error.message
    assert not planner.is_visible(catalogue.current().resolve("m"), caller=who)


def test_a_native_endpoint_elsewhere_gives_way_to_a_translated_one_within():
    install(
        channel("us", jurisdiction="US"),
        channel("cn", jurisdiction="CN", protocol="anthropic-messages"),
    )
    assert plan(surface=Surface.CHAT, who=within("CN")) == ["cn"]
    assert refusal(who=within("CN")).code is Code.WRONG_PROTOCOL  # embeddings
