import base64
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import UnitClass, Usage
from routing import dialects
from routing.dialects.base import Quirks
from routing.errors import Code, RelayError
from routing.surfaces import Surface
from routing.translators import embeddings
from routing.translators.base import Bill
from routing.translators.embeddings import GEMINI, OPENAI, Embedder, Wanted
from tests.routing.dialects import calls, recordings

EMBED, BATCH = Surface.GEMINI_EMBED, Surface.GEMINI_BATCH_EMBED
USED = Bill(usage=Usage(quantities={UnitClass.INPUT: 7}), cost_nusd=1)


def read(surface, **extra):
    return embeddings.read(calls.decode(surface, **extra))


def sent(surface, wire, **extra):
    """What the vendor is sent: path and body."""
    inbound = calls.decode(surface, **extra)
    translated = embeddings.write(embeddings.read(inbound), inbound, wire=wire)
    outbound = dialects.for_surface(wire).encode(
        translated, upstream_name="up", quirks=Quirks(), account_tag="", output_limit=None
    )
    return outbound.path, json.loads(outbound.body)


def refusal(surface, **extra):
    with pytest.raises(RelayError) as caught:
        read(surface, **extra)
    assert caught.value.status == 400
    return caught.value.code, caught.value.param


def request(*texts, **extra):
    return {"content": {"parts": [{"text": text} for text in texts]}, **extra}


class TestFromOpenAI:
    def test_texts_and_dimensions_become_a_batch(self):
        path, body = sent(OPENAI, GEMINI, input=["one", "two"], dimensions=64)
        assert path == "models/up:batchEmbedContents"
        assert body == {
            "requests": [
                {"model": "models/up", "content": {"parts": [{"text": text}]},
                 "outputDimensionality": 64}
                for text in ("one", "two")
            ]
        }  # fmt: skip

    def test_one_text_is_a_batch_of_one(self):
        _, body = sent(OPENAI, GEMINI, input="one")
        assert body == {"requests": [
            {"model": "models/up", "content": {"parts": [{"text": "one"}]}}]}  # fmt: skip

    @pytest.mark.parametrize(
        ("extra", "code", "param"),
        [
            ({"input": [1, 2]}, Code.UNSUPPORTED, "input"),
            ({"input": [[1, 2]]}, Code.UNSUPPORTED, "input[0]"),
            ({"input": ["a", [1]]}, Code.UNSUPPORTED, "input[1]"),
            ({"input": [{"type": "text", "text": "a"}]}, Code.UNSUPPORTED, "input[0]"),
            ({"encoding_format": "int8"}, Code.INVALID_VALUE, "encoding_format"),
            ({"encoding_format": 1}, Code.INVALID_TYPE, "encoding_format"),
            ({"dimensions": 0}, Code.INVALID_VALUE, "dimensions"),
            ({"dimensions": "8"}, Code.INVALID_TYPE, "dimensions"),
        ],
    )
    def test_what_cannot_be_carried_is_refused_by_its_name(self, extra, code, param):
        assert refusal(OPENAI, **extra) == (code, param)

    def test_other_fields_are_dropped_and_named(self):
        wanted = read(OPENAI, user="u", input_type="query", truncation=None, dimensions=None)
        assert wanted.dropped == ("user", "input_type")


class TestFromGemini:
    def test_a_content_becomes_a_text(self):
        path, body = sent(EMBED, OPENAI, **request("one", "two", outputDimensionality=64))
        assert path == "embeddings"
        assert body == {"model": "up", "input": ["one\ntwo"], "dimensions": 64}

    def test_a_batch_keeps_its_order(self):
        _, body = sent(BATCH, OPENAI, requests=[
            request("one", model="models/m", output_dimensionality=8),
            request("two", embedContentConfig={"outputDimensionality": 8}),
            {"content": {"parts": {"text": "three"}}, "outputDimensionality": 8},
        ])  # fmt: skip
        assert body == {"model": "up", "input": ["one", "two", "three"], "dimensions": 8}

    @pytest.mark.parametrize(
        ("extra", "code", "param"),
        [
            ({"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}}]}},
             Code.UNSUPPORTED, "content.parts[0].inlineData"),
            ({"content": {"parts": [{"text": "a"}, {"functionCall": {"name": "f"}}]}},
             Code.UNSUPPORTED, "content.parts[1].functionCall"),
            ({"content": {"parts": [{"text": 7}]}}, Code.INVALID_TYPE, "content.parts[0].text"),
            ({"content": {"parts": []}}, Code.MISSING_FIELD, "content.parts"),
            ({"content": {}}, Code.MISSING_FIELD, "content.parts"),
            ({"outputDimensionality": -1}, Code.INVALID_VALUE, "outputDimensionality"),
            ({"embedContentConfig": []}, Code.INVALID_TYPE, "embedContentConfig"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_carried_is_refused_by_its_name(self, extra, code, param):
        assert refusal(EMBED, **extra) == (code, param)

    def test_a_batch_names_the_request(self):
        media = {"content": {"parts": [{"fileData": {"fileUri": "https://x.example/f"}}]}}
        assert refusal(BATCH, requests=[request("a"), media]) == (
            Code.UNSUPPORTED, "requests[1].content.parts[0].fileData")  # fmt: skip

    def test_vectors_of_several_lengths_are_refused(self):
        different = [request("a"), request("b", outputDimensionality=8)]
        assert refusal(BATCH, requests=different) == (
            Code.UNSUPPORTED, "requests[1].outputDimensionality")  # fmt: skip

    def test_task_and_title_are_dropped_and_named_once(self):
        each = request("a", taskType="RETRIEVAL_DOCUMENT", title="T")
        newer = request("b", embedContentConfig={"autoTruncate": True, "title": "T"})
        assert read(BATCH, requests=[each, each, newer]).dropped == (
            "taskType", "title", "autoTruncate")  # fmt: skip


def embedder(surface, wire, *texts, is_base64=False):
    wanted = Wanted(texts=texts or ("a", "b"), is_base64=is_base64)
    return Embedder(wanted, surface=surface, wire=wire, model="acme/m")


def answer(surface, wire, document, *texts, **options):
    translator = embedder(surface, wire, *texts, **options)
    translator.take_whole(json.dumps(document).encode())
    return json.loads(translator.whole(USED))


FROM_GEMINI = {"embeddings": [{"values": [0.5, 1]}, {"values": [2, 0.25]}]}
FROM_OPENAI = {"object": "list", "model": "up", "data": [
    {"object": "embedding", "index": 1, "embedding": [2, 0.25]},
    {"object": "embedding", "index": 0, "embedding": [0.5, 1]}]}  # fmt: skip


class TestAnswers:
    def test_openai_gets_its_list_with_what_is_billed(self):
        assert answer(OPENAI, GEMINI, FROM_GEMINI) == {
            "object": "list",
            "data": [
                {"object": "embedding", "index": 0, "embedding": [0.5, 1]},
                {"object": "embedding", "index": 1, "embedding": [2, 0.25]},
            ],
            "model": "acme/m",
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        }

    def test_openai_gets_base64_when_it_asked_for_it(self):
        told = answer(OPENAI, GEMINI, FROM_GEMINI, is_base64=True)
        raw = [base64.b64decode(item["embedding"]) for item in told["data"]]
        assert [struct.unpack("<2f", item) for item in raw] == [(0.5, 1.0), (2.0, 0.25)]

    def test_gemini_gets_a_batch_in_the_order_of_its_requests(self):
        assert answer(BATCH, OPENAI, FROM_OPENAI) == {
            **FROM_GEMINI, "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7}
        }  # fmt: skip

    def test_gemini_gets_one_embedding_for_one_content(self):
        one = {"data": [{"embedding": [0.5]}]}
        assert answer(EMBED, OPENAI, one, "a") == {
            "embedding": {"values": [0.5]},
            "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
        }

    @pytest.mark.parametrize(
        "document",
        [
            {"data": []},
            {"data": None},
            {"data": [{"embedding": [1.0]}]},
            {"data": [{"embedding": [1.0]}, {"embedding": "AACAPw=="}]},
            {"data": [{"embedding": [1.0]}, {"embedding": []}]},
            {"data": [{"embedding": [1.0]}, {"embedding": [True]}]},
            {"data": [{"embedding": [1.0]}, {"embedding": [1e39]}]},
            {"data": [{"embedding": [1.0], "index": []}, {"index": {}}]},
            {"data": [{"embedding": [1.0]}, {"embedding": [1.0]}, {"embedding": [1.0]}]},
        ],
    )
    def test_vectors_that_cannot_be_read_fail_before_anything_is_booked(self, document):
        with pytest.raises(RelayError) as caught:
            answer(BATCH, OPENAI, document)
        assert caught.value.code is Code.UPSTREAM_INVALID
        assert caught.value.status == 502


VECTORS = st.lists(
    st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=5),
    min_size=1,
    max_size=4,
)


@given(VECTORS)
def test_no_digit_of_a_vector_is_lost_either_way(vectors):
    texts = tuple(map(str, range(len(vectors))))
    gemini = {"embeddings": [{"values": vector} for vector in vectors]}
    openai = answer(OPENAI, GEMINI, gemini, *texts)
    assert [item["embedding"] for item in openai["data"]] == vectors
    back = answer(BATCH, OPENAI, openai, *texts)
    assert back["embeddings"] == gemini["embeddings"]
    packed = answer(OPENAI, GEMINI, gemini, *texts, is_base64=True)["data"]
    for item, vector in zip(packed, vectors, strict=True):
        raw = base64.b64decode(item["embedding"])
        assert list(struct.unpack(f"<{len(vector)}f", raw)) == vector


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.none() | st.integers(1, 4096))
def test_a_request_there_and_back_is_the_same(texts, dimensions):
    extra = {} if dimensions is None else {"dimensions": dimensions}
    inbound = calls.decode(OPENAI, input=texts, **extra)
    wanted = embeddings.read(inbound)
    there = embeddings.write(wanted, inbound, wire=GEMINI)
    assert embeddings.read(there) == wanted
    back = embeddings.write(embeddings.read(there), there, wire=OPENAI)
    assert back.body == {"model": "", "input": texts, **extra}


def test_recorded_vectors_cross_over_unchanged():
    crossed = 0
    for case in recordings.cases():
        told, body = case["response"], case["request"]["body"]
        if case["protocol"] == "gemini-embed" and told["status"] == 200:
            document = json.loads(told["body"])
            texts = [str(n) for n in range(len(body["requests"]))]
            openai = answer(OPENAI, GEMINI, document, *texts)
            values = [item["values"] for item in document["embeddings"]]
            assert [item["embedding"] for item in openai["data"]] == values
            crossed += 1
        elif case["protocol"] == "openai-embeddings" and told["status"] == 200:
            document = json.loads(told["body"])
            if any(isinstance(item["embedding"], str) for item in document["data"]):
                continue  # packed: we ask no vendor for it
            gemini = answer(BATCH, OPENAI, document, *["a"] * len(document["data"]))
            values = [item["embedding"] for item in document["data"]]
            assert [item["values"] for item in gemini["embeddings"]] == values
            crossed += 1
    assert crossed >= 8
