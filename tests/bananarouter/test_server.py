"""The HTTP server of a worker, spoken to over real sockets."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import uvicorn
from django.conf import settings

from bananarouter import env, http1, server
from tests.servers import wait_until

SEEN: list[tuple[str, str]] = []
RELEASE = threading.Event()


async def app(scope, receive, send):
    """Answers with what it understood, so that a smuggled request shows."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    path = scope["path"]
    SEEN.append((scope["method"], path))
    if path == "/early":
        await _answer(send, 413, b"too large")
        return
    body = await _read(receive)
    if body is None:
        SEEN.append(("gone", path))
    elif path == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.to_thread(RELEASE.wait, 10)
        await send({"type": "http.response.body", "body": b"last", "more_body": False})
    else:
        headers = [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]]
        found = {"path": path, "headers": headers, "body": len(body)}
        await _answer(send, 200, json.dumps(found).encode())


async def _live(receive, send):
    for moment in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{moment}"
        await send({"type": f"lifespan.{moment}.complete"})


async def _read(receive):
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send, status, body):
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port():
    """A worker's server in a thread; short deadlines where a test sets them beforehand."""
    SEEN.clear()
    RELEASE.clear()
    config = uvicorn.Config(
        app, loop="uvloop", http=http1.Protocol, ws="none", lifespan="on", log_config=None,
        access_log=False, proxy_headers=False, server_header=False, timeout_keep_alive=75,
    )  # fmt: skip
    running = server.Server(config, accept_grace_s=0, drain_timeout_s=5)
    listening = socket.create_server(("127.0.0.1", 0))
    number = listening.getsockname()[1]
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    wait_until(lambda: running.started, what="the server")
    yield number
    RELEASE.set()
    running.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def connect(port):
    found = socket.create_connection(("127.0.0.1", port), timeout=5)
    found.settimeout(5)
    return found


def read_all(connection):
    parts = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            parts += chunk
    return parts


def talk(port, raw):
    """Send bytes, then read until the server closes."""
    with connect(port) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(raw)
        return read_all(connection)


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


def get(path="/", *, extra=b"", close=True):
    end = b"Connection: close\r\n" if close else b""
    return b"GET " + path.encode() + b" HTTP/1.1\r\nHost: t\r\n" + extra + end + b"\r\n"


def post(body, *, path="/", extra=b"", close=True):
    end = b"Connection: close\r\n" if close else b""
    head = b"POST " + path.encode() + b" HTTP/1.1\r\nHost: t\r\n" + extra + end + b"\r\n"
    return head + body


def test_serves_a_request_without_server_header(port):
    answer = talk(port, get("/hello"))
    assert status_of(answer) == 200
    assert b'"path": "/hello"' in answer
    assert b"server:" not in answer.lower()
    assert b"date:" in answer.lower()


def test_takes_a_head_of_32_kib_and_100_fields(port):
    fields = b"".join(b"x-%d: %s\r\n" % (n, b"v" * 300) for n in range(98))
    assert status_of(talk(port, get(extra=fields))) == 200


@pytest.mark.parametrize(
    "extra",
    [
        b"".join(b"x-%d: v\r\n" % n for n in range(101)),
        b"x: " + b"v" * (33 << 10) + b"\r\n",
        b"".join(b"x-%d: %s\r\n" % (n, b"v" * 1000) for n in range(40)),
    ],
    ids=["fields", "one field", "bytes"],
)
def test_refuses_an_oversize_head_with_431(port, extra):
    answer = talk(port, get(extra=extra))
    assert status_of(answer) == 431
    assert not SEEN


def test_refuses_a_field_that_never_ends_with_431(port):
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nx: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                connection.sendall(b"v" * 1024)
        assert status_of(read_all(connection)) == 431
    assert not SEEN


def test_refuses_a_long_url_with_414(port):
    assert status_of(talk(port, get("/" + "a" * 9000))) == 414
    assert status_of(talk(port, get("/" + "a" * 8000))) == 200


def test_a_pipelined_body_does_not_count_as_head(port):
    body = b"b" * (60 << 10)
    first = post(body, extra=b"Content-Length: %d\r\n" % len(body), close=False)
    answer = talk(port, first + get("/second"))
    assert answer.count(b"HTTP/1.1 200") == 2


def test_refuses_more_pipelined_requests_than_it_queues(port):
    with connect(port) as connection:
        connection.sendall(get("/stream", close=False))
        wait_until(lambda: SEEN, what="the stream")
        connection.sendall(get("/next", close=False) * 200)
        answer = read_all(connection)
    assert b"first" in answer
    assert ("GET", "/next") not in SEEN


SMUGGLING = {
    "content-length and transfer-encoding": post(
        b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n",
        extra=b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    ),
    "transfer-encoding and content-length": post(
        b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n",
        extra=b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    ),
    "two lengths": post(
        b"abcdGET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n",
        extra=b"Content-Length: 4\r\nContent-Length: 0\r\n",
    ),
    "two equal lengths": post(b"abcd", extra=b"Content-Length: 4\r\nContent-Length: 4\r\n"),
    "length list": post(b"abcd", extra=b"Content-Length: 4, 4\r\n"),
    "signed length": post(b"abcd", extra=b"Content-Length: +4\r\n"),
    "hex length": post(b"abcd", extra=b"Content-Length: 0x4\r\n"),
    "negative length": post(b"abcd", extra=b"Content-Length: -4\r\n"),
    "huge length": post(b"abcd", extra=b"Content-Length: 99999999999999999999999\r\n"),
    "space before colon": post(b"abcd", extra=b"Content-Length : 4\r\n"),
    "space before colon of encoding": post(b"0\r\n\r\n", extra=b"Transfer-Encoding : chunked\r\n"),
    "encoding that is not chunked": post(b"abcd", extra=b"Transfer-Encoding: xchunked\r\n"),
    "chunked is not last": post(b"0\r\n\r\n", extra=b"Transfer-Encoding: chunked, gzip\r\n"),
    "chunked with vertical tab": post(b"0\r\n\r\n", extra=b"Transfer-Encoding: \x0bchunked\r\n"),
    "obsolete folding": get(extra=b"x: a\r\n b\r\n"),
    "obsolete folding of the first field": b"GET / HTTP/1.1\r\n Host: t\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: t\n\n",
    "bare line feed in a field": get(extra=b"x: a\nContent-Length: 5\r\n"),
    "bare carriage return in a field": get(extra=b"x: a\rContent-Length: 5\r\n"),
    "null in a field": get(extra=b"x: a\0b\r\n"),
    "pseudo header": get(extra=b":path: /smuggled\r\n"),
    "two hosts": get(extra=b"Host: u\r\n"),
    "no host": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "bad chunk size": post(b"zz\r\nab\r\n0\r\n\r\n", extra=b"Transfer-Encoding: chunked\r\n"),
    "huge chunk size": post(
        b"ffffffffffffffffff\r\nab\r\n0\r\n\r\n", extra=b"Transfer-Encoding: chunked\r\n"
    ),
    "chunk without its line end": post(
        b"2\r\nabcd\r\n0\r\n\r\n", extra=b"Transfer-Encoding: chunked\r\n"
    ),
    "chunk line with a bare line feed": post(
        b"2\nab\r\n0\r\n\r\n", extra=b"Transfer-Encoding: chunked\r\n"
    ),
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "unknown version": b"GET / HTTP/1.9\r\nHost: t\r\n\r\n",
    "unknown method": b"SMUGGLE / HTTP/1.1\r\nHost: t\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("raw", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_refuses_the_smuggling_set_with_400(port, raw):
    answer = talk(port, raw)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1
    assert ("GET", "/smuggled") not in SEEN


def test_trailers_never_become_headers(port):
    body = b"2\r\nab\r\n0\r\nauthorization: Bearer x\r\n\r\n"
    answer = talk(port, post(body, extra=b"Transfer-Encoding: chunked\r\n"))
    assert status_of(answer) == 200
    assert b"authorization" not in answer


def test_serves_an_upgrade_request_as_it_is_and_closes(port):
    extra = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    answer = talk(port, get("/upgrade", extra=extra, close=False))
    assert status_of(answer) == 200
    assert b"connection: close" in answer


def test_closes_a_connection_that_says_nothing(port, monkeypatch):
    monkeypatch.setattr(http1, "HEAD_TIMEOUT_S", 0.3)
    with connect(port) as connection:
        assert read_all(connection) == b""


def test_slow_heads_end_with_408_while_others_are_served(port, monkeypatch):
    monkeypatch.setattr(http1, "HEAD_TIMEOUT_S", 0.5)
    slow = [connect(port) for _ in range(50)]
    ends = time.monotonic() + 1.2
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n")
    while time.monotonic() < ends:
        for connection in slow:
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"x: y\r\n")
        assert status_of(talk(port, get())) == 200
        time.sleep(0.1)
    for connection in slow:
        assert status_of(read_all(connection)) == 408
        connection.close()


def test_blank_lines_do_not_keep_a_connection(port, monkeypatch):
    monkeypatch.setattr(http1, "HEAD_TIMEOUT_S", 0.5)
    with connect(port) as connection:
        connection.sendall(get(close=False))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 3:
                connection.sendall(b"\r\n")
                time.sleep(0.05)
        assert time.monotonic() - began < 2


def test_a_body_without_progress_ends_with_408(port, monkeypatch):
    monkeypatch.setattr(http1, "BODY_GAP_TIMEOUT_S", 0.4)
    with connect(port) as connection:
        connection.sendall(post(b"ab", path="/slow", extra=b"Content-Length: 10\r\n"))
        assert status_of(read_all(connection)) == 408
    assert wait_until(lambda: ("gone", "/slow") in SEEN, what="the disconnect")


def test_a_body_that_drips_ends_with_408_at_the_whole_limit(port, monkeypatch):
    monkeypatch.setattr(http1, "BODY_GAP_TIMEOUT_S", 0.4)
    monkeypatch.setattr(http1, "BODY_TIMEOUT_S", 1.0)
    began = time.monotonic()
    with connect(port) as connection:
        connection.sendall(post(b"", path="/slow", extra=b"Content-Length: 1000\r\n"))
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 1.5:
                connection.sendall(b"a")
                time.sleep(0.1)
        assert status_of(read_all(connection)) == 408


def test_a_body_that_comes_slowly_but_in_time_is_served(port, monkeypatch):
    monkeypatch.setattr(http1, "BODY_GAP_TIMEOUT_S", 0.4)
    with connect(port) as connection:
        connection.sendall(post(b"", extra=b"Content-Length: 6\r\n"))
        for _ in range(6):
            time.sleep(0.2)
            connection.sendall(b"a")
        answer = read_all(connection)
    assert status_of(answer) == 200
    assert b'"body": 6' in answer


def test_chunks_without_end_stop_at_the_limit(port, monkeypatch, settings):
    settings.BODY_BYTES_MAX = 1 << 20
    monkeypatch.setattr(http1, "BODY_BYTES_SPARE", 0)
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    with connect(port) as connection:
        connection.sendall(post(b"", path="/slow", extra=b"Transfer-Encoding: chunked\r\n"))
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                connection.sendall(chunk)
        assert status_of(read_all(connection)) == 413


def test_an_early_answer_arrives_and_the_rest_is_not_read_for_ever(port, monkeypatch):
    monkeypatch.setattr(http1, "LINGER_S", 0.5)
    with connect(port) as connection:
        connection.sendall(
            post(b"a" * 100_000, path="/early", extra=b"Content-Length: 9999999\r\n", close=False)
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 3:
                connection.sendall(b"a" * 1000)
                time.sleep(0.02)
        assert time.monotonic() - began < 2


def test_garbage_behind_a_running_answer_never_lands_inside_it(port):
    with connect(port) as connection:
        connection.sendall(get("/stream", close=False))
        wait_until(lambda: SEEN, what="the stream")
        time.sleep(0.1)
        connection.sendall(b"\x00\x01garbage\r\n\r\n")
        answer = read_all(connection)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"400" not in answer


def test_garbage_in_an_answered_body_gets_no_second_answer(port):
    with connect(port) as connection:
        connection.sendall(
            post(b"2\r\nab\r\n", path="/early", extra=b"Transfer-Encoding: chunked\r\n",
                 close=False)
        )  # fmt: skip
        first = connection.recv(65536)
        connection.sendall(b"zz\r\n")
        assert (first + read_all(connection)).count(b"HTTP/1.1") == 1


DRAIN = """
import asyncio, socket, sys
import django
django.setup()
from bananarouter import env, health, http1, server

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        print("stopped", flush=True)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        for _ in range(int(scope["path"][1:])):
            body = b"draining;" if health._Drain.is_draining else b"serving;"
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        await send({"type": "http.response.body", "body": b"canceled", "more_body": False})
        raise
    await send({"type": "http.response.body", "body": b"end", "more_body": False})

if __name__ == "__main__":
    server.settings.DRAIN_TIMEOUT_S = int(sys.argv[2])
    server.LAST_WORDS_S = 0.3
    server.at_drain_end(lambda: print("deadline", flush=True))
    listening = socket.socket(fileno=int(sys.argv[1]))
    ready = lambda: print("ready", flush=True)
    sys.exit(server.serve([listening], "drained:app", on_ready=ready))
"""


@contextlib.contextmanager
def worker(folder, source=DRAIN, *, drain_timeout_s=20):
    """Run a worker process that serves the app of a program; yield it and its port."""
    program = folder / "drained.py"
    program.write_text(source)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, program, str(listening.fileno()), str(drain_timeout_s)],
        pass_fds=[listening.fileno()], stdout=subprocess.PIPE, text=True,
        env=env.child({"PYTHONPATH": str(settings.BASE_DIR)}),
    )  # fmt: skip
    listening.close()
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


@pytest.mark.process
def test_sigterm_lets_requests_finish_and_exits_0(tmp_path):
    with worker(tmp_path) as (process, port), connect(port) as connection:
        connection.settimeout(30)
        connection.sendall(get("/20", close=False))
        answer = b""
        while b"serving;" not in answer:
            answer += connection.recv(65536)
        process.send_signal(signal.SIGTERM)
        answer += read_all(connection)
        assert b"end" in answer
        assert b"draining;" in answer
        assert process.wait(10) == 0
        assert process.stdout.read() == "ready\nstopped\n"
        with pytest.raises(ConnectionRefusedError):
            connect(port)


@pytest.mark.process
def test_requests_that_outlive_the_deadline_are_told_and_end(tmp_path):
    with worker(tmp_path, drain_timeout_s=1) as (process, port), connect(port) as connection:
        connection.settimeout(30)
        connection.sendall(get("/600", close=False))
        connection.recv(65536)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert b"canceled" in read_all(connection)
        assert process.wait(10) == 0
        assert 1 <= time.monotonic() - began < 5
        assert process.stdout.read() == "ready\ndeadline\nstopped\n"


@pytest.mark.process
def test_a_worker_whose_application_does_not_start_exits_with_3(tmp_path):
    source = DRAIN.replace("lifespan.startup.complete", "lifespan.startup.failed")
    with worker(tmp_path, source) as (process, _):
        assert process.wait(20) == 3
        assert process.stdout.read() == ""
