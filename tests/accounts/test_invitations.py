"""Invitations: whom they reach, who may accept them, and that each does so once."""

import datetime as dt
import hashlib
import re
import socket
import threading
import uuid

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connections

from accounts import invitations, members, owners
from accounts.invitations import Standing
from accounts.models import Invitation, Membership

Role = Membership.Role
pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


def link(token: str) -> str:
    return f"https://site.example/invitations/{token}"


def token_of(message) -> str:
    found = set(re.findall(r"https://site\.example/invitations/([\w-]+)", message.body))
    assert len(found) == 1
    return found.pop()


@pytest.fixture
def organization(alice):
    return members.found(founder=alice, name="Acme", public_id=uuid.uuid4())


@pytest.fixture
def invite(alice, organization):
    def send(email="bob@example.com", role=Role.DEVELOPER, actor=alice, now=NOW):
        return invitations.invite(
            account_id=organization.pk, email=email, role=role, actor=actor, link=link, now=now
        )

    return send


@pytest.fixture
def bob():
    return owners.register(email="bob@example.com")


def resend(organization, made, alice, now):
    return invitations.resend(
        account_id=organization.pk, invitation_id=made.pk, actor=alice, link=link, now=now
    )


def standing(user, token, now=NOW) -> Standing:
    return invitations.look(token=token, user=user, now=now).standing


def accept(user, token, now=NOW):
    return invitations.accept(token=token, user=user, now=now)


def is_member(user, account) -> bool:
    return Membership.objects.filter(user=user, account=account).exists()


# The mail


def test_the_mail_speaks_both_languages_and_only_the_digest_is_kept(invite):
    made = invite("Bob@Example.com ")
    (message,) = mail.outbox
    assert message.to == ["bob@example.com"]
    assert message.subject == "Invitation to Acme on BananaRouter"
    assert "invites you to the account “Acme”" in message.body
    assert "邀请你加入" in message.body
    token = token_of(message)
    assert len(token) >= 43
    assert bytes(made.digest) == hashlib.sha256(token.encode()).digest()
    row = {**Invitation.objects.values().get(), "digest": bytes(made.digest)}
    assert token not in repr(row)


def test_a_name_with_a_line_break_makes_no_header(invite, organization):
    organization.name = "Acme\r\nBcc: all@example.com"
    organization.save(update_fields=["name"])
    invite()
    assert mail.outbox[0].subject == "Invitation to Acme Bcc: all@example.com on BananaRouter"
    assert mail.outbox[0].recipients() == ["bob@example.com"]


def test_a_mail_server_that_is_away_is_told_and_the_invitation_can_be_sent_again(
    invite, alice, organization, settings, caplog
):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = closed.getsockname()[1]
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with pytest.raises(invitations.NotSent):
        invite()
    assert "bob@example.com" not in caplog.text
    made = Invitation.objects.get()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    resend(organization, made, alice, NOW + dt.timedelta(minutes=2))
    assert len(mail.outbox) == 1


# Who may invite whom


@pytest.mark.parametrize(
    ("by", "role", "is_allowed"),
    [
        (Role.OWNER, Role.OWNER, True),
        (Role.ADMIN, Role.ADMIN, True),
        (Role.ADMIN, Role.OWNER, False),
        (Role.ADMIN, "root", False),
        (Role.DEVELOPER, Role.DEVELOPER, False),
        (Role.BILLING, Role.BILLING, False),
    ],
)
def test_a_place_is_offered_by_those_who_may(by, role, is_allowed, invite, organization):
    actor = owners.register(email="carol@example.com")
    Membership.objects.create(account=organization, user=actor, role=by)
    if is_allowed:
        assert invite(role=role, actor=actor).role == role
    else:
        with pytest.raises(members.NotAllowed):
            invite(role=role, actor=actor)
    assert len(mail.outbox) == is_allowed


def test_a_stranger_invites_nobody(invite):
    with pytest.raises(members.NotAllowed):
        invite(actor=owners.register(email="mallory@example.com"))
    assert mail.outbox == []


def test_ones_own_account_takes_nobody_in(alice, account):
    with pytest.raises(invitations.NotAnOrganization):
        invitations.invite(
            account_id=account.pk, email="bob@example.com", role=Role.ADMIN, actor=alice,
            link=link, now=NOW,
        )  # fmt: skip
    assert mail.outbox == []


def test_members_are_not_invited(invite, bob, organization):
    Membership.objects.create(account=organization, user=bob)
    with pytest.raises(invitations.AlreadyMember):
        invite()
    assert mail.outbox == []


def test_a_form_sent_twice_mails_once(invite):
    assert invite() == invite(now=NOW + dt.timedelta(seconds=2))
    assert len(mail.outbox) == 1
    with pytest.raises(invitations.AlreadyInvited):
        invite(now=NOW + dt.timedelta(hours=1))
    with pytest.raises(invitations.AlreadyInvited):
        invite(role=Role.ADMIN)
    assert Invitation.objects.count() == 1


def test_an_expired_offer_is_renewed(invite, bob):
    invite()
    later = NOW + invitations.VALID
    invite(now=later)
    old, new = map(token_of, mail.outbox)
    assert standing(bob, old, later) is Standing.OVER
    assert standing(bob, new, later) is Standing.OPEN


def test_an_account_does_not_mail_without_end(invite, monkeypatch):
    monkeypatch.setattr(invitations, "INVITATIONS_PER_DAY", 2)
    for name in ("bob", "carol"):
        invite(f"{name}@example.com", now=dt.datetime.now(dt.UTC))
    with pytest.raises(invitations.TooManyInvitations):
        invite("dave@example.com", now=dt.datetime.now(dt.UTC))
    assert len(mail.outbox) == 2


# Who may accept


def test_whoever_holds_the_address_joins_once(invite, bob, organization):
    invite(role=Role.BILLING)
    token = token_of(mail.outbox[0])
    assert standing(bob, token) is Standing.OPEN
    place = accept(bob, token)
    assert (place.account, place.role) == (organization, Role.BILLING)
    with pytest.raises(invitations.NotOpen):
        accept(bob, token)
    assert standing(bob, token) is Standing.JOINED
    assert Membership.objects.filter(account=organization, user=bob).count() == 1


def test_the_link_alone_is_not_enough(invite, organization):
    invite()
    token = token_of(mail.outbox[0])
    mallory = owners.register(email="mallory@example.com")
    offer = invitations.look(token=token, user=mallory, now=NOW)
    assert (offer.standing, offer.invitation) == (Standing.OTHER, None)
    stranger = invitations.look(token=token, user=None, now=NOW)
    assert (stranger.standing, stranger.invitation) == (Standing.STRANGER, None)
    with pytest.raises(invitations.NotOpen):
        accept(mallory, token)
    assert not is_member(mallory, organization)


def test_an_address_that_is_not_verified_proves_nothing(invite, organization):
    invite()
    token = token_of(mail.outbox[0])
    mallory = owners.register(email="mallory@example.com")
    EmailAddress.objects.create(user=mallory, email="bob@example.com", verified=False)
    offer = invitations.look(token=token, user=mallory, now=NOW)
    assert (offer.standing, offer.invitation) == (Standing.UNVERIFIED, None)
    with pytest.raises(invitations.NotOpen):
        accept(mallory, token)
    assert not is_member(mallory, organization)


def test_a_second_verified_address_counts_too(invite, organization):
    invite()
    carol = owners.register(email="carol@example.com")
    EmailAddress.objects.create(user=carol, email="Bob@example.com", verified=True)
    accept(carol, token_of(mail.outbox[0]))
    assert is_member(carol, organization)


def test_a_late_link_opens_nothing(invite, bob, organization):
    invite()
    token, late = token_of(mail.outbox[0]), NOW + invitations.VALID
    assert standing(bob, token, late - dt.timedelta(seconds=1)) is Standing.OPEN
    assert standing(bob, token, late) is Standing.EXPIRED
    with pytest.raises(invitations.NotOpen):
        accept(bob, token, late)
    assert not is_member(bob, organization)


def test_a_link_that_was_never_there_opens_nothing(bob):
    assert standing(bob, "x" * 43) is Standing.OVER
    with pytest.raises(invitations.NotOpen):
        accept(bob, "x" * 43)


def test_what_is_taken_back_opens_nothing(invite, alice, bob, organization):
    made = invite()
    invitations.revoke(account_id=organization.pk, invitation_id=made.pk, actor=alice, now=NOW)
    token = token_of(mail.outbox[0])
    assert standing(bob, token) is Standing.OVER
    with pytest.raises(invitations.NotOpen):
        accept(bob, token)
    with pytest.raises(Invitation.DoesNotExist):
        invitations.revoke(account_id=organization.pk, invitation_id=made.pk, actor=alice, now=NOW)


def test_a_used_link_tells_others_nothing(invite, bob, organization):
    invite()
    token = token_of(mail.outbox[0])
    accept(bob, token)
    mallory = owners.register(email="mallory@example.com")
    offer = invitations.look(token=token, user=mallory, now=NOW)
    assert (offer.standing, offer.invitation) == (Standing.OVER, None)
    # Out again: the link does not bring him back.
    Membership.objects.filter(user=bob, account=organization).delete()
    assert standing(bob, token) is Standing.OVER
    with pytest.raises(invitations.NotOpen):
        accept(bob, token)


def test_a_member_who_accepts_keeps_the_role(invite, bob, organization):
    invite(role=Role.DEVELOPER)
    Membership.objects.create(account=organization, user=bob, role=Role.ADMIN)
    assert accept(bob, token_of(mail.outbox[0])).role == Role.ADMIN


def test_a_second_mail_ends_the_first_link(invite, alice, bob, organization):
    made = invite()
    with pytest.raises(invitations.TooSoon):
        resend(organization, made, alice, NOW + dt.timedelta(seconds=59))
    later = NOW + dt.timedelta(days=6)
    resend(organization, made, alice, later)
    old, new = map(token_of, mail.outbox)
    assert standing(bob, old, later) is Standing.OVER
    assert standing(bob, new, later + dt.timedelta(days=6)) is Standing.OPEN


@pytest.mark.parametrize("name", ["resend", "revoke"])
def test_invitations_of_another_account_are_out_of_reach(name, invite, organization):
    made = invite()
    mallory = owners.register(email="mallory@example.com")
    own = owners.own_account(mallory)
    more = {"link": link} if name == "resend" else {}
    for account, error in ((own, Invitation.DoesNotExist), (organization, members.NotAllowed)):
        with pytest.raises(error):
            getattr(invitations, name)(
                account_id=account.pk, invitation_id=made.pk, actor=mallory,
                now=NOW + dt.timedelta(hours=1), **more,
            )  # fmt: skip
    made.refresh_from_db()
    assert made.revoked_at is None
    assert len(mail.outbox) == 1


def test_an_admin_does_not_touch_the_offer_of_an_owners_place(invite, organization):
    made = invite(role=Role.OWNER)
    carol = owners.register(email="carol@example.com")
    Membership.objects.create(account=organization, user=carol, role=Role.ADMIN)
    with pytest.raises(members.NotAllowed):
        invitations.revoke(account_id=organization.pk, invitation_id=made.pk, actor=carol, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_two_accepts_at_once_join_once(invite, bob, organization):
    invite()
    token = token_of(mail.outbox[0])
    results, start = [], threading.Barrier(4)

    def try_it():
        try:
            start.wait(10)
            accept(bob, token)
            results.append("joined")
        except invitations.NotOpen:
            results.append("over")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == ["joined"] + ["over"] * 3
    assert Membership.objects.filter(account=organization, user=bob).count() == 1


@pytest.mark.django_db(transaction=True)
def test_taking_back_and_accepting_at_once_has_one_winner(invite, alice, bob, organization):
    made = invite()
    token = token_of(mail.outbox[0])
    start, results = threading.Barrier(2), []

    def run(call, refused):
        try:
            start.wait(10)
            call()
            results.append(call.__name__)
        except refused:
            pass
        finally:
            connections.close_all()

    def join():
        accept(bob, token)

    def take_back():
        invitations.revoke(account_id=organization.pk, invitation_id=made.pk, actor=alice, now=NOW)

    threads = [
        threading.Thread(target=run, args=each)
        for each in ((join, invitations.NotOpen), (take_back, Invitation.DoesNotExist))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(results) == 1
    assert is_member(bob, organization) == (results == ["join"])
