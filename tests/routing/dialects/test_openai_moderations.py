import json

import pytest

from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls

MODERATIONS = Surface.MODERATIONS
LINK = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}


@pytest.mark.parametrize("given", ["Hi", ["Hi", "you"], [{"type": "text", "text": "Hi"}]])
def test_texts_are_bounded_by_their_bytes(given):
    demand = calls.demand(MODERATIONS, input=given)
    assert demand.prompt_bytes == len(calls.dump({"model": "m", "input": given}))
    assert not demand.has_output


def test_images_are_counted():
    assert calls.demand(MODERATIONS, input=[LINK, LINK]).images == 2


def test_without_a_model_the_vendors_default_is_meant():
    inbound = calls.decode(MODERATIONS, {"input": "Hi"})
    assert inbound.model == "omni-moderation-latest"
    assert json.loads(calls.encode(inbound).body) == {"input": "Hi", "model": "up"}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, Code.MISSING_FIELD),
        ("", Code.MISSING_FIELD),
        ([], Code.MISSING_FIELD),
        (5, Code.INVALID_TYPE),
        ([5], Code.INVALID_TYPE),
        ([{"type": "text", "text": 5}], Code.INVALID_TYPE),
        ([{"type": "file", "file_id": "file-1"}], Code.VENDOR_HANDLE),
    ],
)
def test_a_wrong_input_is_refused(given, code):
    assert calls.refusal(MODERATIONS, input=given).code is code
