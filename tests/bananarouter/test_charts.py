"""Bars stand where their numbers say, and colors can be told apart."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bananarouter.pages import charts
from tests.bananarouter.test_pages_words import contrast, tokens

BAR = re.compile(r"M([\d.]+) (\d+)h8v(\d+)H([\d.]+)z")


def bars(path):
    """(column, top, height) of each bar, from the bottom of the drawing."""
    return [
        (int((float(x) - 1) // charts.COLUMN), charts.HEIGHT - int(y), int(height))
        for x, y, height, _ in BAR.findall(path)
    ]


def test_series_stand_on_each_other():
    drawn = charts.stacked([[10, 0], [30, 20]], labels=["a", "b"])
    assert drawn.ticks[-1].value == 40
    assert bars(drawn.paths[0]) == [(0, 250, 250)]
    assert bars(drawn.paths[1]) == [(0, 1000, 750), (1, 500, 500)]
    assert drawn.width == 20


@given(st.lists(st.lists(st.integers(0, 10**15), min_size=3, max_size=3), min_size=1, max_size=9))
def test_a_columns_height_is_its_sum(series):
    drawn = charts.stacked(series, labels=["a", "b", "c"])
    top = drawn.ticks[-1].value
    for column in range(3):
        whole = sum(values[column] for values in series)
        tops = [high for path in drawn.paths for n, high, _ in bars(path) if n == column]
        assert max(tops, default=0) == round(charts.HEIGHT * whole / top)
        assert whole <= top


def test_what_is_below_zero_is_not_drawn():
    drawn = charts.stacked([[-5, 5]], labels=["a", "b"])
    assert [column for column, _, _ in bars(drawn.paths[0])] == [1]


def test_nothing_is_drawn_of_nothing():
    drawn = charts.stacked([], labels=[])
    assert (drawn.paths, drawn.labels) == ([], [])


@given(st.integers(0, 10**18))
def test_a_scale_ends_at_a_round_number_that_is_enough(value):
    top = charts.ceiling(value)
    assert top >= value
    assert top % charts.TICKS == 0
    assert re.fullmatch(r"(4|8|12|20|40)0*", str(top))
    assert top <= max(value * 2, charts.TICKS)


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (7, 7), (8, 4), (24, 6), (30, 6), (90, 7)])
def test_labels_never_crowd(count, shown):
    labels = charts.stacked([[1] * count], labels=[str(n) for n in range(count)]).labels
    assert len(labels) == shown <= charts.LABELS_MAX
    assert labels[0].text == "0"


def test_a_sparkline_has_a_bar_for_each_day():
    assert len(bars(charts.sparkline([1, 2, 3, 0, 4]))) == 4


# Colors


ORDER = [f"series-{n}" for n in range(1, 9)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_color_is_seen_on_its_ground(theme):
    colors = tokens()[theme]
    for name in [*ORDER, "series-rest"]:
        assert contrast(colors[name], colors["surface"]) >= 3, name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_neighbors_differ_in_lightness_for_eyes_that_see_no_hue(theme):
    colors = tokens()[theme]
    for one, other in zip(ORDER, [*ORDER[1:], "series-rest"], strict=True):
        assert contrast(colors[one], colors[other]) >= 1.5, (one, other)
