"""Parameters of a URL are read exactly, or refused by name."""

import datetime as dt

import pytest

from routing import query_fields
from routing.errors import Code, RelayError


@pytest.mark.parametrize(("read", "query"), [
    (lambda q: query_fields.only(q, {"b"}), {"a": "1"}),
    (lambda q: query_fields.only(q, ()), {"a": ""}),
    *[(lambda q: query_fields.integer(q, "a", at_least=1, at_most=9), {"a": text})
      for text in ("0", "10", "-1", "1.0", "x", "٣", " 1", "1_0", "9" * 40)],
    *[(lambda q: query_fields.amount(q, "a"), {"a": text})
      for text in ("-1", "x", "NaN", "1e99", "0.0000000001")],
    (lambda q: query_fields.choice(q, "a", ("x", "y")), {"a": "z"}),
    (lambda q: query_fields.flag(q, "a"), {"a": "yes"}),
    *[(lambda q: query_fields.date(q, "a"), {"a": text})
      for text in ("2026-02-30", "20260201", "2026-W05-1", "today", "2026-02-01T00:00:00")],
])  # fmt: skip
def test_refuses_by_name(read, query):
    with pytest.raises(RelayError) as caught:
        read(query)
    assert (caught.value.code, caught.value.param) == (Code.INVALID_VALUE, "a")
    assert "`a`" in caught.value.message


def test_reads_what_is_there_and_tells_what_is_not():
    query = {"n": "7", "usd": "0.5", "list": "a, b,,c", "word": "x", "on": "true",
             "day": "2026-11-26", "empty": ""}  # fmt: skip
    query_fields.only(query, query.keys())
    assert query_fields.integer(query, "n", at_least=7, at_most=7) == 7
    assert query_fields.amount(query, "usd") == 500_000_000
    assert query_fields.words(query, "list") == {"a", "b", "c"}
    assert query_fields.choice(query, "word", ("x",)) == "x"
    assert query_fields.flag(query, "on")
    assert query_fields.date(query, "day") == dt.date(2026, 11, 26)
    for name in ("empty", "absent"):
        assert query_fields.integer(query, name, at_least=1) is None
        assert query_fields.amount(query, name) is None
        assert query_fields.words(query, name) == frozenset()
        assert query_fields.choice(query, name, ("x",)) == ""
        assert not query_fields.flag(query, name)
        assert query_fields.date(query, name) is None
