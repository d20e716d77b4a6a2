import re

from hypothesis import given
from hypothesis import strategies as st

from routing.translators.anthropic_messages import ids


def test_a_legal_id_stays():
    assert ids.for_client("toolu_01Ab-", fallback="x") == "toolu_01Ab-"
    assert ids.from_client("toolu_01Ab-") == "toolu_01Ab-"


def test_a_missing_id_is_the_fallback():
    assert ids.for_client("", fallback="toolu_x_0") == "toolu_x_0"


@given(st.text(min_size=1, max_size=30))
def test_every_id_is_legal_and_short_ones_come_back(call_id):
    shown = ids.for_client(call_id, fallback="")
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", shown)
    assert len(call_id.encode()) > 36 or ids.from_client(shown) == call_id


@given(st.text(max_size=80))
def test_no_id_of_a_client_makes_it_raise(call_id):
    ids.from_client(call_id)
    ids.from_client(f"toolu_br_{call_id}")


def test_an_id_that_only_looks_spelled_stays():
    assert ids.from_client("toolu_br_****") == "toolu_br_****"
