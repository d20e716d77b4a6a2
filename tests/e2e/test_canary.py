"""What clients and vendors say is on no disk, whatever happens: searched for, byte by byte."""

import base64
import contextlib
import gzip
import json
import os
import resource
import signal
import socket
import time
from pathlib import Path

import psycopg
import pytest
import redis

from tests import scripts
from tests.e2e import canaries, serving
from tests.e2e.canaries import Nest, Search
from tests.e2e.serving import (
    ALL,
    CHAT,
    COUNT,
    GEMINI_COUNT,
    GENERATE,
    GENERATIONS,
    MESSAGES,
    RESPONSES,
    Serving,
)  # fmt: skip
from tests.emulator import Script
from tests.gateways import ROOT, is_alive
from tests.servers import PostgreSQL, fresh_database, wait_until

pytestmark = pytest.mark.process

BIG_BYTES = 10 << 20
STATUSES = (400, 401, 404, 413, 422, 429, 500, 503, 529)
NAMES = ("main", "error", "event", "garbage", "half", "crash", "gone", "away", "stall")


class Scene:
    """One deployment, everything said to it, and where its bytes may lie."""

    def __init__(self, folder, backend, stack):
        self.nest = Nest()
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.postgresql = None
        environment = {"TMPDIR": str(self.temporary), "LOG_LEVEL": "DEBUG", "LEASE_TTL_S": "3",
                       "LEASE_ROTATION_S": "1"}  # fmt: skip
        arguments = []
        if backend == "postgresql":
            self.postgresql = PostgreSQL().start()
            stack.callback(self.postgresql.remove)
            talkative(self.postgresql)
            environment["DATABASE_URL"] = stack.enter_context(fresh_database(self.postgresql.url))
            arguments = ["--workers", "2"]
        self.place = Serving(folder / "place", *arguments, names=NAMES, **environment)
        (folder / "place").mkdir()
        stack.callback(self.place.stop)
        with core_files_allowed():
            self.place.start()

    def word(self, place):
        return self.nest[place].text

    def latin(self, place):
        return self.nest[place].latin

    def headers(self):
        """Everything that clients may put beside the body."""
        return {
            "user-agent": f"Client/{self.latin('header-agent')}",
            "x-custom": self.latin("header-custom"),
            "referer": f"https://example.com/{self.latin('header-referer')}",
            "cookie": f"session={self.latin('header-cookie')}",
            "proxy-authorization": f"Bearer {self.latin('header-auth')}",
            f"x-{self.latin('header-name')}": "1",
        }

    def query(self, path):
        mark = "&" if "?" in path else "?"
        return f"{path}{mark}q={self.latin('query')}&key={self.latin('query-key')}"

    def tell(self, protocol, name="main", *, is_stream=False, headers=None):
        """Send a request whose every part holds a word."""
        path, body = protocol.request(
            serving.model_of(protocol, name), is_stream=is_stream, **rich(self, protocol)
        )
        return self.place.send(
            protocol, self.query(path), json.dumps(body, ensure_ascii=False).encode(),
            headers={**self.headers(), **(headers or {})},
        )  # fmt: skip

    def script(self, protocol, name, rule):
        self.place.vendor.scripts[serving.model_of(protocol, name)] = rule

    def flush(self):
        """Make servers write what they hold in memory."""
        if self.postgresql is not None:
            with psycopg.connect(self.postgresql.url, autocommit=True) as connection:
                connection.execute("SELECT pg_switch_wal()")
                connection.execute("CHECKPOINT")
        environ = Path(f"/proc/{self.place.gateway.workers()[0]}/environ").read_bytes()
        url = next(x for x in environ.split(b"\0") if x.startswith(b"REDIS_URL="))
        with redis.Redis.from_url(url.partition(b"=")[2].decode()) as valkey:
            assert valkey.save()
        assert (self.data / "dump.rdb").stat().st_size > 0

    @property
    def data(self):
        return self.place.gateway.folder / "data"

    def folders(self):
        """Every folder that a process of this deployment may have written to."""
        found = [self.folder, *ROOT.glob("core*")]
        if self.postgresql is not None:
            found.append(self.postgresql.folder)
        return found


def talkative(server):
    """Let PostgreSQL log every statement with its values: even then nothing may be there."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for name, value in (
            ("log_statement", "all"), ("log_min_error_statement", "debug5"),
            ("log_parameter_max_length_on_error", "-1"), ("log_error_verbosity", "verbose"),
        ):  # fmt: skip
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.execute("SELECT pg_reload_conf()")


@contextlib.contextmanager
def core_files_allowed():
    """Let children write core files, unless they see to it themselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def packed(text):
    return base64.b64encode(text.encode()).decode()


def rich(scene, protocol):
    """Return the fields of a request with a word in each."""
    word, latin = scene.word, scene.latin
    unknown = {latin("unknown-key"): word("unknown-field")}
    picture = "data:image/png;base64," + packed(word("image-data"))
    link = f"https://example.com/{latin('image-link')}.png"
    schema = {"type": "object", "description": word("tool-description")}
    if protocol is CHAT:
        call = {
            "id": "t1",
            "type": "function",
            "function": {
                "name": latin("tool-name"),
                "arguments": json.dumps({"a": word("tool-arguments")}),
            },
        }
        tool = {"type": "function", "function": {"name": latin("tool-name"), "parameters": schema}}
        file = {"filename": word("file-name"), "file_data": packed(word("file-data"))}
        return {
            "messages": [
                {"role": "system", "content": word("system")},
                {"role": "user", "name": latin("user-id"), "content": [
                    {"type": "text", "text": word("user")},
                    {"type": "image_url", "image_url": {"url": picture}},
                    {"type": "image_url", "image_url": {"url": link}},
                    {"type": "file", "file": file},
                ]},
                {"role": "assistant", "content": word("assistant"), "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "t1", "content": word("tool-content")},
            ],
            "tools": [tool], "stop": [word("stop")], "user": word("user-id"),
            "metadata": {"m": word("metadata")}, **unknown,
        }  # fmt: skip
    if protocol in (MESSAGES, COUNT):
        source = {"type": "base64", "media_type": "image/png", "data": packed(word("image-data"))}
        use = {"type": "tool_use", "id": "t1", "name": latin("tool-name"),
               "input": {"a": word("tool-arguments")}}  # fmt: skip
        result = {"type": "tool_result", "tool_use_id": "t1", "content": word("tool-content")}
        found = {
            "system": word("system"),
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": word("user")}, {"type": "image", "source": source}]},
                {"role": "assistant", "content": [
                    {"type": "text", "text": word("assistant")}, use]},
                {"role": "user", "content": [result]},
            ],
            "tools": [{"name": latin("tool-name"), "input_schema": schema}], **unknown,
        }  # fmt: skip
        if protocol is MESSAGES:
            found |= {"stop_sequences": [word("stop")], "metadata": {"user_id": word("metadata")}}
        return found
    if protocol in (GENERATE, GEMINI_COUNT):
        inline = {"mimeType": "image/png", "data": packed(word("image-data"))}
        found = {
            "contents": [
                {"role": "user", "parts": [{"text": word("user")}, {"inlineData": inline}]},
                {"role": "model", "parts": [{"functionCall": {
                    "name": latin("tool-name"), "args": {"a": word("tool-arguments")}}}]},
                {"role": "user", "parts": [{"functionResponse": {
                    "name": latin("tool-name"), "response": {"r": word("tool-content")}}}]},
            ], **unknown,
        }  # fmt: skip
        if protocol is GENERATE:
            found["systemInstruction"] = {"parts": [{"text": word("system")}]}
        return found
    if protocol is RESPONSES:
        return {
            "input": word("user"),
            "instructions": word("system"),
            "metadata": {"m": word("metadata")},
            "user": word("user-id"),
            **unknown,
        }
    return {"input": [word("user")], "user": word("user-id"), **unknown}


# What vendors say


def answered(scene, protocol):
    """Return a whole answer with words in all its parts."""
    word, latin = scene.word, scene.latin
    headers = (("Content-Type", "application/json"), ("X-Answer", latin("answer-header")),
               ("Set-Cookie", f"c={latin('answer-header')}"))  # fmt: skip
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 3,
        "total_tokens": 8,
        "input_tokens": 5,
        "output_tokens": 3,
        "service_tier": word("answer-tier"),
        latin("answer-usage"): word("answer-usage"),
    }
    gemini_usage = {
        "promptTokenCount": 5,
        "candidatesTokenCount": 3,
        "totalTokenCount": 8,
        "trafficType": word("answer-tier"),
        latin("answer-usage"): word("answer-usage"),
    }
    call = {"name": latin("answer-tool"), "arguments": json.dumps({"a": word("answer-tool")})}
    bodies = {
        "chat": {"id": latin("answer-id"), "object": "chat.completion", "created": 1,
                 "model": latin("answer-model"), "usage": usage, "choices": [
                     {"index": 0, "finish_reason": latin("answer-finish"), "message": {
                         "role": "assistant", "content": word("answer"), "tool_calls": [
                             {"id": "t", "type": "function", "function": call}]}}]},
        "responses": {"id": latin("answer-id"), "object": "response", "status": "completed",
                      "model": latin("answer-model"), "usage": usage, "output": [
                          {"type": "message", "role": "assistant", "content": [
                              {"type": "output_text", "text": word("answer")}]}]},
        "embeddings": {"object": "list", "model": latin("answer-model"), "usage": usage,
                       "data": [{"index": 0, "embedding": [0.5], "x": word("answer")}]},
        "messages": {"id": latin("answer-id"), "type": "message", "role": "assistant",
                     "model": latin("answer-model"), "stop_reason": latin("answer-finish"),
                     "usage": usage, "content": [{"type": "text", "text": word("answer")}]},
        "count_tokens": {"input_tokens": 5, "x": word("answer")},
        "generate": {"candidates": [{"finishReason": latin("answer-finish"), "content": {
            "role": "model", "parts": [{"text": word("answer")}]}}],
            "usageMetadata": gemini_usage, "modelVersion": latin("answer-model")},
        "gemini_count": {"totalTokens": 5, "x": word("answer")},
    }  # fmt: skip
    body = json.dumps(bodies[protocol.name], ensure_ascii=False).encode()
    return Script(headers=headers, chunks=[body])


def streamed(scene, protocol, place="answer", *, count=3, **options):
    """Return a stream of words that tell where they come from."""
    texts = [f"{scene.word(place)} {n}" for n in range(count)]
    if protocol is MESSAGES:
        events = scripts.message_events(model=scene.latin("answer-model"), texts=texts)
    elif protocol is GENERATE:
        events = scripts.gemini_events(texts=texts)
    else:
        events = scripts.chat_events(model=scene.latin("answer-model"), texts=texts)
    return scripts.stream(events, **options)


def refused(scene, status):
    """Return a vendor's error, told in the words of all vendors at once."""
    word = scene.word("vendor-error")
    error = {"message": word, "type": word, "code": scene.word("vendor-code"), "param": word,
             "status": word, "details": [{"reason": word, "retryDelay": word}]}  # fmt: skip
    body = {"type": "error", "error": error, "message": word, "detail": word}
    headers = (("Content-Type", "application/json"), ("Retry-After", scene.latin("vendor-error")))
    return Script(status=status, headers=headers, chunks=[json.dumps(body).encode()])


# The acts: each leaves words behind, if anything does


def successes(scene):
    for protocol in ALL:
        scene.script(protocol, "main", answered(scene, protocol))
        answer = scene.tell(protocol)
        assert answer.status == 200, (protocol.name, answer.body)
        assert scene.word("answer") in answer.body.decode(), protocol.name
    for protocol in GENERATIONS:
        scene.script(protocol, "main", streamed(scene, protocol))
        answer = scene.tell(protocol, is_stream=True)
        assert answer.status == 200, answer.body
        assert scene.latin("answer") in answer.body.decode()


def vendors_errors(scene):
    for protocol in ALL:
        for status in STATUSES:
            scene.script(protocol, "error", refused(scene, status))
            assert scene.tell(protocol, "error").status >= 400
    event = {"type": "error", "error": {"type": scene.word("vendor-event"), "code": 500,
             "message": scene.word("vendor-event")}}  # fmt: skip
    rubbish = f"<html>{scene.word('vendor-garbage')}</html>".encode()
    half = b'data: {"choices":[{"delta":{"content":"' + scene.word("vendor-half").encode()
    for protocol in GENERATIONS:
        first = streamed(scene, protocol).chunks[:2]
        for name, chunks in (
            ("event", [scripts.sse(event, event="error")]),
            ("event", [*first, scripts.sse(event, event="error")]),
            ("garbage", [rubbish]),
            ("garbage", [*first, b"data: " + rubbish + b"\n\n"]),
            ("half", [*first, half]),
        ):
            scene.script(protocol, name, scripts.stream(chunks, end="cut"))
            scene.tell(protocol, name, is_stream=True)
    for protocol in ALL:
        for body in (rubbish, half, b'{"usage":"' + rubbish + b'"}', b"[1]", b""):
            scene.script(protocol, "garbage", Script(chunks=[body]))
            scene.tell(protocol, "garbage")
            html = (("Content-Type", f"text/{scene.latin('vendor-garbage')}"),)
            scene.script(protocol, "garbage", Script(status=500, headers=html, chunks=[body]))
            scene.tell(protocol, "garbage")


def callers_errors(scene):
    place, word, latin = scene.place, scene.word, scene.latin
    for protocol in ALL:
        path, body = protocol.request(latin("model"), **rich(scene, protocol))
        raw = json.dumps(body).encode()
        assert place.send(protocol, path, raw).status == 404
        known, _ = protocol.request(serving.model_of(protocol, "main"))
        for broken in (
            b'{"model": "' + word("broken-json").encode(),
            json.dumps([word("broken-json")]).encode(),
            b'{"a":"' + word("broken-json").encode() + b'\xff"}',
            b'{"%s":1,"%s":2}' % ((latin("broken-json").encode(),) * 2),
            json.dumps({**body, "model": 7, "messages": word("broken-json"),
                        "contents": word("broken-json"), "input": {"a": 1}}).encode(),
        ):  # fmt: skip
            assert place.send(protocol, known, broken).status == 400, (protocol.name, broken)
        zipped = gzip.compress(word("packed").encode() * 100)
        for coding in ("gzip", "zstd", latin("packed")):
            headers = {"content-encoding": coding, **scene.headers()}
            assert place.send(protocol, known, zipped, headers=headers).status in (400, 415)
        for key in (latin("wrong-key"), f"bnr_live_{latin('wrong-key')}"):
            assert place.send(protocol, known, raw, key=key).status == 401
        kind = {"content-type": f"text/{latin('header-custom')}"}
        assert place.send(protocol, known, raw, headers=kind).status == 415
        beta = {name: latin("header-beta") for name in
                ("anthropic-beta", "openai-beta", "anthropic-version", "x-max-cost-usd",
                 "x-max-tokens-clamp", "x-keep-alive")}  # fmt: skip
        place.send(protocol, known, raw, headers=beta)
    for path in ("/v1/", "/v1beta/models/", "/api/v1/", "/", "/v1/models/", "/keys/"):
        for method in ("GET", "POST"):
            url = scene.query(f"{path}{latin('path')}:generateContent")
            assert place.send(CHAT, url, word("page").encode(), method=method,
                              headers=scene.headers()).status >= 400  # fmt: skip
    generation = place.send(CHAT, f"/api/v1/generation?id={latin('query')}", b"", method="GET")
    assert generation.status == 400
    with socket.create_connection(("127.0.0.1", place.gateway.port)) as raw_socket:
        raw_socket.sendall(f"{latin('method')} /v1/{latin('path')} HTTP/1.1\r\n\r\n".encode())
        raw_socket.recv(1_000)


def large_bodies(scene):
    """10 MiB that succeed, that fail, that go astray to a page, and that are over the limit."""
    place = scene.place
    text = scene.word("big") + "x" * BIG_BYTES + scene.word("big")
    scene.script(CHAT, "main", scripts.chat(text=text))
    answer = place.call(CHAT, messages=[{"role": "user", "content": text}])
    assert answer.status == 200
    scene.script(CHAT, "main", refused(scene, 400))
    assert place.call(CHAT, messages=[{"role": "user", "content": text}]).status == 400
    raw = json.dumps({"messages": text}).encode()
    assert place.send(CHAT, "/v1/chat/completions", raw).status == 400
    assert place.send(CHAT, "/v1/chat/completions", raw, key="bnr_live_x").status == 401
    for path in ("/openai/v1/chat/completions", "/v2/chat", "/", "/accounts/login/"):
        assert place.send(CHAT, path, raw).status >= 400
    with contextlib.suppress(ConnectionError):
        assert place.send(CHAT, "/v1/chat/completions", raw * 4).status == 413


def clients_that_leave(scene):
    place = scene.place
    for protocol in GENERATIONS:
        scene.script(protocol, "gone", streamed(scene, protocol, "gone", count=200, gap_s=0.02))
        tap = place.open_stream(protocol, "gone", **rich(scene, protocol))
        tap.read_until(scene.latin("gone").encode())
        tap.reset()
        scene.script(protocol, "stall", Script(answers=False, end="stall"))
        tap = place.open_stream(protocol, "stall", **rich(scene, protocol))
        wait_until(lambda p=protocol: place.vendor.of(serving.model_of(p, "stall")), what="a dial")
        tap.close()
    with socket.create_connection(("127.0.0.1", place.gateway.port)) as half:
        head = place.head("/v1/chat/completions", length=9_999)
        half.sendall(head + b'{"a":"' + scene.word("gone").encode())
        time.sleep(0.1)


def crashes(scene):
    """kill -9, a segmentation fault and an abort, with words on their way in both directions."""
    place = scene.place
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT):
        taps = []
        for protocol in GENERATIONS:
            scene.script(
                protocol, "crash", streamed(scene, protocol, "crash", count=300, gap_s=0.02)
            )
            for _ in range(2):
                tap = place.open_stream(protocol, "crash", **rich(scene, protocol))
                tap.read_until(scene.latin("crash").encode())
                taps.append(tap)
        workers = place.gateway.workers()
        for pid in workers:
            os.kill(pid, number)
        for tap in taps:
            tap.read_all()
            assert not tap.is_whole
        wait_until(lambda w=workers: not any(map(is_alive, w)), what="the deaths")
        wait_until(lambda: serves(place), timeout_s=30, what="new workers")


def serves(place):
    with contextlib.suppress(OSError):
        return place.ask("GET", "/readyz").status == 200
    return False


def database_away(scene, search):
    """Streams end, and are spooled, while the database is away; others are refused."""
    if scene.postgresql is None:
        return
    taps = []
    for protocol in GENERATIONS:
        scene.script(protocol, "away", streamed(scene, protocol, "away", count=40, gap_s=0.05))
        tap = scene.place.open_stream(protocol, "away", **rich(scene, protocol))
        tap.read_until(scene.latin("away").encode())
        taps.append(tap)
    scene.postgresql.kill()
    for tap in taps:
        tap.read_all()
    for protocol in ALL:
        assert scene.tell(protocol).status in (200, 502, 503)
    assert not found_in(search, scene.data)
    scene.postgresql.start()
    wait_until(lambda: serves(scene.place), timeout_s=30, what="the gateway with its database")


def found_in(search, *folders):
    return sorted(search.tree(*folders))


def dumped(search, url):
    """Search all rows as PostgreSQL tells them: on the disk long values are compressed."""
    query = "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
    found = set()
    with psycopg.connect(url) as connection:
        for (table,) in connection.execute(query).fetchall():
            with connection.cursor().copy(f"COPY (TABLE {table}) TO STDOUT") as rows:
                found |= search.data(b"".join(bytes(row) for row in rows), table)
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def scene(request, tmp_path_factory):
    """Everything that can be said was said; then what is in memory was written."""
    folder = tmp_path_factory.mktemp("canary")
    if request.param == "postgresql" and os.geteuid() == 0:
        folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        scene = Scene(folder, request.param, stack)
        search = Search(scene.nest)
        for act in (successes, vendors_errors, callers_errors, large_bodies, clients_that_leave,
                    crashes):  # fmt: skip
            act(scene)
        database_away(scene, search)
        wait_until(lambda: not scene.place.rows(
            "SELECT 1 FROM billing_charge WHERE state = 'open'"), timeout_s=20,
            what="the end of all charges")  # fmt: skip
        scene.flush()
        yield scene


@pytest.mark.clause("1.2-content")
@pytest.mark.clause("3.2-noncontent")
def test_no_word_is_on_any_disk(scene):
    search = Search(scene.nest)
    began = time.monotonic()
    assert not found_in(search, *scene.folders())
    names = {path.name for path in search.files} | {path.parent.name for path in search.files}
    assert {"run.log", "dump.rdb", "secrets", "metrics"} <= names
    assert {"log", "pg_wal"} <= names if scene.postgresql else "bananarouter.sqlite3-wal" in names
    if scene.postgresql is not None:
        assert not dumped(search, scene.place.gateway.environment["DATABASE_URL"])
    # Once more, when all has ended as an operator ends it.
    scene.place.gateway.stop()
    assert not found_in(search, *scene.folders())
    assert time.monotonic() - began < 60


@pytest.mark.clause("1.2-content")
def test_every_word_was_said(scene):
    missing = set(canaries.PLACES) - scene.nest.flown
    assert missing == (set() if scene.postgresql else {"away"})
    received = bytes(scene.place.vendor.received)
    for place in ("system", "user", "tool-content", "tool-name", "image-link", "file-name",
                  "unknown-field", "big"):  # fmt: skip
        word = scene.latin(place).encode()
        assert word in received, f"no vendor got the {place}"
    for place in ("header-custom", "header-agent", "header-cookie", "header-auth", "query"):
        assert scene.latin(place).encode() not in received, f"a vendor got the {place}"


@pytest.mark.clause("1.2-metadata")
def test_the_log_holds_what_it_may(scene):
    """The control of the matrix: it did reach the log, once for each call."""
    rows = scene.place.rows(
        "SELECT status, count(*), sum(input_tokens), sum(output_tokens) FROM logs_requestlog "
        "GROUP BY status"
    )
    by_status = {row[0]: row[1:] for row in rows}
    assert by_status[200][0] >= 10
    assert by_status[200][1] > 0
    assert {400, 401, 404, 415, 429, 502, 503} <= set(by_status)


@pytest.mark.parametrize("which", ["latin", "han"])
def test_the_search_finds_each_form(tmp_path, which):
    """The control of the search: a word written on purpose is found, and named."""
    nest = Nest()
    search = Search(nest)
    word = getattr(nest["system"], which)
    for form, data in canaries.samples(word).items():
        file = tmp_path / f"{form}.bin"
        file.write_bytes(os.urandom(500) + data + os.urandom(500))
        found = search.tree(file)
        assert found, form
        if "half" not in form:
            assert {find.place for find in found} == {"system"}, form
        file.unlink()
    assert not search.tree(tmp_path)


def test_the_search_finds_words_in_databases_and_names(tmp_path, scene):
    """The control of the stores: a word in a log line, a table, a server's log is found."""
    nest = scene.nest
    search = Search(nest)
    word = nest["system"].text
    (tmp_path / f"{nest['path'].latin}.txt").touch()
    assert {find.place for find in search.tree(tmp_path)} == {"path"}
    if scene.postgresql is None:
        return
    with psycopg.connect(scene.postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE told (said text)")
        connection.execute("INSERT INTO told VALUES (%s)", [word])
        connection.execute("CHECKPOINT")
    paths = {find.path for find in search.tree(scene.postgresql.folder)}
    long = psycopg.connect(scene.postgresql.url, autocommit=True)
    with long as connection:
        connection.execute("UPDATE told SET said = %s", [word * 5_000])  # is compressed
    assert {f.place for f in dumped(search, scene.postgresql.url)} == {"system"}
    assert any(path.endswith("/log") for path in paths)
    assert any("/pg_wal/" in path for path in paths)
    assert any("/base/" in path for path in paths)
