"""The register of authorities' requests: two others allow, the export is signed, the user told."""

import base64
import datetime as dt
import io
import json
import zipfile

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.contrib.auth.models import Group
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import deliveries, disclosures, keys
from accounts.models import Disclosure, DisclosureEvent
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()
DAY = dt.timedelta(days=1)
ASKED = {
    "kind": "court", "authority": "District court, Examplia", "reference": "7 K 12/26",
    "legal_basis": "Code of procedure, section 100", "secrecy_reason": "", "secrecy_until": None,
}  # fmt: skip


@pytest.fixture
def staff():
    role, _ = Group.objects.get_or_create(name=disclosures.ROLE)
    people = [factories.user(f"privacy{n}", is_staff=True) for n in range(4)]
    for person in people:
        person.groups.add(role)
    return people


def record(account, by, **changed):
    return disclosures.record(account=account, by=by, asked={**ASKED, **changed}, now=NOW)


def approved(account, staff, **changed):
    made = record(account, staff[0], **changed)
    disclosures.approve(made, by=staff[1], now=NOW)
    return disclosures.approve(made, by=staff[2], now=NOW)


def history(made):
    return list(made.events.order_by("pk").values_list("action", "actor__username"))


@pytest.mark.clause("3.3-legal")
def test_two_others_allow_it_and_nobody_twice(account, staff):
    author, second, third, _ = staff
    made = record(account, author)
    with pytest.raises(disclosures.OwnRequest):
        disclosures.approve(made, by=author, now=NOW)
    assert disclosures.approve(made, by=second, now=NOW).state == "open"
    with pytest.raises(disclosures.OwnRequest):
        disclosures.approve(made, by=second, now=NOW)
    assert disclosures.approve(made, by=third, now=NOW).state == "approved"
    with pytest.raises(disclosures.WrongState):
        disclosures.approve(made, by=staff[3], now=NOW)
    assert history(made) == [
        ("opened", "privacy0"), ("approved", "privacy1"), ("approved", "privacy2"),
    ]  # fmt: skip


def test_others_than_privacy_staff_can_do_nothing(account, staff):
    made = record(account, staff[0])
    root = factories.user("root", is_staff=True)
    root.is_superuser = True
    root.save()
    former = staff[3]
    former.is_staff = False
    former.save()
    for person in (root, former):
        with pytest.raises(disclosures.NotPrivacyStaff):
            record(account, person)
        with pytest.raises(disclosures.NotPrivacyStaff):
            disclosures.approve(made, by=person, now=NOW)
        with pytest.raises(disclosures.NotPrivacyStaff):
            disclosures.refuse(made, by=person, reason="no", now=NOW)
        with pytest.raises(disclosures.NotPrivacyStaff):
            disclosures.hand_over(made, by=person, data={}, now=NOW)
        with pytest.raises(disclosures.NotPrivacyStaff):
            disclosures.note_read(made, by=person, now=NOW)
    assert history(made) == [("opened", "privacy0")]


def test_nothing_is_handed_over_before_two_allowed_it(account, staff):
    made = record(account, staff[0])
    disclosures.approve(made, by=staff[1], now=NOW)
    with pytest.raises(disclosures.WrongState):
        disclosures.hand_over(made, by=staff[1], data={}, now=NOW)
    made.refresh_from_db()
    assert (made.state, made.delivered_at) == ("open", None)


@pytest.mark.clause("3.3-legal")
def test_what_is_handed_over_is_signed_and_recorded(account, staff):
    made = approved(account, staff)
    packed = disclosures.hand_over(made, by=staff[0], data=disclosures.held(account), now=NOW)
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        text, signature = file.read("disclosure.json"), file.read("disclosure.json.sig")
        public = load_pem_public_key(file.read("public_key.pem"))
    public.verify(base64.b64decode(signature), text)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), text + b" ")
    said = json.loads(text)
    assert said["request"]["account"] == str(account.public_id)
    assert [row["email"] for row in said["data"]["user"]["rows"]] == ["alice@example.com"]
    event = made.events.get(action="exported")
    assert event.note.endswith(signature.decode().strip())
    made.refresh_from_db()
    assert (made.state, made.delivered_at) == ("delivered", NOW)


@pytest.mark.clause("3.3-legal")
def test_it_is_about_one_account_only(account, alice, staff):
    mallory = factories.user("mallory")
    factories.join(alice, factories.account_of(mallory))
    keys.mint(account=account, created_by=alice, name="okapi")
    keys.mint(account=factories.account_of(mallory), created_by=alice, name="quokka")
    made = approved(account, staff)
    packed = disclosures.hand_over(made, by=staff[0], data=disclosures.held(made.account), now=NOW)
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        text = file.read("disclosure.json")
    assert b"okapi" in text
    assert b"mallory" not in text
    assert b"quokka" not in text
    assert b"digest" not in text


def test_a_refused_request_is_never_handed_over(account, staff):
    made = approved(account, staff)
    with pytest.raises(disclosures.NoReason):
        disclosures.refuse(made, by=staff[3], reason="  ", now=NOW)
    disclosures.refuse(made, by=staff[3], reason="No jurisdiction.", now=NOW)
    with pytest.raises(disclosures.WrongState):
        disclosures.hand_over(made, by=staff[0], data={}, now=NOW)
    with pytest.raises(disclosures.WrongState):
        disclosures.refuse(made, by=staff[3], reason="Again", now=NOW)
    assert disclosures.tell_due(now=NOW) == 0


def test_the_account_is_told_once_as_soon_as_it_is_allowed(account, staff):
    made = record(account, staff[0])
    assert disclosures.tell_due(now=NOW) == 0
    disclosures.approve(made, by=staff[1], now=NOW)
    disclosures.approve(made, by=staff[2], now=NOW)
    assert disclosures.tell_due(now=NOW) == 1
    assert disclosures.tell_due(now=NOW + DAY) == 0
    deliveries.sweep(now=NOW)
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]
    assert "7 K 12/26" in mail.outbox[0].body
    assert history(made)[-1] == ("told", None)


@pytest.mark.clause("3.3-legal")
def test_the_account_is_told_by_itself_when_the_prohibition_ends(account, staff):
    until = NOW + 30 * DAY
    made = approved(account, staff, secrecy_reason="Order of the court", secrecy_until=until)
    disclosures.hand_over(made, by=staff[0], data={}, now=NOW)
    assert disclosures.tell_due(now=until - dt.timedelta(seconds=1)) == 0
    assert mail.outbox == []
    assert disclosures.tell_due(now=until) == 1
    deliveries.sweep(now=until)
    assert "Until now we were forbidden" in mail.outbox[0].body


@pytest.mark.parametrize(
    ("reason", "until"), [("Because", None), ("", NOW + DAY), ("Because", NOW - DAY)]
)
def test_a_prohibition_has_a_reason_and_an_end_to_come(account, staff, reason, until):
    with pytest.raises(disclosures.NoReason):
        record(account, staff[0], secrecy_reason=reason, secrecy_until=until)


@pytest.mark.parametrize(
    ("constraint", "changed"),
    [
        ("disclosure_not_by_its_author", {"first_approver": 0}),
        ("disclosure_two_approvers", {"first_approver": 1, "second_approver": 1}),
        ("disclosure_allowed_by_two", {"state": "approved", "first_approver": 1}),
        ("disclosure_allowed_by_two", {"state": "delivered"}),
        ("disclosure_secrecy_ends", {"secrecy_reason": "x"}),
    ],
)
def test_the_database_holds_the_rule_too(account, staff, constraint, changed):
    made = record(account, staff[0])
    values = {
        name: staff[value] if name.endswith("approver") else value
        for name, value in changed.items()
    }
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Disclosure.objects.filter(pk=made.pk).update(**values)


def test_the_same_letter_is_registered_once(account, staff):
    record(account, staff[0])
    with pytest.raises(IntegrityError), transaction.atomic():
        record(account, staff[0])
    assert DisclosureEvent.objects.count() == 1


def test_requests_are_counted_by_year_and_kind(account, staff):
    approved(account, staff)
    refused = record(account, staff[0], reference="2", kind="emergency")
    disclosures.refuse(refused, by=staff[1], reason="No.", now=NOW)
    disclosures.tell_due(now=NOW)
    told = [(y.year, y.kind, y.received, y.delivered, y.refused, y.told)
            for y in disclosures.years()]  # fmt: skip
    assert told == [(NOW.year, "court", 1, 0, 0, 1), (NOW.year, "emergency", 1, 0, 1, 0)]
