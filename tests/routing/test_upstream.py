"""Connections to vendors: deadlines, limits, and nothing left behind by a cancel."""

import asyncio
import contextlib
import gc
import zlib

import pytest
from aiohttp import web

from routing import decoding, upstream
from routing.upstream import Call, Fault, UpstreamFailed
from tests.routing.vendors import certificate, ok, says, server_context
from tests.routing.vendors import vendor as scripted


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


# What a vendor compressed in spite of `identity`

PLAIN = b'{"a":"' + b"b" * 3_000_000 + b'"}'


def deflated(bits):
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(PLAIN) + packer.flush()


CODED = {
    "gzip": (b"gzip", deflated(31)),
    "x-gzip": (b"X-Gzip", deflated(31)),
    "zlib": (b"deflate", deflated(15)),
    "raw": (b"deflate", deflated(-15)),
}


@pytest.mark.parametrize("is_sliced", [False, True])
@pytest.mark.parametrize("kind", CODED)
def test_a_compressed_answer_is_read_plain_in_small_steps(kind, is_sliced):
    coding, data = CODED[kind]
    head = ok(data, b"content-encoding: " + coding)[: -len(data)]
    size = 1 if is_sliced else len(data)
    slices = [data[n : n + size] for n in range(0, len(data), size)]

    async def run():
        async with scripted(says([head, *slices])) as it, a_pool() as pool:
            answer = await pool.open(call(it.url), first_byte_timeout_s=5)
            assert answer.headers.get("Content-Encoding") is None
            assert answer.headers.get("Content-Length") is None
            parts = []
            while part := await answer.chunk():
                parts.append(part)
                assert len(part) <= decoding.STEP_BYTES
            assert b"".join(parts) == PLAIN
            answer.leave()
            assert pool._connections.idle() == 1

    asyncio.run(run())


def test_a_compressed_bomb_is_cut():
    async def run():
        bomb = ok(CODED["gzip"][1], b"content-encoding: gzip")
        async with scripted(says(bomb)) as it, a_pool() as pool:
            answer = await pool.open(call(it.url), first_byte_timeout_s=5)
            with pytest.raises(UpstreamFailed) as caught:
                await answer.whole(bytes_max=1 << 20)
            assert caught.value.fault is Fault.TOO_LARGE
            assert pool.in_use() == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        (b"br", b"x"),
        (b"gzip, gzip", b"x"),
        (b"gzip", b"plain text"),
        (b"gzip", CODED["gzip"][1][:-1]),
        (b"gzip", CODED["gzip"][1] + b"x"),
        (b"deflate", CODED["raw"][1][:-1]),
        (b"deflate", CODED["zlib"][1] + b"x"),
    ],
)
def test_what_cannot_be_decompressed_is_never_passed_on(coding, data):
    async def ask(pool, url):
        answer = await pool.open(call(url), first_byte_timeout_s=5)
        await answer.whole()

    async def run():
        coded = ok(data, b"content-encoding: " + coding)
        async with scripted(says(coded)) as it, a_pool() as pool:
            with pytest.raises(UpstreamFailed) as caught:
                await ask(pool, it.url)
            assert caught.value.fault is Fault.RESET
            assert pool.in_use() == 0

    asyncio.run(run())


# What an answer's owner may do


def test_a_deadline_of_the_callers_own_ends_a_call():
    async def run():
        async with vendor(silent) as url, a_pool() as pool:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await pool.open(call(url), first_byte_timeout_s=None)
            assert pool.in_use() == 0

    asyncio.run(run())


def test_an_abort_fails_a_pending_read_and_stays():
    async def run():
        async with vendor(endless) as url, a_pool() as pool:
            answer = await pool.open(call(url), first_byte_timeout_s=5)
            while await answer.chunk():
                reading = asyncio.ensure_future(answer.chunk())
                await asyncio.sleep(0)
                if not reading.done():
                    break
                await reading
            answer.abort()
            for read in (reading, answer.chunk()):
                with pytest.raises(UpstreamFailed) as caught:
                    await read
                assert caught.value.fault is Fault.RESET
            answer.abort()
            answer.leave()
            assert pool.in_use() == 0

    asyncio.run(run())


def test_an_answer_that_was_left_no_longer_owns_its_connection():
    async def run():
        async with vendor(echo) as url, a_pool() as pool:
            first = await pool.open(call(url), first_byte_timeout_s=5)
            await first.whole()
            first.leave()
            second = await pool.open(call(url), first_byte_timeout_s=5)
            first.abort()
            first.leave()
            assert await first.chunk() == b""
            assert await second.whole() == b"{}"
            second.leave()

    asyncio.run(run())


def test_a_forgotten_answer_closes_its_connection():
    async def run():
        async with vendor(endless) as url, a_pool() as pool:
            answer = await pool.open(call(url), first_byte_timeout_s=5)
            assert pool.in_use() == 1
            del answer
            gc.collect()
            await asyncio.sleep(0.02)
            assert pool.in_use() == 0

    asyncio.run(run())


def test_keeps_no_cookie_and_asks_no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def run():
        async with scripted(says(ok(b"{}", b"Set-Cookie: a=b"), ok())) as it, a_pool() as pool:
            for _ in range(2):
                answer = await pool.open(call(it.url), first_byte_timeout_s=5)
                await answer.whole()
                answer.leave()
        assert len(it.requests) == 2
        assert all(b"cookie" not in head.lower() for head, _ in it.requests)

    asyncio.run(run())


@pytest.mark.clause("6-transfer")
def test_trusts_no_certificate_that_nobody_signed(tmp_path):
    async def run():
        tls = server_context(certificate(tmp_path, "self")[0])
        async with scripted(says(ok()), tls=tls) as it, a_pool() as pool:
            url = it.url.replace("http:", "https:")
            with pytest.raises(UpstreamFailed) as caught:
                await pool.open(call(url), first_byte_timeout_s=5)
            assert caught.value.fault is Fault.CONNECT

    asyncio.run(run())
