"""Organizations: making, members, invitations, as each role sees them."""

import datetime as dt
import re
import uuid
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import invitations, keys, roles
from accounts.models import Account, ApiKey, Invitation, Membership
from billing.models import SpendHour
from tests import factories

pytestmark = pytest.mark.django_db
Role = Membership.Role
QUERIES_MAX = 12


@pytest.fixture
def alice():
    return factories.user("alice")


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def place_of(person, account) -> Membership:
    return Membership.objects.get(user=person, account=account)


def verified(person):
    EmailAddress.objects.update_or_create(
        user=person, email=person.email, defaults={"verified": True, "primary": True}
    )
    return person


# Making one


def test_an_organization_is_made_once_and_looked_at(alice):
    client = Client()
    client.force_login(alice)
    form = client.get(reverse("organization_new")).context["form"]
    fields = {"name": "Acme", "public_id": form["public_id"].value()}
    for _ in range(2):
        response = client.post(reverse("organization_new"), fields)
        assert response["Location"] == reverse("organization")
    made = Account.objects.get(is_organization=True)
    assert made.name == "Acme"
    assert client.get(reverse("organization")).context["shell"].account == made


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "This field is required"),
        ("x" * 81, "at most 80"),
        ("Win at https://evil.example", "no web address"),
        ("www.evil.example", "no web address"),
        ("two\nlines", "on one line"),
    ],
)
def test_a_wrong_name_is_explained(name, said, alice):
    client = Client()
    client.force_login(alice)
    response = client.post(reverse("organization_new"), {"name": name, "public_id": uuid.uuid4()})
    assert said in text_of(response)
    assert not Account.objects.filter(is_organization=True).exists()


def test_somebody_elses_form_makes_nothing(acme):
    client = Client()
    client.force_login(factories.user("mallory"))
    response = client.post(
        reverse("organization_new"), {"name": "Mine", "public_id": acme.public_id}
    )
    assert "This form was used before" in text_of(response)
    assert "Acme" not in text_of(response)
    acme.refresh_from_db()
    assert acme.name == "Acme"


def test_ones_own_account_says_so_and_offers_an_organization(alice):
    client = Client()
    client.force_login(alice)
    page = text_of(client.get(reverse("organization")))
    assert "This is your own account." in page
    assert reverse("organization_new") in page
    assert reverse("invite") not in page
    response = client.post(reverse("invite"), {"email": "eve@example.com", "role": "admin"})
    assert "This is your own account." in text_of(response)
    assert mail.outbox == []


# The list


def test_members_stand_with_their_keys_and_what_these_spent(alice, acme, client_of):
    bob = factories.user("bob")
    client = client_of(bob, Role.ADMIN)
    gone = factories.user("gone")
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    costs = ((alice, 5_000_000_000, hour), (bob, 250_000_000, hour), (gone, 70_000_000, hour),
             (bob, 9_000_000_000, hour - dt.timedelta(days=31)))  # fmt: skip
    for maker, cost_nusd, at in costs:
        key, _ = keys.mint(account=acme, created_by=maker, name="k")
        SpendHour.objects.create(
            wallet_id=acme.pk, hour=at, api_key_id=key.pk, endpoint="x", requests=1,
            cost_nusd=cost_nusd,
        )  # fmt: skip
    keys.disable(ApiKey.objects.filter(created_by=bob).first())
    page = client.get(reverse("organization"))
    roster = page.context["roster"]
    found = {p.member.user.username: (p.keys, p.spent_nusd) for p in roster.people}
    assert found == {"alice": (1, 5_000_000_000), "bob": (1, 250_000_000)}
    assert roster.others_nusd == 70_000_000
    assert roster.total_nusd == 5_320_000_000
    assert "$5.32" in text_of(page)


def test_many_members_cost_no_more_queries(alice, acme, client_of, django_assert_max_num_queries):
    for n in range(12):
        person = factories.user(f"u{n}")
        factories.join(person, acme)
        keys.mint(account=acme, created_by=person, name="k")
    client = client_of(alice)
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse("organization"))


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.BILLING])
def test_others_see_who_is_in_and_not_more(role, alice, acme, client_of):
    invitations.invite(
        account_id=acme.pk, email="eve@example.com", role=Role.ADMIN, actor=alice,
        link=str, now=timezone.now(),
    )  # fmt: skip
    page = text_of(client_of(factories.user("bob"), role).get(reverse("organization")))
    assert "alice" in page
    assert "alice@example.com" not in page
    assert "eve@example.com" not in page
    assert ("Spent in 30 days" in page) == roles.may_see_money(role)
    for name in ("invite", "organization_rename"):
        assert reverse(name) not in page


PAGES = {
    "organization": None,
    "organization_new": None,
    "organization_leave": None,
    "invite": roles.may_manage_members,
    "member": roles.may_manage_members,
    "member_remove": roles.may_manage_members,
    "member_hand_over": roles.may_own,
}
ACTIONS = {
    "organization_rename": roles.may_change_account,
    "invite": roles.may_manage_members,
    "member": roles.may_manage_members,
    "member_remove": roles.may_manage_members,
    "member_hand_over": roles.may_own,
    "invitation_resend": roles.may_manage_members,
    "invitation_revoke": roles.may_manage_members,
}


@pytest.fixture
def url_of(alice, acme):
    """The address of a page about carol, a developer, and about eve's invitation."""
    carol = factories.user("carol")
    factories.join(carol, acme)
    invitation = Invitation.objects.create(
        account=acme, email="eve@example.com", role=Role.BILLING, digest=b"x" * 32,
        invited_by=alice, expires_at=timezone.now() + dt.timedelta(days=1),
    )  # fmt: skip
    ids = {"member": place_of(carol, acme).pk, "invitation": invitation.pk}

    def url(name: str) -> str:
        thing, is_more, _ = name.partition("_")
        return reverse(
            name, args=[ids[thing]] if thing in ids and (is_more or thing == "member") else []
        )

    return url


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_the_roles_that_may(name, role, url_of, client_of):
    needs = PAGES[name]
    response = client_of(factories.user("bob"), role).get(url_of(name))
    assert response.status_code == (200 if needs is None or needs(role) else 403)


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_for_the_roles_that_may(name, role, url_of, client_of, acme):
    fields = {"name": "Renamed", "email": "new@example.com", "role": Role.BILLING}
    before = (members_of(acme), list(Invitation.objects.values("digest", "revoked_at")))
    response = client_of(factories.user("bob"), role).post(url_of(name), fields)
    assert response.status_code == (302 if ACTIONS[name](role) else 403)
    acme.refresh_from_db()
    after = (members_of(acme), list(Invitation.objects.values("digest", "revoked_at")))
    assert (before != after or acme.name == "Renamed") == ACTIONS[name](role)


def members_of(account) -> list[tuple[str, str]]:
    rows = account.memberships.exclude(user__username="bob").order_by("pk")
    return list(rows.values_list("user__username", "role"))


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", [n for n in {**PAGES, **ACTIONS} if "_" in n or n == "member"])
def test_a_stranger_finds_nothing_of_it(name, method, url_of, acme):
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    before = members_of(acme)
    response = getattr(mallory, method)(url_of(name), {"name": "x", "role": "admin"})
    text = text_of(response)
    assert "Acme" not in text
    assert "carol" not in text
    if "organization" not in name:
        assert response.status_code in {404, 405}
    acme.refresh_from_db()
    assert (acme.name, members_of(acme)) == ("Acme", before)
    assert not Invitation.objects.exclude(revoked_at=None).exists()


# Changing members


def test_a_role_is_changed_on_the_members_page(alice, acme, url_of, client_of):
    client = client_of(alice)
    page = text_of(client.post(url_of("member"), {"role": "admin"}, follow=True))
    assert "carol has the role “admin” now." in page
    assert ("carol", "admin") in members_of(acme)


def test_a_role_that_one_may_not_give_is_no_choice(url_of, client_of, acme):
    client = client_of(factories.user("bob"), Role.ADMIN)
    assert 'value="owner"' not in text_of(client.get(url_of("member")))
    page = text_of(client.post(url_of("member"), {"role": "owner"}))
    assert "not one of the available choices" in page
    assert ("carol", "developer") in members_of(acme)


def test_an_admin_reads_that_owners_are_changed_by_owners(alice, acme, client_of):
    client = client_of(factories.user("bob"), Role.ADMIN)
    url = reverse("member", args=[place_of(alice, acme).pk])
    assert "Only an owner changes or removes an owner." in text_of(client.get(url))
    assert client.post(url, {"role": "developer"}).status_code == 403
    remove = reverse("member_remove", args=[place_of(alice, acme).pk])
    assert client.post(remove).status_code == 403
    assert ("alice", "owner") in members_of(acme)


def test_the_last_owner_is_told_to_hand_over_first(alice, acme, client_of):
    client = client_of(alice)
    url = reverse("member", args=[place_of(alice, acme).pk])
    for response in (
        client.post(url, {"role": "admin"}, follow=True),
        client.post(reverse("organization_leave"), follow=True),
    ):
        assert "The account needs an owner." in text_of(response)
    assert ("alice", "owner") in members_of(acme)


def test_handing_over_asks_first(alice, acme, url_of, client_of):
    client = client_of(alice)
    assert "Hand “Acme” over to carol?" in text_of(client.get(url_of("member_hand_over")))
    assert ("alice", "owner") in members_of(acme)
    page = text_of(client.post(url_of("member_hand_over"), follow=True))
    assert "carol owns the account now; you are an admin." in page
    assert members_of(acme) == [("alice", "admin"), ("carol", "owner")]


@pytest.mark.parametrize("is_ticked", [True, False])
def test_removing_asks_what_becomes_of_the_keys(is_ticked, alice, acme, url_of, client_of):
    carol = acme.members.get(username="carol")
    key, _ = keys.mint(account=acme, created_by=carol, name="carols-laptop")
    client = client_of(alice)
    page = text_of(client.get(url_of("member_remove")))
    assert "carols-laptop" in page
    assert re.search(r'name="disables_keys"[^>]* checked', page)
    client.post(url_of("member_remove"), {"disables_keys": "on"} if is_ticked else {})
    key.refresh_from_db()
    assert (key.disabled_at is not None) is is_ticked
    assert members_of(acme) == [("alice", "owner")]
    # Once more: there is nobody left to remove.
    assert client.post(url_of("member_remove")).status_code == 404


def test_leaving_ends_the_view_of_the_account(acme, client_of):
    bob = factories.user("bob")
    client = client_of(bob, Role.DEVELOPER)
    assert "Leave “Acme”?" in text_of(client.get(reverse("organization_leave")))
    response = client.post(reverse("organization_leave"), {"disables_keys": "on"}, follow=True)
    assert "You left “Acme”." in text_of(response)
    assert response.context["shell"].account != acme
    assert members_of(acme) == [("alice", "owner")]


# Inviting


def test_an_invitation_is_mailed_and_listed(alice, acme, client_of):
    client = client_of(alice)
    response = client.post(
        reverse("invite"), {"email": "Eve@Example.com", "role": "billing"}, follow=True
    )
    page = text_of(response)
    assert "An invitation goes to eve@example.com." in page
    assert page.count("eve@example.com") > 1
    (message,) = mail.outbox
    assert message.to == ["eve@example.com"]
    token = re.search(r"http://testserver/invitations/([\w-]+)", message.body)[1]
    assert token not in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"email": "nobody"}, "valid email"),
        ({"email": ""}, "This field is required"),
        ({"role": "root"}, "not one of the available choices"),
        ({"email": "carol@example.com"}, "is a member already"),
        ({"email": "eve@example.com", "role": "admin"}, "is invited already"),
    ],
)
def test_a_wrong_invitation_is_explained_and_sends_nothing(
    fields, said, alice, acme, url_of, client_of
):
    verified(acme.members.get(username="carol"))
    response = client_of(alice).post(
        reverse("invite"), {"email": "new@example.com", "role": "developer", **fields}
    )
    page = text_of(response)
    assert said in page
    assert fields.get("email", "new@example.com") in page
    assert mail.outbox == []


def test_an_invitation_is_taken_back_and_sent_again(alice, url_of, client_of):
    client = client_of(alice)
    page = text_of(client.post(url_of("invitation_resend"), follow=True))
    assert "A new link goes to eve@example.com" in page
    page = text_of(client.post(url_of("invitation_resend"), follow=True))
    assert "went out a moment ago" in page
    assert len(mail.outbox) == 1
    page = text_of(client.post(url_of("invitation_revoke"), follow=True))
    assert "is taken back" in page
    for name in ("invitation_resend", "invitation_revoke"):
        assert client.post(url_of(name)).status_code == 404


# The link


@pytest.fixture
def link(alice, acme):
    invitations.invite(
        account_id=acme.pk, email="eve@example.com", role=Role.DEVELOPER, actor=alice,
        link=lambda token: reverse("invitation", args=[token]), now=timezone.now(),
    )  # fmt: skip
    return re.search(r"/invitations/[\w-]+", mail.outbox[0].body)[0]


SECRETS = ("Acme", "alice", "eve@example.com")


def test_a_stranger_is_led_to_sign_up_and_back(link):
    response = Client().get(link)
    page = text_of(response)
    assert "You are invited" in page
    assert f'{reverse("account_signup")}?next={link}"' in page
    assert not [word for word in SECRETS if word in page]
    assert "no-store" in response["Cache-Control"]
    assert Client().post(link).status_code == 200
    assert not Membership.objects.filter(user__username="eve").exists()


def test_somebody_else_learns_nothing_and_joins_nothing(link, acme):
    client = Client()
    client.force_login(verified(factories.user("mallory")))
    for response in (client.get(link), client.post(link)):
        page = text_of(response)
        assert "for another address" in page
        assert not [word for word in SECRETS if word in page]
    assert not acme.memberships.filter(user__username="mallory").exists()


def test_an_unproven_address_is_to_be_verified_first(link, acme):
    client, eve = Client(), factories.user("eve")
    EmailAddress.objects.filter(user=eve).update(verified=False)
    client.force_login(eve)
    for response in (client.get(link), client.post(link)):
        page = text_of(response)
        assert "Verify your address first" in page
        assert "Acme" not in page
    assert not acme.memberships.filter(user__username="eve").exists()


def test_the_invited_accepts_and_lands_in_the_account(link, acme):
    client = Client()
    client.force_login(verified(factories.user("eve")))
    page = text_of(client.get(link))
    assert "Join “Acme”" in page
    assert "alice invites you. Your role would be developer." in page
    assert not acme.memberships.filter(user__username="eve").exists()
    response = client.post(link, follow=True)
    assert response.context["shell"].account == acme
    assert "You are a member of “Acme” now." in text_of(response)
    assert acme.memberships.get(user__username="eve").role == "developer"
    # A second click, and the link opened again, lead to the same place.
    for response in (client.post(link), client.get(link)):
        assert urlsplit(response["Location"]).path == reverse("overview")
    assert acme.memberships.filter(user__username="eve").count() == 1


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"expires_at": timezone.now() - dt.timedelta(days=1)}, 410, "has expired"),
        ({"revoked_at": timezone.now()}, 404, "cannot be used"),
        ({"accepted_at": timezone.now()}, 404, "cannot be used"),
    ],
)
def test_a_link_that_is_over_says_so_and_names_nobody(changes, status, said, link, acme):
    Invitation.objects.update(**changes)
    eve = Client()
    eve.force_login(verified(factories.user("eve")))
    for client in (Client(), eve):
        for response in (client.get(link), client.post(link)):
            assert response.status_code == status
            page = text_of(response)
            assert said in page
            assert "Acme" not in page
    assert not acme.memberships.filter(user__username="eve").exists()


def test_a_link_that_was_never_there_is_like_one_that_was_used():
    response = Client().get(reverse("invitation", args=["x" * 43]))
    assert response.status_code == 404
    assert "cannot be used" in text_of(response)
