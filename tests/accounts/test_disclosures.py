"""The register of authorities' requests: two others allow, the export is signed, the user told."""

import base64
import datetime as dt
import hashlib
import json
import tracemalloc
import zipfile

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.contrib.auth.models import Group
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import deliveries, disclosures, downloads, keys
from accounts.models import Disclosure, DisclosureEvent
from logs import recorder
from logs.models import RequestLog
from tests import factories
from tests.logs.test_recorder import entry as recorder_entry

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


def handed_over(made, by):
    with disclosures.hand_over(made, by=by, now=NOW) as file, zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def history(made):
    return list(made.events.order_by("pk").values_list("action", "actor"))


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
    author, second, third = (disclosures.mark(person.pk) for person in staff[:3])
    assert history(made) == [("opened", author), ("approved", second), ("approved", third)]


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
            disclosures.hand_over(made, by=person, now=NOW)
        with pytest.raises(disclosures.NotPrivacyStaff):
            disclosures.note_read(made, by=person, now=NOW)
    assert history(made) == [("opened", disclosures.mark(staff[0].pk))]


def test_nothing_is_handed_over_before_two_allowed_it(account, staff):
    made = record(account, staff[0])
    disclosures.approve(made, by=staff[1], now=NOW)
    with pytest.raises(disclosures.WrongState):
        disclosures.hand_over(made, by=staff[1], now=NOW)
    made.refresh_from_db()
    assert (made.state, made.delivered_at) == ("open", None)


@pytest.mark.clause("3.3-legal")
def test_what_is_handed_over_is_signed_and_recorded(account, staff):
    made = approved(account, staff)
    found = handed_over(made, staff[0])
    public = load_pem_public_key(found["public_key.pem"])
    text, signature = found["manifest.json"], found["manifest.json.sig"]
    public.verify(base64.b64decode(signature), text)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), text + b" ")
    manifest = json.loads(text)
    assert manifest["account"] == str(account.public_id)
    files = [file for store in manifest["stores"] for file in store["files"]]
    assert {file["name"] for file in files} == {n for n in found if n.startswith("data/")}
    assert all(hashlib.sha256(found[f["name"]]).hexdigest() == f["sha256"] for f in files)
    (user,) = json.loads(found["data/user.json"])
    assert user["email"] == "alice@example.com"
    event = made.events.get(action="exported")
    assert event.note.split() == [hashlib.sha256(text).hexdigest(), signature.decode().strip()]
    made.refresh_from_db()
    assert (made.state, made.delivered_at) == ("delivered", NOW)


@pytest.mark.clause("3.3-legal")
def test_it_is_about_one_account_only(account, alice, staff):
    mallory = factories.user("mallory")
    factories.join(alice, factories.account_of(mallory))
    keys.mint(account=account, created_by=alice, name="okapi")
    keys.mint(account=factories.account_of(mallory), created_by=alice, name="quokka")
    found = handed_over(approved(account, staff), staff[0])
    text = b"".join(found[name] for name in found if name.startswith("data/"))
    assert b"okapi" in text
    assert b"mallory" not in text
    assert b"quokka" not in text
    assert b"digest" not in text


def test_a_large_account_is_handed_over_whole_in_flat_memory(account, staff, monkeypatch):
    """Rows leave the process as they are read, however many there are."""
    monkeypatch.setattr(downloads, "ROWS_PER_CHUNK", 100)
    made = approved(account, staff)
    handed_over(made, staff[0])  # what is loaded once is loaded
    peaks = []
    for more in (300, 1_500):
        recorder.write([recorder_entry(account_id=account.pk) for _ in range(more)])
        tracemalloc.start()
        with disclosures.hand_over(made, by=staff[0], now=NOW) as file:
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            with zipfile.ZipFile(file) as archive:
                rows = json.loads(archive.read("data/requests.json"))
        assert len(rows) == RequestLog.objects.count()
    assert peaks[1] < 1.2 * peaks[0], peaks


def test_nothing_is_left_on_the_disk_and_nothing_recorded_when_it_fails(
    account, staff, settings, tmp_path
):
    settings.EXPORT_DIR = tmp_path / "exports"
    made = approved(account, staff)
    with disclosures.hand_over(made, by=staff[0], now=NOW):
        assert list(settings.EXPORT_DIR.iterdir()) == [], "it has no name"
    settings.EXPORT_FREE_BYTES_MIN = 1 << 60
    with pytest.raises(downloads.DiskFull):
        disclosures.hand_over(made, by=staff[0], now=NOW)
    assert made.events.filter(action="exported").count() == 1


def test_staff_named_in_the_register_can_leave_and_the_register_stays_true(account, staff):
    author, second, third, _ = staff
    made = approved(account, staff)
    with disclosures.hand_over(made, by=author, now=NOW):
        pass
    before = history(made)
    marks = [disclosures.mark(person.pk) for person in (author, second, third)]
    assert disclosures.name_of(marks[1]) == f"privacy1 ({marks[1]})"
    for person in (author, second, third):
        person.delete()
    made.refresh_from_db()
    assert [made.created_by, made.first_approver, made.second_approver] == marks
    assert history(made) == before
    assert len(set(marks)) == 3, "they are still told apart"
    assert disclosures.name_of(marks[1]) == marks[1]


def test_a_refused_request_is_never_handed_over(account, staff):
    made = approved(account, staff)
    with pytest.raises(disclosures.NoReason):
        disclosures.refuse(made, by=staff[3], reason="  ", now=NOW)
    disclosures.refuse(made, by=staff[3], reason="No jurisdiction.", now=NOW)
    with pytest.raises(disclosures.WrongState):
        disclosures.hand_over(made, by=staff[0], now=NOW)
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
    assert history(made)[-1] == ("told", "")


@pytest.mark.clause("3.3-legal")
def test_the_account_is_told_by_itself_when_the_prohibition_ends(account, staff):
    until = NOW + 30 * DAY
    made = approved(account, staff, secrecy_reason="Order of the court", secrecy_until=until)
    handed_over(made, staff[0])
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
        ("disclosure_two_approvers", {"second_approver": 1}),
        ("disclosure_not_by_its_author", {"created_by": ""}),
        ("disclosure_allowed_by_two", {"state": "approved", "first_approver": 1}),
        ("disclosure_allowed_by_two", {"state": "delivered"}),
        ("disclosure_secrecy_ends", {"secrecy_reason": "x"}),
    ],
)
def test_the_database_holds_the_rule_too(account, staff, constraint, changed):
    made = record(account, staff[0])
    values = {
        name: disclosures.mark(staff[value].pk) if name.endswith("approver") else value
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
