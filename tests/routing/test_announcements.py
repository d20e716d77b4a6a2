"""What is said of models before it happens, and of incidents, to those who used them."""

import datetime as dt

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts import notifications
from accounts.models import Notification
from billing import rates
from billing.pricing import Rate
from billing.usage import Unit, UnitClass
from logs.models import UsageHour
from routing import announcements, channel_import, import_file
from routing.models import Incident, Model
from tests import factories, mailbox

pytestmark = pytest.mark.django_db
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
ENDPOINT, MODEL = "acme:acme/one", "acme/one"


@pytest.fixture
def model() -> Model:
    channel = {
        "name": "acme", "vendor": "openai", "protocol": "openai-chat",
        "base_url": "https://acme.example/v1", "api_key": "sk-x",
        "models": [
            {"name": MODEL, "prices": {"input": "2", "output": "8"}},
            {"name": "acme/two", "prices": {"input": "2", "output": "8"}},
        ],
    }  # fmt: skip
    channel_import.install(import_file.read({"channels": [channel]}))
    return Model.objects.get(slug=MODEL)


@pytest.fixture
def alice():
    return factories.user("alice")


def use(user, model=MODEL, *, days_ago=3) -> None:
    UsageHour.objects.create(
        account_id=factories.account_of(user).pk, hour=NOW - days_ago * DAY, model=model
    )


def price(usd: int, *, at: dt.datetime) -> None:
    own = [
        Rate(
            unit_class=unit_class, unit=Unit.MTOK, nusd_per_unit=0,
            vendor_nusd_per_unit=usd * times * 1_000_000_000,
        )
        for unit_class, times in ((UnitClass.INPUT, 1), (UnitClass.OUTPUT, 4))
    ]  # fmt: skip
    rates.propose(endpoint=ENDPOINT, rates=own, valid_from=at, source="test", markup_ppm=0)


def run(now: dt.datetime) -> int:
    """All that the tasks do."""
    return announcements.announce(now=now) + announcements.keep_up(now=now)


def told() -> list[tuple[str, str]]:
    rows = Notification.objects.order_by("pk")
    return list(rows.values_list("user__username", "name"))


@pytest.mark.clause("2-notify-service")
def test_a_price_that_rises_is_told_before_it_does_to_those_who_used_the_model(model, alice):
    use(alice)
    use(factories.user("bob"), "acme/two")
    use(factories.user("carol"), days_ago=31)
    price(3, at=NOW + 7 * DAY)
    assert run(NOW) == 1
    assert run(NOW + DAY) == 0
    assert told() == [("alice", "price_rise")]
    mailbox.deliver()
    assert mailbox.subjects("alice@example.com") == ["acme/one will cost more"]
    facts = Notification.objects.get().facts
    assert facts["input_new"] == "$3.00"
    assert facts["output_new"] == "$12.00"
    assert facts["from"] == f"{NOW + 7 * DAY:%Y-%m-%d %H:%M}"


def test_who_begins_to_use_it_before_it_rises_is_told_too(model, alice):
    price(3, at=NOW + 7 * DAY)
    assert run(NOW) == 0
    use(alice, days_ago=0)
    assert run(NOW + DAY) == 1


def test_a_price_that_falls_or_holds_already_is_not_announced(model, alice):
    use(alice)
    price(1, at=NOW + 7 * DAY)
    price(5, at=NOW - DAY / 2)
    assert run(NOW) == 0


@pytest.mark.clause("2-notify-service")
def test_a_model_that_ends_is_told_before_and_ends_then(model, alice):
    use(alice)
    Model.objects.filter(pk=model.pk).update(withdrawn_at=NOW + 7 * DAY)
    assert run(NOW) == 1
    model.refresh_from_db()
    assert model.is_enabled
    assert told() == [("alice", "model_ending")]
    assert run(NOW + 7 * DAY) == 0
    model.refresh_from_db()
    assert not model.is_enabled


def test_every_member_of_the_account_is_told(model, alice):
    factories.join(factories.user("bob"), factories.account_of(alice))
    use(alice)
    price(3, at=NOW + 7 * DAY)
    assert run(NOW) == 2


# Incidents


@pytest.fixture
def staff():
    user = factories.user("staff", is_staff=True)
    user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


def act(client, action: str, incident: Incident) -> str:
    response = client.post(
        reverse("admin:routing_incident_changelist"),
        {"action": action, "_selected_action": [incident.pk]},
    )
    return " ".join(str(one) for one in get_messages(response.wsgi_request))


def test_staff_publish_an_incident_and_its_end(model, alice, staff):
    use(alice)
    use(factories.user("bob"), "acme/two")
    fields = {
        "title_en": "Many requests fail", "title_zh": "大量请求失败", "slugs": "acme/one\nno/such",
        "began_at_0": "2026-11-26", "began_at_1": "12:00:00",
        "updates-TOTAL_FORMS": "0", "updates-INITIAL_FORMS": "0",
    }  # fmt: skip
    add = reverse("admin:routing_incident_add")
    assert "No such model: no/such" in staff.post(add, fields).content.decode()
    staff.post(add, {**fields, "slugs": "acme/one"})
    incident = Incident.objects.get()
    assert run(NOW) == 0  # a draft is nobody's news
    assert "Resolved 0" in act(staff, "resolve", incident)
    assert "Published 1" in act(staff, "publish", incident)
    assert "Published 0" in act(staff, "publish", incident)
    assert run(NOW) == 1
    assert run(NOW) == 0
    act(staff, "resolve", incident)
    assert run(NOW) == 1
    assert run(NOW) == 0
    assert told() == [("alice", "incident"), ("alice", "incident_over")]
    change = reverse("admin:routing_incident_change", args=[incident.pk])
    assert staff.post(change, fields).status_code == 403
    assert "Many requests fail" in staff.get(change).content.decode()


def test_an_incident_is_told_in_the_readers_language(model, alice):
    use(alice)
    type(alice).objects.filter(pk=alice.pk).update(language="zh-hans")
    notifications.choose(alice, {"incident": ["email", "web"]})
    Incident.objects.create(
        title_en="Many requests fail", title_zh="大量请求失败", slugs=[MODEL], began_at=NOW,
        published_at=NOW,
    )  # fmt: skip
    run(NOW)
    mailbox.deliver()
    assert mailbox.subjects("alice@example.com") == ["大量请求失败"]
