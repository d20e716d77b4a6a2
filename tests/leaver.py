"""A person with a row in every declared store: what is erased must have been there."""

import datetime as dt
import secrets

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from accounts import consents, contact, keys, notifications, persons
from accounts.models import (
    Account,
    BillingDetails,
    Closure,
    Invitation,
    NotificationPreference,
    User,
)
from accounts.timeids import uuid7
from billing import ledger
from billing import models as billing
from billing.payments import receipts, timeline
from logs.models import LabelHour, LatencyDay, UsageHour
from tests import factories

EMAIL, PHONE = "zebedee.quagga@example.org", "+41791234567"
NAME, USERNAME, IP = "Zebedee Quagga", "zquagga", "203.0.113.77"
NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


def person() -> User:
    """The user, with an account of one."""
    made = User.objects.create_user(
        username=USERNAME, email=EMAIL, display_name=NAME, phone=PHONE, phone_verified_at=NOW
    )
    address = EmailAddress.objects.create(user=made, email=EMAIL, verified=True, primary=True)
    EmailConfirmation.objects.create(email_address=address, key="k1", sent=NOW)
    account = Account.objects.create(name=NAME, country="CH", country_attested_at=NOW)
    account.memberships.create(user=made, role="owner")
    _signs_in(made)
    _says(made, account)
    _is_noted_by_staff(made)
    return made


def _signs_in(made: User) -> None:
    made.groups.add(Group.objects.create(name="a group"))
    made.user_permissions.add(Permission.objects.first())
    Authenticator.objects.create(user=made, type="totp", data={"secret": "x", "name": NAME})
    social = SocialAccount.objects.create(
        user=made, provider="github", uid="77", extra_data={"name": NAME, "email": EMAIL}
    )
    app = SocialApp.objects.create(provider="github", name="g", client_id="c", secret="s")
    SocialToken.objects.create(app=app, account=social, token="t-zquagga-token")
    session = SessionStore()
    session["said"] = EMAIL
    session.save()
    UserSession.objects.create(user=made, session_key=session.session_key, ip=IP, data={})


def _says(made: User, account: Account) -> None:
    BillingDetails.objects.create(
        account=account, legal_name=f"{NAME} AG", email=EMAIL, tax_id="CHE-1", address="Quaggaweg 1"
    )
    other = factories.account_of(factories.user("inviter"))
    for place, email, by in (
        (other, EMAIL, None), (other, "guest@example.com", made), (account, "g@example.com", made),
    ):  # fmt: skip
        Invitation.objects.create(
            account=place, email=email, role="developer", digest=secrets.token_bytes(32),
            expires_at=NOW, invited_by=by,
        )  # fmt: skip
    NotificationPreference.objects.create(user=made, kind="incident")
    consents.accept_policies(user=made, now=NOW)
    contact.open_request(
        kind="question", source="form", email=EMAIL, subject=f"From {NAME}", text=f"Call {PHONE}",
        user=made, account=account, now=NOW, sender_name=NAME,
    )  # fmt: skip
    notice = notifications.Notice(
        kind="security", key="k", name="new_device", facts={"device": f"of {NAME}", "ip": IP}
    )
    notifications.tell(user=made, notice=notice, now=NOW, account=account, address=EMAIL)
    Closure.objects.create(user=made, state="cancelled", asked_at=NOW, due_at=NOW, ended_at=NOW)


def _is_noted_by_staff(made: User) -> None:
    staff = factories.user("stafferer", is_staff=True)
    kind = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(
        user=staff, content_type=kind, object_id=str(made.pk), object_repr=USERNAME,
        action_flag=CHANGE, change_message=f"set {EMAIL}",
    )  # fmt: skip


def with_work(made: User) -> str:
    """Keys, requests and sums; return a key's text."""
    account = factories.account_of(made)
    key, text = keys.mint(account=account, created_by=made, name=f"{NAME} laptop")
    for _ in range(3):
        factories.request(account, api_key_id=key.pk, source_ip=IP, tag="q-tag")
    hour = NOW.replace(minute=0)
    UsageHour.objects.get_or_create(account_id=account.pk, hour=hour, api_key_id=key.pk)
    LabelHour.objects.get_or_create(account_id=account.pk, hour=hour, kind="tag", label="q-tag")
    LatencyDay.objects.get_or_create(account_id=account.pk, day=NOW.date(), step=3)
    wallet = ledger.open_wallet(account.pk)
    lease = billing.Lease.objects.create(
        worker=uuid7(), wallet=wallet, amount_nusd=0, spent_nusd=0, state="closed", created_at=NOW
    )
    budget = billing.Budget.objects.create(api_key=key, limit_nusd=5)
    billing.LeaseBudget.objects.create(lease=lease, budget=budget)
    charge = billing.Charge.objects.create(
        request_id=uuid7(), lease_id=lease.pk, wallet_id=account.pk, api_key_id=key.pk,
        hold_nusd=0, cost_nusd=0, state="voided", reason="refused",
    )  # fmt: skip
    billing.Attempt.objects.create(
        request_id=charge.request_id, n=1, endpoint="e", outcome="delivered"
    )
    billing.SpendHour.objects.create(wallet_id=account.pk, hour=hour, api_key_id=key.pk)
    return text


def with_money(made: User, order: billing.Order) -> None:
    """Everything that hangs on one paid order of the person's."""
    account = order.account
    timeline.add(order, timeline.CODES[0], now=NOW, actor=f"user:{made.pk}")
    billing.Order.objects.filter(pk=order.pk).update(created_by=made, evidence={"ip": IP})
    billing.WebhookEvent.objects.create(
        processor="stripe", event_id="evt_card", kind="method_saved", sha256=b"", received_at=NOW,
        notice={"order_ref": "", "method": {"account": str(account.public_id), "x": "cus_quagga"}},
    )  # fmt: skip
    receipts.issue(order, now=NOW)
    billing.MonthlyStatement.objects.create(
        account=account, month=NOW.date().replace(day=1), opening_nusd=0, closing_nusd=0, sums={},
        facts=receipts.parties(account, account.billing_details), issued_at=NOW,
    )  # fmt: skip
    billing.FapiaoRequest.objects.create(
        order=order, title=NAME, tax_number="1", email=EMAIL, created_at=NOW, updated_at=NOW
    )
    billing.Refund.objects.create(
        id=uuid7(), order=order, state="failed", amount_minor=1, actor=f"user:{made.pk}",
        created_at=NOW, ended_at=NOW, failure="x",
    )  # fmt: skip
    billing.Dispute.objects.create(
        order=order, dispute_ref="d1", state="won", amount_minor=1, opened_at=NOW, said=["inquiry"]
    )
    billing.Suspense.objects.create(
        processor="stripe", ref="s1", cause="paid_twice", order=order, opened_at=NOW,
        resolved_at=NOW, resolution="dismissed", note=f"asked {NAME}",
    )  # fmt: skip
    billing.StatementRow.objects.create(
        processor="stripe", row_ref="r1", day=NOW.date(), kind="payment", amount_minor=1,
        payment_ref=order.payment_ref, currency="USD", verdict="matched", note=f"of {NAME}",
    )  # fmt: skip
    billing.Debt.objects.create(account=account)
    billing.GoodwillDay.objects.create(wallet_id=account.pk, day=NOW.date())
    billing.Hold.objects.get_or_create(account=account)
    _with_extras(made, account)


def _with_extras(made: User, account: Account) -> None:
    method = billing.PaymentMethod.objects.create(
        account=account, processor="stripe", customer_ref="cus_quagga", method_ref="pm_quagga",
        brand="visa", last4="4242", created_at=NOW,
    )  # fmt: skip
    billing.AutoTopUp.objects.create(
        account=account, is_on=True, threshold_nusd=1, amount_minor=1, monthly_cap_minor=1,
        method=method,
    )  # fmt: skip
    billing.BalanceReminder.objects.create(account=account, threshold_nusd=1)
    code = billing.PromotionCode.objects.create(
        code="Q", amount_nusd=1, uses_max=1, starts_at=NOW, ends_at=NOW, created_by="staff"
    )
    billing.PromotionUse.objects.create(
        code=code, account=account, used_by=f"user:{made.pk}", used_at=timezone.now()
    )
    billing.Trial.objects.create(
        account=account, amount_nusd=1, granted_at=NOW, expires_at=NOW, ended_at=NOW,
        email_digest=persons.email_digest(EMAIL), phone_digest=persons.phone_digest(PHONE),
        network_digest=persons.network_digest(IP),
    )  # fmt: skip
