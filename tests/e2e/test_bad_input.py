"""Requests that are wrong: a clear error in the caller's protocol, no charge, only metadata."""

import contextlib
import gzip
import json
import os
import socket
import time
import zlib
from pathlib import Path

import pytest
import zstandard

from tests.e2e import serving
from tests.e2e.serving import (
    ALL,
    CHAT,
    COUNT,
    EMBEDDINGS,
    GEMINI_COUNT,
    GENERATE,
    GENERATIONS,
    MESSAGES,
    RESPONSES,
    Answer,
    Serving,
)  # fmt: skip
from tests.servers import fresh_database, wait_until

pytestmark = pytest.mark.process

BODY_BYTES_MAX = 4 << 20
WORD = "Zyzzogeton"  # what no row of the log may hold
each = pytest.mark.parametrize("protocol", ALL, ids=[p.name for p in ALL])
generations = pytest.mark.parametrize("protocol", GENERATIONS, ids=[p.name for p in GENERATIONS])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(
        tmp_path_factory.mktemp("bad"), names=("main", "open"), BODY_BYTES_MAX=str(BODY_BYTES_MAX)
    ).start()
    yield place
    # After all of this nothing was charged, nothing is held, and the vendor was never asked.
    assert not [x for x in place.vendor.by_model() if x.endswith("-main")]
    wait_until(lambda: not place.rows("SELECT 1 FROM billing_charge WHERE state = 'open'"),
               what="the end of all charges")  # fmt: skip
    paid = place.rows("SELECT endpoint FROM billing_charge WHERE cost_nusd > 0")
    assert all("-open" in endpoint for (endpoint,) in paid)
    place.gateway.manage("audit_ledger")
    place.gateway.stop()
    assert place.rows("SELECT sum(leased_nusd), sum(reserved_nusd) FROM billing_wallet") == [(0, 0)]
    assert WORD not in place.gateway.log_text()
    assert "API view failed" not in place.gateway.log_text()
    place.stop()


def same_envelope(answer, protocol):
    """Check an error's form against the protocol's own; return it in common words."""
    assert answer.headers["content-type"] == "application/json"
    told = answer.json
    error = told["error"]
    assert isinstance(error["message"], str)
    assert len(error["message"]) > 10
    if protocol.family == "anthropic-messages":
        assert told["type"] == "error"
        assert set(error) == {"type", "message"}
        assert told["request_id"] == answer.headers["x-generation-id"]
        return ""
    if protocol.family == "gemini":
        assert error["code"] == answer.status
        assert error["status"].isupper()
        return error["details"][0]["reason"].lower()
    assert set(error) == {"message", "type", "param", "code"}
    return error["code"]


def refused(place, protocol, answer, status, code):
    """Check that an answer refuses in the caller's protocol, and the row that it left."""
    assert answer.status == status, (answer.status, answer.body[:500])
    told = same_envelope(answer, protocol)
    assert told in ("", code), (told, code)
    row = place.logged(answer.headers["x-generation-id"])
    assert (row[0], row[1], row[2]) == (status, code, 0)
    return row


def known(protocol):
    return protocol.request(serving.model_of(protocol, "main"))


def dump(value):
    return json.dumps(value).encode()


class TestBodies:
    @each
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "invalid_json"),
            (b"{", "invalid_json"),
            (b'{"model": "' + WORD.encode(), "invalid_json"),
            (b"{'a': 1}", "invalid_json"),
            (b'{"a":NaN}', "invalid_json"),
            (b'{"a":1} x', "invalid_json"),
            (b"\x00\x01\x02", "invalid_json"),
            (b'{"a":"\xff\xfe"}', "invalid_utf8"),
            ('{"a":"é"}'.encode("latin-1"), "invalid_utf8"),
            (b"[]", "invalid_type"),
            (b'"text"', "invalid_type"),
            (b"null", "invalid_type"),
            (b"7", "invalid_type"),
            (b'{"model":"a","model":"b"}', "duplicate_key"),
            (b'{"x":{"y":1,"\\u0079":2}}', "duplicate_key"),
            (b'{"a":' * 70 + b"1" + b"}" * 70, "too_deep"),
            (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "too_deep"),
            (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
            (b"[" * 200_000, None),
            (b'{"a":[' + b"1," * 1_000_000 + b"1]}", "too_many_items"),
        ],
        ids=["empty", "open", "cut", "single-quotes", "nan", "tail", "binary", "utf8", "latin1",
             "array", "string", "null", "number", "twice", "twice-escaped", "deep", "deep-array",
             "very-deep", "brackets", "million"],
    )  # fmt: skip
    def test_what_is_no_request_is_refused(self, place, protocol, body, code):
        path, _ = known(protocol)
        began = time.monotonic()
        answer = place.send(protocol, path, body)
        assert time.monotonic() - began < 1.5
        if code is None:
            code = answer.code if protocol.family != "anthropic-messages" else None
            assert answer.status == 400
            same_envelope(answer, protocol)
            assert code in (None, "invalid_json", "too_deep", "too_many_items")
        else:
            refused(place, protocol, answer, 400, code)

    @pytest.mark.parametrize(
        ("protocol", "fields", "code"),
        [
            (CHAT, {"messages": WORD}, "invalid_type"),
            (CHAT, {"messages": []}, "missing_required_parameter"),
            (CHAT, {"messages": [WORD]}, "invalid_type"),
            (CHAT, {"messages": [{"role": "user", "content": 7}]}, "invalid_type"),
            (CHAT, {"messages": [{"role": "user", "content": [7]}]}, "invalid_type"),
            (CHAT, {"model": 7}, "invalid_type"),
            (CHAT, {"model": None}, "missing_required_parameter"),
            (CHAT, {"model": ""}, "invalid_value"),
            (CHAT, {"model": "x" * 300}, "invalid_value"),
            (CHAT, {"stream": "yes"}, "invalid_type"),
            (CHAT, {"max_tokens": "9"}, "invalid_type"),
            (CHAT, {"max_tokens": -1}, "invalid_value"),
            (CHAT, {"max_tokens": 1e30}, "invalid_type"),
            (CHAT, {"max_tokens": True}, "invalid_type"),
            (CHAT, {"n": 0}, "invalid_value"),
            (CHAT, {"n": 100_000}, "invalid_value"),
            (CHAT, {"tools": {}}, "invalid_type"),
            (CHAT, {"stream_options": 1}, "invalid_type"),
            (CHAT, {"service_tier": [1]}, "invalid_type"),
            (RESPONSES, {"input": 7}, "invalid_type"),
            (RESPONSES, {"previous_response_id": "resp_1"}, "vendor_handle"),
            (RESPONSES, {"max_output_tokens": "x"}, "invalid_type"),
            (EMBEDDINGS, {"input": {"a": 1}}, "invalid_type"),
            (MESSAGES, {"max_tokens": None}, "missing_required_parameter"),
            (MESSAGES, {"max_tokens": "x"}, "invalid_type"),
            (MESSAGES, {"messages": {}}, "invalid_type"),
            (MESSAGES, {"system": 7}, "invalid_type"),
            (MESSAGES, {"tools": [7]}, "invalid_type"),
            (MESSAGES, {"metadata": "x"}, "invalid_type"),
            (COUNT, {"messages": WORD}, "invalid_type"),
            (GENERATE, {"contents": WORD}, "invalid_type"),
            (GENERATE, {"contents": []}, "missing_required_parameter"),
            (GENERATE, {"generationConfig": []}, "invalid_type"),
            (GENERATE, {"generationConfig": {"candidateCount": "2"}}, "invalid_type"),
            (GENERATE, {"generation_config": {}, "generationConfig": {}}, "duplicate_key"),
            (GENERATE, {"cachedContent": "cachedContents/1"}, "vendor_handle"),
            (GEMINI_COUNT, {"contents": 7}, "invalid_type"),
        ],
    )  # fmt: skip
    def test_a_wrong_field_is_refused(self, place, protocol, fields, code):
        path, body = known(protocol)
        answer = place.send(protocol, path, dump({**body, **fields}))
        row = refused(place, protocol, answer, 400, code)
        assert row[3] is None or row[3].endswith("-main")
        if protocol.family == "openai-chat":
            assert str(answer.json["error"]["param"]).split(".")[0].split("[")[0] in fields

    @each
    def test_the_message_of_a_missing_field_names_it(self, place, protocol):
        path, _ = known(protocol)
        answer = place.send(protocol, path, b"{}")
        assert answer.status == 400
        wanted = "contents" if protocol.family == "gemini" else "model"
        assert f"`{wanted}`" in answer.json["error"]["message"]

    @each
    def test_an_unknown_model_is_not_found(self, place, protocol):
        path, body = protocol.request(f"{WORD}/{WORD}-9")
        answer = place.send(protocol, path, dump(body))
        assert refused(place, protocol, answer, 404, "model_not_found")[3] is None

    @each
    def test_a_model_of_another_protocol_is_refused(self, place, protocol):
        other = "a-main" if protocol.family != "anthropic-messages" else "c-main"
        path, body = protocol.request(other)
        refused(place, protocol, place.send(protocol, path, dump(body)), 400, "wrong_protocol")

    @each
    @pytest.mark.parametrize(
        "kind",
        ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
         "application/jsonx", WORD],
    )  # fmt: skip
    def test_another_content_type_is_refused(self, place, protocol, kind):
        path, body = known(protocol)
        answer = place.send(protocol, path, dump(body), headers={"content-type": kind})
        refused(place, protocol, answer, 415, "unsupported_media_type")

    @each
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
    def test_another_method_is_refused(self, place, protocol, method):
        path, _ = known(protocol)
        answer = place.send(protocol, path, b"", method=method)
        if protocol.family == "gemini" and method == "GET":
            assert answer.status in (404, 405)
        else:
            assert answer.status == 405
        same_envelope(answer, protocol)

    @pytest.mark.parametrize(
        "header",
        ["x-max-cost-usd: much", "x-max-cost-usd: -1", "x-max-cost-usd: nan",
         "x-max-cost-usd: 1e999999", "x-max-tokens-clamp: maybe", "openai-beta: zz top",
         f"openai-beta: {WORD}"],
    )  # fmt: skip
    def test_a_header_without_sense_is_refused(self, place, header):
        name, _, value = header.partition(": ")
        answer = place.call(CHAT, headers={name: value})
        assert answer.status == 400
        same_envelope(answer, CHAT)


class TestSizes:
    @each
    def test_a_declared_length_over_the_limit_is_refused_unread(self, place, protocol):
        path, _ = known(protocol)
        head = bytes_of(place, protocol, path, **{"content-length": BODY_BYTES_MAX + 1})
        answer = talk(place, head)  # not one byte of the body
        refused(place, protocol, answer, 413, "body_too_large")

    @each
    def test_a_chunked_body_over_the_limit_is_refused(self, place, protocol):
        path, _ = known(protocol)
        head = bytes_of(place, protocol, path, **{"transfer-encoding": "chunked"})
        chunk = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
        answer = talk(place, head + chunk * (BODY_BYTES_MAX // 0x40000 + 1))
        refused(place, protocol, answer, 413, "body_too_large")

    def test_a_body_of_the_limit_is_read(self, place):
        path, body = known(CHAT)
        body["model"] = "none"
        raw = dump(body)
        padded = raw[:-1] + b" " * (BODY_BYTES_MAX - len(raw)) + b"}"
        assert place.send(CHAT, path, padded).status == 404
        assert place.send(CHAT, path, padded + b" ").status == 413

    @generations
    @pytest.mark.parametrize("coding", ["gzip", "zstd"])
    def test_a_bomb_is_refused_and_small_in_memory(self, place, protocol, coding):
        path, _ = known(protocol)
        bomb = bombs()[coding]
        assert len(bomb) < BODY_BYTES_MAX
        worker = place.gateway.workers()[0]
        Path(f"/proc/{worker}/clear_refs").write_text("5")  # the peak begins anew
        before = peak_kib(worker)
        began = time.monotonic()
        answer = place.send(protocol, path, bomb, headers={"content-encoding": coding})
        assert time.monotonic() - began < 1.5
        refused(place, protocol, answer, 413, "body_too_large")
        # The cap, a copy of it while its pieces are joined, and what the allocator keeps.
        assert peak_kib(worker) - before < 4 * BODY_BYTES_MAX >> 10

    def test_a_bomb_in_a_bomb_is_no_json(self, place):
        path, _ = known(CHAT)
        answer = place.send(
            CHAT, path, gzip.compress(bombs()["gzip"][:1_000]), headers={"content-encoding": "gzip"}
        )
        refused(place, CHAT, answer, 400, "invalid_utf8")  # gzip bytes are none

    @pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "compress", WORD])
    def test_another_encoding_is_refused(self, place, coding):
        path, body = known(CHAT)
        answer = place.send(CHAT, path, dump(body), headers={"content-encoding": coding})
        refused(place, CHAT, answer, 415, "unsupported_encoding")

    @pytest.mark.parametrize(
        ("coding", "raw"),
        [("gzip", b"no gzip"), ("gzip", gzip.compress(b"{}" * 99)[:-9]), ("zstd", b"no zstd"),
         ("gzip", gzip.compress(b"{}") + b"tail"), ("zstd", zstandard.compress(b"{}" * 99)[:-3])],
    )  # fmt: skip
    def test_a_broken_encoding_is_refused(self, place, coding, raw):
        path, _ = known(CHAT)
        answer = place.send(CHAT, path, raw, headers={"content-encoding": coding})
        assert answer.status == 400
        same_envelope(answer, CHAT)

    def test_a_zstd_window_over_the_limit_is_refused(self, place):
        path, _ = known(CHAT)
        parameters = zstandard.ZstdCompressionParameters(window_log=27)
        packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        raw = packed.compress(b'{"a":"' + os.urandom(1 << 20).hex().encode() + b'"}')
        raw += packed.flush()
        answer = place.send(CHAT, path, raw, headers={"content-encoding": "zstd"})
        assert answer.status == 400
        same_envelope(answer, CHAT)


class TestHeads:
    """What the HTTP parser refuses wears the envelope of the path, where one was read."""

    @generations
    def test_a_huge_header_is_refused(self, place, protocol):
        path, _ = known(protocol)
        answer = talk(place, bytes_of(place, protocol, path, **{"x-big": "y" * 40_000}))
        assert answer.status == 431
        self.told(answer, protocol, "headers_too_large")

    @generations
    def test_too_many_headers_are_refused(self, place, protocol):
        path, _ = known(protocol)
        extra = {f"x-{n}": "y" for n in range(200)}
        answer = talk(place, bytes_of(place, protocol, path, **extra))
        assert answer.status == 431
        self.told(answer, protocol, "headers_too_large")

    def told(self, answer, protocol, code):
        assert answer.headers["content-type"] == "application/json"
        error = answer.json["error"]
        assert error["message"]
        if protocol is CHAT:
            assert error["code"] == code
        elif protocol is MESSAGES:
            assert answer.json["type"] == "error"
        else:
            assert error["code"] == answer.status

    @pytest.mark.parametrize(
        "lines",
        [["content-length: x"], ["content-length: -5"], ["content-length: 1_0"],
         ["content-length: 5", "content-length: 6"],
         ["content-length: 5", "transfer-encoding: chunked"],
         ["transfer-encoding: chunked, identity"], ["transfer-encoding: bogus"],
         ["bad header"], ["x\x00y: z"], ["host: twice"]],
    )  # fmt: skip
    def test_a_bad_frame_is_a_400_and_the_connection_ends(self, place, lines):
        path, _ = known(CHAT)
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\n" + "".join(f"{x}\r\n" for x in lines) + "\r\n"
        with socket.create_connection(("127.0.0.1", place.gateway.port), timeout=5) as client:
            client.sendall(head.encode() + b"5\r\n{}   \r\n0\r\n\r\nGET /livez HTTP/1.1\r\n\r\n")
            got = received(client)
        assert got.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401")), got[:200]
        assert got.count(b"HTTP/1.1") == 1, "a second request was smuggled"

    def test_a_body_that_never_comes_holds_nothing(self, place):
        path, _ = known(CHAT)
        with socket.create_connection(("127.0.0.1", place.gateway.port), timeout=5) as client:
            client.sendall(bytes_of(place, CHAT, path, **{"content-length": 100}))
            time.sleep(0.1)
        row = wait_until(
            lambda: place.rows("SELECT status FROM logs_requestlog WHERE status = 499"),
            what="the row of a client that left",
        )
        assert row
        assert not place.rows("SELECT 1 FROM billing_charge WHERE state = 'open'")

    def test_the_body_is_not_read_before_the_key_is_known(self, place):
        head = bytes_of(place, CHAT, "/v1/chat/completions", key="",
                        **{"content-length": 1 << 20})  # fmt: skip
        assert talk(place, head).status == 401


class TestKeys:
    @each
    @pytest.mark.parametrize(
        ("key", "code"),
        [("", "missing_api_key"), ("sk-wrong", "invalid_api_key"),
         ("bnr_live_" + "a" * 36, "invalid_api_key"), ("bnr_live_é", "invalid_api_key"),
         ("'; DROP TABLE accounts_apikey; --", "invalid_api_key"),
         ("x" * 5_000, "invalid_api_key")],
    )  # fmt: skip
    def test_a_missing_or_wrong_key_is_a_401(self, place, protocol, key, code):
        path, body = known(protocol)
        answer = place.send(protocol, path, dump(body), key=key.encode().decode("latin-1"))
        refused(place, protocol, answer, 401, code)
        assert answer.headers["www-authenticate"] == "Bearer"

    def test_a_key_in_the_query_works_for_gemini_only(self, place):
        path, body = protocol_free(GENERATE)
        answer = place.ask("POST", f"{path}?key={place.key}", dump(body), JSON)
        assert answer.status == 404  # the key was taken: the model is what is missing
        path, body = protocol_free(CHAT)
        answer = place.ask("POST", f"{path}?key={place.key}", dump(body), JSON)
        assert answer.status == 401

    def test_a_path_that_is_none_is_not_found_in_the_protocol(self, place):
        for path, protocol in (("/v1/nothing", CHAT), ("/v1beta/nothing", GENERATE)):
            answer = place.send(protocol, path, b"{}")
            assert answer.status == 404
            assert answer.json["error"]["message"]

    def test_platform_errors_have_their_own_envelope(self, place):
        answer = place.ask("GET", "/api/v1/key", headers={"x-api-key": "bnr_live_x"})
        assert (answer.status, answer.json["error"]["code"]) == (401, 401)
        assert answer.json["error"]["metadata"]["reason"] == "invalid_api_key"
        for query in ("", "?id=", "?id=x", "?id=" + "9" * 5_000, "?id=gen-" + "0" * 32):
            answer = place.ask(
                "GET", f"/api/v1/generation{query}", headers={"x-api-key": place.key}
            )
            assert answer.status in (400, 404), query
            assert answer.json["error"]["message"]


@generations
def test_unknown_fields_reach_the_vendor_unchanged(place, protocol):
    """What we do not know is the vendor's to judge: it passes, byte for byte."""
    model = serving.model_of(protocol, "open")
    place.vendor.scripts[model] = protocol.answer()
    path, body = protocol.request(model)
    odd = b'"x_new" : {"deep":[123456789012345678901234567890, 0.10, "\\u00e9"]} , '
    assert place.send(protocol, path, b"{ " + odd + dump(body)[1:]).status == 200
    assert odd in place.vendor.of(model)[-1].body


JSON = {"content-type": "application/json"}


def protocol_free(protocol):
    return protocol.request("none")


@pytest.fixture(scope="module")
def away(tmp_path_factory, postgresql):
    """A gateway whose database was stopped; `cold` is a good key that no worker saw."""
    folder = tmp_path_factory.mktemp("away")
    with fresh_database(postgresql.url) as url:
        place = Serving(folder, "--workers", "1", DATABASE_URL=url, LEASE_TTL_S="3",
                        LEASE_ROTATION_S="1").start()  # fmt: skip
        for protocol in GENERATIONS:
            place.vendor.scripts[serving.model_of(protocol, "main")] = protocol.answer()
        cold = place.new_key("cold@example.com")
        for protocol in GENERATIONS:
            assert place.call(protocol).status == 200
        postgresql.stop()
        time.sleep(3.5)  # longer than any lease lives
        yield place, cold
        postgresql.start()
        wait_until(lambda: place.call(CHAT).status == 200, timeout_s=20, what="its return")
        place.stop()


class TestDatabaseAway:
    """503 with Retry-After, never 401: for keys that are warm and for keys that are not."""

    @each
    @pytest.mark.parametrize("is_warm", [True, False], ids=["warm", "cold"])
    def test_every_surface_says_503(self, away, protocol, is_warm):
        place, cold = away
        for is_stream in {False, bool(protocol.stream_path)}:
            path, body = protocol.request(serving.model_of(protocol, "main"), is_stream=is_stream)
            began = time.monotonic()
            answer = place.send(protocol, path, dump(body), key=place.key if is_warm else cold)
            took_s = time.monotonic() - began
            if is_warm and protocol in (COUNT, GEMINI_COUNT):
                assert answer.status != 401  # free of charge: no database is asked
                continue
            assert answer.status == 503, answer.body
            same_envelope(answer, protocol)
            assert int(answer.headers["retry-after"]) >= 1
            assert took_s < 2

    def test_the_platform_api_and_lists_say_503(self, away):
        place, cold = away
        for path in ("/api/v1/key", "/api/v1/credits", f"/api/v1/generation?id={'0' * 32}"):
            for key in (place.key, cold):
                answer = place.ask("GET", path, headers={"x-api-key": key})
                assert (answer.status, "retry-after" in answer.headers) == (503, True), path
        assert place.ask("GET", "/v1/models", headers={"x-api-key": cold}).status == 503
        assert place.ask("GET", "/v1/models", headers={"x-api-key": place.key}).status == 200

    def test_what_is_no_key_at_all_is_still_a_401(self, away):
        place, _ = away
        assert place.call(CHAT, key="sk-nonsense").status == 401

    def test_the_vendor_was_not_asked(self, away):
        place, _ = away
        paths = [x.path for x in place.vendor.exchanges[3:] if "ount" not in x.path]
        assert not paths


# Raw HTTP


def bytes_of(place, protocol, path, *, key=None, **headers):
    """Return a head as bytes, ready for a socket."""
    told = {"host": "gateway", "content-type": "application/json", "connection": "close",
            **place.credentials(protocol, key), **headers}  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def talk(place, raw):
    """Send bytes and return the answer, though the server may stop reading early."""
    with socket.create_connection(("127.0.0.1", place.gateway.port), timeout=10) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(raw)
        got = received(client)
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    return Answer(status=int(first.split()[1]), headers=headers, body=body)


def received(client):
    got = b""
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65536):
            got += part
    return got


_bombs = {}


def bombs():
    """Return 512 MiB of zeros, packed to less than the limit."""
    if not _bombs:
        packer, zeros = zlib.compressobj(1, wbits=31), bytes(1 << 24)
        _bombs["gzip"] = b"".join(packer.compress(zeros) for _ in range(32)) + packer.flush()
        packer = zstandard.ZstdCompressor(level=3).compressobj()
        _bombs["zstd"] = b"".join(packer.compress(zeros) for _ in range(32)) + packer.flush()
    return _bombs


def peak_kib(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM"))
