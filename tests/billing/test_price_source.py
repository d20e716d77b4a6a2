"""genai-prices as our rates: every class, every refusal, beside the package's own arithmetic."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import genai_prices
import pytest
from genai_prices import data_snapshot

from billing import price_source
from billing.price_source import NoPrice, Rules
from billing.pricing import RateCard, cost
from billing.usage import Unit, UnitClass, Usage

AT = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
ANTHROPIC = Rules(providers=("anthropic",), writes_cost_more=True)
GOOGLE = Rules(providers=("google",), takes_audio_as_input=True)
OPENAI = Rules(providers=("openai",))


def prices(name, rules, *, at=AT, quote=0, tier="standard"):
    """Return {class: {tier_from: USD}} of one service tier."""
    found = {}
    for rate in price_source.look_up(name, rules=rules, at=at).quotes[quote].rates:
        if rate.service_tier == tier:
            usd = Decimal(rate.vendor_nusd_per_unit) / 10**9
            found.setdefault(rate.unit_class, {})[rate.tier_from] = usd
    return found


def flat(name, rules, **options):
    return {c: steps[0] for c, steps in prices(name, rules, **options).items() if len(steps) == 1}


def test_anthropics_classes_come_from_the_package():
    found = flat("claude-opus-5-5", ANTHROPIC)
    assert found == {
        UnitClass.INPUT: Decimal(4),
        UnitClass.OUTPUT: Decimal(20),
        UnitClass.CACHE_READ: Decimal("0.2"),
        UnitClass.CACHE_WRITE: Decimal(5),
        UnitClass.CACHE_WRITE_5M: Decimal(5),
        UnitClass.CACHE_WRITE_1H: Decimal(8),
        UnitClass.WEB_SEARCH: Decimal(10),
        UnitClass.REASONING: Decimal(20),
        UnitClass.IMAGE_INPUT: Decimal(4),
        UnitClass.VIDEO_INPUT: Decimal(4),
        UnitClass.TOOL_PROMPT: Decimal(4),
    }


def test_writes_at_a_premium_are_the_vendors_multipliers_where_the_package_is_silent():
    found = flat("claude-2", ANTHROPIC)
    assert found[UnitClass.CACHE_WRITE_5M] == Decimal(10)  # 1.25 x 8
    assert found[UnitClass.CACHE_WRITE_1H] == Decimal(16)  # 2 x 8
    plain = flat("claude-2", Rules(providers=("anthropic",)))
    assert plain[UnitClass.CACHE_WRITE_1H] == Decimal(8)


def test_anthropics_fast_mode_is_a_service_tier():
    found = flat("claude-opus-5-5", ANTHROPIC, tier="fast")
    assert (found[UnitClass.INPUT], found[UnitClass.OUTPUT]) == (8, 40)
    assert found[UnitClass.WEB_SEARCH] == 10


def test_openais_service_tiers_have_rates_of_every_class():
    standard = prices("gpt-6-sol", OPENAI)
    for tier, factor in {"flex": Decimal("0.5"), "priority": 2, "fast": 2}.items():
        found = prices("gpt-6-sol", OPENAI, tier=tier)
        assert found.keys() == standard.keys()
        assert found[UnitClass.INPUT][0] == standard[UnitClass.INPUT][0] * factor
    assert prices("gpt-6-sol", OPENAI, tier="batch") == {}


def test_tiers_by_prompt_length_reach_the_derived_classes():
    found = prices("gpt-6-sol", OPENAI)
    assert found[UnitClass.INPUT] == {0: 2, 272_000: 4}
    assert found[UnitClass.REASONING] == found[UnitClass.OUTPUT] == {0: 10, 272_000: 15}
    assert found[UnitClass.IMAGE_INPUT] == found[UnitClass.INPUT]
    assert found[UnitClass.WEB_SEARCH] == {0: 10}


def test_another_vendor_does_not_inherit_service_tiers():
    assert prices("gpt-5-mini", OPENAI, tier="priority")
    assert prices("gpt-5-mini", Rules(providers=("azure",)))
    assert prices("gpt-5-mini", Rules(providers=("azure",)), tier="priority") == {}


def test_audio_has_its_own_price_or_none():
    assert flat("gpt-audio", OPENAI)[UnitClass.AUDIO_INPUT] == 32
    assert flat("gpt-audio", OPENAI)[UnitClass.AUDIO_OUTPUT] == 64
    assert UnitClass.AUDIO_INPUT not in flat("gpt-4o", OPENAI)
    assert UnitClass.AUDIO_OUTPUT not in flat("gpt-4o", OPENAI)


def test_googles_audio_costs_what_text_does_where_no_audio_price_is_listed():
    flash = flat("gemini-2.5-flash", GOOGLE)
    assert (flash[UnitClass.AUDIO_INPUT], flash[UnitClass.AUDIO_CACHE_READ]) == (1, Decimal("0.1"))
    argon = flat("gemini-4-argon", GOOGLE)
    assert argon[UnitClass.AUDIO_INPUT] == argon[UnitClass.INPUT]
    assert argon[UnitClass.AUDIO_CACHE_READ] == argon[UnitClass.CACHE_READ]


def test_flex_costs_as_batch_where_the_vendor_says_so():
    assert prices("gemini-3-flash-preview", GOOGLE, tier="flex") == {}
    rules = replace(GOOGLE, flex_costs_as_batch=True)
    found = flat("gemini-3-flash-preview", rules, tier="flex")
    assert (found[UnitClass.INPUT], found[UnitClass.OUTPUT]) == (Decimal("0.25"), Decimal("1.5"))
    assert found.keys() == flat("gemini-3-flash-preview", rules).keys()


def test_a_stated_zero_is_a_price():
    rules = replace(ANTHROPIC, supplements=(("web_fetch", "0"),))
    assert flat("claude-opus-5-5", rules)[UnitClass.WEB_FETCH] == 0
    assert UnitClass.WEB_FETCH not in flat("claude-opus-5-5", ANTHROPIC)


def test_images_that_come_out_have_a_price_or_none():
    assert flat("gemini-2.5-flash-image", GOOGLE)[UnitClass.IMAGE_OUTPUT] == 30
    assert UnitClass.IMAGE_OUTPUT not in flat("gemini-2.5-flash", GOOGLE)


def test_cached_images_cost_the_dearer_price_of_a_cache_read():
    assert flat("gpt-image-1.5", OPENAI)[UnitClass.CACHE_READ] == 2  # text 1.25, images 2


def test_supplements_fill_in_and_never_override():
    rules = Rules(providers=("openai",), supplements=(("audio_input", "40"), ("input", "99")))
    found = flat("gpt-4o", rules)
    assert found[UnitClass.AUDIO_INPUT] == 40
    assert found[UnitClass.INPUT] == Decimal("2.5")


def test_fees_are_counted_by_the_thousand():
    known = price_source.look_up("sonar", rules=Rules(providers=("perplexity",)), at=AT)
    [fee] = [r for r in known.quotes[0].rates if r.unit_class is UnitClass.REQUEST]
    assert (fee.unit, fee.vendor_nusd_per_unit) == (Unit.THOUSAND, 12 * 10**9)


def test_prices_that_change_with_the_hour_count_at_their_dearest():
    rules = Rules(providers=("deepseek",))
    for hour in (0, 2, 5, 7, 12, 23):
        found = flat("deepseek-v4-pro", rules, at=AT.replace(hour=hour))
        assert found[UnitClass.INPUT] == Decimal("1.32")
        assert found[UnitClass.OUTPUT] == Decimal("3.96")


def test_announced_prices_are_quotes_of_their_own_day():
    known = price_source.look_up("gemini-4-argon", rules=GOOGLE, at=AT)
    assert [quote.valid_from for quote in known.quotes] == [
        AT,
        dt.datetime(2026, 12, 1, tzinfo=dt.UTC),
    ]
    assert flat("gemini-4-argon", GOOGLE, quote=1)[UnitClass.INPUT] == 4
    late = price_source.look_up("gemini-4-argon", rules=GOOGLE, at=AT + dt.timedelta(days=30))
    assert len(late.quotes) == 1


@pytest.mark.parametrize(("provider", "name"), [
    ("openai", "no-such-model"),
    ("no-such-provider", "gpt-4o"),
    ("openai", "gpt-realtime-whisper"),  # live sound, which nobody can send here
    ("openai", "moderation"),  # no price at all: the package would answer 0
    ("openrouter", "openai/gpt-oss-20b:free"),
    ("mistral", "mistral-ocr-latest"),
    ("perplexity", "sonar-deep-research"),  # citation tokens, which nobody counts here
    ("google", "gemini-omni-1.1-flash"),  # video that comes out
])  # fmt: skip
def test_what_cannot_be_priced_is_refused(provider, name):
    with pytest.raises(NoPrice):
        price_source.look_up(name, rules=Rules(providers=(provider,)), at=AT)


def test_no_rate_of_the_whole_package_is_zero_and_no_model_breaks_the_reader():
    """Walks every model: each is priced or refused, and no price is 0."""
    priced = refused = 0
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            try:
                known = price_source.look_up(model.id, rules=Rules(providers=(provider.id,)), at=AT)
            except NoPrice:
                refused += 1
                continue
            priced += 1
            for quote in known.quotes:
                assert quote.rates
                assert all(rate.nusd_per_unit > 0 for rate in quote.rates), model.id
                keys = [(r.unit_class, r.service_tier, r.tier_from) for r in quote.rates]
                assert len(keys) == len(set(keys)), model.id
    assert priced > 2_000
    assert refused > 100


@pytest.mark.parametrize(("provider", "name"), [
    ("openai", "gpt-4o"), ("openai", "gpt-6-sol"), ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-5-5"), ("google", "gemini-2.5-flash"), ("x-ai", "grok-4.7"),
    ("mistral", "mistral-large-4"), ("groq", "openai/gpt-oss-120b"),
])  # fmt: skip
@pytest.mark.parametrize("prompt", [1_000, 150_000, 300_000])
def test_costs_equal_the_packages_own_arithmetic(provider, name, prompt):
    known = price_source.look_up(name, rules=Rules(providers=(provider,)), at=AT)
    card = RateCard.of(card_id=1, endpoint="e", rates=known.quotes[0].rates)
    usage = Usage(quantities={
        UnitClass.INPUT: prompt - 300, UnitClass.CACHE_READ: 300, UnitClass.OUTPUT: 77,
    })  # fmt: skip
    theirs = genai_prices.calc_price(
        genai_prices.Usage(input_tokens=prompt, cache_read_tokens=300, output_tokens=77),
        name, provider_id=provider, genai_request_timestamp=AT,
    )  # fmt: skip
    exact = Fraction(theirs.total_price) * 10**9
    assert cost(usage, card).vendor_nusd == -(-exact.numerator // exact.denominator)


def test_the_window_comes_with_the_price():
    assert price_source.look_up("gpt-4o", rules=OPENAI, at=AT).context_tokens_max == 128_000


def test_stated_prices_may_be_zero_but_need_an_input():
    free = price_source.derived({UnitClass.INPUT: Decimal(0)}, rules=Rules())
    assert {rate.nusd_per_unit for rate in free} == {0}
    with pytest.raises(NoPrice):
        price_source.derived({UnitClass.OUTPUT: Decimal(1)}, rules=Rules())


@pytest.mark.parametrize(
    ("name", "unit_class", "unit", "usd"),
    [
        ("whisper-1", UnitClass.AUDIO_DURATION, Unit.HOUR, "0.36"),
        ("tts-1", UnitClass.CHARACTERS, Unit.MCHAR, "15"),
    ],
)
def test_sound_has_measures_of_its_own_and_no_price_for_tokens(name, unit_class, unit, usd):
    [quote] = price_source.look_up(name, rules=OPENAI, at=AT).quotes
    [rate] = quote.rates
    assert (rate.unit_class, rate.unit) == (unit_class, unit)
    assert rate.vendor_nusd_per_unit == Decimal(usd) * 10**9
