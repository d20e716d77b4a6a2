import dataclasses
import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import Account, User
from billing import ledger
from billing.models import Debt, Hold, PromotionCode, Refund, Suspense
from billing.payments import applying
from tests import factories
from tests.billing.payments import cashier, desk
from tests.billing.payments.cashier import NOW, USD, pay, spend, sums, tell

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(db, settings):
    settings.PAYMENTS = cashier.payments()
    yield
    assert ledger.audit() == []


@pytest.fixture
def alice():
    return factories.account_of(factories.user("alice"))


@pytest.fixture
def stripe():
    with desk.open_desk() as made:
        cashier.configure(stripe=dataclasses.replace(cashier.payments().stripe, url=made.url))
        yield made


@pytest.fixture
def staff(client):
    """Staff who may do everything."""
    factories.log_in(client, User.objects.create_superuser("staff", "staff@example.com", "x"))
    return client


@pytest.fixture
def clerk(client):
    """Return `clerk(*permissions)`: the client of staff who may do no more than that."""

    def log_in(*codenames):
        user = User.objects.create_user("clerk", "clerk@example.com", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        factories.log_in(client, user)
        return client

    return log_in


def page(row) -> str:
    return reverse(f"admin:billing_{row._meta.model_name}_change", args=[row.pk])


def tool(row) -> str:
    name = row._meta.model_name
    slug = {"order": "refund", "suspense": "resolve"}[name]
    return reverse(f"admin:billing_{name}_do", args=[row.pk, slug])


def form(order, amount, **more) -> dict:
    return {"amount": amount, "reason": "asked", "refunded_minor": order.refunded_minor} | more


def suspended(account) -> Suspense:
    notice = cashier.paid_notice(pay(account), payment_ref="pi_second")
    assert applying.take(notice, now=NOW) == "suspended"
    return Suspense.objects.get()


def test_an_order_shows_its_timeline_and_leads_to_a_refund(staff, alice):
    order = pay(alice, minor=1_234, facts={"card_fingerprint": "fp_1"})
    shown = staff.get(page(order)).content.decode()
    assert "credited" in shown
    assert tool(order) in shown
    assert "digest" not in shown
    assert "USD 12.34" in staff.get(reverse("admin:billing_order_changelist")).content.decode()
    assert 'value="12.34"' in staff.get(tool(order)).content.decode()


def test_staff_send_money_back_once(staff, alice, stripe):
    order = pay(alice)
    stripe.answers = ["succeeded", "succeeded"]
    sent = form(order, "4.00")
    assert staff.post(tool(order), sent).status_code == 302
    refund = Refund.objects.get()
    assert (refund.state, refund.amount_minor, refund.reason) == ("succeeded", 400, "asked")
    assert refund.actor.startswith("staff:")
    again = staff.post(tool(order), sent)
    assert "Something went back of it meanwhile" in again.content.decode()
    assert Refund.objects.count() == 1
    assert sums()["wallet USD"] == 6 * USD


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("10.01", "more than is left"),
        ("9.00", "wallet does not hold so much"),
        ("6.00", "above what staff may"),
        ("0", "more than is left"),
        ("1.001", "no more than 2 decimal places"),
        ("x", "Enter a number"),
    ],
)
def test_what_cannot_go_back_is_said_beside_the_field(staff, alice, amount, said):
    cashier.configure(staff_refund_minor_max=500 if amount == "6.00" else 5_000)
    order = pay(alice)
    spend(alice, 3 * USD)
    shown = staff.post(tool(order), form(order, amount))
    assert shown.status_code == 200
    assert said in shown.content.decode()
    assert f'value="{amount}"' in shown.content.decode()
    assert not Refund.objects.exists()


def test_forcing_makes_the_account_owe(staff, alice, stripe):
    order = pay(alice)
    spend(alice, 10 * USD)
    stripe.answers = ["pending"]
    assert staff.post(tool(order), form(order, "10.00", is_forced="on")).status_code == 302
    assert Debt.objects.get().owed_nusd == 10 * USD


def test_nobody_refunds_or_forces_without_the_permission(clerk, alice, stripe):
    order = pay(alice)
    viewer = clerk("view_order", "view_orderevent", "view_refund")
    shown = viewer.get(page(order))
    assert shown.status_code == 200
    assert tool(order) not in shown.content.decode()
    assert viewer.get(tool(order)).status_code == 403
    assert viewer.post(tool(order), form(order, "1.00")).status_code == 403
    User.objects.get(username="clerk").user_permissions.add(
        Permission.objects.get(codename="add_refund")
    )
    assert tool(order) in viewer.get(page(order)).content.decode()
    assert "is_forced" not in viewer.get(tool(order)).content.decode()
    spend(alice, 10 * USD)
    assert viewer.post(tool(order), form(order, "1.00", is_forced="on")).status_code == 200
    assert not Refund.objects.exists()


def test_an_order_that_is_not_paid_leads_to_no_refund(staff, alice):
    order = cashier.order(alice)
    assert tool(order) not in staff.get(page(order)).content.decode()
    assert "it is not paid" in staff.post(tool(order), form(order, "1.00")).content.decode()
    assert staff.get(tool(order).replace(str(order.pk), "nothing")).status_code == 404


@pytest.mark.parametrize("resolution", ["credited", "refunded"])
def test_staff_decide_about_suspense(staff, alice, stripe, resolution):
    case = suspended(alice)
    stripe.answers = ["succeeded"]
    assert tool(case) in staff.get(page(case)).content.decode()
    assert "USD 10.00, with us" in staff.get(tool(case)).content.decode()
    sent = {"resolution": resolution, "note": "mail of Monday"}
    assert staff.post(tool(case), sent).status_code == 302
    case.refresh_from_db()
    assert (case.resolution, case.note) == (resolution, "mail of Monday")
    assert "It was decided before." in staff.post(tool(case), sent).content.decode()
    assert tool(case) not in staff.get(page(case)).content.decode()


def test_a_decision_that_does_not_fit_says_why(staff, alice, stripe):
    case = suspended(alice)
    said = {"note": "n"}
    shown = staff.post(tool(case), said | {"resolution": "dismissed"}).content.decode()
    assert "Its money must go somewhere" in shown
    stripe.answers = [500]
    shown = staff.post(tool(case), said | {"resolution": "refunded"}).content.decode()
    assert "The processor did not do it" in shown
    case.refresh_from_db()
    assert case.resolved_at is None


def test_open_cases_come_first(staff, alice):
    case = suspended(alice)
    old = Suspense.objects.create(
        processor="stripe", ref="paid:old", cause="paid_twice", currency="USD",
        opened_at=NOW - dt.timedelta(days=9), resolved_at=NOW, resolution="dismissed",
    )  # fmt: skip
    listing = staff.get(reverse("admin:billing_suspense_changelist")).content.decode()
    assert listing.index(page(case)) < listing.index(page(old))


def test_nobody_decides_without_the_permission(clerk, alice):
    case = suspended(alice)
    viewer = clerk("view_suspense")
    assert viewer.get(page(case)).status_code == 200
    assert viewer.post(tool(case), {"resolution": "credited", "note": "n"}).status_code == 403
    assert "suspense USD" in sums()


def test_staff_end_a_hold(staff, alice):
    order = pay(alice)
    tell(order, "fraud_warning")
    url = reverse("admin:billing_hold_changelist")
    staff.post(url, {"action": "end", "_selected_action": [alice.pk]})
    assert not Account.objects.get(pk=alice.pk).is_trial
    assert Hold.objects.get().until is None


def test_staff_make_and_stop_a_promotion_code(staff):
    url = reverse("admin:billing_promotioncode_add")
    said = {
        "code": " hello ", "amount": "5.00", "uses_max": 100, "note": "fair",
        "starts_at_0": "2026-11-01", "starts_at_1": "00:00",
        "ends_at_0": "2026-12-01", "ends_at_1": "00:00",
    }  # fmt: skip
    assert "It must give something" in staff.post(url, said | {"amount": "0"}).content.decode()
    early = said | {"ends_at_0": "2026-10-01"}
    assert "It ends before it starts" in staff.post(url, early).content.decode()
    assert staff.post(url, said).status_code == 302
    code = PromotionCode.objects.get()
    assert (code.code, code.amount_nusd, code.uses_max) == ("HELLO", 5 * USD, 100)
    assert code.created_by.startswith("staff:")
    assert staff.post(page(code), said | {"uses_max": 900}).status_code == 403
    listing = reverse("admin:billing_promotioncode_changelist")
    staff.post(listing, {"action": "stop", "_selected_action": [code.pk]})
    code.refresh_from_db()
    assert (code.is_active, code.uses_max) == (False, 100)


def test_nobody_stops_a_code_without_the_permission(clerk):
    code = PromotionCode.objects.create(
        code="X", amount_nusd=1, uses_max=1, starts_at=NOW, ends_at=NOW, created_by="t"
    )
    viewer = clerk("view_promotioncode")
    assert viewer.get(reverse("admin:billing_promotioncode_add")).status_code == 403
    listing = reverse("admin:billing_promotioncode_changelist")
    viewer.post(listing, {"action": "stop", "_selected_action": [code.pk]})
    code.refresh_from_db()
    assert code.is_active


def test_every_page_of_money_that_came_in_opens(staff, alice):
    order = pay(alice)
    told = {"dispute_ref": "dp_1", "amount_minor": 1_000, "currency": "USD"}
    tell(order, "dispute_taken", **told)
    suspended(factories.account_of(factories.user("bob")))
    rows = [order, order.timeline.first(), order.disputes.get(), Hold.objects.first()]
    for row in rows:
        assert staff.get(page(row)).status_code == 200
        listing = reverse(f"admin:billing_{row._meta.model_name}_changelist")
        assert staff.get(listing, {"q": str(row.pk)}).status_code == 200
