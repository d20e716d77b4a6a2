"""The price of usage against an independent implementation in fractions; bounds that hold."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pricing import MissingRate, Rate, RateCard, bound, cost, in_measure
from billing.usage import (
    INPUT_CLASSES,
    MEASURES,
    OUTPUT_CLASSES,
    TOKEN_CLASSES,
    Unit,
    UnitClass,
    Usage,
)

FEES = sorted(set(UnitClass) - TOKEN_CLASSES)
THINGS = {
    Unit.MTOK: 1_000_000, Unit.THOUSAND: 1_000, Unit.REQUEST: 1,
    Unit.MCHAR: 1_000_000, Unit.HOUR: 3_600_000,
}  # fmt: skip


def rate(unit_class, price, *, unit=None, tier_from=0, service_tier="standard", vendor=None):
    return Rate(
        unit_class=unit_class,
        unit=unit or (Unit.MTOK if unit_class in TOKEN_CLASSES else Unit.THOUSAND),
        nusd_per_unit=price,
        vendor_nusd_per_unit=price if vendor is None else vendor,
        tier_from=tier_from,
        service_tier=service_tier,
    )


def card(*rates):
    return RateCard.of(card_id=1, endpoint="e", rates=rates)


def fraction_of(usage, rates, *, vendor=False):
    """Price usage another way: fractions, rates looked up by scanning, rounded up at the end."""
    prompt = sum(n for c, n in usage.quantities.items() if c.value not in {
        "output", "reasoning", "audio_output", "image_output",
        "web_search", "web_fetch", "image", "request",
        "characters", "audio_duration", "search_unit",
    })  # fmt: skip
    total = Fraction(0)
    for unit_class, n in usage.quantities.items():
        if not n:
            continue
        fitting = [
            r for r in rates
            if r.unit_class == unit_class and r.service_tier == usage.service_tier
            and (r.tier_from == 0 or r.tier_from < prompt)
        ]  # fmt: skip
        best = max(fitting, key=lambda r: r.tier_from)
        price = best.vendor_nusd_per_unit if vendor else best.nusd_per_unit
        total += Fraction(n * price, THINGS[best.unit])
    return math.ceil(total)


def some_rates(chooser):
    rates = []
    tiers = sorted(chooser.sample(range(1, 400_000), chooser.randrange(3)))
    for service_tier in ("standard", "flex"):
        for unit_class in UnitClass:
            fee = unit_class not in TOKEN_CLASSES
            others = [unit for unit in Unit if unit is not Unit.MTOK]
            unit = chooser.choice(others) if fee else Unit.MTOK
            for tier_from in [0] if fee else [0, *tiers]:
                price = chooser.choice([0, 1, 37_500_000, chooser.randrange(10**12)])
                rates.append(rate(
                    unit_class, price, unit=unit, tier_from=tier_from,
                    service_tier=service_tier, vendor=chooser.randrange(10**12),
                ))  # fmt: skip
    return rates


def some_usage(chooser):
    classes = chooser.sample(sorted(UnitClass), chooser.randrange(1, 8))
    sizes = [1, 10, 1_000, 200_000, 2_000_000]
    return Usage(
        quantities={c: chooser.randrange(chooser.choice(sizes) + 1) for c in classes},
        service_tier=chooser.choice(["standard", "flex"]),
    )


@pytest.mark.clause("2-billing")
@pytest.mark.proof(1_000_000)
def test_costs_equal_an_independent_implementation_to_the_nano_dollar(proof_count):
    chooser = random.Random(20261123)
    rates, own = [], None
    for n in range(proof_count(100_000, 1_000_000)):
        if n % 500 == 0:
            rates = some_rates(chooser)
            own = card(*rates)
        usage = some_usage(chooser)
        found = cost(usage, own)
        assert found.price_nusd == fraction_of(usage, rates), (usage, rates)
        assert found.vendor_nusd == fraction_of(usage, rates, vendor=True), (usage, rates)


def test_rounds_up_once_at_the_end():
    own = card(rate(UnitClass.INPUT, 1), rate(UnitClass.OUTPUT, 1))
    usage = Usage(quantities={UnitClass.INPUT: 1, UnitClass.OUTPUT: 1})
    assert cost(usage, own).price_nusd == 1  # two millionths, not one for each class


@pytest.mark.parametrize("unit_class", sorted(UnitClass))
def test_a_class_without_a_rate_is_never_free(unit_class):
    others = [rate(c, 5) for c in UnitClass if c != unit_class]
    with pytest.raises(MissingRate) as caught:
        cost(Usage(quantities={unit_class: 1}), card(*others))
    assert caught.value.unit_class is unit_class


def test_a_service_tier_without_rates_is_never_free():
    own = card(rate(UnitClass.INPUT, 5))
    with pytest.raises(MissingRate):
        cost(Usage(quantities={UnitClass.INPUT: 1}, service_tier="priority"), own)
    with pytest.raises(MissingRate):
        bound(own, prompt_tokens_max=1, completion_tokens_max=1, service_tier="priority")


def test_a_class_of_quantity_zero_needs_no_rate():
    own = card(rate(UnitClass.INPUT, 1_000_000))
    usage = Usage(quantities={UnitClass.INPUT: 3, UnitClass.AUDIO_INPUT: 0})
    assert cost(usage, own).price_nusd == 3


def test_a_tier_begins_above_its_number_and_prices_every_token():
    own = card(
        rate(UnitClass.INPUT, 1_000_000),
        rate(UnitClass.INPUT, 5_000_000, tier_from=100),
        rate(UnitClass.OUTPUT, 1_000_000),
        rate(UnitClass.OUTPUT, 2_000_000, tier_from=100),
    )

    def price(prompt):
        usage = Usage(quantities={UnitClass.INPUT: prompt, UnitClass.OUTPUT: 10})
        return cost(usage, own).price_nusd

    assert price(100) == 110
    assert price(101) == 505 + 20


def test_a_fee_without_a_price_is_refused_before_the_request():
    own = card(rate(UnitClass.INPUT, 5), rate(UnitClass.OUTPUT, 5))
    with pytest.raises(MissingRate):
        bound(own, prompt_tokens_max=1, completion_tokens_max=1, fees={UnitClass.WEB_SEARCH: 1})


quantities = st.integers(0, 3_000_000)


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    inputs=st.dictionaries(st.sampled_from(sorted(INPUT_CLASSES)), quantities, max_size=5),
    outputs=st.dictionaries(st.sampled_from(sorted(OUTPUT_CLASSES)), quantities, max_size=4),
    fees=st.dictionaries(st.sampled_from([f for f in FEES if f != "request"]), st.integers(0, 50)),
    slack=st.integers(0, 1_000),
    service_tier=st.sampled_from(["standard", "flex"]),
)
def test_no_usage_within_the_bounds_costs_more_than_the_bound(
    seed, inputs, outputs, fees, slack, service_tier
):
    rates = some_rates(random.Random(seed))
    own = card(*rates)
    most = bound(
        own,
        prompt_tokens_max=sum(inputs.values()) + slack,
        completion_tokens_max=sum(outputs.values()) + slack,
        fees=fees,
        service_tier=service_tier,
    )
    usage = Usage(
        quantities={**inputs, **outputs, **fees, UnitClass.REQUEST: 1}, service_tier=service_tier
    )
    assert cost(usage, own).price_nusd <= most


HOUR = rate(UnitClass.AUDIO_DURATION, 360_000_000, unit=Unit.HOUR)
TOKENS = {UnitClass.INPUT: 10, UnitClass.OUTPUT: 5}
SECOND = {UnitClass.AUDIO_DURATION: 1_000}


def test_an_hour_is_counted_in_milliseconds():
    assert cost(Usage(quantities=SECOND), card(HOUR)).price_nusd == 100_000
    assert cost(Usage(quantities={UnitClass.AUDIO_DURATION: 1}), card(HOUR)).price_nusd == 100


def test_a_card_that_prices_a_measure_prices_all_by_it():
    usage = Usage(quantities=TOKENS, measures=SECOND)
    both = card(HOUR, rate(UnitClass.INPUT, 10**9), rate(UnitClass.OUTPUT, 10**9))
    assert in_measure(usage, both).quantities == SECOND
    assert in_measure(usage, both).measures == {}
    tokens = card(rate(UnitClass.INPUT, 10**9), rate(UnitClass.OUTPUT, 10**9))
    assert in_measure(usage, tokens).quantities == TOKENS
    assert in_measure(Usage(quantities=TOKENS), both).quantities == TOKENS


def test_the_bound_is_in_the_measure_that_is_billed():
    limits = {"prompt_tokens_max": 100, "completion_tokens_max": 10, "measures": SECOND}
    assert bound(card(HOUR), **limits) == 100_000
    priced = (rate(UnitClass.INPUT, 10**9), rate(UnitClass.OUTPUT, 2 * 10**9))
    assert bound(card(HOUR, *priced), **limits) == 100_000
    assert bound(card(*priced), **limits) == 120_000


@pytest.mark.parametrize(
    ("rates", "measures", "completion"),
    [
        ([HOUR], {}, 0),  # a chat with a model of sound
        ([HOUR], {UnitClass.IMAGE: 1}, 0),
        ([rate(UnitClass.INPUT, 5)], {UnitClass.IMAGE: 1}, 10),  # images of an embedding model
        ([rate(UnitClass.OUTPUT, 5)], {UnitClass.IMAGE: 1}, 10),
    ],
)
def test_what_a_card_cannot_bill_either_way_is_refused(rates, measures, completion):
    with pytest.raises(MissingRate):
        bound(
            card(*rates), prompt_tokens_max=10, completion_tokens_max=completion, measures=measures
        )


def test_a_stated_zero_is_a_price():
    free = card(rate(UnitClass.INPUT, 0), rate(UnitClass.OUTPUT, 0))
    assert bound(free, prompt_tokens_max=9, completion_tokens_max=9, measures=SECOND) == 0


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_every_measure_is_a_basis_of_service(measure):
    assert card(rate(measure, 5)).serves()
    assert not card(rate(UnitClass.OUTPUT, 5)).serves()


def test_the_dearest_price_is_of_all_classes_tiers_and_steps():
    tokens = [rate(UnitClass.INPUT, 5), rate(UnitClass.OUTPUT, 7)]
    assert card(*tokens).dearest_nusd_per_mtok == 7
    for more in (
        rate(UnitClass.REASONING, 9),
        rate(UnitClass.INPUT, 9, tier_from=200_000),
        rate(UnitClass.OUTPUT, 9, service_tier="priority"),
    ):
        assert card(*tokens, more).dearest_nusd_per_mtok == 9
    # A fee for a thing is no price of tokens.
    assert card(*tokens, rate(UnitClass.WEB_SEARCH, 900)).dearest_nusd_per_mtok == 7
    assert card(rate(UnitClass.INPUT, 0)).dearest_nusd_per_mtok == 0


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_what_is_sold_in_another_measure_has_no_dearest_price(measure):
    assert card(rate(measure, 1)).dearest_nusd_per_mtok is None
    assert card(rate(measure, 1), rate(UnitClass.INPUT, 1)).dearest_nusd_per_mtok is None
    assert card().dearest_nusd_per_mtok is None
