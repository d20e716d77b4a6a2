"""No sum is of fewer than twenty accounts, and no sum is lost that could be told."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from logs.archive import crowds

ROWS = st.lists(
    st.fixed_dictionaries({
        "model": st.sampled_from(["a", "b", "c", "d"]), "vendor": st.sampled_from(["v", "w"]),
        "account": st.one_of(st.just(""), st.integers(0, 60).map(str)),
        "requests": st.integers(1, 9),
    }),
    max_size=300,
)  # fmt: skip


@given(ROWS)
def test_every_sum_is_of_twenty_accounts_or_more(rows):
    day = crowds.merge(crowds.gather(rows, sums=["requests"]))
    assert all(len(crowd.accounts) >= 20 for crowd in day.crowds.values())
    told = sum(crowd.sums["requests"] for crowd in day.crowds.values())
    kept = sum(
        row["requests"] for row in rows if day.places[row["model"], row["vendor"]] is not None
    )
    assert told == kept
    if len({row["account"] for row in rows if row["account"]}) >= 20:
        assert told == sum(row["requests"] for row in rows), "a large day loses nothing"


@given(ROWS)
def test_every_cell_goes_where_its_sum_went(rows):
    cells = crowds.gather(rows, sums=["requests"])
    day = crowds.merge(cells)
    totals = Counter()
    for cell, place in day.places.items():
        if place is not None:
            totals[place] += cells[cell].sums["requests"]
    assert totals == {place: crowd.sums["requests"] for place, crowd in day.crowds.items()}
