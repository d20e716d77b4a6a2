"""Prices a token are the rates to the last digit, and what has no price is not named."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pricing import Rate, RateCard
from billing.usage import Unit, UnitClass
from routing import price_tags


def card(*rates):
    made = [
        Rate(unit_class=c, unit=unit, nusd_per_unit=price, vendor_nusd_per_unit=1, tier_from=tier,
             service_tier=service)
        for c, unit, price, tier, service in rates
    ]  # fmt: skip
    return RateCard.of(card_id=1, endpoint="e", rates=made)


def token(unit_class, price, *, tier=0, service="standard"):
    return (unit_class, Unit.MTOK, price, tier, service)


def test_tells_the_price_of_one_token_one_search_one_request():
    told = price_tags.pricing(
        card(
            token(UnitClass.INPUT, 3_150_000_000),
            token(UnitClass.OUTPUT, 15_750_000_000),
            token(UnitClass.CACHE_READ, 1),
            (UnitClass.WEB_SEARCH, Unit.THOUSAND, 10_500_000_000, 0, "standard"),
            (UnitClass.REQUEST, Unit.REQUEST, 5_000_000, 0, "standard"),
        )
    )
    assert told == {
        "prompt": "0.00000315",
        "completion": "0.00001575",
        "input_cache_read": "0.000000000000001",
        "web_search": "0.0105",
        "request": "0.005",
        "discount": 0,
    }


def test_tells_the_price_of_a_character_an_hour_of_sound_a_ranking():
    told = price_tags.pricing(
        card(
            (UnitClass.CHARACTERS, Unit.MCHAR, 15_750_000_000, 0, "standard"),
            (UnitClass.AUDIO_DURATION, Unit.HOUR, 378_000_000, 0, "standard"),
            (UnitClass.SEARCH_UNIT, Unit.THOUSAND, 2_100_000_000, 0, "standard"),
        )
    )
    assert told == {
        "prompt": "0", "completion": "0", "discount": 0, "character": "0.00001575",
        "audio_hour": "0.378", "search_unit": "0.0021",
    }  # fmt: skip


@pytest.mark.parametrize("unit", Unit)
def test_every_unit_has_a_price_of_one(unit):
    told = price_tags.pricing(card((UnitClass.REQUEST, unit, 10**15, 0, "standard")))
    assert Decimal(told["request"]) >= 1


def test_what_has_no_price_is_left_out_but_for_what_every_reader_expects():
    told = price_tags.pricing(card(token(UnitClass.INPUT, 20_000_000)))
    assert told == {"prompt": "0.00000002", "completion": "0", "discount": 0}


def test_dearer_tiers_are_overrides_above_their_number_of_tokens():
    told = price_tags.pricing(
        card(
            token(UnitClass.INPUT, 1_000_000_000),
            token(UnitClass.INPUT, 2_000_000_000, tier=200_000),
            token(UnitClass.OUTPUT, 3_000_000_000),
        )
    )
    assert told["prompt"] == "0.000001"
    assert told["overrides"] == [{"min_prompt_tokens": 200_000, "prompt": "0.000002"}]


def test_other_service_tiers_are_not_told_as_the_price():
    told = price_tags.pricing(
        card(token(UnitClass.INPUT, 2_000_000_000),
             token(UnitClass.INPUT, 1_000_000_000, service="flex"),
             token(UnitClass.OUTPUT, 1_000_000_000, tier=5, service="flex"))
    )  # fmt: skip
    assert told == {"prompt": "0.000002", "completion": "0", "discount": 0}


@pytest.mark.parametrize(("classes", "price"), [
    ([UnitClass.CACHE_WRITE], "0.000001"),
    ([UnitClass.CACHE_WRITE, UnitClass.CACHE_WRITE_5M], "0.000002"),
])  # fmt: skip
def test_a_cache_write_is_the_short_one_where_lifetimes_differ(classes, price):
    rates = [token(c, (n + 1) * 1_000_000_000) for n, c in enumerate(classes)]
    told = price_tags.pricing(card(token(UnitClass.INPUT, 1), *rates))
    assert told["input_cache_write"] == price


@given(st.integers(0, 10**15))
def test_a_price_is_exact_and_plain(nusd):
    told = price_tags.pricing(card(token(UnitClass.INPUT, nusd)))["prompt"]
    assert Decimal(told) == Decimal(nusd) / 10**15
    assert "e" not in told.lower()
    assert told == "0" or not told.endswith(".")
