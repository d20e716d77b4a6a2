import json

import pytest

from billing.usage import UnitClass
from routing.dialects import openai_images
from routing.errors import Code
from routing.surfaces import Surface
from tests.routing.dialects import calls

IMAGES, EDITS, VARIATIONS = Surface.IMAGES, Surface.IMAGE_EDITS, Surface.IMAGE_VARIATIONS
FILE = b"\x89PNG\r\n\x1a\n" + b"x" * 5_000
FORM = (("model", "m"), ("prompt", "a hat"), ("image", FILE))


def test_each_image_is_bounded_by_the_largest():
    demand = calls.demand(IMAGES, n=3, partial_images=2)
    assert demand.choices == 3
    assert demand.output_tokens == openai_images.IMAGE_TOKENS_MAX + 1_000
    assert demand.measures == {UnitClass.IMAGE: 3}
    assert not demand.has_limit
    assert not demand.has_remote_content


def test_the_bytes_of_a_file_are_no_prompt():
    inbound = calls.decode_form(EDITS, *FORM)
    demand = openai_images.demand(inbound)
    assert demand.images == 1
    assert 0 < demand.prompt_bytes < 100
    assert inbound.body == {"model": "m", "prompt": "a hat"}


def test_a_form_says_the_same_as_json():
    more = (("image[]", FILE), ("mask", FILE), ("n", "2"), ("stream", "True"),
            ("partial_images", "1"))  # fmt: skip
    inbound = calls.decode_form(EDITS, *FORM[:2], ("image[]", FILE), *more)
    demand = openai_images.demand(inbound)
    assert inbound.is_stream
    assert inbound.is_drained
    assert (demand.images, demand.choices) == (3, 2)


def test_images_in_json_are_counted_not_their_bytes():
    link = "data:image/png;base64," + "A" * 9_000
    demand = calls.demand(EDITS, images=[{"image_url": link}] * 2, mask={"image_url": link})
    assert demand.images == 3
    assert demand.prompt_bytes < 1_000


@pytest.mark.parametrize(
    ("extra", "code", "param"),
    [
        ({"prompt": None}, Code.MISSING_FIELD, "prompt"),
        ({"prompt": 5}, Code.INVALID_TYPE, "prompt"),
        ({"n": 0}, Code.INVALID_VALUE, "n"),
        ({"n": 11}, Code.INVALID_VALUE, "n"),
        ({"n": "2"}, Code.INVALID_TYPE, "n"),
        ({"partial_images": 4}, Code.INVALID_VALUE, "partial_images"),
        ({"stream": "yes"}, Code.INVALID_TYPE, "stream"),
        ({"models": ["x"]}, Code.UNPRICED, "models"),
        ({"store": True}, Code.VENDOR_HANDLE, "store"),
        ({"file_id": "file-1"}, Code.VENDOR_HANDLE, "file_id"),
        ({"extra": {"deep": [{"file_id": "file-1"}]}}, Code.VENDOR_HANDLE, "extra.deep[0].file_id"),
    ],
)
def test_a_wrong_field_is_refused(extra, code, param):
    error = calls.refusal(IMAGES, **extra)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize(
    ("extra", "code", "param"),
    [
        ({"images": []}, Code.MISSING_FIELD, "image"),
        ({"images": [{}]}, Code.MISSING_FIELD, "images[0].image_url"),
        ({"images": [{"file_id": "file-1"}]}, Code.VENDOR_HANDLE, "images[0].file_id"),
        ({"mask": {"file_id": "file-1"}}, Code.VENDOR_HANDLE, "mask.file_id"),
        ({"images": [{"image_url": "gs://a/b"}]}, Code.VENDOR_HANDLE, "images[0].image_url"),
        ({"images": [7]}, Code.INVALID_TYPE, "images[0]"),
    ],
)
def test_a_wrong_picture_is_refused(extra, code, param):
    error = calls.refusal(EDITS, **extra)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize(
    ("part", "code", "param"),
    [
        (("image", "file-1"), Code.INVALID_TYPE, "image"),
        (("n", "two"), Code.INVALID_TYPE, "n"),
        (("n", "11"), Code.INVALID_VALUE, "n"),
        (("n[]", "2"), Code.INVALID_TYPE, "n[]"),
        (("stream", "1"), Code.INVALID_TYPE, "stream"),
        (("file_id", "file-1"), Code.VENDOR_HANDLE, "file_id"),
        (("image_url", "https://example.com/x.png"), Code.UNBOUNDED, "image_url"),
    ],
)
def test_a_wrong_part_is_refused(part, code, param):
    rest = [given for given in FORM if given[0] != part[0]]
    error = calls.form_refusal(EDITS, *rest, part)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize("missing", ["model", "prompt", "image"])
def test_a_missing_part_is_named(missing):
    error = calls.form_refusal(EDITS, *(part for part in FORM if part[0] != missing))
    assert (error.code, error.param) == (Code.MISSING_FIELD, missing)


def test_variations_need_no_prompt():
    inbound = calls.decode_form(VARIATIONS, ("model", "m"), ("image", FILE))
    outbound = calls.encode(inbound)
    assert outbound.path == "images/variations"
    assert outbound.body == calls.form(("model", "up"), ("image", FILE))


def test_a_form_goes_on_byte_for_byte_with_its_own_boundary():
    outbound = calls.encode(
        calls.decode_form(EDITS, *FORM), tag="t", account_field="safety_identifier"
    )
    assert outbound.headers["content-type"] == calls.form_type()["content-type"]
    assert outbound.body == calls.form(("model", "up"), *FORM[1:])
    named = calls.decode_form(EDITS, *FORM, ("user", "alice"))
    outbound = calls.encode(named, tag="t", account_field="safety_identifier")
    assert outbound.body == calls.form(("model", "up"), *FORM[1:], ("user", "t"))


def test_what_the_caller_calls_its_user_stays_where_no_vendor_asks():
    inbound = calls.decode(IMAGES, user="alice")
    asked = calls.encode(inbound, tag="t", account_field="safety_identifier")
    assert json.loads(asked.body) == {"model": "up", "prompt": "Hi", "user": "t"}
    assert json.loads(calls.encode(inbound, tag="t").body)["user"] == "alice"
    silent = calls.encode(calls.decode(IMAGES), tag="t", account_field="safety_identifier")
    assert "user" not in json.loads(silent.body)
    assert asked.path == "images/generations"
    assert asked.headers["content-type"] == "application/json"
