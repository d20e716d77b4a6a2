"""One row of a person's in every declared store, each text and number telling whose it is."""

import datetime as dt
import functools
import hashlib
import uuid

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import models
from django.utils import timezone

from accounts import personal_data
from accounts.models import (
    Account,
    ApiKey,
    Closure,
    Consent,
    ContactRequest,
    Delivery,
    Disclosure,
    DisclosureEvent,
    Export,
    Invitation,
    Takedown,
    User,
)
from billing.models import (
    Budget,
    Charge,
    Lease,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    PromotionCode,
    StaffCredit,
    StatementRow,
    Wallet,
    WebhookEvent,
)
from tests import factories

# Made by the factories, through public operations.
MADE = {User, Account, Account.members.through, EmailAddress, Wallet, LedgerAccount, LedgerEntry,
        LedgerTransaction}  # fmt: skip
# Others point at them.
FIRST = [ApiKey, ContactRequest, Order, Lease, Budget, SocialAccount, Authenticator]


def person(name: str) -> User:
    """A user with one row in every store."""
    user = factories.user(name, password=factories.PASSWORD)
    factories.give(factories.account_of(user), 1_000_000_000)
    _Filler(user).fill()
    return user


def complete(user: User, subject: personal_data.Subject) -> None:
    """Give a person a row in each store that has none."""
    filler = _Filler(user)
    stores = personal_data.stores()
    for store in stores:
        if (row := store.rows(subject).first()) is not None:
            filler.known.setdefault(store.model, row)
    order = [*FIRST, *dict.fromkeys(store.model for store in stores)]
    for model in order:
        if any(s.model is model and not s.rows(subject).exists() for s in stores):
            filler.known[model] = filler.make(model)


class _Filler:
    def __init__(self, user: User) -> None:
        self.user, self.mark = user, f"{user.username}-mark"
        self.account = factories.account_of(user)
        self.known: dict[type[models.Model], models.Model] = {
            User: user,
            Account: self.account,
            EmailAddress: EmailAddress.objects.get(user=user),
            Wallet: Wallet.objects.get(account=self.account),
            Group: Group.objects.create(name=self.mark),
            Permission: Permission.objects.first(),
            ContentType: ContentType.objects.get_for_model(User),
            PromotionCode: PromotionCode.objects.create(
                code=self.mark.upper()[:32], amount_nusd=1, uses_max=1, created_by="staff:1",
                starts_at=timezone.now(), ends_at=timezone.now(),
            ),
        }  # fmt: skip
        self.request_id = uuid.uuid4()

    def fill(self) -> None:
        declared = [store.model for store in personal_data.stores()]
        for model in [*FIRST, *dict.fromkeys(declared)]:
            if model not in MADE and model not in self.known:
                self.known[model] = self.make(model)
        sent = hashlib.sha256(f"sent {self.mark}".encode()).digest()
        self.make(
            Invitation,
            email=f"{self.mark}-invited@example.com",
            invited_by=self.user,
            digest=sent,
        )

    def make(self, model, **values):
        known = {**self.overrides().get(model, {}), **values}
        for column in model._meta.concrete_fields:
            is_made = column.get_internal_type().endswith("AutoField")
            if not is_made and not {column.attname, column.name} & known.keys():
                known[column.attname] = self.value(model, column)
        return model._default_manager.create(**known)

    def overrides(self):
        user = self.user
        order = self.known.get(Order)
        return {
            ApiKey: {"replaces": None, "limits_of": None},
            Consent: {"version": None},
            Delivery: {"done_at": None},
            Closure: {"state": "cancelled", "cleared_at": None},
            Disclosure: {"first_approver": "", "second_approver": "", "secrecy_reason": "",
                         "secrecy_until": None},
            DisclosureEvent: {"action": "told"},
            Takedown: {"decided_by": self.staff, "lifted_by": self.staff},
            Export: {"state": "canceled"},
            Invitation: {"email": user.email, "invited_by": None},
            LogEntry: {"object_id": str(user.pk), "action_flag": 2},
            SocialToken: {"app": None},
            Session: {"session_key": self.session_key},
            UserSession: {"session_key": self.session_key},
            Budget: {"period_start": None},
            Charge: {"state": "settled"},
            Lease: {"spent_nusd": None},
            StaffCredit: {"state": "refused", "decided_by": "staff:2"},
            WebhookEvent: {"notice": {"order_ref": order.id.hex if order else "", "x": self.mark}},
            StatementRow: {"payment_ref": order.payment_ref if order else ""},
            EmailConfirmation: {"key": f"secret-of-{self.mark}"},
            Authenticator: {"data": {"name": self.mark, "secret": f"secret-of-{self.mark}"}},
        }  # fmt: skip

    @functools.cached_property
    def staff(self) -> User:
        made = {"email": "registrar@example.com"}
        return User.objects.get_or_create(username="registrar", defaults=made)[0]

    @property
    def session_key(self) -> str:
        return f"key{self.user.pk:029}"

    def value(self, model, column):
        plain = {
            "account_id": self.account.pk,
            "wallet_id": self.account.pk,
            "owner_id": self.account.pk,
            "lease_id": self.known[Lease].pk if Lease in self.known else 0,
            "api_key_id": self.known[ApiKey].pk if ApiKey in self.known else 0,
            "request_id": self.request_id,
        }
        if column.is_relation:
            if column.related_model not in self.known:
                self.known[column.related_model] = self.make(column.related_model)
            return self.known[column.related_model].pk
        if column.attname in plain:
            return plain[column.attname]
        if column.choices:
            return column.choices[0][0]
        return self.typed(model, column)

    def typed(self, model, column):  # noqa: PLR0911, C901 - one line for each type
        secret = f"{self.mark} {model._meta.label} {column.name}"
        match column:
            case models.BinaryField():
                return hashlib.sha256(secret.encode()).digest()
            case models.JSONField():
                return {"mark": self.mark}
            case models.EmailField():
                return f"{self.mark}-{model.__name__.lower()}@example.com"
            case models.CharField() | models.TextField():
                word = self.mark if column.name not in SECRETS else f"secret-of-{self.mark}"
                return word[: column.max_length]
            case models.DateTimeField():
                return timezone.now()
            case models.DateField():
                return dt.date(2026, 11, 1)
            case models.UUIDField():
                return uuid.uuid4()
            case models.GenericIPAddressField():
                return f"2001:db8::{self.user.pk:x}:1"
            case models.BooleanField():
                return False
            case _:
                return 1


SECRETS = {"token", "token_secret", "pay_url", "key", "session_data"}
