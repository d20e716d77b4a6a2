"""A deployment to which everything is said that can be said, and what it does then."""

import contextlib
import gzip
import itertools
import json
import os
import resource
import signal
import socket
import sqlite3
import time
from pathlib import Path

import psycopg
import redis

from tests import scripts
from tests.e2e import serving
from tests.e2e.canaries import Nest
from tests.e2e.canary_words import answered, refused, rich, streamed
from tests.e2e.debugging import HEARD_S_MAX, Debugged
from tests.e2e.serving import ALL, CHAT, COUNTS, GENERATIONS, RESPONSES, Serving
from tests.emulator import Script
from tests.error_tracker import Tracker
from tests.gateways import ROOT, is_alive
from tests.servers import PostgreSQL, fresh_database, wait_until

BIG_BYTES = 10 << 20
STATUSES = (400, 401, 404, 413, 422, 429, 500, 503, 529)
NAMES = ("main", "error", "event", "garbage", "half", "crash", "gone", "away", "stall")


class Place(Serving):
    """A gateway that remembers which requests had which answer."""

    act = ""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.scenarios = set()

    def ask(self, method, path, body=b"", headers=None):
        answer = super().ask(method, path, body, headers)
        self.scenarios.add((self.act, method, path.partition("?")[0], answer.status))
        return answer


class Scene:
    """One deployment, everything said to it, and where its bytes may lie."""

    def __init__(self, folder, backend, stack):
        self.nest = Nest()
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.postgresql = None
        self.tracker = Tracker().start()
        stack.callback(self.tracker.stop)
        environment = {"TMPDIR": str(self.temporary), "LOG_LEVEL": "DEBUG", "LEASE_TTL_S": "3",
                       "LEASE_ROTATION_S": "1", "SENTRY_DSN": self.tracker.dsn}  # fmt: skip
        arguments = []
        if backend == "postgresql":
            self.postgresql = PostgreSQL().start()
            stack.callback(self.postgresql.remove)
            talkative(self.postgresql)
            environment["DATABASE_URL"] = stack.enter_context(fresh_database(self.postgresql.url))
            arguments = ["--workers", "2"]
        self.place = Place(folder / "place", *arguments, names=NAMES, has_tasks=True, **environment)
        (folder / "place").mkdir()
        stack.callback(self.place.stop)
        # What a search found while debug mode kept content, and how many requests it kept then.
        self.found_in_captures, self.captured = None, 0
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

    def tell(self, protocol, name="main", *, model="", is_stream=False, headers=None, key=None):
        """Send a request whose every part holds a word."""
        path, body = protocol.request(
            model or serving.model_of(protocol, name),
            is_stream=is_stream,
            **rich(self, protocol),
        )
        return self.place.send(
            protocol, self.query(path), json.dumps(body, ensure_ascii=False).encode(),
            headers={**self.headers(), **(headers or {})}, key=key,
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


def crossings(scene):
    """Clients of each protocol at vendors of another one: whole, streamed, refused, broken."""
    for client, vendor in itertools.product((*GENERATIONS, RESPONSES), GENERATIONS):
        if client.family == vendor.family:
            continue
        model = serving.model_of(vendor, "main")
        scene.script(vendor, "main", answered(scene, vendor))
        answer = scene.tell(client, model=model)
        assert answer.status == 200, (client.name, vendor.name, answer.body)
        assert scene.word("answer") in answer.body.decode()
        scene.script(vendor, "main", streamed(scene, vendor))
        answer = scene.tell(client, model=model, is_stream=True)
        assert answer.status == 200, answer.body
        assert scene.latin("answer") in answer.body.decode()
        rubbish = f"<html>{scene.word('vendor-garbage')}</html>".encode()
        for rule in (refused(scene, 400), refused(scene, 500), Script(chunks=[rubbish])):
            scene.script(vendor, "main", rule)
            answer = scene.tell(client, model=model)
            assert answer.status >= 400
            assert scene.latin("vendor-garbage") not in answer.body.decode()


def forms(scene):
    """Files in forms, with words in their names, their content and their frames."""
    word, mark = scene.word, scene.latin("file-name")
    body = (
        f"--{mark}\r\ncontent-disposition: form-data; name=model\r\n\r\nc-main\r\n"
        f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="{mark}.wav"\r\n'
        f"content-type: audio/{mark}\r\n\r\n{word('file-data')}\r\n"
        f'--{mark}\r\ncontent-disposition: form-data; name="prompt"\r\n\r\n'
        f"{word('user')}\r\n--{mark}--\r\n"
    ).encode()
    kind = {"content-type": f"multipart/form-data; boundary={mark}"}
    for path in ("audio/transcriptions", "audio/translations", "images/edits"):
        for sent in (body, body[:-9], body.replace(b"c-main", scene.word("path").encode())):
            answer = scene.place.send(CHAT, f"/v1/{path}", sent, headers=kind)
            assert answer.status >= 400


def vendors_errors(scene):
    for protocol in ALL:
        for status in STATUSES:
            scene.script(protocol, "error", refused(scene, status))
            answer = scene.tell(protocol, "error")
            is_counted_here = answer.headers.get("x-token-count") == "estimate"
            assert answer.status >= 400 or (is_counted_here and protocol in COUNTS)
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
        tag = {"x-tag": f"{latin('header-tag')} and more"}
        assert place.send(protocol, known, raw, headers=tag).status == 400
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


def internal_errors(scene):
    """A page that fails as no page should, with words in its address and headers."""
    execute(scene, "ALTER TABLE accounts_policyversion RENAME TO accounts_astray")
    answer = scene.place.send(
        CHAT, scene.query("/privacy"), b"", method="GET", headers=scene.headers()
    )
    assert answer.status == 500, answer.status
    execute(scene, "ALTER TABLE accounts_astray RENAME TO accounts_policyversion")


def execute(scene, statement):
    if url := scene.place.gateway.environment.get("DATABASE_URL"):
        with psycopg.connect(url) as connection:
            connection.execute(statement)
        return
    with contextlib.closing(sqlite3.connect(scene.place.database, timeout=10)) as connection:
        connection.execute(statement)
        connection.commit()


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
                protocol,
                "crash",
                streamed(scene, protocol, "crash", count=1_500, gap_s=0.02),
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
    assert not search.tree(scene.data)
    scene.postgresql.start()
    wait_until(lambda: serves(scene.place), timeout_s=30, what="the gateway with its database")


def debug_mode(scene, search):
    """Content is kept as ciphertext, while a search goes through all stores, and destroyed."""
    place = scene.place
    key = place.new_key("debugged@example.com")
    debugged = Debugged(place, key)
    time.sleep(HEARD_S_MAX)
    for protocol in GENERATIONS:
        for is_stream, make in ((False, answered), (True, streamed)):
            scene.script(protocol, "main", make(scene, protocol))
            answer = scene.tell(protocol, is_stream=is_stream, key=key)
            assert (answer.status, answer.headers.get("x-debug-capture")) == (200, "on")
        scene.script(protocol, "error", refused(scene, 500))
        assert scene.tell(protocol, "error", key=key).status >= 400
    wait_until(lambda: debugged.kept() >= 3 * len(GENERATIONS), what="the captures")
    # The control: what was kept does hold the words, for its owner.
    page = f"/requests/{debugged.latest()}"
    wait_until(
        lambda: scene.latin("user") in debugged.get(page).body.decode(), what="the owner's page"
    )
    scene.flush()
    scene.captured = debugged.kept()
    scene.found_in_captures = search.tree(*scene.folders())
    debugged.stop()
    assert debugged.kept() == 0
    assert not debugged.key_file.exists()


def play(scene, search):
    """Say everything; end with what is in memory written to the disks."""
    for act in (successes, crossings, forms, vendors_errors, callers_errors, large_bodies,
                internal_errors, clients_that_leave, crashes):  # fmt: skip
        scene.place.act = act.__name__
        act(scene)
    database_away(scene, search)
    debug_mode(scene, search)
    wait_until(
        lambda: not scene.place.rows("SELECT 1 FROM billing_charge WHERE state = 'open'"),
        timeout_s=20, what="the end of all charges",
    )  # fmt: skip
    scene.flush()
