"""Which model a first call is shown with: one that works, cheap, and real where there is one."""

import datetime as dt

import pytest

from accounts.models import Account
from bananarouter.pages import first_call
from billing import models as billing
from billing import rates
from tests.routing.test_planner import channel, demo, install

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def terms(settings):
    settings.MARKUP_PPM = 0
    settings.TRIAL_PRICE_NUSD_PER_MTOK_MAX = 2_000_000_000


def sold(name, **prices):
    return {"name": name, "prices": prices}


def chosen(**account):
    return first_call.model_for(Account(pk=1, **account), now=NOW)


def test_the_cheapest_that_answers_in_text():
    install(channel("a", models=[
        sold("vectors", input="0.01"), sold("hears", input="0.01", audio_duration="0.1"),
        sold("speaks", input="0.01", audio_output="0.1"),
        sold("large", input="1", output="9"), sold("small", input="1", output="2"),
        sold("sly", input="0.1", output="0.1", reasoning="3"),
    ]))  # fmt: skip
    assert chosen() == "openai/small"
    assert chosen(is_trial=True) == "openai/small"


def test_a_dear_one_where_nothing_is_cheap_except_for_trial_money():
    install(channel("a", models=[sold("large", input="1", output="9")]))
    assert chosen() == "openai/large"
    assert chosen(is_trial=True) is None


def test_a_real_one_before_a_simulated_one():
    install(channel("a", models=[sold("large", input="1", output="2")]), demo())
    assert chosen() == "openai/large"
    assert chosen(is_demo=True) == "demo/echo"
    install(channel("a", models=[sold("large", input="1", output="9")]))
    assert chosen(is_trial=True) == "demo/echo"


def test_none_where_nothing_has_a_price():
    install(channel("bare", vendor="acme", models=["x"]))
    assert chosen() is None


def test_what_was_found_is_kept_until_the_catalogue_or_the_minute_goes():
    install(channel("a", models=[sold("large", input="1", output="9")]))
    assert chosen() == "openai/large"
    billing.RateCard.objects.update(valid_from=NOW + dt.timedelta(days=1))
    rates.load()
    assert chosen() == "openai/large"
    assert first_call.model_for(Account(pk=2), now=NOW + first_call.KEPT) is None
    install(channel("a", models=[sold("small", input="1", output="1")]))
    assert chosen() == "openai/small"


def test_the_list_holds_what_trial_money_buys_when_that_is_all():
    install(channel("a", models=[
        sold("large", input="1", output="9"), sold("small", input="1", output="2"),
    ]))  # fmt: skip
    names = ["openai/large", "openai/small"]
    assert first_call.chat_models(Account(pk=1), now=NOW) == names
    assert first_call.chat_models(Account(pk=1, is_trial=True), now=NOW) == names[1:]
