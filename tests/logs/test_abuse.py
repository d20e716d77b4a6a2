"""Who comes again is shut out for longer, and after two days nobody knows who it was."""

import pytest

from logs import abuse
from logs.abuse import DAY_S

IP = "192.0.2.7"


@pytest.fixture
def blocks():
    return abuse.Blocks(first_s=900.0, factor=4, max_s=DAY_S)


def test_each_further_block_lasts_longer_up_to_a_day(blocks):
    now, lasted = 100.0, []
    for _ in range(5):
        lasted.append(blocks.block(IP, now))
        assert blocks.left_s(IP, now + 1) == lasted[-1] - 1
        now += lasted[-1]
        assert blocks.left_s(IP, now) <= 0
        now -= DAY_S / 8 if lasted[-1] > DAY_S / 2 else 0
    assert lasted[:4] == [900, 3_600, 14_400, 57_600]
    assert blocks.left_s("192.0.2.8", now) == 0


def test_one_who_is_out_already_stays_as_it_is(blocks):
    blocks.block(IP, 100.0)
    assert blocks.block(IP, 500.0) == 500.0


def test_a_block_survives_midnight(blocks):
    blocks.block(IP, DAY_S - 10)
    assert blocks.left_s(IP, DAY_S + 10) == 880
    assert blocks.block(IP, DAY_S + 1_000) == 3_600


@pytest.mark.clause("4.3-retention")
def test_after_two_days_neither_salt_nor_address_is_left(blocks):
    blocks.block(IP, 10.0)
    (salt,) = blocks._salts.values()
    assert bytes(salt) != bytes(len(salt))
    assert IP.encode() not in repr(blocks._blocks).encode()
    blocks.block("192.0.2.9", 2 * DAY_S + 10)
    assert bytes(salt) == bytes(len(salt))  # overwritten, not only let go
    assert len(blocks._blocks) == 1
    assert blocks.block(IP, 2 * DAY_S + 10) == 900


def test_a_clock_that_goes_back_shuts_nobody_out(blocks):
    blocks.block(IP, 3 * DAY_S)
    assert blocks.left_s(IP, 100.0) == 0


def test_memory_is_bounded(blocks, monkeypatch):
    monkeypatch.setattr(abuse, "ADDRESSES_MAX", 10)
    for n in range(30):
        blocks.block(f"192.0.2.{n}", 100.0)
    assert len(blocks._blocks) == 10
    blocks.clear()
    assert blocks.left_s("192.0.2.29", 100.0) == 0
