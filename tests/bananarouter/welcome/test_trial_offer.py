"""Who is offered a trial, what asking takes, and why it is refused."""

import datetime as dt
import itertools

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache

from accounts import work
from accounts.models import Account, Membership, User
from bananarouter.pages.welcome import trial_offer
from billing import queries
from billing.models import Trial
from tests import factories

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC)
BITS = 6
IP = "192.0.2.1"


@pytest.fixture(autouse=True)
def terms(settings):
    settings.TRIAL_NUSD, settings.TRIAL_WORK_BITS = 500_000_000, BITS
    cache.clear()


def person(name="eve", *, email=None, is_verified=True) -> Membership:
    user = factories.user(name)
    if email:
        User.objects.filter(pk=user.pk).update(email=email)
        user.refresh_from_db()
    EmailAddress.objects.filter(user=user).update(email=user.email, verified=is_verified)
    return user.memberships.select_related("account").get()


def offer(place, *, credit_nusd=0, now=NOW):
    return trial_offer.offer(place, credit_nusd=credit_nusd, now=now)


def solved(challenge) -> str:
    return next(str(n) for n in itertools.count() if work.zero_bits(challenge, n) >= BITS)


def ask(place, *, challenge=None, nonce=None, source_ip=IP, now=NOW):
    challenge = offer(place).challenge if challenge is None else challenge
    nonce = solved(challenge) if nonce is None else nonce
    return trial_offer.ask(place, challenge=challenge, nonce=nonce, source_ip=source_ip, now=now)


def refusal(*arguments, **options) -> str:
    with pytest.raises(trial_offer.Refused) as caught:
        ask(*arguments, **options)
    return str(caught.value.words)


def test_a_verified_person_gets_the_trial():
    place = person()
    told = offer(place)
    assert (told.amount_nusd, told.days, told.obstacle) == (500_000_000, 14, "")
    trial = ask(place)
    assert trial.account_id == place.account_id
    assert queries.balance(place.account_id).available_nusd == 500_000_000
    stored = bytes(trial.email_digest) + bytes(trial.network_digest)
    assert b"eve" not in stored
    assert b"192" not in stored
    assert trial.phone_digest is None


def test_asking_twice_gives_once_and_tells_the_same():
    place = person()
    challenge = offer(place).challenge
    assert ask(place, challenge=challenge) == ask(place, challenge=challenge) == ask(place)
    assert queries.balance(place.account_id).credit_nusd == 500_000_000


@pytest.mark.parametrize("change", [
    {"is_organization": True}, {"is_demo": True},
], ids=["organization", "demo"])  # fmt: skip
def test_only_personal_accounts_are_offered_one(change):
    place = person()
    challenge = offer(place).challenge
    Account.objects.filter(pk=place.account_id).update(**change)
    place.account.refresh_from_db()
    assert offer(place) is None
    assert "owner of a personal account" in refusal(place, challenge=challenge)


@pytest.mark.parametrize("role", ["admin", "developer", "billing"])
def test_only_owners_are_offered_one(role):
    owner, other = person(), factories.user("bob")
    challenge = offer(owner).challenge
    factories.join(other, owner.account, role)
    place = other.memberships.get(account=owner.account)
    assert offer(place) is None
    assert "owner" in refusal(place, challenge=challenge)


def test_nothing_is_offered_to_an_account_with_money_or_when_it_is_off(settings):
    place = person()
    challenge = offer(place).challenge
    assert offer(place, credit_nusd=1) is None
    factories.give(place.account, 1)
    assert "had money" in refusal(place, challenge=challenge)
    settings.TRIAL_NUSD = 0
    assert offer(place) is None


def test_an_address_is_verified_first():
    place = person(is_verified=False)
    assert "Verify your email" in str(offer(place).obstacle)
    assert "Verify your email" in refusal(place)
    EmailAddress.objects.update(verified=True)
    assert ask(place)


def test_another_verified_address_does_not_verify_this_one():
    place = person(is_verified=False)
    EmailAddress.objects.create(user=place.user, email="other@example.com", verified=True)
    assert "Verify your email" in refusal(place)


def test_a_verified_phone_does_as_well_and_is_the_same_person_elsewhere():
    first, second = person(is_verified=False), person("adam")
    place = first
    User.objects.filter(pk=place.user_id).update(phone="+15550100", phone_verified_at=NOW)
    place.user.refresh_from_db()
    assert bytes(ask(place).phone_digest)
    User.objects.filter(pk=place.user_id).update(phone="")
    User.objects.filter(pk=second.user_id).update(phone="+15550100", phone_verified_at=NOW)
    second.user.refresh_from_db()
    assert "email address or phone before" in refusal(second)


def test_throwaway_addresses_get_nothing():
    place = person(email="eve@mailinator.com")
    assert "throwaway mail" in str(offer(place).obstacle)
    assert "throwaway mail" in refusal(place)
    assert not Trial.objects.exists()


def test_one_mailbox_is_one_person():
    ask(person(email="eve.adams@gmail.com"))
    assert "once for each person" in refusal(person("eve2", email="eveadams+2@gmail.com"))


def test_a_network_has_a_limit(settings):
    settings.TRIAL_PER_NETWORK_PER_DAY = 2
    for name in ("a", "b"):
        ask(person(name), source_ip="192.0.2.9")
    assert "on your network" in refusal(person("c"), source_ip="192.0.2.77")
    assert ask(person("d"), source_ip="192.0.3.1")


def test_work_that_does_not_count_gives_nothing():
    place, other = person(), person("adam")
    assert "does not fit" in refusal(place, nonce="")
    assert "does not fit" in refusal(place, challenge=offer(other).challenge)
    assert "does not fit" in refusal(place, challenge="", nonce="1")
    late = NOW + work.LIFE
    assert "open for too long" in refusal(place, now=late)
    assert not Trial.objects.exists()


def test_spent_work_is_not_taken_again(settings):
    settings.TRIAL_PER_NETWORK_PER_DAY = 0
    place = person()
    challenge = offer(place).challenge
    assert "on your network" in refusal(place, challenge=challenge)
    settings.TRIAL_PER_NETWORK_PER_DAY = 1
    assert "sent twice" in refusal(place, challenge=challenge)
    assert ask(place)
