"""Members: roles given and taken, the last owner, keys of those who go."""

import threading
import uuid

import pytest
from django.db import connections

from accounts import keys, members, owners
from accounts.models import Account, ApiKey, Change, Membership

Role = Membership.Role
pytestmark = pytest.mark.django_db


@pytest.fixture
def organization(alice):
    return members.found(founder=alice, name="Acme", public_id=uuid.uuid4())


def join(name, account, role=Role.DEVELOPER):
    return Membership.objects.create(
        account=account, user=owners.register(email=f"{name}@example.com"), role=role
    )


def place_of(user, account) -> Membership:
    return Membership.objects.get(user=user, account=account)


def mint(account, user, **options):
    return keys.mint(account=account, created_by=user, name="k", **options)[0]


def roles_in(account) -> dict[str, str]:
    rows = Membership.objects.filter(account=account)
    return {row.user.email.partition("@")[0]: row.role for row in rows.select_related("user")}


# Organizations


def test_the_founder_owns_the_organization(alice, account):
    organization = members.found(founder=alice, name="Acme", public_id=uuid.uuid4())
    assert organization != account
    assert (organization.is_organization, organization.name) == (True, "Acme")
    assert roles_in(organization) == {"alice": Role.OWNER}


def test_an_organization_asked_for_twice_is_made_once(alice):
    public_id = uuid.uuid4()
    made = [members.found(founder=alice, name="Acme", public_id=public_id) for _ in range(2)]
    assert made[0] == made[1]
    assert Account.objects.filter(is_organization=True).count() == 1


def test_an_id_of_somebody_elses_organization_opens_nothing(organization):
    mallory = owners.register(email="mallory@example.com")
    with pytest.raises(members.NotAllowed):
        members.found(founder=mallory, name="Mine", public_id=organization.public_id)
    assert roles_in(organization) == {"alice": Role.OWNER}


def test_an_organization_is_where_its_founder_is(alice, account):
    account.country = "SG"
    account.save(update_fields=["country"])
    assert members.found(founder=alice, name="Acme", public_id=uuid.uuid4()).country == "SG"


def test_nobody_makes_organizations_without_end(alice, monkeypatch):
    monkeypatch.setattr(members, "ORGANIZATIONS_MAX", 1)
    members.found(founder=alice, name="One", public_id=uuid.uuid4())
    with pytest.raises(members.TooManyOrganizations):
        members.found(founder=alice, name="Two", public_id=uuid.uuid4())
    assert not Account.objects.filter(name="Two").exists()


# Roles


@pytest.mark.parametrize(
    ("by", "of", "to", "is_allowed"),
    [
        (Role.OWNER, Role.DEVELOPER, Role.OWNER, True),
        (Role.OWNER, Role.ADMIN, Role.BILLING, True),
        (Role.ADMIN, Role.DEVELOPER, Role.ADMIN, True),
        (Role.ADMIN, Role.ADMIN, Role.DEVELOPER, True),
        (Role.ADMIN, Role.DEVELOPER, Role.OWNER, False),
        (Role.ADMIN, Role.OWNER, Role.DEVELOPER, False),
        (Role.ADMIN, Role.DEVELOPER, "root", False),
        (Role.DEVELOPER, Role.DEVELOPER, Role.BILLING, False),
        (Role.BILLING, Role.DEVELOPER, Role.BILLING, False),
    ],
)
def test_a_role_is_given_by_those_who_may(by, of, to, is_allowed, organization):
    actor, member = join("bob", organization, by), join("carol", organization, of)

    def change():
        return members.change_role(
            account_id=organization.pk, member_id=member.pk, role=to, actor=actor.user
        )

    if is_allowed:
        assert change().role == to
    else:
        with pytest.raises(members.NotAllowed):
            change()
    assert roles_in(organization)["carol"] == (to if is_allowed else of)


def test_nobody_raises_himself(organization):
    bob = join("bob", organization)
    with pytest.raises(members.NotAllowed):
        members.change_role(
            account_id=organization.pk, member_id=bob.pk, role=Role.ADMIN, actor=bob.user
        )


def test_a_stranger_and_a_member_of_another_account_change_nothing(alice, account, organization):
    mallory = owners.register(email="mallory@example.com")
    owners.own_account(mallory)
    bob = join("bob", organization)
    with pytest.raises(members.NotAllowed):
        members.change_role(
            account_id=organization.pk, member_id=bob.pk, role=Role.ADMIN, actor=mallory
        )
    # Alice owns both accounts, but bob is in the other one.
    with pytest.raises(Membership.DoesNotExist):
        members.change_role(account_id=account.pk, member_id=bob.pk, role=Role.ADMIN, actor=alice)
    assert roles_in(organization)["bob"] == Role.DEVELOPER


def test_the_only_owner_stays_owner(alice, organization):
    place = place_of(alice, organization)
    with pytest.raises(members.LastOwner):
        members.change_role(
            account_id=organization.pk, member_id=place.pk, role=Role.ADMIN, actor=alice
        )
    with pytest.raises(members.LastOwner):
        members.remove(
            account_id=organization.pk, member_id=place.pk, actor=alice, disables_keys=True
        )
    assert roles_in(organization) == {"alice": Role.OWNER}


def test_one_of_two_owners_may_go(alice, organization):
    join("bob", organization, Role.OWNER)
    place = place_of(alice, organization)
    members.remove(account_id=organization.pk, member_id=place.pk, actor=alice, disables_keys=True)
    assert roles_in(organization) == {"bob": Role.OWNER}


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_leave_at_once_leave_one_behind(alice, organization):
    bob = join("bob", organization, Role.OWNER)
    results, start = [], threading.Barrier(2)

    def leave(user, member_id):
        try:
            start.wait(10)
            members.remove(
                account_id=organization.pk, member_id=member_id, actor=user, disables_keys=True
            )
            results.append("left")
        except members.LastOwner:
            results.append("stays")
        finally:
            connections.close_all()

    leaving = [(alice, place_of(alice, organization).pk), (bob.user, bob.pk)]
    threads = [threading.Thread(target=leave, args=each) for each in leaving]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == ["left", "stays"]
    assert list(roles_in(organization).values()) == [Role.OWNER]


def test_handing_over_changes_both_places(alice, organization):
    bob = join("bob", organization, Role.BILLING)
    members.hand_over(account_id=organization.pk, member_id=bob.pk, actor=alice)
    assert roles_in(organization) == {"alice": Role.ADMIN, "bob": Role.OWNER}
    with pytest.raises(members.NotAllowed):
        members.hand_over(account_id=organization.pk, member_id=bob.pk, actor=alice)


def test_nobody_hands_over_to_himself(alice, organization):
    place = place_of(alice, organization)
    with pytest.raises(Membership.DoesNotExist):
        members.hand_over(account_id=organization.pk, member_id=place.pk, actor=alice)
    assert roles_in(organization) == {"alice": Role.OWNER}


# Removal, and the keys that stay behind


def test_removal_disables_the_keys_that_the_member_made_here(alice, account, organization):
    bob = join("bob", organization)
    own = owners.own_account(bob.user)
    his, elsewhere = mint(organization, bob.user), mint(own, bob.user)
    hers = mint(organization, alice)
    count = members.remove(
        account_id=organization.pk, member_id=bob.pk, actor=alice, disables_keys=True
    )
    assert count == 1
    disabled = set(ApiKey.objects.exclude(disabled_at=None))
    assert disabled == {his}
    assert {elsewhere, hers} & disabled == set()
    # Every worker hears of it.
    assert Change.objects.filter(topic=Change.Topic.KEY, ref=str(his.pk)).exists()
    assert roles_in(organization) == {"alice": Role.OWNER}


def test_keys_may_go_on_without_their_maker_but_not_those_of_a_browser(alice, organization):
    bob = join("bob", organization)
    kept = mint(organization, bob.user)
    browser = mint(organization, bob.user)
    ApiKey.objects.filter(pk=browser.pk).update(purpose=ApiKey.Purpose.PLAYGROUND)
    members.remove(account_id=organization.pk, member_id=bob.pk, actor=alice, disables_keys=False)
    assert set(ApiKey.objects.exclude(disabled_at=None)) == {browser}
    assert kept.pk != browser.pk


@pytest.mark.parametrize(
    ("by", "of", "is_allowed"),
    [
        (Role.ADMIN, Role.DEVELOPER, True),
        (Role.ADMIN, Role.OWNER, False),
        (Role.DEVELOPER, Role.BILLING, False),
        (Role.BILLING, Role.DEVELOPER, False),
    ],
)
def test_a_member_is_removed_by_those_who_may(by, of, is_allowed, organization):
    actor, member = join("bob", organization, by), join("carol", organization, of)

    def remove():
        members.remove(
            account_id=organization.pk, member_id=member.pk, actor=actor.user, disables_keys=True
        )

    if is_allowed:
        remove()
    else:
        with pytest.raises(members.NotAllowed):
            remove()
    assert ("carol" in roles_in(organization)) is not is_allowed


@pytest.mark.parametrize("role", [Role.ADMIN, Role.DEVELOPER, Role.BILLING])
def test_everybody_else_may_leave(role, organization):
    bob = join("bob", organization, role)
    members.remove(account_id=organization.pk, member_id=bob.pk, actor=bob.user, disables_keys=True)
    assert "bob" not in roles_in(organization)
