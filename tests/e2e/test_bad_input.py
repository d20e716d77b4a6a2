"""Requests that are wrong: a clear error in the caller's protocol, no charge, only metadata."""

import socket
import time

import pytest

from tests.e2e import refusals, serving
from tests.e2e.refusals import WORD, bytes_of, dump, known, received, refused, same_envelope, talk
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
)  # fmt: skip
from tests.servers import wait_until

pytestmark = pytest.mark.process

each = pytest.mark.parametrize("protocol", ALL, ids=[p.name for p in ALL])
generations = pytest.mark.parametrize("protocol", GENERATIONS, ids=[p.name for p in GENERATIONS])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with refusals.place(tmp_path_factory.mktemp("bad")) as place:
        yield place


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

    def test_a_model_whose_protocol_has_no_such_operation_is_refused(self, place):
        path, body = EMBEDDINGS.request("a-main")
        answer = place.send(EMBEDDINGS, path, dump(body))
        refused(place, EMBEDDINGS, answer, 400, "wrong_protocol")

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
