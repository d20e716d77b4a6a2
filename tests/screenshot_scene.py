"""What stands on the pictures: a busy account, a new one, orders that wait, the staff's tables."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts import contact
from accounts.models import ApiKey, User
from benchmarks import million
from billing.payments import asking, orders, quotes
from logs.models import RequestLog
from routing import catalogue, channel_import, import_file
from tests import factories, site

REQUESTS = 3_000
PRICES = ((1.25, 10), (3, 15), (0.3, 2.5), (0.27, 1.1), (0.1, 0.4), (0.05, 0.2))
WINDOW_TOKENS = (400_000, 200_000, 1_048_576, 131_072)
# What is not a page for people, a part of one, or looks like another one.
LEFT_OUT = re.compile(
    r"openapi|livez|readyz|metrics|_csv|_txt|source|robots|None|requests_live|billing_order_live"
    r"|export_progress|welcome_first|admin:(\w+_history|\w+_delete|jsi18n|autocomplete|app_list)$"
)
# Where the page of who has nothing yet says something of its own.
OF_NEWCOMERS = (
    "overview", "keys", "requests", "usage", "billing", "billing_history", "billing_balance",
    "billing_receipts", "billing_statements", "billing_methods", "notifications", "organization",
)  # fmt: skip
FAILURES = (400, 402, 429, 502)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One page, and the session that it is seen in."""

    name: str
    url: str
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The site, and the sessions of who looks at it."""

    scene: site.Scene
    clients: dict[str, Client]

    def session(self, who: str) -> str:
        return self.clients[who].cookies["session"].value if who else ""


def build() -> Stage:
    """Make everything that is on the pictures; settings must know the sandbox of payments."""
    scene = site.build(password=factories.PASSWORD)
    million.fill(scene.account, scene.alice, requests=REQUESTS)
    _offer()
    _order(scene)
    _write_in()
    ApiKey.objects.filter(name="staging").update(paused_at=timezone.now())
    staff = factories.user("staff", is_staff=True)
    User.objects.filter(pk=staff.pk).update(is_superuser=True)
    clients = {"": Client(raise_request_exception=False)}
    for who, person in {
        "alice": scene.alice, "bob": scene.bob, "new": factories.user("nina"), "staff": staff,
    }.items():  # fmt: skip
        clients[who] = Client(raise_request_exception=False)
        factories.log_in(clients[who], person)
    clients["bob"].post("/switch-account", {"account": str(scene.account.public_id)})
    return Stage(scene=scene, clients=clients)


def _offer() -> None:
    """Put on offer what the requests were about."""
    channels = [
        {
            "name": f"{vendor}-main", "vendor": vendor, "protocol": "openai-chat",
            "base_url": f"https://{vendor}.example/v1", "api_key": "sk-x",
            "models": [
                {
                    "name": f"{vendor}/{name}", "context_tokens_max": window,
                    "output_tokens_max": window // 8,
                    "prices": {
                        "input": str(low), "cache_read": f"{low / 10:.3f}", "output": str(high),
                    },
                }
                for name, (low, high) in zip(names, PRICES, strict=True)
            ],
        }
        for (vendor, names), window in zip(million.NAMES.items(), WINDOW_TOKENS, strict=True)
    ]  # fmt: skip
    channel_import.install(import_file.read({"channels": channels}))
    catalogue.refresh()


def _order(scene: site.Scene) -> None:
    """Start an order with each payment service; the sandbox knows them."""
    for processor, method, currency in (
        ("stripe", "checkout", "USD"), ("alipay", "qr", "CNY"), ("wechatpay", "qr", "CNY"),
    ):  # fmt: skip
        now = timezone.now()
        quote = quotes.make(scene.account, currency=currency, net_minor=7_200, now=now)
        wish = orders.Wish(
            quote=quote, processor=processor, method=method, idempotency_key=processor,
            payer=asking.Payer(client_ip="192.0.2.1"),
        )  # fmt: skip
        orders.start(scene.account, wish, user=scene.alice, now=now)


def _write_in() -> None:
    for days, kind, subject, text in (
        (0, "abuse", "A key sends spam", "Mails of last night came from this key."),
        (4, "question", "Do you have an office in Berlin?", "We would like to visit you."),
        (40, "abuse", "Phishing page", "It was written with your service."),
    ):
        contact.open_request(
            kind=kind, source="form", email="eve@example.com", subject=subject, text=text,
            now=timezone.now() - dt.timedelta(days=days),
        )  # fmt: skip


def shots(stage: Stage, *, has_staff: bool) -> list[Shot]:
    """Every page that opens by itself: of the public, of an account, of a new one, of staff."""
    return [*_own(stage), *_more(stage), *(_staff(stage) if has_staff else ())]


def _answers(client: Client, url: str) -> bool:
    answer = client.get(url)
    is_page = answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
    return is_page and b"<html" in answer.content


def _own(stage: Stage) -> Iterator[Shot]:
    for route in site.routes():
        is_missing = set(route.arguments) - set(stage.scene.values)
        if route.is_staff or LEFT_OUT.search(route.name) or is_missing:
            continue
        url = stage.scene.url(route)
        for who in ("", "alice"):
            if _answers(stage.clients[who], url):
                yield Shot(name=route.name, url=url, session=stage.session(who))
                break


def _more(stage: Stage) -> Iterator[Shot]:
    """The same pages in another state."""
    alice, new, bob = map(stage.session, ("alice", "new", "bob"))
    for name in OF_NEWCOMERS:
        yield Shot(name=f"{name}-new", url=reverse(name), session=new)
    for status in FAILURES:
        row = RequestLog.objects.filter(account_id=stage.scene.account.pk, status=status).last()
        assert row is not None
        url = reverse("request", args=[row.request_id])
        yield Shot(name=f"request-{status}", url=url, session=alice)
    for order in stage.scene.account.orders.filter(state="pending"):
        url = reverse("billing_order", args=[order.number])
        yield Shot(name=f"billing_order-{order.processor}", url=url, session=alice)
        yield Shot(name=f"sandbox-{order.processor}", url=order.pay_url)
    best = RequestLog.objects.filter(account_id=stage.scene.account.pk, status=200, is_stream=True)
    url = reverse("request", args=[best.latest("request_id").request_id])
    yield Shot(name="request-streamed", url=url, session=alice)
    yield Shot(name="usage-by-key", url=reverse("usage") + "?group=key&range=7d", session=alice)
    yield Shot(name="models-search", url=reverse("models") + "?q=nothing-of-the-kind")
    compare = reverse("models_compare") + "?m=openai/gpt-5&m=anthropic/claude-sonnet-4.5"
    yield Shot(name="models_compare-two", url=compare)
    yield Shot(name="model-real", url=reverse("model", args=["openai/gpt-5"]))
    yield Shot(name="not-found", url="/nowhere")
    yield Shot(name="forbidden-role", url=reverse("billing"), session=bob)


def _staff(stage: Stage) -> Iterator[Shot]:
    """The staff's tables that hold something, a row of each, and what may be done with it."""
    for route in site.routes():
        if not route.is_staff or LEFT_OUT.search(route.name):
            continue
        for name, url in _staff_urls(route):
            if _answers(stage.clients["staff"], url):
                yield Shot(name=name, url=url, session=stage.session("staff"))


def _staff_urls(route: site.Route) -> Iterator[tuple[str, str]]:
    row = _row(route.name)
    values: dict[str, object] = {"currency": "CNY", "month": "2026-11", "processor": "alipay"}
    if row is not None:
        values |= {"pk": row.pk, "object_id": row.pk, "id": row.pk, "request_id": row.pk}
    slugs = ("decide", "lift", "answer", "publish") if "slug" in route.arguments else ("",)
    if row is None and route.name.endswith(("_changelist", "_add")):
        return
    for slug in slugs:
        chosen = {name: slug or values.get(name) for name in route.arguments}
        try:
            yield route.name + (f"-{slug}" if slug else ""), reverse(route.name, kwargs=chosen)
        except NoReverseMatch:
            continue


def _row(name: str):
    """The newest row of the table that a route of the staff site is about."""
    parts = name.removeprefix("admin:").split("_")
    try:
        model = apps.get_model(parts[0], parts[1])
    except (IndexError, LookupError):
        return None
    if model._meta.swapped:
        model = User
    if model.__name__ == "AbuseReport":
        return model._default_manager.filter(kind="abuse").order_by("pk").first()
    return model._default_manager.order_by("pk").last()
