"""Cards are dated and never edited; the markup is rounded up when a card is made."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from billing import models, rates
from billing.pricing import Rate
from billing.rates import NoCard, Proposal
from billing.usage import Unit, UnitClass

pytestmark = pytest.mark.django_db
T0 = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def rate(price, unit_class=UnitClass.INPUT, **options):
    return Rate(
        unit_class=unit_class,
        unit=Unit.MTOK,
        nusd_per_unit=0,
        vendor_nusd_per_unit=price,
        **options,
    )


def propose(price, at=T0, *, markup_ppm=0, endpoint="c:a/m"):
    own = price if isinstance(price, list) else [rate(price)]
    return rates.propose(
        endpoint=endpoint, rates=own, valid_from=at, source="test", markup_ppm=markup_ppm
    )


def vendor_price(at, endpoint="c:a/m"):
    rates.load()
    card = rates.card_for(endpoint, at=at)
    return card.rate(UnitClass.INPUT, prompt_tokens=1, service_tier="standard").vendor_nusd_per_unit


def test_the_card_in_force_is_the_latest_that_has_begun():
    propose(1)
    propose(2, T0 + DAY)
    assert vendor_price(T0) == 1
    assert vendor_price(T0 + DAY - rates.TICK) == 1
    assert vendor_price(T0 + DAY) == 2
    with pytest.raises(NoCard):
        vendor_price(T0 - rates.TICK)
    with pytest.raises(NoCard):
        vendor_price(T0, endpoint="another")


@pytest.mark.parametrize(("vendor", "markup_ppm", "price"), [
    (0, 50_000, 0),
    (1, 0, 1),
    (1, 1, 2),
    (2_500_000_000, 50_000, 2_625_000_000),
    (37_500_000, 333_333, 49_999_988),
    (999_999_999_999, 10_000_000, 10_999_999_999_989),
])  # fmt: skip
def test_markup_is_added_and_rounded_up_when_the_card_is_made(vendor, markup_ppm, price):
    propose(vendor, markup_ppm=markup_ppm)
    row = models.Rate.objects.get()
    assert (row.vendor_nusd_per_unit, row.nusd_per_unit) == (vendor, price)
    assert models.RateCard.objects.get().markup_ppm == markup_ppm


def test_a_negative_markup_or_price_is_refused():
    with pytest.raises(ValueError, match="markup"):
        propose(1, markup_ppm=-1)
    with pytest.raises(ValueError, match="negative"):
        propose(-1)
    assert not models.RateCard.objects.exists()


def test_a_card_that_changes_nothing_is_not_made():
    assert propose(1) is not None
    assert propose(1, T0 + DAY) is None
    assert propose([rate(1, tier_from=0)], T0 + DAY) is None
    assert models.RateCard.objects.count() == 1


@pytest.mark.parametrize("changed", [
    [rate(2)],
    [rate(1), rate(9, tier_from=1_000)],
    [rate(1), rate(1, service_tier="flex")],
    [rate(1), rate(1, UnitClass.OUTPUT)],
], ids=["price", "tier", "service tier", "class"])  # fmt: skip
def test_any_change_makes_a_new_card_and_leaves_the_old_one(changed):
    first = propose(1)
    second = propose(changed, T0 + DAY)
    assert second is not None
    assert second.pk != first.pk
    assert vendor_price(T0) == 1


def test_a_changed_markup_makes_a_new_card():
    propose(100)
    assert propose(100, T0 + DAY, markup_ppm=50_000) is not None


def test_a_second_card_of_the_same_moment_follows_the_first():
    propose(1)
    propose(2)
    propose(3)
    assert vendor_price(T0) == 1
    assert vendor_price(T0 + DAY) == 3
    assert propose(3) is None
    assert models.RateCard.objects.count() == 3


def test_two_cards_of_one_moment_cannot_be_stored():
    propose(1)
    with pytest.raises(IntegrityError), transaction.atomic():
        models.RateCard.objects.create(endpoint="c:a/m", valid_from=T0, source="by hand")


def test_many_proposals_are_one_transaction():
    proposals = [
        Proposal(endpoint=f"c:a/{n}", rates=(rate(n),), valid_from=T0, source="test")
        for n in range(1_200)
    ]
    assert len(rates.propose_all(proposals, markup_ppm=0)) == 1_200
    assert vendor_price(T0, "c:a/1199") == 1_199
    broken = Proposal(endpoint="c:a/x", rates=(rate(1), rate(1)), valid_from=T0, source="test")
    with pytest.raises(IntegrityError), transaction.atomic():
        rates.propose_all([*proposals[:1], broken], markup_ppm=1)
    assert models.RateCard.objects.count() == 1_200


def test_announced_cards_are_listed():
    propose(1)
    propose(2, T0 + DAY)
    propose(5, T0 + DAY, endpoint="other")
    assert rates.scheduled(["c:a/m"], after=T0) == {"c:a/m": [T0 + DAY]}
