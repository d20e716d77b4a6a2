"""Every row of the table of endings, with a reader that read real events."""

from dataclasses import replace
from fractions import Fraction

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import models
from billing.pricing import Rate, RateCard
from billing.usage import TOKEN_CLASSES, Unit, UnitClass, Usage
from routing import metering, readers, tokenizer
from routing.dialects.base import Quirks
from routing.metering import Delivered, Ending, Outcome, Reason, State
from routing.readers.base import Expectation, Flag
from routing.surfaces import Surface

U = UnitClass
HOLD = 1_000_000_000


def rate(unit_class, nusd, *, unit=Unit.MTOK, tier="standard", vendor=None):
    return Rate(
        unit_class=unit_class,
        unit=unit,
        nusd_per_unit=nusd,
        vendor_nusd_per_unit=nusd // 2 if vendor is None else vendor,
        service_tier=tier,
    )


# One token costs 1,000 nUSD in, 4,000 out; half of it at the vendor.
CARD = RateCard.of(
    card_id=1,
    endpoint="e",
    rates=[
        rate(U.INPUT, 1_000_000_000),
        rate(U.CACHE_READ, 100_000_000),
        rate(U.OUTPUT, 4_000_000_000),
        rate(U.REASONING, 4_000_000_000),
    ],
)
TOKEN_IN, TOKEN_OUT = 1_000, 4_000


def event(document):
    return b"data: " + orjson.dumps(document) + b"\n\n"


def chunk(delta=None, finish=None, **more):
    return event({"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more})


HELLO = chunk({"content": "hello"})
STOP = chunk(finish="stop")
USAGE = event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})
DONE = b"data: [DONE]\n\n"
FAILURE = event({"error": {"message": "boom"}})
USAGE_COST = 10 * TOKEN_IN + 5 * TOKEN_OUT
# 40 bytes of prompt are about ten tokens; "hello" is one.
DELIVERED_COST = 10 * TOKEN_IN + 1 * TOKEN_OUT


def judge(ending, *events, ends=True, prompt_bytes=40, hold=HOLD, card=CARD):
    expectation = Expectation(is_stream=True, quirks=Quirks())
    reader = readers.for_surface(Surface.CHAT, expectation)
    for one in events:
        reader.read_event(one)
    if ends:
        reader.end()
    delivered = Delivered(prompt_bytes=prompt_bytes, tokens=tokenizer.count(reader.take_text()))
    return metering.stream(
        ending=ending, reader=reader, delivered=delivered, card=card, hold_nusd=hold
    )


def booked(verdict):
    return verdict.state, verdict.reason, verdict.cost_nusd


ROWS = {
    "normal": (Ending.WHOLE, (HELLO, STOP, USAGE, DONE), "settled", "normal", USAGE_COST),
    "no marker": (Ending.WHOLE, (HELLO, STOP, USAGE), "settled", "normal", USAGE_COST),
    "usage missing": (Ending.WHOLE, (HELLO, STOP, DONE), "estimated", "no_usage", DELIVERED_COST),
    "connection lost after the usage": (
        Ending.BROKEN,
        (HELLO, STOP, USAGE),
        "settled",
        "normal",
        USAGE_COST,
    ),
    "error after the finish": (
        Ending.WHOLE,
        (HELLO, chunk(finish="length"), FAILURE, USAGE),
        "settled",
        "normal",
        USAGE_COST,
    ),
    "filtered": (
        Ending.WHOLE,
        (HELLO, chunk(finish="content_filter"), USAGE),
        "settled",
        "normal",
        USAGE_COST,
    ),
    "finished without output": (Ending.WHOLE, (STOP, USAGE), "settled", "normal", USAGE_COST),
    "client gone": (Ending.GONE, (HELLO,), "estimated", "client_gone", DELIVERED_COST),
    "client gone at the end": (
        Ending.GONE,
        (HELLO, STOP, USAGE),
        "settled",
        "client_gone",
        USAGE_COST,
    ),
    "client gone before the first byte": (Ending.GONE, (), "voided", "client_gone", 0),
    "client gone, and only a comment came": (
        Ending.GONE,
        (b": hi\n\n",),
        "voided",
        "client_gone",
        0,
    ),
    "client gone before a vendor answered": (
        Ending.GONE_BEFORE_OUTPUT,
        (),
        "voided",
        "client_gone",
        0,
    ),
    "drained": (Ending.DRAINED, (HELLO, STOP, USAGE), "settled", "drained", USAGE_COST),
    "drained up to its bound": (
        Ending.DRAINED,
        (HELLO,),
        "estimated",
        "client_gone",
        DELIVERED_COST,
    ),
    "drained into an error": (
        Ending.DRAINED,
        (HELLO, FAILURE),
        "settled",
        "goodwill",
        DELIVERED_COST,
    ),
    "error before the first token": (Ending.BROKEN, (FAILURE,), "voided", "upstream_error", 0),
    "closed before the first token": (Ending.BROKEN, (), "voided", "upstream_error", 0),
    "usage but neither output nor finish": (
        Ending.WHOLE,
        (USAGE, DONE),
        "voided",
        "upstream_error",
        0,
    ),
    "no vendor answered": (Ending.FAILED_BEFORE_OUTPUT, (), "voided", "upstream_error", 0),
    "error mid-stream": (Ending.BROKEN, (HELLO, FAILURE), "settled", "goodwill", DELIVERED_COST),
    "closed mid-stream": (Ending.BROKEN, (HELLO,), "settled", "goodwill", DELIVERED_COST),
    "cut": (Ending.CUT, (HELLO,), "settled", "cut", DELIVERED_COST),
    "cut before the first byte": (Ending.CUT, (), "voided", "cut", 0),
}


@pytest.mark.parametrize("name", ROWS)
def test_every_ending_of_the_ledgers_table(name):
    ending, events, state, reason, cost = ROWS[name]
    assert booked(judge(ending, *events)) == (state, reason, cost)


@pytest.mark.parametrize("name", ROWS)
def test_no_ending_costs_more_than_its_hold(name):
    ending, events, _, _, cost = ROWS[name]
    verdict = judge(ending, *events, hold=123)
    assert verdict.cost_nusd == min(cost, 123)
    assert verdict.goodwill_nusd <= verdict.cost_nusd
    assert (Flag.OVER_HOLD in verdict.flags) is (cost > 123)


@pytest.mark.parametrize("name", ROWS)
def test_only_a_broken_answer_is_given_back(name):
    ending, events, _, reason, cost = ROWS[name]
    given = judge(ending, *events).goodwill_nusd
    assert given == (cost if reason == "goodwill" else 0)


def test_the_words_are_those_of_the_ledger():
    assert {state.value for state in State} == set(models.Charge.State.values) - {"open"}
    assert {reason.value for reason in Reason} <= set(models.Charge.Reason.values)
    assert {outcome.value for outcome in Outcome} <= set(models.Attempt.Outcome.values)


def test_estimates_say_so_and_vendors_numbers_do_not():
    assert judge(Ending.GONE, HELLO).usage.is_estimated
    assert not judge(Ending.WHOLE, HELLO, STOP, USAGE).usage.is_estimated


def test_the_vendors_cost_stands_beside_the_price():
    verdict = judge(Ending.WHOLE, HELLO, STOP, USAGE)
    assert verdict.vendor_cost_nusd == USAGE_COST // 2


def test_early_usage_is_better_than_an_estimate():
    early = chunk({"content": "hello"}, usage={"prompt_tokens": 77, "completion_tokens": 9})
    verdict = judge(Ending.GONE, early)
    assert dict(verdict.usage.quantities) == {U.INPUT: 77, U.OUTPUT: 9}
    assert verdict.usage.is_estimated


def test_what_was_delivered_beyond_early_usage_counts():
    early = chunk({"content": "hello"}, usage={"prompt_tokens": 77, "completion_tokens": 1})
    verdict = judge(Ending.GONE, early, HELLO, HELLO)
    assert verdict.usage.count(U.OUTPUT) == tokenizer.count("hellohellohello")


def test_anthropics_input_is_known_from_the_start():
    reader = readers.for_surface(Surface.MESSAGES, Expectation(is_stream=True, quirks=Quirks()))
    start = {"usage": {"input_tokens": 3, "cache_read_input_tokens": 50, "output_tokens": 1}}
    reader.read_event(event({"type": "message_start", "message": start}))
    delta = {"type": "text_delta", "text": "hello there"}
    reader.read_event(event({"type": "content_block_delta", "index": 0, "delta": delta}))
    verdict = metering.stream(
        ending=Ending.GONE,
        reader=reader,
        delivered=Delivered(prompt_bytes=9_999, tokens=tokenizer.count(reader.take_text())),
        card=CARD,
        hold_nusd=HOLD,
    )
    assert dict(verdict.usage.quantities) == {U.INPUT: 3, U.CACHE_READ: 50, U.OUTPUT: 2}
    assert booked(verdict) == ("estimated", "client_gone", 3 * 1_000 + 50 * 100 + 2 * 4_000)


def whole(body, *, is_gone=False, surface=Surface.CHAT):
    reader = readers.for_surface(surface, Expectation(is_stream=False, quirks=Quirks()))
    reader.read_body(orjson.dumps(body))
    return metering.whole(
        reader=reader, card=CARD, hold_nusd=HOLD, prompt_bytes=40, is_gone=is_gone
    )


ANSWER = {"choices": [{"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}]}
TOLD = {**ANSWER, "usage": {"prompt_tokens": 10, "completion_tokens": 5}}


def test_a_whole_answer():
    assert booked(whole(TOLD)) == ("settled", "normal", USAGE_COST)


def test_a_whole_answer_without_usage():
    assert booked(whole(ANSWER)) == ("estimated", "no_usage", DELIVERED_COST)


def test_a_whole_answer_that_nobody_waited_for():
    assert booked(whole(TOLD, is_gone=True)) == ("settled", "drained", USAGE_COST)


def test_a_whole_answer_that_is_an_error():
    assert booked(whole({"error": {"message": "no"}})) == ("voided", "upstream_error", 0)


def test_an_embedding_without_usage_costs_its_prompt():
    verdict = whole({"embeddings": [{"values": [1.0]}]}, surface=Surface.GEMINI_BATCH_EMBED)
    assert booked(verdict) == ("estimated", "no_usage", 10 * TOKEN_IN)


def test_a_prompt_that_was_counted_costs_its_count():
    reader = readers.for_surface(
        Surface.GEMINI_EMBED, Expectation(is_stream=False, quirks=Quirks())
    )
    reader.read_body(b'{"embedding": {"values": [1.0]}}')
    verdict = metering.whole(
        reader=reader, card=CARD, hold_nusd=HOLD, prompt_bytes=40, is_gone=False, prompt_tokens=3
    )
    assert booked(verdict) == ("estimated", "no_usage", 3 * TOKEN_IN)
    assert verdict.usage.is_estimated


def test_a_free_operation_costs_nothing():
    reader = readers.for_surface(
        Surface.COUNT_TOKENS, Expectation(is_stream=False, quirks=Quirks())
    )
    reader.read_body(b'{"input_tokens": 12}')
    verdict = metering.whole(reader=reader, card=None, hold_nusd=0, prompt_bytes=40, is_gone=False)
    assert booked(verdict) == ("settled", "normal", 0)


def test_a_checkpoint_grows_with_what_was_delivered():
    reader = readers.for_surface(Surface.CHAT, Expectation(is_stream=True, quirks=Quirks()))
    delivered = Delivered(prompt_bytes=40)

    def checkpoint():
        delivered.tokens += tokenizer.estimate(reader.take_text())
        return metering.delivered_cost(
            reader=reader, delivered=delivered, card=CARD, hold_nusd=HOLD
        )

    reader.read_event(chunk({"role": "assistant", "content": ""}))
    found = [checkpoint()]
    for _ in range(3):
        reader.read_event(HELLO)
        found.append(checkpoint())
    assert found == [0, DELIVERED_COST, DELIVERED_COST + TOKEN_OUT, DELIVERED_COST + 2 * TOKEN_OUT]


def usage(tier="standard", **quantities):
    return Usage(
        quantities={U[name]: n for name, n in quantities.items()}, service_tier=tier, raw="{}"
    )


@given(
    st.dictionaries(st.sampled_from(sorted(TOKEN_CLASSES & {r for r, _ in CARD.rates})),
                    st.integers(0, 10**9)),
    st.integers(0, 10**12),
)  # fmt: skip
def test_the_price_is_the_fractions_ceiling_within_the_hold(quantities, hold):
    exact = sum(
        Fraction(n * CARD.rates[unit_class, "standard"][0].nusd_per_unit, 10**6)
        for unit_class, n in quantities.items()
    )
    price = metering.price(Usage(quantities=quantities), CARD, hold_nusd=hold)
    assert price.cost_nusd == min(hold, -(-exact.numerator // exact.denominator))


def test_a_class_without_a_rate_costs_the_highest_of_its_side():
    card = RateCard.of(
        card_id=1,
        endpoint="e",
        rates=[
            rate(U.INPUT, 10**9),
            rate(U.CACHE_WRITE_5M, 3 * 10**9),
            rate(U.OUTPUT, 4 * 10**9),
            rate(U.AUDIO_OUTPUT, 9 * 10**9),
        ],
    )
    price = metering.price(usage(CACHE_WRITE_1H=2, REASONING=5, INPUT=1), card, hold_nusd=HOLD)
    assert price.cost_nusd == 2 * 3_000 + 5 * 9_000 + 1_000
    assert price.vendor_cost_nusd == price.cost_nusd // 2
    assert price.flags == {Flag.UNPRICED}
    assert metering.price(usage(INPUT=1), card, hold_nusd=HOLD).flags == frozenset()


def test_a_price_tier_of_the_substitute_applies_to_all_of_it():
    high = replace(rate(U.INPUT, 7 * 10**9), tier_from=1_000)
    card = RateCard.of(card_id=1, endpoint="e", rates=[rate(U.INPUT, 10**9), high])
    price = metering.price(usage(CACHE_READ=1), card, hold_nusd=HOLD)
    assert price.cost_nusd == 7_000


def test_a_fee_without_a_rate_costs_the_highest_fee():
    card = RateCard.of(
        card_id=1,
        endpoint="e",
        rates=[
            rate(U.INPUT, 10**9),
            rate(U.WEB_SEARCH, 10**10, unit=Unit.THOUSAND),
            rate(U.IMAGE, 2 * 10**7, unit=Unit.REQUEST),
        ],
    )
    assert metering.price(usage(WEB_FETCH=3), card, hold_nusd=HOLD).cost_nusd == 6 * 10**7


def test_a_fee_that_no_rate_resembles_is_left_out_and_flagged():
    price = metering.price(usage(WEB_SEARCH=3, INPUT=1), CARD, hold_nusd=HOLD)
    assert price.cost_nusd == TOKEN_IN
    assert price.flags == {Flag.UNPRICED}


def test_a_tier_without_a_price_costs_the_standard_one():
    price = metering.price(usage(tier="priority", INPUT=3), CARD, hold_nusd=HOLD)
    assert price.cost_nusd == 3 * TOKEN_IN
    assert price.flags == {Flag.UNPRICED}


def test_the_tier_of_the_answer_is_priced_when_it_has_a_price():
    rates = [*(r for rates in CARD.rates.values() for r in rates), rate(U.INPUT, 500, tier="flex")]
    card = RateCard.of(card_id=1, endpoint="e", rates=rates)
    price = metering.price(usage(tier="flex", INPUT=1_000_000), card, hold_nusd=HOLD)
    assert price.cost_nusd == 500
    assert price.flags == frozenset()


def test_a_fee_for_the_request_is_charged_once():
    fee = rate(U.REQUEST, 5_000, unit=Unit.REQUEST)
    card = RateCard.of(card_id=1, endpoint="e", rates=[rate(U.INPUT, 10**9), fee])
    price = metering.price(usage(INPUT=1), card, hold_nusd=HOLD)
    assert price.cost_nusd == 5_000 + TOKEN_IN
    assert price.flags == frozenset()


@given(st.dictionaries(st.sampled_from(list(U)), st.integers(0, 10**9)), st.integers(0, 10**15))
def test_no_usage_is_free_of_price_errors_or_above_the_hold(quantities, hold):
    price = metering.price(Usage(quantities=quantities), CARD, hold_nusd=hold)
    assert 0 <= price.cost_nusd <= hold
    if hold and any(quantities.get(unit_class) for unit_class in TOKEN_CLASSES):
        assert price.cost_nusd > 0
