"""Cells of CSV files hold what was there, and are no formulas."""

import csv
import datetime as dt

import pytest

from bananarouter.pages import sheets


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, ""), (True, "true"), (False, "false"), (0, "0"), (-5, "-5"), (-0.5, "-0.5"),
     ("demo/banana", "demo/banana"), ("", ""),
     (dt.datetime(2026, 11, 23, 1, 2, 3, 4_000, tzinfo=dt.UTC), "2026-11-23T01:02:03.004+00:00")],
)  # fmt: skip
def test_values_are_written_plainly(value, written):
    assert sheets.cell(value) == written


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "=cmd|' /C x'!A0"],
)
def test_no_text_begins_a_formula(text):
    assert sheets.cell(text) == f"'{text}"


def test_a_file_is_saved_under_its_name():
    response = sheets.response("x.csv", ("a", "b"), [("1,2", '"'), ("=x", None)])
    assert response["Content-Disposition"] == 'attachment; filename="x.csv"'
    assert list(csv.reader(response.content.decode().splitlines())) == [
        ["a", "b"], ["1,2", '"'], ["'=x", ""],
    ]  # fmt: skip
