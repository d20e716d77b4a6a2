import json

import pytest

from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls

EMBEDDINGS = Surface.EMBEDDINGS


@pytest.mark.parametrize("given", ["Hi", ["Hi", "you"], [1, 2, 3], [[1, 2], [3]]])
def test_texts_and_tokens_are_bounded_by_their_bytes(given):
    demand = calls.demand(EMBEDDINGS, input=given)
    assert demand.prompt_bytes == len(calls.dump({**calls.MINIMAL[EMBEDDINGS], "input": given}))
    assert not demand.has_output
    assert not demand.has_remote_content


def test_media_is_not():
    part = {"content": [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]}
    assert calls.demand(EMBEDDINGS, input=[part]).has_remote_content


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, Code.MISSING_FIELD),
        ("", Code.MISSING_FIELD),
        ([], Code.MISSING_FIELD),
        (5, Code.INVALID_TYPE),
        ([{"file_id": "file-1"}], Code.VENDOR_HANDLE),
    ],
)
def test_a_wrong_input_is_refused(given, code):
    assert calls.refusal(EMBEDDINGS, input=given).code is code


def test_the_model_is_the_only_edit():
    inbound = calls.decode(EMBEDDINGS, dimensions=256)
    outbound = calls.encode(
        inbound, upstream_name="e", tag="t", account_field="safety_identifier", output_limit=5
    )
    assert json.loads(outbound.body) == {"model": "e", "input": "Hi", "dimensions": 256}
    assert outbound.path == "embeddings"
