"""Connections to vendors: deadlines, limits, and nothing left behind by a cancel."""

import asyncio
import contextlib

import pytest
from aiohttp import web

from routing import upstream
from routing.upstream import Call, Fault, UpstreamFailed


@contextlib.asynccontextmanager
async def vendor(handler):
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def a_pool():
    pool = upstream.Pool()
    try:
        yield pool
    finally:
        await pool.close()


def call(url):
    return Call(url=f"{url}/v1/x", headers={"authorization": "Bearer sk-secret"}, body=b"{}")


async def endless(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while True:
            await answer.write(b"data: {}\n\n")
            await asyncio.sleep(0.001)
    return answer


async def silent(request):
    await asyncio.sleep(30)
    return web.Response()


async def echo(request):
    return web.Response(body=await request.read())


def test_a_call_shows_no_secret():
    assert "sk-secret" not in repr(call("http://vendor.example"))


def test_reads_a_whole_answer_and_keeps_the_connection():
    async def run():
        async with vendor(echo) as url, a_pool() as pool:
            for _ in range(3):
                answer = await pool.open(call(url), first_byte_timeout_s=5)
                assert await answer.whole() == b"{}"
                answer.leave()
                assert pool.in_use() == 0

    asyncio.run(run())


def test_an_answer_over_the_limit_is_cut():
    async def run():
        async with vendor(endless) as url, a_pool() as pool:
            answer = await pool.open(call(url), first_byte_timeout_s=5)
            with pytest.raises(UpstreamFailed) as caught:
                await answer.whole(bytes_max=1000)
            assert caught.value.fault is Fault.TOO_LARGE
            assert pool.in_use() == 0

    asyncio.run(run())


def test_silence_is_a_timeout_and_frees_the_connection():
    async def run():
        async with vendor(silent) as url, a_pool() as pool:
            with pytest.raises(UpstreamFailed) as caught:
                await pool.open(call(url), first_byte_timeout_s=0.05)
            assert caught.value.fault is Fault.TIMEOUT
            assert pool.in_use() == 0

    asyncio.run(run())


def test_a_refused_connection_was_never_sent():
    async def run():
        async with a_pool() as pool:
            with pytest.raises(UpstreamFailed) as caught:
                await pool.open(call("http://127.0.0.1:9"), first_byte_timeout_s=5)
            assert caught.value.fault is Fault.CONNECT

    asyncio.run(run())


def test_follows_no_redirect():
    async def elsewhere(request):
        raise web.HTTPFound("http://169.254.169.254/")

    async def run():
        async with vendor(elsewhere) as url, a_pool() as pool:
            answer = await pool.open(call(url), first_byte_timeout_s=5)
            assert answer.status == 302
            answer.abort()

    asyncio.run(run())


def test_a_thousand_cancels_leave_no_connection_behind():
    """Cancelled while connecting, waiting for the head and reading: proxy.md C3."""

    async def one(pool, url, after_s):
        async def use():
            answer = await pool.open(call(url), first_byte_timeout_s=5)
            try:
                while await answer.chunk():
                    pass
            finally:
                answer.abort()

        task = asyncio.ensure_future(use())
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.wait({task})

    async def run():
        async with vendor(endless) as url, vendor(silent) as mute, a_pool() as pool:
            for round_no in range(20):
                await asyncio.gather(
                    *(one(pool, (url, mute)[n % 2], n % 7 * 0.003) for n in range(50))
                )
                assert pool.in_use() == 0, round_no

    asyncio.run(run())
