import json

import pytest

from billing.usage import UnitClass
from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls

RERANK = Surface.RERANK


def test_the_query_counts_once_for_each_document():
    body = {"model": "m", "query": "q" * 50, "documents": ["d"] * 10}
    demand = calls.demand(RERANK, body)
    assert demand.prompt_bytes == len(calls.dump(body)) + 500
    assert not demand.has_output


def test_search_units_are_counted_by_the_hundred_and_bounded_by_length():
    inbound = calls.decode(RERANK, documents=["d"] * 101)
    assert inbound.content.measures == {UnitClass.SEARCH_UNIT: 2}
    long = calls.demand(RERANK, documents=["d" * 1_000] * 100)
    assert long.measures[UnitClass.SEARCH_UNIT] >= 4  # 100 documents of two chunks and more


def test_documents_may_be_objects_with_images():
    documents = [{"text": "a", "image": "https://example.com/x.png"}, {"title": "b", "body": "c"}]
    demand = calls.demand(RERANK, documents=documents)
    assert demand.images == 1
    assert calls.demand(RERANK, documents=documents[1:]).has_remote_content is False


@pytest.mark.parametrize(
    ("extra", "code", "param"),
    [
        ({"query": None}, Code.MISSING_FIELD, "query"),
        ({"query": 5}, Code.INVALID_TYPE, "query"),
        ({"documents": []}, Code.MISSING_FIELD, "documents"),
        ({"documents": "x"}, Code.INVALID_TYPE, "documents"),
        ({"documents": [5]}, Code.INVALID_TYPE, "documents[0]"),
        ({"documents": [{"image": "gs://a/b"}]}, Code.VENDOR_HANDLE, "documents[0].image"),
        ({"documents": [{"a": {"file_id": "f"}}]}, Code.VENDOR_HANDLE, "documents[0].a.file_id"),
        ({"top_n": 0}, Code.INVALID_VALUE, "top_n"),
    ],
)
def test_a_wrong_field_is_refused(extra, code, param):
    error = calls.refusal(RERANK, **extra)
    assert (error.code, error.param) == (code, param)


def test_the_model_is_the_only_edit():
    outbound = calls.encode(calls.decode(RERANK, top_n=1), tag="t", account_field="user")
    assert outbound.path == "rerank"
    assert json.loads(outbound.body) == {
        "model": "up", "query": "Hi", "documents": ["Hi", "Ho"], "top_n": 1,
    }  # fmt: skip
