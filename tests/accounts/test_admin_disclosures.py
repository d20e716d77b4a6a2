"""Staff's register: seen by privacy staff alone, every reading noted, two approvals, an export."""

import datetime as dt
import io
import zipfile

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import disclosures
from accounts.models import Disclosure, User
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
LIST, ADD = (reverse(f"admin:accounts_disclosure_{page}") for page in ("changelist", "add"))


@pytest.fixture
def privacy():
    cache.clear()
    role, _ = Group.objects.get_or_create(name=disclosures.ROLE)

    def enter(name):
        person = factories.user(name, is_staff=True)
        person.groups.add(role)
        return client_of(person)

    return enter


def client_of(person):
    client = Client()
    factories.log_in(client, person)
    return client


@pytest.fixture
def letter(account):
    return {
        "account_number": str(account.public_id), "kind": "court", "authority": "Court, Examplia",
        "reference": "7 K 12/26", "legal_basis": "Section 100", "secrecy_reason": "",
        "secrecy_until_0": "", "secrecy_until_1": "",
    }  # fmt: skip


def tool(row, slug):
    return reverse("admin:accounts_disclosure_do", args=[row.pk, slug])


def change(row):
    return reverse("admin:accounts_disclosure_change", args=[row.pk])


@pytest.mark.clause("4.2-access")
def test_only_privacy_staff_sees_the_register(privacy, letter):
    privacy("pia").post(ADD, letter)
    row = Disclosure.objects.get()
    root = factories.user("root", is_staff=True)
    root.is_superuser = True
    root.save()
    support = factories.user("support", is_staff=True)
    support.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    for person in (root, support):
        client = client_of(person)
        for url in (LIST, ADD, change(row), tool(row, "approve"), tool(row, "export")):
            assert client.get(url).status_code == 403
            assert client.post(url).status_code == 403
    assert row.events.filter(action="read").count() == 0


def test_a_request_goes_its_way(privacy, letter):
    pia, quin, rosa = (privacy(name) for name in ("pia", "quin", "rosa"))
    assert pia.post(ADD, letter).status_code == 302
    row = Disclosure.objects.get()
    assert "7 K 12/26" in pia.get(LIST, {"q": "7 K"}).content.decode()
    assert "Approve" not in pia.get(change(row)).content.decode()
    for client in (quin, rosa):
        assert "Approve" in client.get(change(row)).content.decode()
        client.post(tool(row, "approve"))
    row.refresh_from_db()
    assert row.state == "approved"
    answer = pia.post(tool(row, "export"))
    assert answer["Content-Type"] == "application/zip"
    assert "no-store" in answer["Cache-Control"]
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as file:
        assert b"alice@example.com" in file.read("data/user.json")
    names = {disclosures.mark(user.pk): user.username for user in User.objects.all()}
    done = row.events.order_by("pk").values_list("action", "actor")
    assert [(action, names[actor]) for action, actor in done] == [
        ("opened", "pia"), ("read", "pia"), ("read", "quin"), ("approved", "quin"),
        ("read", "rosa"), ("approved", "rosa"), ("exported", "pia"),
    ]  # fmt: skip
    User.objects.get(username="quin").delete()
    page = pia.get(change(row)).content.decode()
    mark = next(each for each, name in names.items() if name == "quin")
    assert "rosa (staff:" in page
    assert f"{mark}, rosa (" in page, "who left is named by the mark"


def test_nothing_is_handed_over_early_and_a_refusal_has_a_reason(privacy, letter):
    pia = privacy("pia")
    pia.post(ADD, letter)
    row = Disclosure.objects.get()
    assert pia.post(tool(row, "export"))["Location"] == change(row)
    assert pia.post(tool(row, "refuse"), {"reason": ""}).status_code == 200
    pia.post(tool(row, "refuse"), {"reason": "No jurisdiction."})
    row.refresh_from_db()
    assert row.state == "refused"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"account_number": "0190a000-0000-7000-8000-000000000000"}, "no such account"),
        ({"secrecy_reason": "Order"}, "a reason and an end"),
        ({"legal_basis": ""}, "required"),
    ],
)
def test_a_wrong_letter_is_explained_and_not_registered(privacy, letter, changed, said):
    answer = privacy("pia").post(ADD, {**letter, **changed})
    assert said in answer.content.decode()
    assert "7 K 12/26" in answer.content.decode()
    assert not Disclosure.objects.exists()


def test_a_letter_sent_twice_is_registered_once(privacy, letter):
    pia = privacy("pia")
    pia.post(ADD, letter)
    assert "is in the register" in pia.post(ADD, letter).content.decode()
    assert Disclosure.objects.count() == 1


def test_a_prohibition_is_kept_with_its_end(privacy, letter):
    until = timezone.now() + dt.timedelta(days=90)
    letter |= {
        "secrecy_reason": "Order", "secrecy_until_0": f"{until:%Y-%m-%d}",
        "secrecy_until_1": "00:00:00",
    }  # fmt: skip
    privacy("pia").post(ADD, letter)
    assert Disclosure.objects.get().secrecy_until.date() == until.date()
