"""The pages of debug mode: switching it on, seeing, letting staff look, switching it off."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys
from accounts.models import Membership
from logs import debug, debug_consent
from logs.models import DebugSession
from tests import factories, site

pytestmark = pytest.mark.django_db
WORD = "numbat in a burrow"
CONTENT = WORD.encode()
ROUTES = [route for route in site.ours() if route.name not in site.PUBLIC]
STAFF = [route for route in site.routes() if route.is_staff and not route.arguments]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.DEBUG_KEY_DIR = tmp_path / "keys"


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def client(alice):
    return signed_in(alice)


@pytest.fixture
def key(alice):
    made, _ = keys.mint(account=factories.account_of(alice), created_by=alice, name="laptop")
    return made


@pytest.fixture
def request_id(key):
    return factories.request(key.account, api_key_id=key.pk)


def signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def url(name, key):
    return reverse(name, args=[key.pk])


def start(client, key, **changed):
    said = {"minutes": "60", "agreed_to": debug_consent.VERSION, "agrees": "on", **changed}
    return client.post(url("key_debug", key), said)


def keep(key, request_id, *, request=CONTENT, response=CONTENT):
    key.refresh_from_db()
    session = debug.running(key.pk) or factories.debug_session(key)
    factories.capture(session, request_id, request=request, response=response)
    return session


def text(response):
    return response.content.decode()


def test_the_page_says_what_one_agrees_to(client, key):
    shown = text(client.get(url("key_debug", key)))
    for paragraph in debug_consent.paragraphs("en"):
        assert paragraph in shown
    client.cookies["django_language"] = "zh-hans"
    shown = text(client.get(url("key_debug", key)))
    assert debug_consent.paragraphs("zh-hans")[0] in shown


@pytest.mark.clause("1.2-debug")
def test_it_starts_only_when_agreed_to(client, key):
    refused = start(client, key, agrees="")
    assert "starts only if you agree" in text(refused)
    assert not DebugSession.objects.exists()
    assert start(client, key, minutes="15").status_code == 302
    session = DebugSession.objects.get()
    assert (session.minutes, session.api_key) == (15, key)
    assert start(client, key).status_code == 302  # sent twice
    assert DebugSession.objects.count() == 1


@pytest.mark.parametrize("minutes", ["0", "1441", "x", ""])
def test_no_other_duration_is_taken(client, key, minutes):
    assert start(client, key, minutes=minutes).status_code == 200
    assert not DebugSession.objects.exists()


def test_a_text_that_changed_is_read_again(client, key):
    assert "read it again" in text(start(client, key, agreed_to="0"))


def test_without_a_place_for_keys_it_says_so(client, key, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.DEBUG_KEY_DIR = tmp_path / "file" / "keys"
    response = start(client, key)
    assert response.status_code == 503
    assert "nothing is kept" in text(response)


@pytest.mark.clause("1.2-debug")
def test_every_page_says_that_it_is_on(client, key):
    for name in ("overview", "keys", "requests", "usage", "billing", "settings"):
        assert "debug-banner" not in text(client.get(reverse(name), follow=True))
    start(client, key)
    for name in ("overview", "keys", "requests", "usage", "billing", "settings"):
        assert "debug-banner" in text(client.get(reverse(name), follow=True)), name
    client.post(url("key_debug_stop", key))
    assert "debug-banner" not in text(client.get(reverse("overview")))


@pytest.mark.clause("1.2-debug")
def test_its_owner_sees_and_downloads_what_was_kept(client, key, request_id):
    start(client, key)
    keep(key, request_id, request=b'{"b":1,"a":"<i>"}', response=b"data: x\n\n")
    page = text(client.get(reverse("request", args=[request_id])))
    assert "&quot;b&quot;: 1,\n  &quot;a&quot;: &quot;&lt;i&gt;&quot;" in page
    sent = client.get(reverse("request_content", args=[request_id, "request"]))
    assert sent.content == b'{"b":1,"a":"<i>"}'
    assert sent["Content-Disposition"].startswith("attachment")
    assert "no-store" in sent["Cache-Control"]
    assert sent["X-Content-Type-Options"] == "nosniff"
    got = client.get(reverse("request_content", args=[request_id, "response"]))
    assert got.content == b"data: x\n\n"
    assert client.get(reverse("request_content", args=[request_id, "else"])).status_code == 404
    assert "content kept" in text(client.get(reverse("requests")))


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        (b"\xff\xfe", "This is no text"),
        (b"", "Empty."),
        (b"x" * 30_000, "This is the beginning"),
        ("ä".encode() * (1 << 19) + b"!", "ä"),
        (b"[" * 30_000, "["),
    ],
)
def test_whatever_was_sent_is_shown(client, key, request_id, kept, shown):
    keep(key, request_id, request=kept)
    assert shown in text(client.get(reverse("request", args=[request_id])))


@pytest.mark.clause("1.2-training")
@pytest.mark.clause("1.2-debug")
def test_no_other_member_reads_it_on_any_page():
    """Over every route, with an object for each argument: neither another owner nor staff."""
    scene = site.build()
    bob, boss = signed_in(scene.bob), factories.user("boss", is_staff=True)
    Membership.objects.filter(user=scene.bob).update(role=Membership.Role.OWNER)
    bob.post(reverse("switch_account"), {"account": str(scene.account.public_id)})
    boss.is_superuser = True
    boss.save()
    alice, staff = signed_in(scene.alice), signed_in(boss)
    assert site.WHISPER in text(alice.get(reverse("request", args=[scene.values["request_id"]])))
    for route in ROUTES:
        for person in (bob, staff):
            response = person.get(scene.url(route))
            said = b"".join(response) if response.streaming else response.content
            assert site.WHISPER.encode() not in said, route.name
    for route in STAFF:
        response = staff.get(reverse(route.name))
        assert site.WHISPER.encode() not in response.content, route.name


def test_another_member_who_may_change_the_key_can_only_end_it(key, request_id):
    bob = factories.user("bob")
    factories.join(bob, key.account, Membership.Role.ADMIN)
    client = signed_in(bob)
    client.post(reverse("switch_account"), {"account": str(key.account.public_id)})
    assert "Only who made this key" in text(client.get(url("key_debug", key)))
    assert start(client, key).status_code == 403
    keep(key, request_id)
    assert "debug-banner" not in text(client.get(reverse("overview")))
    client.post(url("key_debug_staff", key), {"wanted": "granted", "minutes": "15"})
    session = DebugSession.objects.get()
    assert debug.granted(session, now=timezone.now()) is None
    assert client.post(url("key_debug_stop", key)).status_code == 302
    assert DebugSession.objects.get().end == "stopped"


@pytest.mark.clause("4.2-access")
def test_its_owner_lets_staff_read_and_sees_when_they_did(client, key, request_id):
    start(client, key)
    session = keep(key, request_id)
    allowed = {"wanted": "granted", "minutes": "15"}
    for _ in range(2):  # sent twice
        client.post(url("key_debug_staff", key), allowed)
    assert session.grants.count() == 1
    assert "End it now" in text(client.get(url("key_debug", key)))
    staff = factories.user("Sophie", is_staff=True)
    staff.is_superuser = True
    staff.save()
    read = reverse("admin:logs_debugsession_content_read", args=[session.pk, request_id])
    assert WORD in text(signed_in(staff).post(read))
    client.post(url("key_debug_staff", key), {"wanted": "revoked"})
    assert signed_in(staff).post(read).status_code == 403
    client.post(url("key_debug_stop", key))
    shown = text(client.get(url("key_debug", key)))
    assert "Read by our staff" in shown
    assert reverse("request", args=[request_id]) in shown


def test_a_key_without_debug_mode_says_so(client, alice):
    account = factories.account_of(alice)
    key, _ = keys.mint(account=account, created_by=alice, name="boss", is_management=True)
    assert "no debug mode" in text(client.get(url("key_debug", key)))
    assert start(client, key).status_code == 403


def test_pages_ask_few_questions(client, key, request_id, django_assert_max_num_queries):
    start(client, key)
    keep(key, request_id)
    for page in (url("key_debug", key), url("key", key), reverse("requests"), reverse("overview"),
                 reverse("request", args=[request_id])):  # fmt: skip
        client.get(page)
        with django_assert_max_num_queries(12):
            client.get(page)
