"""One application, two ways: the API's paths to the gateway, the rest to Django."""

import asyncio
import inspect

import pytest

from bananarouter import asgi


def ask(path, *headers, method="POST", peer="127.0.0.1"):
    """Call the application without a server; return the messages it sent."""
    sent = []

    async def receive():
        raise AssertionError("the body must not be read")

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": list(headers), "client": (peer, 1),
        "server": ("127.0.0.1", 2), "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(asgi.application(scope, receive, send))
    return sent


@pytest.mark.clause("1.2-content")
@pytest.mark.parametrize(
    "header",
    [
        (b"content-length", b"2000000"),
        (b"content-length", b"many"),
        (b"transfer-encoding", b"chunked"),
    ],
)
def test_a_large_body_for_a_page_is_refused_before_it_is_read(header):
    assert ask("/v2/chat/completions", header)[0]["status"] == 413


def test_a_page_is_made_in_one_visit_to_its_thread():
    """Each part of the other kind is one more change of threads: eight for a page."""
    assert not inspect.iscoroutinefunction(asgi._django._middleware_chain)


def test_the_apis_paths_answer_in_the_apis_words():
    head, body = ask("/v1/nothing")
    assert head["status"] == 404
    assert b'"error"' in body["body"]


@pytest.mark.clause("4.2-tls")
@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.7", []),
        ("127.0.0.1", [(b"x-forwarded-for", b"192.0.2.7")]),
        ("127.0.0.1", [(b"x-forwarded-proto", b"http")]),
        ("10.0.0.1", [(b"x-forwarded-proto", b"https"), (b"x-forwarded-proto", b"http")]),
        ("10.0.0.1", [(b"x-forwarded-proto", b"https, http")]),
    ],
)
def test_the_api_refuses_what_came_without_tls_unread(settings, peer, headers):
    settings.HTTPS = True
    key = (b"authorization", b"Bearer bnr_live_x")
    head, body = ask("/v1/chat/completions", key, *headers, peer=peer)
    assert head["status"] == 403
    assert b'"https_required"' in body["body"]
    assert b"rotate the key" in body["body"]


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("127.0.0.1", []),
        ("::1", []),
        ("10.0.0.1", [(b"x-forwarded-proto", b"https")]),
        ("10.0.0.1", [(b"x-forwarded-proto", b"https, https")]),
    ],
)
def test_the_api_takes_tls_and_this_machine(settings, peer, headers):
    settings.HTTPS = True
    assert ask("/v1/nothing", *headers, peer=peer)[0]["status"] == 404


def test_without_tls_in_front_everybody_may_call(settings):
    settings.HTTPS = False
    assert ask("/v1/nothing", peer="192.0.2.7")[0]["status"] == 404
