"""A real gateway in front of an emulated vendor, and the shortest ways to call it."""

import contextlib
import http.client
import json
import socket
import sqlite3
import threading
import time
from dataclasses import dataclass, field

import psycopg

from tests import scripts
from tests.emulator import Vendor
from tests.gateways import Gateway
from tests.servers import wait_until

PRICES = {"input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75"}
# Limits that no test means to reach, unless it says so.
OPEN = {
    "KEY_CONCURRENCY": "1000",
    "ACCOUNT_CONCURRENCY": "1000",
    "IP_CONCURRENCY": "1000",
    "KEY_REQUESTS_PER_MINUTE": "1000000",
    "IP_REQUESTS_PER_MINUTE": "1000000",
    "IP_AUTH_FAILURES_PER_MINUTE": "100000",
}
FAMILIES = ("openai-chat", "anthropic-messages", "gemini")
ROOTS = {"openai-chat": "/v1", "anthropic-messages": "", "gemini": "/v1beta"}
PREFIX = {"openai-chat": "c", "anthropic-messages": "a", "gemini": "g"}
SECRET = "sk-vendor-secret-of-the-tests"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One surface: where it is called and the smallest body that it takes."""

    name: str
    family: str
    stream_path: str
    path: str
    body: dict = field(repr=False)

    def answer(self, **options):
        """Return a whole answer as the vendor would give it: 10 tokens in, 5 out."""
        if self.family == "anthropic-messages":
            usage = {"input_tokens": 10, "output_tokens": 5}
            body = {"id": "m", "type": "message", "role": "assistant", "model": "m",
                    "stop_reason": "end_turn", "content": [{"type": "text", "text": "ok"}],
                    "usage": usage}  # fmt: skip
            return scripts.whole(body, **options)
        if self.family == "gemini":
            candidate = {"content": {"parts": [{"text": "ok"}], "role": "model"},
                         "finishReason": "STOP", "index": 0}  # fmt: skip
            usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
            return scripts.whole({"candidates": [candidate], "usageMetadata": usage}, **options)
        return scripts.chat(**options)

    def events(self, texts=("a", "b", "c"), prompt=10):
        """Return the events of a streamed answer."""
        if self.family == "anthropic-messages":
            return scripts.message_events(texts=texts, prompt=prompt)
        if self.family == "gemini":
            return scripts.gemini_events(texts=texts, prompt=prompt)
        return scripts.chat_events(texts=texts, prompt=prompt)

    def request(self, model, *, is_stream=False, **extra):
        """Return path and body of a call of `model`."""
        body = {**self.body, **extra}
        if self.family != "gemini":
            body["model"] = model
            if is_stream:
                body["stream"] = True
        path = self.stream_path if is_stream else self.path
        return path.replace("{model}", model), body


_MESSAGES = {"messages": [{"role": "user", "content": "hi"}]}
_GEMINI = "/v1beta/models/{model}:"
CHAT = Protocol(name="chat", family="openai-chat", path="/v1/chat/completions",
                stream_path="/v1/chat/completions",
                body={**_MESSAGES, "max_tokens": 20})  # fmt: skip
RESPONSES = Protocol(name="responses", family="openai-chat", path="/v1/responses",
                     stream_path="/v1/responses",
                     body={"input": "hi", "max_output_tokens": 20})  # fmt: skip
EMBEDDINGS = Protocol(name="embeddings", family="openai-chat", path="/v1/embeddings",
                      stream_path="", body={"input": "hi"})  # fmt: skip
MESSAGES = Protocol(name="messages", family="anthropic-messages", path="/v1/messages",
                    stream_path="/v1/messages", body={**_MESSAGES, "max_tokens": 20})  # fmt: skip
COUNT = Protocol(name="count_tokens", family="anthropic-messages",
                 path="/v1/messages/count_tokens", stream_path="", body=_MESSAGES)  # fmt: skip
GENERATE = Protocol(
    name="generate", family="gemini", path=_GEMINI + "generateContent",
    stream_path=_GEMINI + "streamGenerateContent?alt=sse",
    body={"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
          "generationConfig": {"maxOutputTokens": 20}},
)  # fmt: skip
GEMINI_COUNT = Protocol(
    name="gemini_count", family="gemini", path=_GEMINI + "countTokens", stream_path="",
    body={"contents": [{"parts": [{"text": "hi"}]}]},
)  # fmt: skip
GENERATIONS = (CHAT, MESSAGES, GENERATE)
COUNTS = (COUNT, GEMINI_COUNT)
ALL = (CHAT, RESPONSES, EMBEDDINGS, MESSAGES, COUNT, GENERATE, GEMINI_COUNT)


def model_of(protocol, name):
    """Return the model `name` of the channel that speaks this protocol."""
    return f"{PREFIX[protocol.family]}-{name}"


@dataclass(kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """Our code of an error, from whichever envelope holds it."""
        error = self.json["error"]
        if "details" in error:
            return error["details"][0]["reason"].lower()
        return error.get("code") or error["type"]


class Serving:
    """A gateway, its vendor and a key with credit; `names` are models of every family.

    `places`: the jurisdictions of the vendor and its spares.
    """

    def __init__(
        self, folder, *arguments, names=("main",), spares=0, places=(), **environment
    ):  # fmt: skip
        self.places = places
        self.vendor = Vendor().start()
        self.spares = [Vendor().start() for _ in range(spares)]
        self.folder = folder
        self.names = names
        self.gateway = Gateway(
            folder / "gateway", "--no-demo", *arguments, **{**OPEN, **environment}
        )
        self.key = ""
        self.taps = []

    def start(self, *, credit_usd="1000"):
        self.gateway.start()
        self.import_channels()
        self.key = self.new_key("canary@example.com", credit_usd=credit_usd)
        self.gateway.wait_for_model(self.key, model_of(CHAT, self.names[-1]))
        return self

    def stop(self):
        """Stop everything."""
        for tap in self.taps:
            tap.close()
        if self.gateway.process is not None and self.gateway.process.poll() is None:
            self.gateway.stop()
        for vendor in (self.vendor, *self.spares):
            vendor.stop()

    def import_channels(self):
        channels = []
        for rank, vendor in enumerate((self.vendor, *self.spares)):
            for family in FAMILIES:
                named = [f"{PREFIX[family]}-{name}" for name in self.names]
                models = [
                    {"name": name, "upstream_name": name, "prices": PRICES,
                     "context_tokens_max": 200_000, "output_tokens_max": 4_096}
                    for name in named
                ]  # fmt: skip
                channels.append(
                    {"name": f"{family}-{rank}", "vendor": "generic", "protocol": family,
                     "base_url": f"{vendor.url}{ROOTS[family]}", "api_key": SECRET,
                     "priority": rank + 1, "models": models,
                     **({"jurisdiction": self.places[rank]} if self.places else {})}
                )  # fmt: skip
        file = self.folder / "channels.json"
        file.write_text(json.dumps({"channels": channels}))
        self.gateway.manage("import_channels", str(file))

    def new_key(self, email, *options, credit_usd="10"):
        made = self.gateway.manage(
            "create_key", "--email", email, "--credit-usd", credit_usd, *options
        )
        return made.stdout.split()[-1]

    def credentials(self, protocol, key=None):
        """Return the key as the protocol's own SDK sends it."""
        key = self.key if key is None else key
        name, value = {
            "openai-chat": ("authorization", f"Bearer {key}"),
            "anthropic-messages": ("x-api-key", key),
            "gemini": ("x-goog-api-key", key),
        }[protocol.family]
        return {name: value} if key else {}

    def call(self, protocol, model="main", *, is_stream=False, key=None, headers=None, **extra):
        """Send a small request of this protocol and read the whole answer."""
        path, body = protocol.request(model_of(protocol, model), is_stream=is_stream, **extra)
        return self.send(protocol, path, json.dumps(body).encode(), key=key, headers=headers)

    def send(self, protocol, path, body, *, key=None, headers=None, method="POST"):
        """Send any bytes to any path with the protocol's credentials."""
        sent = {"content-type": "application/json", **self.credentials(protocol, key)}
        return self.ask(method, path, body, {**sent, **(headers or {})})

    def head(self, path, *, length):
        """Return a request as bytes, up to its body."""
        lines = [f"POST {path} HTTP/1.1", "host: gateway", f"authorization: Bearer {self.key}",
                 "content-type: application/json", f"content-length: {length}"]  # fmt: skip
        return "\r\n".join([*lines, "", ""]).encode()

    def ask(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            got = connection.getresponse()
            told = {name.lower(): value for name, value in got.getheaders()}
            return Answer(status=got.status, headers=told, body=got.read())

    def open_stream(self, protocol, model="main", **options):
        """Begin a stream; whoever does not read it to its end closes it."""
        self.taps.append(tap := Tap(self, protocol, model, **options))
        return tap

    @property
    def database(self):
        return self.gateway.folder / "data" / "bananarouter.sqlite3"

    def rows(self, query, *values):
        """Ask the gateway's database as anybody could who holds it."""
        if url := self.gateway.environment.get("DATABASE_URL"):
            with psycopg.connect(url) as connection:
                return connection.execute(query.replace("?", "%s"), values).fetchall()
        with contextlib.closing(sqlite3.connect(self.database, timeout=10)) as connection:
            return connection.execute(query, values).fetchall()

    def charges(self):
        return self.rows("SELECT state, cost_nusd FROM billing_charge")

    def logged(self, generation_id):
        """Return (status, error_code, cost_nusd, model) of one request's row in the log."""
        found = wait_until(
            lambda: self.rows(
                "SELECT status, error_code, cost_nusd, model FROM logs_requestlog "
                "WHERE request_id = ?", self._id(generation_id),
            ), what="the row of a request",
        )  # fmt: skip
        return found[0]

    def _id(self, generation_id):
        return generation_id.removeprefix("gen-")  # PostgreSQL casts it, SQLite stores it so


class Tap:
    """A stream under way: bytes with the times at which they came."""

    def __init__(self, serving, protocol, model, *, key=None, headers=None, receive_bytes=None,
                 **extra):  # fmt: skip
        path, body = protocol.request(model_of(protocol, model), is_stream=True, **extra)
        raw = json.dumps(body).encode()
        told = {"host": "gateway", "content-type": "application/json",
                "content-length": str(len(raw)), "connection": "close",
                **serving.credentials(protocol, key), **(headers or {})}  # fmt: skip
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", serving.gateway.port))
        self.began_at = time.monotonic()
        self.socket.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + raw)
        self.buffer = b""
        self.parts = []  # (seconds since the request, bytes as received)

    def read_some(self):
        """Receive once; False at the end."""
        part = self.socket.recv(65536)
        self.parts.append((time.monotonic() - self.began_at, part))
        self.buffer += part
        return bool(part)

    def read_until(self, mark):
        while mark not in self.buffer:
            assert self.read_some(), self.buffer
        return self.parts[-1][0]

    def read_all(self):
        with contextlib.suppress(ConnectionResetError):
            while self.read_some():
                continue
        self.close()
        return self

    def close(self):
        self.socket.close()

    def reset(self):
        """Leave as a killed client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    @property
    def status(self):
        return int(self.buffer.split(b" ", 2)[1])

    @property
    def headers(self):
        lines = self.buffer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}

    @property
    def body(self):
        """The body without the frames of the chunked encoding."""
        rest = self.buffer.partition(b"\r\n\r\n")[2]
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return rest
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            body += rest[:length]
            rest = rest[length + 2 :]
        return body

    @property
    def is_whole(self):
        """True when the chunked encoding reached its end."""
        return self.buffer.endswith(b"0\r\n\r\n")


def together(*calls):
    """Run calls at the same time; return their results in order."""
    results = [None] * len(calls)
    errors = []

    def run(number, call):
        try:
            results[number] = call()
        except BaseException as error:  # noqa: BLE001 - told by the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    return results
