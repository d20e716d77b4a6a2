"""Forms and files through a real gateway: what the vendor gets, what the caller gets back."""

import json
import os
from fractions import Fraction
from pathlib import Path

import pytest

from billing.money import parse_usd
from tests import scripts
from tests.e2e import serving
from tests.e2e.serving import CHAT, SECRET, Serving
from tests.emulator import Script
from tests.routing.dialects import calls
from tests.routing.test_audio_length import mp3, wav

pytestmark = pytest.mark.process
SOUND = mp3(50) + b"\r\n--\r\n\0\xff"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
PRICES = {
    "ears": {"audio_duration": "3.6"},  # a tenth of a cent a second
    "scribe": {"input": "3", "audio_input": "6", "output": "15"},
    "picture": {"image": "40"},
    "voice": {"characters": "15"},
    "free": {"input": "0"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    site = Serving(folder).start()
    models = [
        {"name": f"acme/{name}", "upstream_name": f"v-{name}", "prices": prices}
        for name, prices in PRICES.items()
    ]
    entry = {"name": "media", "vendor": "openai", "protocol": "openai-chat", "api_key": SECRET,
             "base_url": f"{site.vendor.url}/v1", "models": models}  # fmt: skip
    file = Path(folder) / "media.json"
    file.write_text(json.dumps({"channels": [entry]}))
    site.gateway.manage("import_channels", str(file))
    site.gateway.wait_for_model(site.key, models[-1]["name"])
    yield site
    site.stop()


@pytest.fixture(autouse=True)
def fresh(site):
    site.vendor.forget()


def post(site, path, *parts, headers=None, key=None):
    told = {**calls.form_type(), **site.credentials(CHAT, key), **(headers or {})}
    return site.ask("POST", path, calls.form(*parts), told)


def answers(site, model, script):
    site.vendor.scripts[f"v-{model}"] = script


def seen(site, model):
    [exchange] = site.vendor.of(f"v-{model}")
    return exchange


TRANSCRIPTIONS = "/v1/audio/transcriptions"
HEARD = {"text": "ok", "usage": {"type": "duration", "seconds": 2}}


def test_a_form_reaches_the_vendor_byte_for_byte_but_for_the_model(site):
    answers(site, "ears", scripts.whole(HEARD))
    rest = [("file", SOUND), ("include[]", "logprobs"), ("include[]", "x"), ("prompt", "naïve")]
    got = post(site, TRANSCRIPTIONS, ("model", "acme/ears"), *rest)
    assert got.status == 200
    sent = seen(site, "ears")
    assert sent.body == calls.form(("model", "v-ears"), *rest)
    assert sent.path == "/v1/audio/transcriptions"
    assert sent.header("content-type") == calls.form_type()["content-type"]
    assert sent.header("authorization") == f"Bearer {SECRET}"
    assert sent.header("x-api-key") is None
    assert got.body == json.dumps(HEARD).encode()
    assert parse_usd(got.headers["x-cost-usd"]) == 2 * 10**6 * 105 // 100


def test_the_account_is_tagged_where_the_vendor_wants_it(site):
    answers(site, "picture", scripts.whole({"created": 1, "data": [{"url": "https://x.example"}]}))
    parts = [("prompt", "a hat"), ("image", PICTURE), ("user", "alice")]
    got = post(site, "/v1/images/edits", ("model", "acme/picture"), *parts)
    assert got.status == 200
    body = seen(site, "picture").body
    tag = body.partition(b'name="user"\r\n\r\n')[2].partition(b"\r\n")[0].decode()
    assert len(tag) == 40
    assert tag != "alice"
    assert body == calls.form(("model", "v-picture"), *parts[:2], ("user", tag))
    assert parse_usd(got.headers["x-cost-usd"]) == 42_000_000


def test_sound_comes_back_byte_for_byte_with_its_type(site):
    kind = (("Content-Type", "audio/mpeg; x=1"),)
    answers(site, "voice", Script(headers=kind, chunks=[SOUND[:99], SOUND[99:]], is_chunked=True))
    body = {"model": "acme/voice", "input": "x" * 100, "voice": "alloy"}
    got = site.send(CHAT, "/v1/audio/speech", json.dumps(body).encode())
    assert got.body == SOUND
    assert got.headers["content-type"] == "audio/mpeg; x=1"
    assert parse_usd(got.headers["x-cost-usd"]) == 100 * 15_750
    assert seen(site, "voice").json == {**body, "model": "v-voice"}


def test_events_come_through_one_by_one_as_large_as_pictures(site):
    partial = {"type": "image_generation.partial_image", "b64_json": "A" * (6 << 20)}
    done = {"type": "image_generation.completed", "b64_json": "B" * (6 << 20), "usage": {}}
    events = [scripts.sse(partial, event=partial["type"]), scripts.sse(done, event=done["type"])]
    answers(site, "picture", scripts.stream(events, slice_bytes=1 << 16))
    body = {"model": "acme/picture", "prompt": "x", "stream": True, "partial_images": 1}
    got = site.send(CHAT, "/v1/images/generations", json.dumps(body).encode())
    assert got.body == b"".join(events)
    assert got.headers["content-type"].startswith("text/event-stream")
    assert site.logged(got.headers["x-generation-id"])[2] == 42_000_000


def test_the_platforms_envelope_adds_the_cost_and_leaves_sound_alone(site):
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    done = {"type": "image_generation.completed", "b64_json": "B" * (6 << 20), "usage": usage}
    answers(site, "picture", scripts.stream([scripts.sse(done)]))
    body = {"model": "acme/picture", "prompt": "x", "stream": True}
    got = site.send(CHAT, "/api/v1/images/generations", json.dumps(body).encode())
    told = json.loads(got.body.partition(b"data: ")[2])
    assert told["usage"]["cost"] == 0.042
    assert told["b64_json"] == done["b64_json"]
    answers(site, "voice", Script(headers=(("Content-Type", "audio/mpeg"),), chunks=[SOUND]))
    body = {"model": "acme/voice", "input": "x", "voice": "alloy"}
    got = site.send(CHAT, "/api/v1/audio/speech", json.dumps(body).encode())
    assert got.body == SOUND


def test_a_client_that_leaves_pays_the_whole_picture(site):
    """Partial pictures are cheap and nearly whole: the vendor bills the whole, and so do we."""
    usage = {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110}
    partial = scripts.sse({"type": "image_generation.partial_image", "b64_json": "AA"})
    done = scripts.sse({"type": "image_generation.completed", "b64_json": "AA", "usage": usage})
    site.vendor.scripts["c-main"] = scripts.stream([partial, done], gap_s=0.7)
    path = "/v1/images/generations"
    protocol = serving.Protocol(
        name="images", family="openai-chat", path=path, stream_path=path, body={"prompt": "x"}
    )
    tap = site.open_stream(protocol)
    tap.read_until(b"partial_image")
    tap.close()
    logged = site.logged(tap.headers["x-generation-id"])
    assert logged[2] == 10 * 3_150 + 100 * 15_750
    assert site.vendor.of("c-main")[0].end == "whole"


REFUSED = {
    "json where a form is taken": ("{}", "application/json", 415, "unsupported_media_type"),
    "no boundary": (b"", "multipart/form-data", 400, "invalid_header"),
    "another boundary": (
        calls.form(("model", "acme/ears"), ("file", SOUND)),
        "multipart/form-data; boundary=other", 400, "invalid_value",
    ),
    "two models": (
        calls.form(("model", "acme/ears"), ("model", "acme/free"), ("file", SOUND)),
        calls.form_type()["content-type"], 400, "duplicate_key",
    ),
    "a handle": (
        calls.form(("model", "acme/ears"), ("file", SOUND), ("file_id", "f")),
        calls.form_type()["content-type"], 400, "vendor_handle",
    ),
    "no file": (
        calls.form(("model", "acme/ears")),
        calls.form_type()["content-type"], 400, "missing_required_parameter",
    ),
    "an unknown model": (
        calls.form(("model", "acme/none"), ("file", SOUND)),
        calls.form_type()["content-type"], 404, "model_not_found",
    ),
    "a model that has no price for sound": (
        calls.form(("model", "acme/picture"), ("file", SOUND)),
        calls.form_type()["content-type"], 400, "unpriced",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_form_is_refused_before_any_vendor(site, name):
    body, kind, status, code = REFUSED[name]
    got = site.send(CHAT, TRANSCRIPTIONS, body, headers={"content-type": kind})
    assert (got.status, got.code) == (status, code)
    assert not site.vendor.exchanges


def test_a_form_is_taken_by_nobody_else(site):
    for path in ("/v1/chat/completions", "/v1/images/generations", "/v1/audio/speech"):
        got = post(site, path, ("model", "acme/free"))
        assert (got.status, got.code) == (415, "unsupported_media_type")


def test_a_poor_balance_is_refused_by_the_length_of_the_sound(site):
    """An hour costs $3.78, but what is held for an hour is more than ten minutes' balance."""
    answers(site, "ears", scripts.whole(HEARD))
    key = site.new_key("poor@example.com", credit_usd="0.60")
    hour = wav(3_600, rate=1_000, bits=8)
    got = post(site, TRANSCRIPTIONS, ("model", "acme/ears"), ("file", hour), key=key)
    assert (got.status, got.code) == (402, "insufficient_quota")
    assert not site.vendor.exchanges
    got = post(site, TRANSCRIPTIONS, ("model", "acme/ears"), ("file", wav(60)), key=key)
    assert got.status == 200
    capped = post(
        site, TRANSCRIPTIONS, ("model", "acme/ears"), ("file", hour),
        headers={"x-max-cost-usd": "1"},
    )  # fmt: skip
    assert (capped.status, capped.code) == (402, "cost_cap_reached")


def test_what_a_vendor_claims_beyond_the_hold_is_not_charged(site):
    answers(site, "ears", scripts.whole({"text": "x", "usage": {"seconds": 100_000}}))
    got = post(site, TRANSCRIPTIONS, ("model", "acme/ears"), ("file", wav(10)))
    charged = Fraction(parse_usd(got.headers["x-cost-usd"]), 10**9)
    assert charged == Fraction(60) * Fraction(105, 100) / 1_000  # 10 s and the margin of 50


@pytest.mark.parametrize(
    "script",
    [
        Script(chunks=[b"<html>oops</html>"], headers=(("Content-Type", "text/html"),)),
        Script(chunks=[b""]),
        scripts.whole({"error": {"message": "no"}}),
        scripts.error(500),
    ],
)
def test_what_is_no_answer_costs_nothing(site, script):
    answers(site, "ears", script)
    got = post(site, TRANSCRIPTIONS, ("model", "acme/ears"), ("file", SOUND))
    assert got.status >= 500
    assert "x-cost-usd" not in got.headers
    assert site.logged(got.headers["x-generation-id"])[2] == 0


def test_moderations_cost_nothing_by_a_price_that_was_stated(site):
    answers(site, "free", scripts.whole({"id": "m", "model": "m", "results": [{"flagged": False}]}))
    body = json.dumps({"model": "acme/free", "input": "hello"}).encode()
    got = site.send(CHAT, "/v1/moderations", body)
    assert got.status == 200
    assert parse_usd(got.headers["x-cost-usd"]) == 0


def test_no_file_was_written_and_no_content_logged(site):
    marker = b"KEEPTHISFROMDISK" + os.urandom(8).hex().encode()
    answers(site, "ears", scripts.whole(HEARD))
    sound = wav(1) + marker + bytes(3 << 20)
    assert post(site, TRANSCRIPTIONS, ("model", "acme/ears"), ("file", sound)).status == 200
    for path in Path(site.folder).rglob("*"):
        if path.is_file():
            assert marker not in path.read_bytes(), path


def test_the_ledger_is_clean_after_all_this(site):
    site.gateway.manage("audit_ledger")
