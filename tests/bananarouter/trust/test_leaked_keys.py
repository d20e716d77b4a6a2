"""GitHub's secret scanning reports to us: real keys, real signatures, a real server for them."""

import base64
import hashlib
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import keys, keytext, leaks
from accounts.models import ApiKey, LeakedKey, Notification
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
TYPE = "bananarouter_api_key"


class GitHub:
    """Publishes public keys over HTTP, and signs with their private halves."""

    def __init__(self):
        self.private, self.asked, self.answer = {}, 0, None
        self.rotate("first")
        github = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                github.asked += 1
                body = github.answer if github.answer is not None else github.published()
                self.send_response(200 if body else 500)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/meta/public_keys/secret_scanning"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rotate(self, name):
        self.private[name] = ec.generate_private_key(ec.SECP256R1())

    def published(self):
        rows = [
            {"key_identifier": name, "is_current": True, "key": key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ).decode()}
            for name, key in self.private.items()
        ]  # fmt: skip
        return json.dumps({"public_keys": rows}).encode()

    def sign(self, body, name="first"):
        return base64.b64encode(self.private[name].sign(body, ec.ECDSA(SHA256()))).decode()

    def report(self, *tokens, name="first", **changed):
        rows = [
            {"token": token, "type": TYPE, "url": "https://github.com/a/b", "source": "content"}
            for token in tokens
        ]
        body = json.dumps(rows).encode()
        return send(body, key_id=name, signature=self.sign(body, name), **changed)


def send(body, *, key_id="first", signature="", **headers):
    return Client(enforce_csrf_checks=True).post(
        reverse("leaked_keys"), body, content_type="application/json",
        headers={
            "Github-Public-Key-Identifier": key_id,
            "Github-Public-Key-Signature": signature, **headers,
        },
    )  # fmt: skip


@pytest.fixture
def github(settings):
    cache.clear()
    found = GitHub()
    settings.LEAK_KEYS_URL = found.url
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def key():
    alice = factories.user("alice")
    return keys.mint(account=factories.account_of(alice), created_by=alice, name="laptop")


def is_revoked(made):
    return ApiKey.objects.filter(pk=made.pk, disabled_at__isnull=False).exists()


@pytest.mark.clause("2-notify-security")
def test_a_signed_report_revokes_and_says_which_were_real(github, key):
    made, text = key
    foreign = keytext.draw()
    response = github.report(text, foreign, "not a key")
    assert response.status_code == 200
    assert response.json() == [
        {"token_hash": hashlib.sha256(token.encode()).hexdigest(), "token_type": TYPE,
         "label": label}
        for token, label in [
            (text, "true_positive"), (foreign, "false_positive"), ("not a key", "false_positive"),
        ]
    ]  # fmt: skip
    assert is_revoked(made)


def test_a_replay_says_the_same_and_changes_nothing(github, key):
    first, again = github.report(key[1]), github.report(key[1])
    assert first.json() == again.json()
    assert LeakedKey.objects.count() == 1


@pytest.mark.clause("2-notify-security")
def test_a_wrong_signature_changes_nothing(github, key):
    made, text = key
    body = json.dumps([{"token": text, "type": TYPE, "url": "", "source": "content"}]).encode()
    other = github.sign(body + b" ")
    for signature in (other, "AAAA", "no base64!", "é"):
        response = send(body, signature=signature)
        assert (response.status_code, response.json()) == (403, {"error": "wrong_signature"})
    assert not is_revoked(made)


def test_a_key_of_another_kind_does_not_verify(github):
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = rsa_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    github.answer = json.dumps({"public_keys": [{"key_identifier": "first", "key": pem}]}).encode()
    assert github.report("x").json() == {"error": "wrong_signature"}


@pytest.mark.parametrize(("key_id", "signature"), [("", "AAAA"), ("first", "")])
def test_an_unsigned_report_is_refused_without_asking_for_keys(github, key_id, signature):
    response = send(b"[]", key_id=key_id, signature=signature)
    assert (response.status_code, response.json()) == (403, {"error": "no_signature"})
    assert github.asked == 0


def test_an_unknown_key_asks_github_once_not_each_time(github):
    github.report("x")
    cache.delete("leak-senders:asked")
    for _ in range(5):
        response = send(b"[]", key_id="nobody", signature="AAAA")
        assert (response.status_code, response.json()) == (403, {"error": "unknown_key"})
    assert github.asked == 2


def test_a_new_key_of_github_is_fetched_when_it_is_used(github, key):
    assert github.report("x").status_code == 200
    github.rotate("second")
    cache.delete("leak-senders:asked")
    assert github.report(key[1], name="second").status_code == 200
    assert is_revoked(key[0])
    assert github.asked == 2


@pytest.mark.parametrize("answer", [b"", b"no json", b"{}", b'{"public_keys": 1}', b"x" * 70_000])
def test_keys_that_cannot_be_read_ask_for_another_try(github, key, answer):
    github.answer = answer
    response = github.report(key[1])
    assert (response.status_code, response.json()) == (503, {"error": "keys_away"})
    assert response["Retry-After"] == "60"
    github.answer = None
    assert github.report(key[1]).status_code == 200


def test_keys_are_never_fetched_in_the_clear(github, settings):
    settings.LEAK_KEYS_URL = "http://keys.example.com/"
    assert github.report("x").json() == {"error": "keys_away"}


def test_what_is_no_report_is_refused(github):
    body = b'{"token": "x"}'
    response = send(body, signature=github.sign(body))
    assert (response.status_code, response.json()) == (400, {"error": "unreadable"})


def test_ten_thousand_findings_are_answered_in_time_and_one_more_is_refused(github, key):
    _, text = key
    tokens = [keytext.draw() for _ in range(leaks.FINDINGS_MAX - 1)]
    began = time.monotonic()
    response = github.report(*tokens, text)
    took_s = time.monotonic() - began
    assert took_s < 20  # GitHub waits for 30 s
    labels = [row["label"] for row in response.json()]
    assert labels.count("true_positive") == 1
    assert labels[-1] == "true_positive"
    more = github.report(*tokens, text, "x")
    assert (more.status_code, more.json()) == (413, {"error": "too_many"})


def test_a_body_above_the_limit_is_not_read(github):
    response = send(b"[]", signature="AAAA", **{"Content-Length": str(9 << 20)})
    assert (response.status_code, response.json()) == (413, {"error": "too_large"})


def test_one_network_cannot_knock_for_ever(github, monkeypatch):
    monkeypatch.setattr("bananarouter.pages.trust.leaked_keys.PER_HOUR", 2)
    assert [github.report("x").status_code for _ in range(3)] == [200, 200, 429]


def test_no_log_line_and_no_row_holds_the_key(github, key, caplog):
    _, text = key
    with caplog.at_level(logging.DEBUG):
        github.report(text)
        send(b"[]" + text.encode(), signature="AAAA")
    assert text not in caplog.text
    assert text not in str([list(each.objects.values()) for each in (LeakedKey, Notification)])
