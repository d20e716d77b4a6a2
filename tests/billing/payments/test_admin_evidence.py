"""Who may fetch an evidence pack, how it is kept from caches, and that it is noted."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts.timeids import uuid7
from bananarouter import staff_audit, staff_roles
from tests import factories, pdf_text
from tests.billing.payments import cashier

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def order(db, settings):
    settings.PAYMENTS = cashier.payments()
    staff_roles.write()
    made = cashier.pay(factories.account_of(factories.user("alice")))
    told = {"dispute_ref": "dp_1", "amount_minor": 600, "currency": "USD"}
    cashier.tell(made, "dispute_opened", **told)
    return made


def staff(role) -> Client:
    user, client = factories.user(role.replace(" ", ""), is_staff=True), Client()
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return client


def pack(order) -> str:
    return reverse("admin:billing_order_evidence", args=[order.pk])


def shown(client, model, row) -> str:
    url = reverse(f"admin:billing_{model}_change", args=[row.pk])
    return client.get(url).content.decode()


@pytest.mark.parametrize("role", ["finance", "finance lead"])
def test_finance_fetches_it_from_the_order_and_from_its_dispute(order, role):
    client = staff(role)
    for model, row in (("order", order), ("dispute", order.disputes.get())):
        assert f'<a href="{pack(order)}">Evidence pack</a>' in shown(client, model, row)
    response = client.get(pack(order))
    assert response.status_code == 200
    assert response["Content-Type"] == "application/pdf"
    name = f"evidence-{order.number}.pdf"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert "no-store" in response["Cache-Control"]
    assert f"Order {order.number}" in pdf_text.pages(response.content)[0]


@pytest.mark.parametrize("role", ["support", "operations", "privacy"])
def test_who_may_not_see_disputes_gets_none_and_is_not_led_to_it(order, role):
    client = staff(role)
    assert client.get(pack(order)).status_code == 403
    if role == "support":  # sees orders
        assert "Timeline" in shown(client, "order", order) or "timeline" in shown(
            client, "order", order
        )
        assert "Evidence pack" not in shown(client, "order", order)
    assert not LogEntry.objects.filter(object_id=str(order.pk), user__username="privacy").exists()


def test_the_payer_and_a_stranger_get_none(order):
    client = Client()
    assert client.get(pack(order)).status_code == 302
    client.force_login(factories.user("mallory"))
    assert client.get(pack(order)).status_code == 302


def test_an_order_that_is_not_there_has_none(order):
    client = staff("finance")
    for number in (uuid7(), "x"):
        url = reverse("admin:billing_order_evidence", args=[number])
        assert client.get(url).status_code == 404


def test_who_fetched_it_stands_in_the_log(order):
    staff("finance").get(pack(order))
    [entry] = LogEntry.objects.all()
    assert (entry.action_flag, entry.object_id) == (staff_audit.READ, str(order.pk))
    assert (entry.user.username, entry.content_type.model) == ("finance", "order")


def test_it_is_in_english_whatever_staff_read(order):
    client = staff("finance")
    client.cookies["django_language"] = "zh-hans"
    assert "What was bought and delivered" in pdf_text.pages(client.get(pack(order)).content)[0]
