"""One application, two ways: the API's paths to the gateway, the rest to Django."""

import asyncio

import pytest

from bananarouter import asgi


def ask(path, *headers, method="POST"):
    """Call the application without a server; return the messages it sent."""
    sent = []

    async def receive():
        raise AssertionError("the body must not be read")

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": list(headers), "client": ("127.0.0.1", 1),
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


def test_the_apis_paths_answer_in_the_apis_words():
    head, body = ask("/v1/nothing")
    assert head["status"] == 404
    assert b'"error"' in body["body"]
