"""Steps of latency: few, near enough, never too short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logs import latency

MILLIS = st.integers(0, latency.TOPS[-1])


@given(MILLIS)
def test_a_step_is_at_most_a_fifth_too_long(milliseconds):
    top = latency.TOPS[latency.step(milliseconds)]
    assert milliseconds <= top <= max(milliseconds * latency.FACTOR + 1, 1)


@given(st.lists(MILLIS, min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_that_of_the_sorted_list_within_a_step(values, share):
    counts = {}
    for value in values:
        counts[latency.step(value)] = counts.get(latency.step(value), 0) + 1
    ordered = sorted(values)
    place = next(n for n in range(len(ordered)) if n + 1 >= share * len(ordered))
    exact = ordered[place]
    assert latency.percentile(counts, share) == latency.TOPS[latency.step(exact)]


def test_beyond_the_longest_step_is_the_longest_step():
    assert latency.step(10**9) == latency.STEPS - 1
    assert latency.TOPS[-1] > 2 * 3_600_000


@pytest.mark.parametrize("counts", [{}, {3: 0}])
def test_no_requests_have_no_percentile(counts):
    assert latency.percentile(counts, 0.5) is None
