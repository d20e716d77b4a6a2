import itertools
import json

from hypothesis import example, given
from hypothesis import strategies as st

from routing.translators.openai_responses.wrapped_input import WrappedInput


def read(pieces):
    wrapped = WrappedInput()
    return [wrapped.feed(piece) for piece in pieces] + [wrapped.end()]


def test_text_leaves_as_it_comes():
    assert read(['{"inp', 'ut":"ab', "c\\", 'nd"', "}"]) == ["", "ab", "c", "\nd", "", ""]


def test_half_a_pair_waits_for_the_other():
    assert read(['{"input":"x\\ud83d', '\\ude00y"}']) == ["x", "😀y", ""]


def test_json_of_another_form_is_read_when_it_is_whole():
    assert read(['{"note":1,"input":', '"ab"}']) == ["", "", "ab"]


def test_what_is_no_json_is_the_text_itself():
    assert read(["*** Begin", " Patch"])[-1] == "*** Begin Patch"


@given(st.text(), st.data(), st.booleans())
@example("😀", None, True)
def test_every_text_comes_back_however_it_is_cut(text, data, is_ascii):
    whole = json.dumps({"input": text}, ensure_ascii=is_ascii)
    cuts = [] if data is None else data.draw(st.lists(st.integers(0, len(whole)), max_size=5))
    places = sorted({0, *cuts, len(whole)})
    pieces = [whole[start:end] for start, end in itertools.pairwise(places)]
    assert "".join(read(pieces)) == text
