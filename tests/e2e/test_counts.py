"""Token counts from every protocol for every model, and compaction, through a real gateway."""

import json

import pytest

from tests import scripts
from tests.e2e.serving import (
    COUNT,
    FAMILIES,
    GEMINI_COUNT,
    PREFIX,
    PRICES,
    ROOTS,
    SECRET,
    Protocol,
    Serving,
)
from tests.emulator import Script

pytestmark = pytest.mark.process
INPUT_TOKENS = Protocol(name="input_tokens", family="openai-chat", stream_path="",
                        path="/v1/responses/input_tokens", body={"input": "hi"})  # fmt: skip
COMPACT = Protocol(name="compact", family="openai-chat", stream_path="",
                   path="/v1/responses/compact", body={"input": "hi"})  # fmt: skip
COUNTS = (INPUT_TOKENS, COUNT, GEMINI_COUNT)
SHAPES = {
    "input_tokens": {"object": "response.input_tokens", "input_tokens": 17},
    "count_tokens": {"input_tokens": 17},
    "gemini_count": {"totalTokens": 17},
}
each = pytest.mark.parametrize("protocol", COUNTS, ids=[p.name for p in COUNTS])


class Place(Serving):
    """Vendors that have every operation, and one that has none of them."""

    def import_channels(self):
        channels = []
        for family in FAMILIES:
            for vendor, prefix in (("demo", "demo/"), ("deepseek", "")):
                if vendor == "deepseek" and family != "openai-chat":
                    continue
                models = [
                    {"name": f"{prefix}{PREFIX[family]}-{name}", "prices": PRICES,
                     "upstream_name": f"{PREFIX[family]}-{name}", "output_tokens_max": 1_000}
                    for name in ("main", "broken", vendor)
                ]  # fmt: skip
                channels.append(
                    {"name": f"{vendor}-{family}", "vendor": vendor, "protocol": family,
                     "base_url": f"{self.vendor.url}{ROOTS[family]}", "api_key": SECRET,
                     "models": models}
                )  # fmt: skip
        file = self.folder / "channels.json"
        file.write_text(json.dumps({"channels": channels}))
        self.gateway.manage("import_channels", str(file))

    def ask_for(self, protocol, model, **extra):
        path, body = protocol.request(model, **extra)
        return self.send(protocol, path, json.dumps(body).encode())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("counts"), IP_AUTH_FAILURES_PER_MINUTE="1000").start()
    yield place
    place.stop()


def native(protocol, name="main"):
    return f"demo/{PREFIX[protocol.family]}-{name}"


def counted(answer):
    told = answer.json
    return told.get("input_tokens", told.get("totalTokens"))


def is_shaped(protocol, answer):
    return answer.json.keys() == SHAPES[protocol.name].keys()


@pytest.mark.clause("3.1-forward")
@each
def test_the_vendors_own_count_passes_byte_for_byte(place, protocol):
    model = native(protocol)
    body = json.dumps(SHAPES[protocol.name], indent=1).encode()
    place.vendor.scripts[model.removeprefix("demo/")] = Script(chunks=[body])
    answer = place.ask_for(protocol, model)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["x-token-count"] == "vendor"
    assert answer.headers["x-vendor"] == "demo"
    assert float(answer.headers["x-cost-usd"]) == 0
    seen = place.vendor.of(model.removeprefix("demo/"))[-1]
    assert seen.path.endswith(protocol.path.rpartition("/")[2].replace("{model}", model[5:]))
    assert place.charges() == []


@each
@pytest.mark.parametrize("family", FAMILIES)
def test_every_model_is_counted_in_every_protocol(place, protocol, family):
    if family == protocol.family:
        return
    asked = len(place.vendor.exchanges)
    answer = place.ask_for(protocol, f"demo/{PREFIX[family]}-main")
    assert answer.status == 200
    assert is_shaped(protocol, answer)
    assert 1 <= counted(answer) <= 10
    assert answer.headers["x-token-count"] == "estimate"
    assert "x-vendor" not in answer.headers
    assert len(place.vendor.exchanges) == asked  # nobody was asked
    assert place.charges() == []


def test_a_vendor_without_the_operation_is_not_asked(place):
    asked = len(place.vendor.exchanges)
    answer = place.ask_for(INPUT_TOKENS, "c-deepseek")
    assert answer.json == {"object": "response.input_tokens", "input_tokens": 8}
    assert answer.headers["x-token-count"] == "estimate"
    assert len(place.vendor.exchanges) == asked


@each
@pytest.mark.parametrize(
    "script",
    [scripts.error(404), scripts.error(405), scripts.error(500), scripts.error(529),
     scripts.error(401), Script(answers=False, end="reset"), Script(chunks=[b"{}"]),
     Script(chunks=[b"<html>"])],
    ids=["404", "405", "500", "529", "401", "reset", "empty", "html"],
)  # fmt: skip
def test_a_vendor_that_fails_to_count_is_counted_for(place, protocol, script):
    model = native(protocol, "broken")
    place.vendor.scripts[model.removeprefix("demo/")] = script
    answer = place.ask_for(protocol, model)
    assert answer.status == 200, answer.body
    assert is_shaped(protocol, answer)
    assert counted(answer) >= 1
    assert answer.headers["x-token-count"] == "estimate"
    assert SECRET.encode() not in answer.body


@each
def test_a_wrong_request_is_the_callers_to_mend(place, protocol):
    model = native(protocol, "broken")
    body = b'{"error":{"message":"bad field","type":"invalid_request_error","code":"x"}}'
    place.vendor.scripts[model.removeprefix("demo/")] = Script(status=400, chunks=[body])
    answer = place.ask_for(protocol, model)
    assert (answer.status, answer.body) == (400, body)
    assert "x-token-count" not in answer.headers


@each
def test_handles_are_refused_whoever_counts(place, protocol):
    handle = {
        "input_tokens": {"previous_response_id": "resp_1"},
        "count_tokens": {"container": "c_1"},
        "gemini_count": {"cachedContent": "cachedContents/1"},
    }[protocol.name]
    for model in (native(protocol), "c-deepseek"):
        answer = place.ask_for(protocol, model, **handle)
        assert answer.status == 400
        assert next(iter(handle)) in answer.body.decode()


def test_longer_prompts_count_more_and_pictures_do_not_grow_with_their_bytes(place):
    model = "demo/g-main"
    small = counted(place.ask_for(COUNT, model))
    text = "A sentence of seven tokens stands here. " * 20_000
    large = place.ask_for(COUNT, model, messages=[{"role": "user", "content": text}])
    assert counted(large) - small > 100_000
    sizes = set()
    for size in (1_000, 400_000):
        source = {"type": "base64", "media_type": "image/png", "data": "A" * size}
        content = [{"type": "image", "source": source}]
        sizes.add(counted(
            place.ask_for(COUNT, model, messages=[{"role": "user", "content": content}])
        ))  # fmt: skip
    assert sizes == {1_601}


def test_a_count_is_logged_like_any_request(place):
    answer = place.ask_for(INPUT_TOKENS, "c-deepseek")
    status, error, cost, model = place.logged(answer.headers["x-generation-id"])
    assert (status, error, cost, model) == (200, None, 0, "deepseek/c-deepseek")


COMPACTED = {
    "id": "resp_1", "object": "response.compaction", "created_at": 1,
    "output": [{"type": "compaction", "id": "cmp_1", "encrypted_content": "AAAA"}],
    "usage": {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 0},
              "output_tokens": 100, "output_tokens_details": {"reasoning_tokens": 0},
              "total_tokens": 1100},
}  # fmt: skip


def test_a_compaction_is_passed_and_paid(place):
    place.vendor.scripts["c-main"] = scripts.whole(COMPACTED)
    answer = place.ask_for(COMPACT, "demo/c-main")
    assert answer.status == 200
    assert answer.json == COMPACTED
    assert place.vendor.of("c-main")[-1].path == "/v1/responses/compact"
    assert place.vendor.of("c-main")[-1].json == {"model": "c-main", "input": "hi"}
    # $3 and $15 a million tokens, and the platform's markup of 5%.
    assert answer.headers["x-cost-usd"] == "0.004725"
    assert place.charges()[-1] == ("settled", 4_725_000)


def test_a_compaction_elsewhere_says_who_offers_it(place):
    asked = len(place.vendor.exchanges)
    for model in ("c-deepseek", "demo/a-main", "demo/g-main"):
        answer = place.ask_for(COMPACT, model)
        assert (answer.status, answer.code) == (400, "wrong_protocol")
        assert "OpenAI" in answer.json["error"]["message"]
    assert len(place.vendor.exchanges) == asked


def test_a_compaction_is_stateless(place):
    answer = place.ask_for(COMPACT, "demo/c-main", previous_response_id="resp_1")
    assert (answer.status, answer.code) == (400, "vendor_handle")
