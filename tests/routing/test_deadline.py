"""A deadline ends its own block, and nothing else."""

import asyncio

import pytest

from routing.deadline import Deadline


def test_ends_what_takes_too_long():
    async def run():
        with pytest.raises(TimeoutError), Deadline(0.01):
            await asyncio.sleep(5)
        await asyncio.sleep(0)  # no cancellation is left behind
        return asyncio.current_task().cancelling()

    assert asyncio.run(run()) == 0


def test_lets_what_is_quick_pass():
    async def run():
        with Deadline(5):
            await asyncio.sleep(0)
        return "done"

    assert asyncio.run(run()) == "done"


def test_lets_another_cancellation_through():
    async def work():
        with Deadline(5):
            await asyncio.sleep(5)

    async def run():
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert asyncio.run(run())


def test_errors_of_the_block_stay_what_they_are():
    async def run():
        with Deadline(5):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        asyncio.run(run())


def test_a_deadline_can_be_moved():
    async def work(first_s, second_s):
        with Deadline(first_s) as deadline:
            deadline.move(second_s)
            await asyncio.sleep(0.1)

    asyncio.run(work(0.01, 5))
    with pytest.raises(TimeoutError):
        asyncio.run(work(5, 0.01))
