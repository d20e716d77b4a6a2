"""Staff add, test and switch channels; a credential goes in and never comes out."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.urls import reverse

from accounts.models import Change, User
from billing import rates
from routing import catalogue, credentials
from routing.models import Channel, Endpoint, Model, ModelAlias

pytestmark = pytest.mark.django_db
KEY = "sk-test-0123456789abcdef-WXYZ"
ADD = "admin:routing_channel_add"
LIST = "admin:routing_channel_changelist"


@pytest.fixture
def staff(client):
    user = User.objects.create_superuser("root", "root@example.com", "a password that is long")
    client.force_login(user)
    return client


@pytest.fixture
def vendor():
    """A vendor that knows one key and answers as `server.answer` says."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, dict(self.headers)))
            status, body = self.server.answer
            if KEY not in str(self.headers):
                status, body = 401, {"error": {"message": "no", "code": "invalid_api_key"}}
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answer = 200, {"data": [{"id": "a"}, {"id": "b"}]}
    server.seen = seen
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def filled(**changes):
    return {
        "name": "main",
        "vendor": "openai",
        "protocol": "openai-chat",
        "base_url": "https://api.openai.com/v1",
        "jurisdiction": "US",
        "priority": "100",
        "on_disconnect": "stop",
        "is_enabled": "on",
        "api_key": KEY,
        "new_models": "gpt-4o\n\ngpt-5\ngpt-4o",
        **changes,
    }


def add(staff, **changes):
    return staff.post(reverse(ADD), filled(**changes))


def act(staff, action, *names):
    staff.get(reverse(LIST))  # shows what was said before
    ids = list(Channel.objects.filter(name__in=names).values_list("pk", flat=True))
    return staff.post(reverse(LIST), {"action": action, "_selected_action": ids}, follow=True)


def told(response):
    return [str(message) for message in response.context["messages"]]


def test_a_channel_comes_with_its_credential_and_models(staff):
    response = add(staff)
    assert response.status_code == 302
    row = Channel.objects.get()
    assert credentials.is_secret(row, KEY)
    assert set(Model.objects.values_list("slug", flat=True)) == {"openai/gpt-4o", "openai/gpt-5"}
    catalogue.refresh()
    [endpoint] = catalogue.current().resolve("gpt-5").endpoints
    assert endpoint.channel.auth_headers == {"authorization": f"Bearer {KEY}"}
    assert Change.objects.filter(topic=Change.Topic.CATALOGUE).exists()


def test_no_page_shows_a_credential(staff):
    add(staff)
    row = Channel.objects.get()
    for url in (
        reverse(LIST),
        reverse("admin:routing_channel_change", args=[row.pk]),
        reverse("admin:routing_channel_history", args=[row.pk]),
    ):
        page = staff.get(url).content.decode()
        assert KEY not in page
        assert bytes(row.credential).hex() not in page
    assert "…WXYZ" in staff.get(reverse(LIST)).content.decode()


def test_a_form_that_is_wrong_does_not_give_the_credential_back(staff):
    page = add(staff, base_url="http://example.com").content.decode()
    assert "plain http is for this machine" in page
    assert KEY not in page
    assert not Channel.objects.exists()


@pytest.mark.parametrize(("changes", "text"), [
    ({"base_url": "http://10.1.2.3/v1"}, "must be https"),
    ({"api_key": "é"}, "printable ASCII"),
    ({"new_models": "a//b"}, "has an empty part"),
    ({"vendor": "nobody"}, "Select a valid choice"),
    ({"protocol": "smoke"}, "Select a valid choice"),
])  # fmt: skip
def test_a_form_follows_the_rules_of_the_import(staff, changes, text):
    response = add(staff, **changes)
    assert response.status_code == 200
    assert text in response.content.decode()
    assert not Channel.objects.exists()


def test_saving_without_a_credential_keeps_the_stored_one(staff):
    add(staff)
    row = Channel.objects.get()
    url = reverse("admin:routing_channel_change", args=[row.pk])
    response = staff.post(url, filled(api_key="", new_models="", priority="7", name="renamed"))
    assert response.status_code == 302
    row.refresh_from_db()
    assert (row.name, row.priority) == ("main", 7)
    assert credentials.is_secret(row, KEY)


def test_a_channel_can_be_switched_off_and_on(staff):
    add(staff)
    before = Change.objects.count()
    assert told(act(staff, "disable", "main")) == ["Disabled 1."]
    assert not Channel.objects.get().is_enabled
    assert Change.objects.count() == before + 1
    assert told(act(staff, "disable", "main")) == ["Disabled 0."]
    assert Change.objects.count() == before + 1
    act(staff, "enable", "main")
    assert Channel.objects.get().is_enabled


def test_nobody_deletes_a_channel(staff):
    add(staff)
    row = Channel.objects.get()
    response = staff.post(reverse("admin:routing_channel_delete", args=[row.pk]), {"post": "yes"})
    assert response.status_code == 403
    assert Channel.objects.exists()


def base_url(vendor):
    return f"http://127.0.0.1:{vendor.server_address[1]}/v1"


def test_a_test_tells_that_a_channel_works(staff, vendor):
    add(staff, base_url=base_url(vendor))
    assert told(act(staff, "test", "main")) == ["main: works, 2 models listed."]
    [(path, headers)] = vendor.seen
    assert path == "/v1/models"
    assert headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("answer", "text"), [
    ((401, {"error": {"message": f"bad key {KEY}"}}), "answered 401 and refused the credential"),
    ((403, b"<html>"), "answered 403 and refused the credential"),
    ((404, {}), "answered 404 but lists no models"),
    ((500, b"oops"), "answered 500 but lists no models"),
    ((200, b"<html>"), "answered 200 but lists no models"),
    ((200, b"[" * 100_000), "answered 200 but lists no models"),
])  # fmt: skip
def test_a_test_tells_what_is_wrong_in_our_words(staff, vendor, answer, text):
    add(staff, base_url=base_url(vendor))
    vendor.answer = answer
    [line] = told(act(staff, "test", "main"))
    assert text in line
    assert KEY not in line


def test_a_test_of_a_wrong_key_says_so(staff, vendor):
    add(staff, base_url=base_url(vendor), api_key="sk-another-0123456789abcdef")
    [line] = told(act(staff, "test", "main"))
    assert "refused the credential" in line


def test_a_test_of_a_vendor_that_is_away_says_so(staff):
    add(staff, base_url="http://127.0.0.1:1/v1")
    assert told(act(staff, "test", "main")) == ["main: no usable answer within the deadline."]


def test_a_test_of_a_credential_that_does_not_open_says_so(staff):
    add(staff)
    Channel.objects.update(credential=b"\x01" + b"x" * 100)
    assert told(act(staff, "test", "main")) == ["main: the stored credential does not open."]


def test_models_and_endpoints_are_found_by_any_name_and_show_their_price(staff):
    add(staff)
    rates.load()
    page = staff.get(reverse("admin:routing_model_changelist"), {"q": "gpt-5"}).content.decode()
    assert "openai/gpt-5" in page
    assert "openai/gpt-4o" not in page
    page = staff.get(reverse("admin:routing_endpoint_changelist"), {"q": "gpt-4o"}).content.decode()
    assert "2.625 / 10.5" in page
    assert staff.get(reverse("admin:routing_modelalias_changelist")).status_code == 200


def test_a_new_alias_is_announced(staff):
    add(staff)
    model = Model.objects.get(slug="openai/gpt-5")
    before = Change.objects.count()
    staff.post(reverse("admin:routing_modelalias_add"), {"name": "best", "model": model.pk})
    assert ModelAlias.objects.filter(name="best").exists()
    assert Change.objects.count() == before + 1
    catalogue.refresh()
    assert catalogue.current().resolve("best").slug == "openai/gpt-5"


@pytest.mark.parametrize("name", ["channel", "model", "modelalias", "endpoint"])
def test_others_than_staff_see_nothing(client, name):
    url = reverse(f"admin:routing_{name}_changelist")
    assert client.get(url).status_code == 302
    user = User.objects.create_user("alice", "alice@example.com", "a password that is long")
    client.force_login(user)
    assert client.get(url).status_code in {302, 403}


def test_endpoints_are_switched_one_by_one(staff):
    add(staff)
    row = Endpoint.objects.get(model__slug="openai/gpt-5")
    staff.post(
        reverse("admin:routing_endpoint_changelist"),
        {"action": "disable", "_selected_action": [row.pk]},
    )
    catalogue.refresh()
    assert catalogue.current().resolve("gpt-5") is None
    assert catalogue.current().resolve("gpt-4o") is not None
