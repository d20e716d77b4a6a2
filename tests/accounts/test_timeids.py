"""Ids are unique, ordered by time, and fall into the partition of their day."""

import datetime as dt
import os

from accounts import timeids


def test_ids_are_version_7_and_unique():
    ids = {timeids.uuid7() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert {(i.version, i.variant) for i in ids} == {(7, "specified in RFC 4122")}


def test_ids_carry_their_moment():
    before = dt.datetime.now(dt.UTC)
    found = timeids.moment(timeids.uuid7())
    assert abs(found - before) < dt.timedelta(seconds=5)


def test_an_id_lies_between_the_bounds_of_its_day():
    made = timeids.uuid7()
    day = timeids.moment(made).date()
    assert timeids.bound(day) <= made < timeids.bound(day + timeids.DAY)


def test_a_forked_process_makes_other_ids():
    """A stock of random tails must not be dealt out twice."""
    timeids.uuid7()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, timeids.uuid7().bytes)
        os._exit(0)
    os.waitpid(pid, 0)
    child = os.read(reader, 16)
    os.close(reader)
    os.close(writer)
    tail = (1 << 62) - 1
    assert int.from_bytes(child, "big") & tail != timeids.uuid7().int & tail
