"""A client that left is noticed: at once where it matters, on demand elsewhere."""

import asyncio

from routing.exchange import ClientWatch, Exchange, generation_id
from routing.surfaces import Surface


def receiver():
    left = asyncio.Event()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    return receive, left


def test_a_watch_that_stops_cancels_the_task_of_its_client():
    async def work(receive):
        ClientWatch(receive, stops=True)
        await asyncio.sleep(5)

    async def run():
        receive, left = receiver()
        task = asyncio.ensure_future(work(receive))
        await asyncio.sleep(0)
        left.set()
        await asyncio.wait({task}, timeout=1)
        return task.cancelled()

    assert asyncio.run(run())


def test_a_watch_told_to_drain_only_remembers():
    async def run():
        receive, left = receiver()
        watch = ClientWatch(receive, stops=True)
        watch.drain()
        left.set()
        await asyncio.sleep(0.01)
        return watch.gone

    assert asyncio.run(run())


def test_where_nobody_waits_the_client_is_looked_for_on_demand():
    async def run():
        receive, left = receiver()
        watch = ClientWatch(receive, stops=False)
        seen = [watch.gone, watch.gone]
        left.set()
        seen.append(watch.gone)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        return seen, len(others)

    assert asyncio.run(run()) == ([False, False, True], 0)


def test_the_public_id_is_the_request_id():
    exchange = Exchange(surface=Surface.CHAT, source_ip="127.0.0.1")
    assert exchange.id == generation_id(exchange.request_id) == f"gen-{exchange.request_id.hex}"
