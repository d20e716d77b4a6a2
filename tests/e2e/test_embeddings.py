"""Embeddings in either protocol of models that speak the other one, through a real gateway."""

import base64
import json
import struct
import subprocess
import sys

import pytest

from tests import scripts, sdk_contract, servers
from tests.e2e.serving import EMBEDDINGS, PRICES, SECRET, Protocol, Serving
from tests.emulator import Script
from tests.gateways import ROOT

pytestmark = pytest.mark.process
EMBED = Protocol(name="embed", family="gemini", stream_path="",
                 path="/v1beta/models/{model}:embedContent",
                 body={"content": {"parts": [{"text": "hi"}]}})  # fmt: skip
BATCH = Protocol(name="batch", family="gemini", stream_path="",
                 path="/v1beta/models/{model}:batchEmbedContents",
                 body={"requests": [{"content": {"parts": [{"text": text}]}}
                                    for text in ("one", "two")]})  # fmt: skip
FROM_GEMINI = {"embeddings": [{"values": [0.5, 1.0]}]}
TOLD = {"usageMetadata": {"promptTokenCount": 1000}}
FROM_OPENAI = {
    "object": "list", "model": "c-main", "usage": {"prompt_tokens": 1000, "total_tokens": 1000},
    "data": [{"object": "embedding", "index": 1, "embedding": [2.0]},
             {"object": "embedding", "index": 0, "embedding": [0.5]}],
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(tmp_path_factory.mktemp("embeddings")).start()
    yield place
    place.stop()


def ask_for(place, protocol, model, **extra):
    path, body = protocol.request(model, **extra)
    return place.send(protocol, path, json.dumps(body).encode())


def test_an_openai_client_embeds_with_a_model_of_gemini(place):
    place.vendor.scripts["g-main"] = scripts.whole({**FROM_GEMINI, **TOLD})
    answer = ask_for(place, EMBEDDINGS, "g-main", dimensions=2, user="u", encoding_format="float")
    assert answer.status == 200, answer.body
    assert answer.json == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}],
        "model": "generic/g-main",
        "usage": {"prompt_tokens": 1000, "total_tokens": 1000},
    }
    assert answer.headers["x-dropped-parameters"] == "user"
    assert answer.headers["content-type"] == "application/json"
    # $3 a million tokens, and the platform's markup of 5%.
    assert answer.headers["x-cost-usd"] == "0.00315"
    seen = place.vendor.of("g-main")[-1]
    assert seen.path == "/v1beta/models/g-main:batchEmbedContents"
    assert seen.header("x-goog-api-key") == SECRET
    assert seen.json == {"requests": [
        {"model": "models/g-main", "content": {"parts": [{"text": "hi"}]},
         "outputDimensionality": 2}]}  # fmt: skip


def test_base64_is_made_here(place):
    place.vendor.scripts["g-main"] = scripts.whole({**FROM_GEMINI, **TOLD})
    answer = ask_for(place, EMBEDDINGS, "g-main", encoding_format="base64")
    packed = answer.json["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(packed)) == (0.5, 1.0)
    assert "encoding_format" not in place.vendor.of("g-main")[-1].json


def test_what_the_vendor_does_not_count_is_counted_here_and_billed(place):
    place.vendor.scripts["g-main"] = scripts.whole(FROM_GEMINI)
    text = "A sentence of seven tokens stands here."
    answer = ask_for(place, EMBEDDINGS, "g-main", input=text)
    assert answer.json["usage"] == {"prompt_tokens": 8, "total_tokens": 8}
    assert answer.headers["x-cost-usd"] == "0.0000252"
    assert ("estimated", 25_200) in place.charges()
    _, _, cost, _ = place.logged(answer.headers["x-generation-id"])
    assert cost == 25_200


def test_a_gemini_client_embeds_a_batch_with_a_model_of_openai(place):
    place.vendor.scripts["c-main"] = scripts.whole(FROM_OPENAI)
    requests = [{**request, "taskType": "RETRIEVAL_QUERY", "title": "T"}
                for request in BATCH.body["requests"]]  # fmt: skip
    answer = ask_for(place, BATCH, "c-main", requests=requests)
    assert answer.status == 200, answer.body
    assert answer.json == {
        "embeddings": [{"values": [0.5]}, {"values": [2.0]}],
        "usageMetadata": {"promptTokenCount": 1000, "totalTokenCount": 1000},
    }
    assert answer.headers["x-dropped-parameters"] == "taskType, title"
    assert answer.headers["x-cost-usd"] == "0.00315"
    seen = place.vendor.of("c-main")[-1]
    assert seen.path == "/v1/embeddings"
    assert seen.json == {"model": "c-main", "input": ["one", "two"]}


def test_a_gemini_client_embeds_one_content(place):
    one = {**FROM_OPENAI, "data": FROM_OPENAI["data"][1:]}
    place.vendor.scripts["c-main"] = scripts.whole(one)
    answer = ask_for(place, EMBED, "c-main", outputDimensionality=1)
    assert answer.json["embedding"] == {"values": [0.5]}
    assert place.vendor.of("c-main")[-1].json["dimensions"] == 1
    assert "x-dropped-parameters" not in answer.headers


@pytest.mark.parametrize(
    ("protocol", "model", "extra", "name"),
    [
        (EMBEDDINGS, "g-main", {"input": [1, 2]}, "input"),
        (EMBEDDINGS, "g-main", {"input": [[1, 2]]}, "input[0]"),
        (EMBED, "c-main", {"content": {"parts": [
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}},
         "content.parts[0].inlineData"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused_before_anything_is_held(
    place, protocol, model, extra, name
):
    asked, charges = len(place.vendor.exchanges), len(place.charges())
    answer = ask_for(place, protocol, model, **extra)
    assert (answer.status, answer.code) == (400, "unsupported_parameter")
    assert f"`{name}`" in answer.json["error"]["message"]
    assert len(place.vendor.exchanges) == asked
    assert len(place.charges()) == charges


def test_a_vendors_refusal_is_told_in_the_callers_protocol(place):
    body = {"error": {"code": 400, "message": "too many", "status": "INVALID_ARGUMENT"}}
    place.vendor.scripts["g-main"] = scripts.whole(body, status=400)
    answer = ask_for(place, EMBEDDINGS, "g-main")
    assert answer.status == 400
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert answer.json["error"]["message"] == "too many"
    assert "status" not in answer.json["error"]


@pytest.mark.parametrize(
    "body",
    [{"embeddings": []}, {"embeddings": [{"values": "AAAA"}]}, {"embeddings": [{}, {}]}],
    ids=["none", "packed", "two"],
)
def test_vectors_that_cannot_be_read_cost_nothing(place, body):
    place.vendor.scripts["g-main"] = scripts.whole(body)
    answer = ask_for(place, EMBEDDINGS, "g-main")
    assert (answer.status, answer.code) == (502, "upstream_invalid_answer")
    assert place.charges()[-1] == ("voided", 0)


def test_native_embeddings_pass_byte_for_byte(place):
    told = json.dumps(FROM_OPENAI, indent=3).encode()
    place.vendor.scripts["c-main"] = Script(chunks=[told])
    answer = ask_for(place, EMBEDDINGS, "c-main", input=[[1, 2], [3]], encoding_format="float")
    assert answer.body == told
    assert place.vendor.of("c-main")[-1].json == {
        "model": "c-main", "input": [[1, 2], [3]], "encoding_format": "float"}  # fmt: skip


def test_a_model_that_only_speaks_anthropic_embeds_nothing(place):
    for protocol in (EMBEDDINGS, EMBED, BATCH):
        answer = ask_for(place, protocol, "a-main")
        assert (answer.status, answer.code) == (400, "wrong_protocol")


@pytest.fixture(scope="module")
def pointed(place, tmp_path_factory):
    """The demo vendor on channels of one protocol each."""
    port = servers.free_port()
    vendor = subprocess.Popen(
        [sys.executable, "-m", "bananarouter.demo_vendor", "--port", str(port)], cwd=ROOT
    )
    channels = [
        {"name": f"sdk-{name}", "vendor": "demo", "protocol": protocol, "api_key": SECRET,
         "base_url": f"http://127.0.0.1:{port}{root}",
         "models": [{"name": f"demo/{name}-{kind}", "upstream_name": f"demo-{kind}",
                     "prices": PRICES} for kind in ("embed", "fast")]}
        for name, protocol, root in (("c", "openai-chat", "/v1"), ("g", "gemini", "/v1beta"),
                                     ("a", "anthropic-messages", ""))
    ]  # fmt: skip
    file = tmp_path_factory.mktemp("sdk") / "channels.json"
    file.write_text(json.dumps({"channels": channels}))
    place.gateway.manage("import_channels", str(file))
    pointed = sdk_contract.Place(url=place.gateway.url, key=place.key, fast="", reasoner="",
                                 embed="")  # fmt: skip
    with pointed.openai() as client:
        servers.wait_until(
            lambda: "demo/g-embed" in {model.id for model in client.models.list()},
            what="the new models",
        )
    yield pointed
    vendor.terminate()
    assert vendor.wait(10) == 0


class TestSDKs:
    """The official SDKs against the demo vendor, with models that speak the other protocol."""

    def test_openai_gets_the_vectors_of_gemini(self, pointed):
        with pointed.openai() as client:
            told = [client.embeddings.create(model=f"demo/{name}-embed", input=["a", "b"],
                                             dimensions=64) for name in ("c", "g")]  # fmt: skip
        native, translated = told
        for one, other in zip(native.data, translated.data, strict=True):
            assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
            assert one.index == other.index
        assert translated.usage == native.usage

    def test_gemini_gets_the_vectors_of_openai(self, pointed):
        with pointed.gemini() as client:
            told = [client.models.embed_content(model=f"demo/{name}-embed", contents=["a", "b"],
                                                config={"output_dimensionality": 32,
                                                        "task_type": "CLUSTERING"})
                    for name in ("g", "c")]  # fmt: skip
        native, translated = told
        assert [e.values for e in translated.embeddings] == [e.values for e in native.embeddings]
        assert translated.usage_metadata.prompt_token_count == 2

    @pytest.mark.parametrize("name", ["c", "a", "g"])
    def test_every_sdk_counts_the_tokens_of_every_model(self, pointed, name):
        model, words = f"demo/{name}-fast", "How many tokens are these?"
        with pointed.openai() as client:
            told = client.responses.input_tokens.with_raw_response.count(model=model, input=words)
            expected = "vendor" if name == "c" else "estimate"
            assert told.headers["X-Token-Count"] == expected
            assert 6 <= told.parse().input_tokens <= 20
        with pointed.anthropic() as client:
            messages = [{"role": "user", "content": words}]
            told = client.messages.with_raw_response.count_tokens(model=model, messages=messages)
            assert told.headers["X-Token-Count"] == ("vendor" if name == "a" else "estimate")
            assert 6 <= told.parse().input_tokens <= 20
        with pointed.gemini() as client:
            told = client.models.count_tokens(model=model, contents=words)
            assert 6 <= told.total_tokens <= 20
