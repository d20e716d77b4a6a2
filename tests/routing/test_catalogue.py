"""The catalogue: names, joined URLs, opened credentials, swapped as a whole."""

import threading

import pytest

from accounts import changes
from accounts.models import Change
from routing import catalogue, channel_import, import_file, vendor_files
from routing.catalogue import Channel
from routing.models import Channel as ChannelRow
from routing.models import Endpoint, Model
from routing.surfaces import Family

KEY = "sk-test-0123456789abcdef-WXYZ"


def install(*channels):
    base = {"protocol": "openai-chat", "base_url": "https://x.example/v1", "api_key": KEY}
    channel_import.install(import_file.read({"channels": [{**base, **c} for c in channels]}))
    catalogue.refresh()
    return catalogue.current()


def live(family, base_url, *, vendor="generic", extra_query=""):
    found = vendor_files.get(vendor)
    if extra_query:
        quirks = {"extra_query": extra_query}
        found = vendor_files.Vendor(**{
            **{f: getattr(found, f) for f in found.__slots__},
            "quirks": type(found.quirks)(**quirks),
        })  # fmt: skip
    return Channel(
        id=1, name="c", vendor=found, family=family, base_url=base_url, auth_headers={},
        jurisdiction="US", priority=1, on_disconnect="stop", is_demo=False,
    )  # fmt: skip


OPENAI, ANTHROPIC, GEMINI = Family.OPENAI, Family.ANTHROPIC, Family.GEMINI
GENERATE = "models/gemini-2.5-flash:generateContent"
VERTEX = "https://aiplatform.googleapis.com/v1/projects/p/locations/global"
LOCAL = "http://127.0.0.1:8100/v1beta1/projects/p/locations/l"
URLS = [
    (OPENAI, "https://api.openai.com/v1", "chat/completions", "https://api.openai.com/v1/chat/completions"),
    (OPENAI, "https://api.openai.com/v1/", "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
    (OPENAI, "https://api.deepseek.com", "chat/completions", "https://api.deepseek.com/chat/completions"),
    (OPENAI, "https://api.z.ai/api/paas/v4", "chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"),
    (OPENAI, "https://r.azure.com/openai/deployments/d?api-version=2024-10-21", "chat/completions",
     "https://r.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21"),
    (ANTHROPIC, "https://api.anthropic.com", "messages", "https://api.anthropic.com/v1/messages"),
    (ANTHROPIC, "https://api.anthropic.com/", "v1/messages", "https://api.anthropic.com/v1/messages"),
    (ANTHROPIC, "https://api.anthropic.com/v1", "messages/count_tokens", "https://api.anthropic.com/v1/messages/count_tokens"),
    (ANTHROPIC, "https://api.deepseek.com/anthropic", "/v1/messages", "https://api.deepseek.com/anthropic/v1/messages"),
    (GEMINI, "https://g.example", GENERATE, f"https://g.example/v1beta/{GENERATE}"),
    (GEMINI, "https://g.example/v1beta", GENERATE, f"https://g.example/v1beta/{GENERATE}"),
    (GEMINI, "https://g.example/v1beta/", f"v1beta/{GENERATE}", f"https://g.example/v1beta/{GENERATE}"),
    (GEMINI, "https://g.example/v1", GENERATE, f"https://g.example/v1/{GENERATE}"),
    (GEMINI, "https://g.example/v1beta/models", GENERATE, f"https://g.example/v1beta/{GENERATE}"),
    (GEMINI, f"{VERTEX}/publishers/google", GENERATE, f"{VERTEX}/publishers/google/{GENERATE}"),
    (GEMINI, VERTEX, GENERATE, f"{VERTEX}/publishers/google/{GENERATE}"),
    (GEMINI, f"{LOCAL}/publishers/google", GENERATE, f"{LOCAL}/publishers/google/{GENERATE}"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "base_url", "path", "joined"), URLS)
def test_base_urls_join_with_and_without_a_version(family, base_url, path, joined):
    assert catalogue.url(live(family, base_url), path) == joined


def test_queries_of_the_base_the_vendor_and_the_call_join_once():
    channel = live(GEMINI, "https://g.example/v1beta")
    assert catalogue.url(channel, GENERATE, "alt=sse").endswith(f"/v1beta/{GENERATE}?alt=sse")
    channel = live(OPENAI, "https://r.example/o?api-version=1", extra_query="api-version=2")
    assert catalogue.url(channel, "c").endswith("/o/c?api-version=1")
    channel = live(OPENAI, "https://r.example/o", extra_query="api-version=2")
    assert catalogue.url(channel, "c", "beta=true").endswith("/o/c?api-version=2&beta=true")
    assert catalogue.url(channel, "c", "api-version=3").endswith("/o/c?api-version=3")


def test_a_paths_own_words_are_not_taken_for_a_version():
    channel = live(OPENAI, "https://x.example/v1")
    assert catalogue.url(channel, "v10/things") == "https://x.example/v1/v10/things"
    assert catalogue.url(channel, "v1beta1/x") == "https://x.example/v1/x"


@pytest.mark.django_db
@pytest.mark.parametrize("name", [
    "openai/gpt-5", "gpt-5", "gpt-5-2025-08-07", "openai/gpt-5-2025-08-07", "models/gpt-5",
])  # fmt: skip
def test_canonical_bare_and_dated_names_find_the_model(name):
    snapshot = install({"name": "a", "vendor": "openai", "models": ["gpt-5"]})
    assert snapshot.resolve(name).slug == "openai/gpt-5"


@pytest.mark.django_db
def test_names_of_gemini_and_vertex_find_the_model():
    snapshot = install(
        {"name": "g", "vendor": "google", "protocol": "gemini", "models": ["gemini-2.5-flash"]}
    )
    for name in (
        "gemini-2.5-flash", "models/gemini-2.5-flash", "google/gemini-2.5-flash",
        "publishers/google/models/gemini-2.5-flash",
        "projects/p/locations/l/publishers/google/models/gemini-2.5-flash",
    ):  # fmt: skip
        assert snapshot.resolve(name).slug == "google/gemini-2.5-flash", name


@pytest.mark.django_db
def test_an_undated_name_means_the_latest_dated_one():
    names = ["claude-sonnet-4-20250514", "claude-sonnet-4-20250930"]
    snapshot = install(
        {"name": "a", "vendor": "anthropic", "protocol": "anthropic-messages", "models": names}
    )
    assert snapshot.resolve("claude-sonnet-4").slug == "anthropic/claude-sonnet-4-20250930"
    assert snapshot.resolve("anthropic/claude-sonnet-4").slug.endswith("20250930")
    assert snapshot.resolve("claude-sonnet-4@20250514").slug.endswith("20250514")
    assert snapshot.resolve("claude-sonnet-4-2025-05-14").slug.endswith("20250514")
    assert snapshot.resolve("claude-sonnet-4-20240101").slug.endswith("20250930")


@pytest.mark.django_db
def test_an_exact_name_wins_over_a_date_that_is_taken_off():
    snapshot = install({"name": "a", "vendor": "openai",
                        "models": ["gpt-4o", "gpt-4o-2024-08-06"]})  # fmt: skip
    assert snapshot.resolve("gpt-4o-2024-08-06").slug == "openai/gpt-4o-2024-08-06"
    assert snapshot.resolve("gpt-4o").slug == "openai/gpt-4o"
    assert snapshot.resolve("gpt-4o-2024-11-20").slug == "openai/gpt-4o"


@pytest.mark.django_db
@pytest.mark.parametrize("name", [
    "", "/", "gpt", "openai/", "GPT-5", "openai/gpt-5x", "models/", "x/models/gpt-5",
    "gpt-5-2025-13", "../gpt-5", "gpt-5\n", "a" * 100_000,
])  # fmt: skip
def test_other_names_find_nothing(name):
    snapshot = install({"name": "a", "vendor": "openai", "models": ["gpt-5"]})
    assert snapshot.resolve(name) is None


@pytest.mark.django_db
def test_names_may_hold_slashes_and_colons():
    names = ["@cf/meta/llama-3.3-70b", "accounts/fireworks/models/kimi", "gpt-oss:120b"]
    snapshot = install({"name": "a", "vendor": "acme", "models": names})
    assert {snapshot.resolve(name).endpoints[0].upstream_name for name in names} == set(names)


@pytest.mark.django_db
def test_endpoints_come_in_the_order_of_priority():
    snapshot = install(
        {"name": "late", "vendor": "openai", "priority": 200, "models": ["gpt-5"]},
        {"name": "first", "vendor": "openai", "priority": 1, "models": ["gpt-5"]},
        {"name": "tied", "vendor": "openai", "priority": 200, "models": ["gpt-5"]},
    )
    names = [e.channel.name for e in snapshot.resolve("gpt-5").endpoints]
    assert names == ["first", "late", "tied"]


@pytest.mark.django_db
@pytest.mark.parametrize("model", [ChannelRow, Model, Endpoint])
def test_what_is_disabled_is_not_in_the_catalogue(model):
    install({"name": "a", "vendor": "openai", "models": ["gpt-5"]})
    model.objects.update(is_enabled=False)
    catalogue.refresh()
    assert catalogue.current().resolve("gpt-5") is None


@pytest.mark.django_db
@pytest.mark.parametrize(("vendor", "protocol", "headers"), [
    ("openai", "openai-chat", {"authorization": f"Bearer {KEY}"}),
    ("azure-openai", "openai-chat", {"api-key": KEY}),
    ("anthropic", "anthropic-messages", {"x-api-key": KEY}),
    ("google", "gemini", {"x-goog-api-key": KEY}),
    ("google-vertex", "gemini", {"authorization": f"Bearer {KEY}"}),
    ("acme", "anthropic-messages", {"x-api-key": KEY}),
    ("acme", "gemini", {"x-goog-api-key": KEY}),
])  # fmt: skip
def test_the_key_goes_where_the_vendor_takes_it(vendor, protocol, headers):
    snapshot = install({"name": "a", "vendor": vendor, "protocol": protocol, "models": ["m"]})
    [endpoint] = snapshot.resolve("m").endpoints
    assert endpoint.channel.auth_headers == headers


@pytest.mark.django_db
def test_a_channel_without_a_credential_sends_none():
    snapshot = install({"name": "a", "vendor": "ollama", "api_key": "", "models": ["m"]})
    assert snapshot.resolve("m").endpoints[0].channel.auth_headers == {}


@pytest.mark.django_db
def test_a_channel_whose_credential_does_not_open_is_left_out_and_the_others_stay(caplog):
    install(
        {"name": "bad", "vendor": "openai", "models": ["gpt-5", "gpt-4o"]},
        {"name": "good", "vendor": "openai", "models": ["gpt-5"]},
    )
    good = ChannelRow.objects.get(name="good")
    ChannelRow.objects.filter(name="bad").update(credential=good.credential)
    catalogue.refresh()
    snapshot = catalogue.current()
    assert [e.channel.name for e in snapshot.resolve("gpt-5").endpoints] == ["good"]
    assert snapshot.resolve("gpt-4o") is None
    assert "does not open" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.django_db
def test_a_snapshot_in_use_does_not_change():
    before = install({"name": "a", "vendor": "openai", "models": ["gpt-5"]})
    install({"name": "a", "vendor": "openai", "models": ["gpt-4o"]})
    assert before.resolve("gpt-4o") is None
    assert catalogue.current().resolve("gpt-4o") is not None
    with pytest.raises(TypeError):
        before.models["x"] = None


class Listener:
    def __init__(self):
        self.subscribed = {}

    def subscribe(self, topic, callback):
        self.subscribed[topic] = callback


@pytest.mark.django_db
def test_a_change_of_the_catalogue_refreshes_it():
    listener = Listener()
    catalogue.connect(listener)
    install({"name": "a", "vendor": "openai", "models": ["gpt-5"]})
    ChannelRow.objects.update(priority=7)
    listener.subscribed[Change.Topic.CATALOGUE]("")
    assert catalogue.current().resolve("gpt-5").endpoints[0].channel.priority == 7


@pytest.mark.django_db(transaction=True)
def test_an_import_is_in_effect_on_a_listening_worker_within_two_seconds():
    seen = threading.Event()
    listener = changes.Listener(poll_s=0.1)
    catalogue.connect(listener)
    listener.subscribe(
        Change.Topic.CATALOGUE,
        lambda _ref: catalogue.current().resolve("gpt-new") and seen.set(),
    )
    listener.start()
    try:
        channel_import.install(import_file.read({"channels": [{
            "name": "a", "vendor": "openai", "protocol": "openai-chat", "api_key": KEY,
            "base_url": "https://x.example/v1",
            "models": [{"name": "gpt-new", "prices": {"input": "1", "output": "1"}}],
        }]}))  # fmt: skip
        assert seen.wait(2)
    finally:
        listener.stop()
