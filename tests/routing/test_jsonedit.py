import json
import re
import tracemalloc

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import jsonedit
from routing.errors import Code, RelayError

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["a", "b", "model", "é", 'q"\\', "x:y"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(
    st.sampled_from(["model", "stream", "é", "messages", 'k"\\', "opt", "z:"]), VALUES, max_size=6
)


@st.composite
def spelled(draw, values=OBJECTS):
    """An object with a spelling of its own: spaces, escapes, numbers in odd forms."""
    value = draw(values)
    text = json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])),
        indent=draw(st.sampled_from([None, None, 2])),
    )
    pad = draw(st.sampled_from(["", " ", "\n\t "]))
    return value, (pad + text + pad).encode()


def member_texts(raw: bytes) -> list[tuple[str, str]]:
    """The members of the top level with their exact texts, by the standard library's parser."""
    text = raw.decode()
    decoder = json.JSONDecoder()
    position = text.index("{") + 1
    found = []
    while True:
        position += len(re.match(r"[ \t\r\n,]*", text[position:]).group())
        if text[position] == "}":
            return found
        start = position
        key, position = decoder.raw_decode(text, position)
        position += len(re.match(r"[ \t\r\n:]*", text[position:]).group())
        value_start = position
        _, position = decoder.raw_decode(text, position)
        found.append((key, text[start:value_start], text[value_start:position]))


@given(spelled(), SCALARS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_leaves_every_other_byte_alone(spelling, wanted):
    _, raw = spelling
    wanted = wanted if not isinstance(wanted, int) or abs(wanted) < 2**53 else 7
    document = jsonedit.read(raw)
    edited = jsonedit.edit(document, {("model",): wanted})

    before = member_texts(raw)
    after = member_texts(edited)
    assert json.loads(edited)["model"] == wanted
    if any(key == "model" for key, _, _ in before):
        # The same bytes before and after the one value that was replaced.
        index = next(i for i, (key, _, _) in enumerate(before) if key == "model")
        old, new = before[index][2].encode(), after[index][2].encode()
        place = _offset(raw, index)
        assert raw[:place] == edited[:place]
        assert raw[place + len(old) :] == edited[place + len(new) :]
    else:
        assert after[:-1] == before
        assert after[-1][0] == "model"
    assert [member for member in after if member[0] != "model"] == [
        member for member in before if member[0] != "model"
    ]


def _offset(raw: bytes, index: int) -> int:
    """The byte where the value of the n-th member starts."""
    text = raw.decode()
    decoder = json.JSONDecoder()
    position = text.index("{") + 1
    for number in range(index + 1):
        position += len(re.match(r"[ \t\r\n,]*", text[position:]).group())
        _, position = decoder.raw_decode(text, position)
        position += len(re.match(r"[ \t\r\n:]*", text[position:]).group())
        if number == index:
            return len(text[:position].encode())
        _, position = decoder.raw_decode(text, position)
    raise AssertionError


@given(spelled())
def test_without_changes_gives_the_callers_own_bytes(spelling):
    _, raw = spelling
    document = jsonedit.read(raw)
    assert jsonedit.edit(document, {}) == raw
    assert document.is_canonical == (orjson.dumps(document.value) == raw)


@given(spelled(), st.booleans())
def test_sets_a_key_inside_an_object_and_creates_the_parent(spelling, wanted):
    value, raw = spelling
    edited = json.loads(jsonedit.edit(jsonedit.read(raw), {("opt", "include"): wanted}))
    before = value.get("opt")
    expected = {**(before if isinstance(before, dict) else {}), "include": wanted}
    assert edited == {**json.loads(raw), "opt": expected}


@pytest.mark.parametrize("space", ["", " ", "\n  "])
def test_edits_inside_arrays(space):
    raw = '{"requests":[{"model":"a",_"n":1e2}_,{"n":2}], "x":1}'.replace("_", space).encode()
    edited = jsonedit.edit(jsonedit.read(raw), {("requests", 0, "model"): "models/b"})
    assert edited == raw.replace(b'"a"', b'"models/b"')


def test_keeps_what_our_parser_cannot_hold():
    raw = b'{"model":"a","seed":123456789012345678901234567890,"t":0.10000000000000000000001}'
    edited = jsonedit.edit(jsonedit.read(raw), {("model",): "b"})
    assert edited == raw.replace(b'"a"', b'"b"')


def test_many_changes_at_once_in_a_spaced_body():
    raw = b' { "b" : { "c" : 1 } , "model" :"a" }\n'
    changes = {("model",): "x", ("b", "c"): 2, ("b", "d"): True, ("new",): None, ("n", "m"): 1}
    assert jsonedit.edit(jsonedit.read(raw), changes) == (
        b' { "b" : { "c" : 2,"d":true } , "model" :"x","new":null,"n":{"m":1} }\n'
    )


def test_adds_to_an_empty_object():
    assert jsonedit.edit(jsonedit.read(b"{ }"), {("a",): 1}) == b'{"a":1 }'
    assert jsonedit.edit(jsonedit.read(b"{}"), {("a",): 1}) == b'{"a":1}'


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"a","model":"b"}',
        b'{"model":"a", "model":"a"}',
        b'{"\\u006dodel":"a","model":"b"}',
        b'{"model":"b","x":1,"mod\\u0065l":"a"}',
        b'{"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":900000}}',
        b'{"messages":[{"a":[{"file_id":"x","file_id":null}]}]}',
        b'{"a\\\\":1,"b":{"c\\"":1,"c\\u0022":2}}',
        b'{"":1,"":2}',
    ],
)
def test_refuses_the_same_key_twice_at_any_depth(raw):
    with pytest.raises(RelayError) as caught:
        jsonedit.read(raw)
    assert caught.value.code is Code.DUPLICATE_KEY
    assert caught.value.status == 400


@given(spelled())
def test_never_takes_single_keys_for_duplicates(spelling):
    _, raw = spelling
    jsonedit.read(raw)  # raises if it does


@given(st.binary(max_size=60))
def test_any_bytes_give_a_document_or_a_400(raw):
    try:
        outcome = jsonedit.read(raw)
    except RelayError as error:
        outcome = error
    assert isinstance(outcome, jsonedit.Document) or outcome.status == 400


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", Code.INVALID_JSON),
        (b"{", Code.INVALID_JSON),
        (b'{"a":1}x', Code.INVALID_JSON),
        (b'{"a":NaN}', Code.INVALID_JSON),
        (b'{"a":1e999}', Code.INVALID_JSON),
        (b"\xef\xbb\xbf{}", Code.INVALID_JSON),
        (b'{"a":"\\ud800"}', Code.INVALID_JSON),
        (b'{"a":"\xff"}', Code.INVALID_UTF8),
        (b"[]", Code.INVALID_TYPE),
        (b'"model"', Code.INVALID_TYPE),
        (b"null", Code.INVALID_TYPE),
        (b'{"a":' + b"[" * 63 + b"]" * 63 + b"}", None),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", Code.TOO_DEEP),
        (b'{"a":' * 65 + b"1" + b"}" * 65, Code.TOO_DEEP),
        (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", Code.TOO_DEEP),
        (b'{"a":[' + b"1," * 99_999 + b"1]}", None),
        (b'{"a":[' + b"1," * 100_000 + b"1]}", Code.TOO_MANY_ITEMS),
        (b'{"a":[' + b"[1,1]," * 250_000 + b"1]}", Code.TOO_MANY_ITEMS),
        (b'{"a":"' + b"1," * 500_000 + b'"}', None),
    ],
)
def test_bad_input(raw, code):
    if code is None:
        assert jsonedit.read(raw).value
        return
    with pytest.raises(RelayError) as caught:
        jsonedit.read(raw)
    assert caught.value.code is code
    assert not caught.value.is_retryable


def test_a_refusal_never_quotes_the_body():
    for raw in (b'{"key":"sk-canary', b'{"sk-canary":1,"sk-canary":2}', b'"sk-canary"'):
        with pytest.raises(RelayError) as caught:
            jsonedit.read(raw)
        assert "canary" not in caught.value.message


def test_an_endless_array_is_refused_before_it_becomes_objects():
    raw = b'{"a":[' + b"{}," * 3_000_000 + b"{}]}"
    tracemalloc.start()
    try:
        with pytest.raises(RelayError):
            jsonedit.read(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
