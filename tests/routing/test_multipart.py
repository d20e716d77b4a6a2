"""Forms: whatever they hold comes out as it went in; what has two readings is refused."""

import contextlib
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from routing import multipart
from routing.errors import Code, RelayError
from tests.routing.dialects import calls

TYPE = calls.form_type()["content-type"]
BOUNDARIES = st.text(string.ascii_letters + string.digits + "'()+_-./:=?,", min_size=1, max_size=70)
NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=20)
CONTENT = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"--", b"x", b"\0"]), max_size=20).map(
        b"".join
    ),
)
DISPOSITION = 'Content-Disposition: form-data; name="model"'


def read(raw, content_type=TYPE):
    return multipart.read(raw, content_type)


def refusal(raw, content_type=TYPE):
    with pytest.raises(RelayError) as caught:
        read(raw, content_type)
    assert caught.value.status == 400
    assert len(caught.value.message) > 30
    return caught.value


@given(
    st.lists(st.tuples(NAMES, CONTENT), min_size=1, max_size=6, unique_by=lambda p: p[0].lower()),
    BOUNDARIES,
    st.booleans(),
)
def test_every_content_comes_out_as_it_went_in(parts, boundary, is_quoted):
    dash = f"--{boundary}".encode()
    assume(all(dash not in content and dash[:-1] not in content for _, content in parts))
    raw = calls.form(*parts, boundary=boundary)
    assume(raw.count(dash) == len(parts) + 1)
    mark = '"' if is_quoted else ""
    form = read(raw, f"multipart/form-data; boundary={mark}{boundary}{mark}")
    assert [(part.name, form.content(part)) for part in form.parts] == parts
    assert all(part.is_file for part in form.parts)
    assert multipart.edit(form, {}) == raw


@given(
    st.lists(st.tuples(NAMES, CONTENT), min_size=1, max_size=5, unique_by=lambda p: p[0].lower()),
    st.text(min_size=0, max_size=40),
)
def test_an_edit_changes_its_field_and_no_other_byte(parts, value):
    assume(calls.BOUNDARY not in value)
    parts = [part for part in parts if part[0].lower() not in ("model", "user")]
    given_parts = [*parts[:1], ("model", "old"), *parts[1:]]
    raw = calls.form(*given_parts)
    edited = multipart.edit(read(raw), {"model": value, "user": "tag"})
    expected = calls.form(*parts[:1], ("model", value), *parts[1:], ("user", "tag"))
    assert edited == expected
    assert read(edited).texts()["model"] == value


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(raw):
    for body in (raw, b"--b0unDary\r\n" + raw, calls.form(("a", "b")) + raw):
        with contextlib.suppress(RelayError):
            assert multipart.edit(read(body), {}) == body


def test_arrays_may_repeat_and_nothing_else():
    form = read(calls.form(("include[]", "a"), ("include[]", "b"), ("model", "m")))
    assert form.texts() == {"include[]": "a\nb", "model": "m"}


@pytest.mark.parametrize(
    "names", [("model", "model"), ("model", "model[]"), ("model", "Model"), ("n[]", "n")]
)
def test_a_field_twice_is_refused_in_any_spelling(names):
    error = refusal(calls.form(*((name, "x") for name in names)))
    assert error.code is Code.DUPLICATE_KEY
    assert error.param == names[1]


BAD_TYPES = (
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=" + "x" * 71,
    "multipart/form-data; boundary=a; boundary=b",
    "multipart/form-data; boundary=a b",
    "multipart/form-data; boundary=a\r\nx: y",
    "multipart/form-data; boundary=a; charset=utf-16",
    "multipart/mixed; boundary=a",
)


@pytest.mark.parametrize("content_type", BAD_TYPES)
def test_an_odd_content_type_is_refused(content_type):
    error = refusal(calls.form(("a", "b")), content_type)
    assert error.code is Code.INVALID_HEADER
    assert error.param == "Content-Type"


WHOLE = calls.form(("model", "m"))
ODD = {
    "cut in its content": WHOLE[:-20],
    "no end": WHOLE.replace(b"--b0unDary--", b"--b0unDary"),
    "preamble": b"hello\r\n" + WHOLE,
    "epilogue": WHOLE + b"more",
    "no parts": b"--b0unDary--\r\n",
    "empty": b"",
    "line feeds alone": WHOLE.replace(b"\r\n", b"\n"),
    "boundary with a tail": WHOLE.replace(b"--b0unDary\r\n", b"--b0unDaryX\r\n", 1),
    "boundary after a line feed": calls.form(("model", "m\n--b0unDary\nx")),
    "boundary in a content": calls.form(("model", "x--b0unDary")),
    "boundary at once": calls.form(("model", "--b0unDary")),
    "no blank line": b"--b0unDary\r\nContent-Disposition: form-data\r\n--b0unDary--\r\n",
    "space before the line's end": WHOLE.replace(b"--b0unDary\r\n", b"--b0unDary \r\n", 1),
}
HEADS = {
    "no name": "Content-Disposition: form-data",
    "empty name": 'Content-Disposition: form-data; name=""',
    "endless name": f'Content-Disposition: form-data; name="{"x" * 101}"',
    "attachment": 'Content-Disposition: attachment; name="model"',
    "two names": f'{DISPOSITION}; name="other"',
    "name in another coding": f"{DISPOSITION}; name*=utf-8''other",
    "escaped name": 'Content-Disposition: form-data; name="mo\\del"',
    "name that is not ASCII": 'Content-Disposition: form-data; name="modèl"',
    "something behind": f"{DISPOSITION} x",
    "twice": f"{DISPOSITION}\r\n{DISPOSITION}",
    "folded": f"{DISPOSITION}\r\n  more",
    "unknown header": f"{DISPOSITION}\r\nX-Odd: 1",
    "base64": f"{DISPOSITION}\r\nContent-Transfer-Encoding: base64",
    "another length": f"{DISPOSITION}\r\nContent-Length: 9",
    "UTF-16": f"{DISPOSITION}\r\nContent-Type: text/plain; charset=utf-16",
    "endless": f"{DISPOSITION}\r\nContent-Type: {'x' * 5000}",
    "no colon": f"{DISPOSITION}\r\nContent-Type",
    "a zero byte": f"{DISPOSITION}\r\nContent-Type: a\0b",
}


@pytest.mark.parametrize("name", ODD)
def test_a_form_with_two_readings_is_refused(name):
    refusal(ODD[name])


@pytest.mark.parametrize("name", HEADS)
def test_a_part_with_an_odd_head_is_refused(name):
    refusal(calls.form(("model", "m", HEADS[name])))


def test_common_clients_are_understood():
    """The heads of browsers, httpx, requests, curl, undici and Go."""
    heads = (
        'Content-Disposition: form-data; name="file"; filename="a %22b%22.wav"',
        "content-disposition: form-data; name=\"x\"; filename*=utf-8''a%20b.wav",
        'Content-Disposition: form-data; name="y"; filename="a \\"b\\".wav"\r\nContent-Type: a/b',
        "Content-Disposition: form-data; name=z\r\nContent-Length: 1",
        'Content-Disposition: form-data; name="t"\r\nContent-Type: text/plain; charset="UTF-8"',
        'Content-Disposition: form-data; name="u"\r\nContent-Transfer-Encoding: 8bit',
    )
    form = read(calls.form(*((f"p{n}", "v", head) for n, head in enumerate(heads))))
    assert [part.name for part in form.parts] == ["file", "x", "y", "z", "t", "u"]
    assert [part.is_file for part in form.parts] == [True, True, True, False, False, False]
    assert form.texts() == {"z": "v", "t": "v", "u": "v"}


def test_the_number_of_parts_is_bounded():
    many = [(f"n{n}", "x") for n in range(multipart.PARTS_MAX)]
    assert len(read(calls.form(*many)).parts) == multipart.PARTS_MAX
    assert refusal(calls.form(*many, ("more", "x"))).code is Code.TOO_MANY_ITEMS


def test_a_text_must_be_short_and_utf8():
    raw = calls.form(("model", "m")).replace(b"\r\n\r\nm\r\n", b"\r\n\r\n\xff\r\n")
    with pytest.raises(RelayError) as caught:
        read(raw).texts()
    assert (caught.value.code, caught.value.param) == (Code.INVALID_UTF8, "model")
    with pytest.raises(RelayError) as caught:
        read(calls.form(("prompt", "x" * (multipart.TEXT_BYTES_MAX + 1)))).texts()
    assert "more than" in caught.value.message


def test_a_value_that_holds_the_boundary_is_refused():
    with pytest.raises(RelayError) as caught:
        multipart.edit(read(WHOLE), {"model": "x--b0unDary"})
    assert "another boundary" in caught.value.message
