"""What labels a request: one header, and the field of each protocol that names an end user."""

import json

import pytest

from accounts import end_users
from routing import dialects, labels
from routing.dialects.base import PathParts
from routing.errors import Code, RelayError
from routing.surfaces import Surface

HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("text", ["a", "checkout/search", "team:7@x.y_z-1", "9" * 64])
def test_a_label_is_taken_as_it_is(text):
    assert labels.tag({"x-tag": text}) == text


@pytest.mark.parametrize("headers", [{}, {"x-tag": ""}])
def test_no_tag_is_none(headers):
    assert labels.tag(headers) is None


@pytest.mark.parametrize(
    "text", ["9" * 65, "two words", "a, b", "-a", "=1+1", "é", "a\n", "a\x00", "{}", '"a"']
)
def test_what_is_no_label_is_refused_by_name_and_not_repeated(text):
    with pytest.raises(RelayError) as refused:
        labels.tag({"x-tag": text})
    assert refused.value.code is Code.INVALID_HEADER
    assert "X-Tag" in refused.value.message
    assert text not in refused.value.message.replace("A-Z, a-z", "")


def hashed(surface: Surface, **body) -> str | None:
    inbound = dialects.for_surface(surface).decode(
        surface=surface,
        raw=json.dumps(body).encode(),
        headers={},
        path=PathParts(model="m"),
    )
    return labels.end_user(inbound, account_id=7)


ANN = end_users.digest("ann", account_id=7)
CASES = [
    (Surface.CHAT, {"messages": HI}),
    (Surface.COMPLETIONS, {"prompt": "hi"}),
    (Surface.RESPONSES, {"input": "hi"}),
    (Surface.EMBEDDINGS, {"input": "hi"}),
    (Surface.IMAGES, {"prompt": "hi"}),
]


@pytest.mark.parametrize(("surface", "body"), CASES)
def test_openais_user_is_the_end_user(surface, body):
    body = {"model": "m", **body}
    assert hashed(surface, **body) is None
    assert hashed(surface, **body, user="ann") == ANN
    assert hashed(surface, **body, safety_identifier="ann") == ANN
    assert hashed(surface, **body, user="ann", safety_identifier="bob") == ANN
    assert hashed(surface, **body, user="", safety_identifier="ann") == ANN


@pytest.mark.parametrize("surface", [Surface.MESSAGES, Surface.COUNT_TOKENS])
def test_anthropics_user_id_is_the_end_user(surface):
    body = {"model": "m", "messages": HI, "max_tokens": 5}
    assert hashed(surface, **body, metadata={"user_id": "ann"}) == ANN
    assert hashed(surface, **body, metadata={}) is None
    assert hashed(surface, **body, user="ann") is None


def test_geminis_protocol_names_no_end_user():
    contents = [{"role": "user", "parts": [{"text": "hi"}]}]
    assert hashed(Surface.GENERATE, contents=contents, user="ann") is None


@pytest.mark.parametrize("name", [5, None, True, ["ann"], {"a": 1}, "", "  "])
def test_what_is_no_name_labels_nothing_and_refuses_nothing(name):
    assert hashed(Surface.CHAT, model="m", messages=HI, user=name) is None
