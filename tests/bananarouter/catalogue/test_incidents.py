"""Incidents: on the status page in words, and in a feed; public, and cheap."""

import datetime as dt
from xml.etree import ElementTree as ET

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from routing.models import Incident, IncidentUpdate
from tests import factories
from tests.bananarouter.test_pages_words import inline

pytestmark = pytest.mark.django_db
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
ATOM = "{http://www.w3.org/2005/Atom}"
QUERIES_MAX = 12


def incident(title="Many requests fail", *, began=HOUR, lasted=None, updates=(), **fields):
    began_at = NOW - began
    made = Incident.objects.create(**{
        "title_en": title, "title_zh": f"{title} 的中文", "slugs": ["openai/alpha"],
        "began_at": began_at, "published_at": began_at + HOUR / 6,
        "resolved_at": began_at + lasted if lasted else None, **fields,
    })  # fmt: skip
    for text, after in updates:
        IncidentUpdate.objects.create(
            incident=made, text_en=text, text_zh=f"{text} 的中文", written_at=began_at + after
        )
    return made


def page(**headers) -> str:
    return " ".join(Client(headers=headers).get("/status").content.decode().split())


def test_what_runs_stands_above_what_is_over(stocked):
    incident("Slow answers", began=9 * DAY, lasted=2 * HOUR, updates=[("A cable broke.", HOUR)])
    incident("Many requests fail", updates=[("The vendor works on it.", HOUR / 2)])
    text = page()
    places = [
        text.index(words)
        for words in (
            "Many requests fail", "goes on", "The vendor works on it.", "We are looking into it.",
            "This installation", "Past incidents", "Slow answers", "It is over", "A cable broke.",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    assert '<a class="mono" href="/models/openai/alpha">openai/alpha</a>' in text
    assert inline(text) == []


def test_drafts_and_what_is_long_over_are_not_shown(stocked):
    incident("A draft", published_at=None)
    incident("Long ago", began=91 * DAY, lasted=HOUR)
    incident("Barely", began=91 * DAY, lasted=2 * DAY)
    incident("Never ends", began=200 * DAY)
    text = page()
    assert "A draft" not in text
    assert "Long ago" not in text
    assert "Barely" in text
    assert "Never ends" in text


def test_without_incidents_it_says_so(stocked):
    assert "Past incidents" in page()
    assert "None." in page()


def test_it_is_in_the_readers_language(stocked):
    incident(updates=[("The vendor works on it.", HOUR / 2)])
    text = page(**{"accept-language": "zh-hans"})
    assert "Many requests fail 的中文" in text
    assert "The vendor works on it. 的中文" in text
    assert "status.zh.atom" in text
    assert "status.atom" in page()


def test_a_title_is_text_and_no_markup(stocked):
    incident("<b>bold</b>", updates=[("<script>1</script>", HOUR)])
    assert "<b>bold" not in page()
    assert "<script>1" not in page()
    feed = ET.fromstring(Client().get("/status.atom").content)  # noqa: S314  our own
    assert feed.find(f"{ATOM}entry/{ATOM}title").text == "<b>bold</b>"
    assert "<script>1" not in feed.find(f"{ATOM}entry/{ATOM}summary").text


def test_strangers_share_a_copy_and_members_do_not(stocked, django_assert_max_num_queries):
    for number in range(30):
        incident(f"n{number}", lasted=HOUR, began=2 * HOUR, updates=[("a", HOUR), ("b", HOUR)])
    with django_assert_max_num_queries(QUERIES_MAX):
        response = Client().get("/status")
    assert response["Cache-Control"] == "public, max-age=15"
    assert {"Cookie", "Accept-Language"} <= set(response["Vary"].split(", "))
    assert not response.cookies
    assert "csrf" not in response.content.decode()
    known = Client()
    known.cookies["anything"] = "1"
    response = known.get("/status")
    assert "no-store" in response["Cache-Control"]
    assert "csrfmiddlewaretoken" in response.content.decode()
    member = Client()
    member.force_login(factories.user("alice"))
    with django_assert_max_num_queries(QUERIES_MAX):
        assert "no-store" in member.get("/status")["Cache-Control"]


def test_the_feed_has_an_entry_for_each_incident(stocked, settings, django_assert_num_queries):
    settings.PUBLIC_URL = "https://router.example"
    old = incident("Slow answers", began=9 * DAY, lasted=2 * HOUR)
    new = incident(updates=[("The vendor works on it.", HOUR / 2)])
    with django_assert_num_queries(2):
        response = Client().get("/status.atom")
    assert response["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert response["Cache-Control"] == "public, max-age=300"
    assert not response.cookies
    feed = ET.fromstring(response.content)  # noqa: S314  our own
    assert feed.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    links = {one.get("rel"): one.get("href") for one in feed.findall(f"{ATOM}link")}
    assert links["self"] == "https://router.example/status.atom"
    entries = feed.findall(f"{ATOM}entry")
    assert [one.find(f"{ATOM}title").text for one in entries] == [new.title_en, old.title_en]
    assert [one.find(f"{ATOM}updated").text for one in entries] == [
        (new.began_at + HOUR / 2).isoformat(), old.resolved_at.isoformat(),
    ]  # fmt: skip
    assert "The vendor works on it." in entries[0].find(f"{ATOM}summary").text
    assert entries[0].find(f"{ATOM}link").get("href").endswith(f"/status#incident-{new.pk}")
    ids = [one.find(f"{ATOM}id").text for one in entries]
    chinese = ET.fromstring(Client().get("/status.zh.atom").content)  # noqa: S314
    assert [one.find(f"{ATOM}id").text for one in chinese.findall(f"{ATOM}entry")] == ids
    assert "的中文" in chinese.find(f"{ATOM}entry/{ATOM}title").text
    assert Client().get("/status.zh.atom").headers["Content-Language"] == "zh-hans"


def test_an_empty_feed_is_a_feed(stocked):
    feed = ET.fromstring(Client().get("/status.atom").content)  # noqa: S314  our own
    assert feed.findall(f"{ATOM}entry") == []


def test_operations_write_updates_of_published_incidents_and_rewrite_none(stocked):
    call_command("staff_roles")
    user = factories.user("ops", is_staff=True)
    user.groups.add(Group.objects.get(name="operations"))
    client = Client()
    client.force_login(user)
    draft, out = incident("A draft", published_at=None), incident()
    add, said = reverse("admin:routing_incidentupdate_add"), {"text_en": "a", "text_zh": "甲"}
    assert "A draft" not in client.get(add).content.decode()
    assert client.post(add, {**said, "incident": draft.pk}).status_code == 200
    assert client.post(add, {**said, "incident": out.pk, "text_zh": ""}).status_code == 200
    assert not IncidentUpdate.objects.exists()
    assert client.post(add, {**said, "incident": out.pk}).status_code == 302
    made = IncidentUpdate.objects.get()
    change = reverse("admin:routing_incidentupdate_change", args=[made.pk])
    assert client.post(change, {**said, "incident": out.pk}).status_code == 403
    shown = client.get(reverse("admin:routing_incident_change", args=[out.pk])).content.decode()
    assert f"{add}?incident={out.pk}" in shown
    assert "甲" in shown
    assert "甲" in page(**{"accept-language": "zh-hans"})


def test_the_database_refuses_an_update_in_one_language(stocked):
    with pytest.raises(IntegrityError, match="incident_update_in_both"), transaction.atomic():
        IncidentUpdate.objects.create(incident=incident(), text_en="a", text_zh="")
