"""Proof of work: only a real solution counts, for whom it was asked, in time, and once."""

import datetime as dt
import itertools

import pytest
from django.core.cache import cache

from accounts import work

NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
BITS = 8


@pytest.fixture(autouse=True)
def nothing_spent():
    cache.clear()
    yield
    cache.clear()


def solve(challenge, bits=BITS) -> str:
    return next(str(n) for n in itertools.count() if work.zero_bits(challenge, n) >= bits)


def issue(**changed) -> str:
    return work.issue(**{"subject": "7", "bits": BITS, "now": NOW, **changed})


def test_a_solution_counts_once():
    challenge = issue()
    nonce = solve(challenge)
    work.verify(challenge, nonce, subject="7", now=NOW)
    with pytest.raises(work.WorkSpent):
        work.verify(challenge, nonce, subject="7", now=NOW)


def test_another_solution_of_a_spent_challenge_does_not_count():
    challenge = issue()
    first = solve(challenge)
    other = next(str(n) for n in itertools.count(int(first) + 1)
                 if work.zero_bits(challenge, n) >= BITS)  # fmt: skip
    work.verify(challenge, first, subject="7", now=NOW)
    with pytest.raises(work.WorkSpent):
        work.verify(challenge, other, subject="7", now=NOW)


def test_a_number_that_solves_nothing_is_refused_and_spends_nothing():
    challenge = issue()
    wrong = next(str(n) for n in itertools.count() if work.zero_bits(challenge, n) < BITS)
    with pytest.raises(work.WorkWrong):
        work.verify(challenge, wrong, subject="7", now=NOW)
    work.verify(challenge, solve(challenge), subject="7", now=NOW)


def test_a_challenge_is_for_one_account():
    challenge = issue()
    with pytest.raises(work.WorkWrong):
        work.verify(challenge, solve(challenge), subject="8", now=NOW)


def test_a_challenge_ends():
    challenge = issue()
    nonce = solve(challenge)
    with pytest.raises(work.WorkExpired):
        work.verify(challenge, nonce, subject="7", now=NOW + work.LIFE)
    work.verify(challenge, nonce, subject="7", now=NOW + work.LIFE - dt.timedelta(seconds=1))


@pytest.mark.parametrize("nonce", ["", "-1", "1.5", "0x10", " 1", "9" * 16, "๑", "1\n"])
def test_what_is_no_number_is_refused(nonce):
    with pytest.raises(work.WorkRefused):
        work.verify(issue(bits=0), nonce, subject="7", now=NOW)


@pytest.mark.parametrize("change", [
    lambda _: "", lambda _: "x", lambda text: text[:-1], lambda text: "e" + text,
    lambda text: text.partition(":")[0],
    lambda text: issue(bits=0).partition(":")[0] + ":" + text.partition(":")[2],
], ids=["empty", "short", "cut", "longer", "unsigned", "another's signature"])  # fmt: skip
def test_a_challenge_that_is_not_ours_is_refused(change):
    with pytest.raises(work.WorkWrong):
        work.verify(change(issue(bits=0)), "1", subject="7", now=NOW)


def test_challenges_differ():
    assert len({issue() for _ in range(50)}) == 50


def test_zero_bits_are_counted_from_the_front():
    # sha256(sha256("x") + 00000000000000a8) begins with 8 zero bits and then a one.
    nonce = next(n for n in itertools.count() if work.zero_bits("x", n) == 8)
    assert work.zero_bits("x", nonce) == 8
    counts = [work.zero_bits("x", n) for n in range(4_096)]
    assert 0.4 < sum(count == 0 for count in counts) / 4_096 < 0.6
    assert 0 < sum(count >= 8 for count in counts) < 64
