"""The shelf: what somebody can call now, no more and no less, made once."""

import datetime as dt

import pytest

from accounts import changes
from accounts.models import Change
from bananarouter.pages.catalogue import offers
from billing import rates
from billing.pricing import Rate
from billing.usage import Unit, UnitClass
from routing import catalogue
from routing.models import Channel, Endpoint
from tests.bananarouter.catalogue.conftest import channel, model

pytestmark = pytest.mark.django_db
NOW = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)  # after every price that is made here


def test_an_offer_carries_what_is_paid_where_it_is_tried_first(stocked):
    offer = offers.current(now=NOW).by_slug["openai/alpha"]
    card = rates.card_for(offer.sheet.endpoints[0].slug, at=NOW)
    paid = card.rate(UnitClass.INPUT, prompt_tokens=1, service_tier="standard")
    assert (offer.input.nusd, offer.input.unit) == (paid.nusd_per_unit, Unit.MTOK)
    assert offer.input.nusd == 2_100_000_000  # with the markup of 5 %
    assert offer.output.nusd == 8_400_000_000
    assert [vendor.slug for vendor in offer.vendors] == ["openai", "mistral"]
    assert offer.jurisdictions == ("US", "FR")
    assert offer.context_tokens_max == 128_000
    assert not offer.is_demo


def test_the_worst_policy_of_its_vendors_is_that_of_the_model(install):
    both = [model("x/one"), model("x/two")]
    install(channel("a", "anthropic", both), channel("b", "deepseek", [model("x/one")]))
    shelf = offers.current(now=NOW)
    one, two = shelf.by_slug["x/one"], shelf.by_slug["x/two"]
    assert (one.trains, one.retention_days) == ("opt-out", None)
    assert (two.trains, two.retention_days) == ("no", 30)


def test_other_measures_stand_in_the_column_with_their_unit(stocked):
    ears = offers.current(now=NOW).by_slug["mistral/ears"]
    assert (ears.input.unit, ears.input.is_plain) == (Unit.HOUR, False)
    assert ears.output is None
    assert ears.cached is None


def test_what_is_disabled_or_unpriced_is_not_offered(stocked):
    assert "deepseek/gamma" in offers.current(now=NOW).by_slug
    Endpoint.objects.filter(slug="cn:deepseek/gamma").update(is_enabled=False)
    Channel.objects.filter(name="demo").update(is_enabled=False)
    catalogue.refresh()
    assert set(offers.current(now=NOW).by_slug) == {
        "openai/alpha", "openai/beta", "openai/vectors", "mistral/ears",
    }  # fmt: skip
    before_any_price = NOW - dt.timedelta(days=9_999)
    offers._kept = None
    assert offers.current(now=before_any_price).offers == []


def test_the_shelf_is_made_once_until_the_catalogue_changes(stocked):
    first = offers.current(now=NOW)
    assert offers.current(now=NOW + dt.timedelta(days=30)) is first
    catalogue.refresh()
    assert offers.current(now=NOW) is not first


def test_the_shelf_changes_when_an_announced_price_comes_into_force(stocked):
    later = NOW + dt.timedelta(days=7)
    dearer = [
        Rate(unit_class=c, unit=Unit.MTOK, nusd_per_unit=0, vendor_nusd_per_unit=10**10)
        for c in (UnitClass.INPUT, UnitClass.OUTPUT)
    ]
    rates.propose(
        endpoint="cn:deepseek/gamma", rates=dearer, valid_from=later, source="t", markup_ppm=0
    )
    catalogue.refresh()

    def price(at: dt.datetime) -> int:
        return offers.current(now=at).by_slug["deepseek/gamma"].input.nusd

    assert rates.next_change(after=NOW) == later
    assert price(NOW) == price(later - dt.timedelta(seconds=1)) == 525_000_000
    assert price(later) == 10**10
    assert rates.next_change(after=later) is None


def test_a_change_of_the_catalogue_makes_the_shelf_before_anybody_asks(stocked):
    listener = changes.Listener()
    catalogue.connect(listener)
    offers.connect(listener)
    before = offers.current(now=NOW)
    Endpoint.objects.filter(slug="cn:deepseek/gamma").update(is_enabled=False)
    assert listener._subscribers.tell(Change.Topic.CATALOGUE, [""])
    assert offers._kept.shelf is not before
    assert "deepseek/gamma" not in offers._kept.shelf.by_slug


def test_a_model_is_found_by_its_bare_name_too(stocked):
    assert offers.find("openai/alpha", now=NOW) is offers.find("alpha", now=NOW)
    assert offers.find("nobody/nothing", now=NOW) is None
