"""The site as a map: every route of the URLconf, and a scene with an object for each argument."""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts import closures, contact, contact_links, keys, notifications
from accounts.models import (
    Account,
    Closure,
    Export,
    Invitation,
    Membership,
    Notification,
    User,
)
from billing.models import LedgerEntry, MonthlyStatement, Order, PaymentMethod
from billing.payments import receipts, timeline
from routing import catalogue, channel_import, import_file
from tests import factories

# What a stranger without an account may open. Every other route turns away who is not signed in.
PUBLIC = {
    "home",
    "guide",
    "guide_chapter",
    "guide_source",
    "llms_txt",
    "llms_full_txt",
    "models",
    "models_compare",
    "model",
    "status",
    "status_feed",
    "status_feed_chinese",
    "robots",
    "api_docs",
    "api_protocol",
    "openapi",
    "livez",
    "readyz",
    "metrics",
    "set_language",
    "staff_login",
    "privacy",
    "terms",
    "acceptable_use",
    "privacy_version",
    "terms_version",
    "acceptable_use_version",
    "subprocessors",
    "security_txt",
    "contact",
    "contact_sent",
    "contact_inbound",
    "report_abuse",
    "trust",
    "leaked_keys",
    # Signed links: whoever holds one may open it.
    "contact_track",
    "contact_withdraw",
    "closed",
    "certificate",
    "contact_confirm",
    "invitation",
    "payment_hook",
}
# allauth's own: for those who are about to sign in, or just did; it guards each of them itself.
ENTRANCE_PREFIX = "accounts/"
MODEL = "acme/one"
# What debug mode keeps for alice, who made the key: not even bob may read it.
WHISPER = "wombat burrow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One pattern of the URLconf."""

    name: str  # with its namespace
    pattern: str
    arguments: tuple[str, ...]

    @property
    def is_staff(self) -> bool:
        return self.name.startswith("admin:")

    @property
    def is_entrance(self) -> bool:
        return self.pattern.startswith(ENTRANCE_PREFIX)


def routes() -> list[Route]:
    """Every named route of pages; a route without a name cannot be tested and fails."""
    return list(_walk(get_resolver(), "", ""))


def _walk(
    resolver: URLResolver, prefix: str, namespace: str, above: tuple[str, ...] = ()
) -> Iterator[Route]:
    for part in resolver.url_patterns:
        pattern = prefix + str(part.pattern)
        names = (*above, *sorted(part.pattern.regex.groupindex))
        if isinstance(part, URLResolver):
            below = f"{namespace}{part.namespace}:" if part.namespace else namespace
            yield from _walk(part, pattern, below, names)
        elif isinstance(part, URLPattern):
            yield Route(name=f"{namespace}{part.name}", pattern=pattern, arguments=names)


def ours() -> list[Route]:
    """Routes of our own pages: neither the staff site's nor allauth's."""
    return [route for route in routes() if not route.is_staff and not route.is_entrance]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Alice owns an account with one of everything; bob develops in it; mallory is a stranger."""

    alice: User
    bob: User
    mallory: User
    account: Account
    # An existing object of alice's for each name of an argument in the URLconf.
    values: Mapping[str, object]
    # Words of alice's that nobody outside of her account may ever read.
    secrets: tuple[str, ...] = (
        "Aardvark Labs",
        "quokka-production",
        "demo/numbat",
        "okapi@example.com",
        WHISPER,
    )

    def url(self, route: Route) -> str:
        missing = set(route.arguments) - set(self.values)
        assert not missing, f"{route.pattern}: tests/site.py has no value for {missing}"
        return reverse(route.name, kwargs={name: self.values[name] for name in route.arguments})


def offer_a_model() -> None:
    """Put MODEL on offer in this process."""
    offered = {"name": MODEL, "prices": {"input": "2", "output": "8"}}
    channel = {
        "name": "acme",
        "vendor": "openai",
        "protocol": "openai-chat",
        "base_url": "https://acme.example/v1",
        "api_key": "sk-x",
        "models": [offered],
    }
    channel_import.install(import_file.read({"channels": [channel]}))
    catalogue.refresh()


def build(*, password: str | None = None) -> Scene:
    """Make the scene."""
    offer_a_model()
    alice = factories.user("alice", password=password)
    bob, mallory = factories.user("bob"), factories.user("mallory")
    account = factories.account_of(alice)
    Account.objects.filter(pk=account.pk).update(name="Aardvark Labs", is_organization=True)
    account.refresh_from_db()
    place = Membership.objects.create(account=account, user=bob, role=Membership.Role.DEVELOPER)
    factories.give(account, 12_345_000_000)
    key, _ = keys.mint(account=account, created_by=alice, name="quokka-production")
    request_id = factories.request(account, model="demo/numbat", api_key_id=key.pk)
    session = factories.debug_session(key)
    content = f'{{"input": "{WHISPER}"}}'.encode()
    factories.capture(session, request_id, request=content, response=content)
    values = {
        "key_id": key.pk,
        "request_id": request_id,
        "part": "request",
        "tag": "openai",
        "model_slug": MODEL,
        "chapter": "billing",
        "version": "1",
        "processor": "alipay",
        "member_id": place.pk,
        "notice_id": _notice(alice, account),
        "export_id": Export.objects.create(
            user=alice, state="canceled", asked_at=timezone.now()
        ).public_id,
        **_invitation(account, alice),
        **_contact(alice),
        "closure_word": closures.word(_closed()),
        **_billing(account),
    }
    return Scene(alice=alice, bob=bob, mallory=mallory, account=account, values=values)


def _invitation(account: Account, alice: User) -> dict[str, object]:
    token = "T" * 43
    invitation = Invitation.objects.create(
        account=account,
        email="okapi@example.com",
        role=Membership.Role.ADMIN,
        digest=hashlib.sha256(token.encode()).digest(),
        invited_by=alice,
        expires_at=timezone.now() + dt.timedelta(days=7),
    )
    return {"invitation_id": invitation.pk, "token": token}


def _notice(alice: User, account: Account) -> UUID:
    notice = notifications.Notice(
        kind="low_balance", key="scene", name="low_balance", facts={"account": account.name}
    )
    notifications.tell(user=alice, notice=notice, account=account, now=timezone.now())
    return Notification.objects.get(user=alice, key="scene").public_id


def _contact(alice: User) -> dict[str, object]:
    asked = contact.open_request(
        kind="access",
        source="form",
        email=alice.email,
        subject="?",
        text="My data, please",
        user=alice,
        now=timezone.now(),
    )
    return {"word": contact_links.track(asked), "proof": contact_links.prove(asked, alice)}


def _closed() -> Closure:
    """The certificate of somebody who is gone."""
    now = timezone.now()
    stores = [{"store": "requests", "ending": "erased", "rows": 3, "why": "No use."}]
    return Closure.objects.create(
        state="closed", asked_at=now, due_at=now, ended_at=now, certificate={"stores": stores}
    )


def _billing(account: Account) -> dict[str, object]:
    """A paid order with its receipt, a month, a card, and a line of the statement."""
    now = timezone.now()
    order = Order.objects.create(
        account=account,
        idempotency_key="scene",
        processor="alipay",
        method="page",
        state="paid",
        is_live=False,
        currency="CNY",
        net_minor=14_400,
        credit_nusd=20_000_000_000,
        rate_ppm=7_200_000,
        created_at=now,
        expires_at=now,
        paid_at=now,
    )
    for code in timeline.CODES:
        timeline.add(order, code, now=now)
    statement = MonthlyStatement.objects.create(
        account=account,
        month=dt.date(2026, 10, 1),
        opening_nusd=0,
        closing_nusd=12_345_000_000,
        sums={"credit:promotion": "12345000000"},
        facts=receipts.parties(account, None),
        issued_at=now,
    )
    card = PaymentMethod.objects.create(
        account=account, processor="stripe", customer_ref="cus_1", method_ref="pm_1",
        brand="visa", last4="4242", expires_month=12, expires_year=2030, created_at=now,
    )  # fmt: skip
    entry = LedgerEntry.objects.filter(account__owner=account).latest("pk")
    return {
        "order_number": order.number,
        "receipt_number": receipts.issue(order, now=now).number,
        "month": f"{statement.month:%Y-%m}",
        "method_id": card.pk,
        "entry_id": entry.pk,
    }
