"""The transport at the socket: framing, reuse, limits, and nothing left behind."""

import asyncio
import contextlib
import gc
import random
import socket
import ssl
import struct
import time

import pytest
import uvloop

from routing import http_head, sockets, transport
from routing.transport import Broken, Connections, Unreached
from tests.routing.vendors import certificate, ok, read_request, says, server_context, vendor

TWO = "two.example"


class Names:
    """The system's look-up of names, which knows one more: a host with two addresses."""

    async def getaddrinfo(self, host, port, **options):
        if host != TWO:
            return await super().getaddrinfo(host, port, **options)
        kind = options["type"]
        return [(socket.AF_INET, kind, 6, "", (ip, port)) for ip in ("127.0.0.2", "127.0.0.1")]


class AsyncioLoop(Names, asyncio.SelectorEventLoop):
    pass


class UvLoop(Names, uvloop.Loop):
    pass


@pytest.fixture(params=[AsyncioLoop, UvLoop], ids=["asyncio", "uvloop"])
def run(request):
    """Run on the loop of the gateway and on that of the tests."""

    def run(main):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(asyncio.wait_for(main, 60))

    return run


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    trusted, authority = certificate(folder, "authority")
    made = {
        "good": certificate(folder, "good", authority=authority)[0],
        "expired": certificate(folder, "expired", days=-1, authority=authority)[0],
        "wrong host": certificate(folder, "wrong", host="a.example", authority=authority)[0],
        "self-signed": certificate(folder, "self")[0],
    }
    return trusted, made


@contextlib.asynccontextmanager
async def connections(*, tls=None, **options):
    made = Connections(tls=tls or ssl.create_default_context(), connect_timeout_s=2, **options)
    try:
        yield made
        assert made.in_use() == 0
    finally:
        made.close()
        await asyncio.sleep(0.01)


async def ask(pool, url, *, body=b"{}", method="POST", **headers):
    return await pool.request(method=method, url=url, headers=headers, body=body)


async def read(connection):
    parts = []
    while part := await connection.chunk():
        parts.append(part)
    return b"".join(parts)


async def exchange(pool, url, **options):
    connection = await ask(pool, url, **options)
    body = await read(connection)
    connection.leave()
    return connection.status, body


async def fails(pool, url, **options):
    with pytest.raises(Broken):
        await exchange(pool, url, **options)
    # What broke while it was read is closed already.
    assert pool.in_use() == 0


def reset(writer):
    """Close with a RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# Requests


def test_writes_a_request_as_it_was_given(run):
    async def main():
        async with vendor(says(ok(), ok())) as it, connections() as pool:
            url = f"http://127.0.0.1:{it.port}/v1/a%2Fb:c?x=%20&y="
            await exchange(pool, url, body=b"{1}", **{"X-Key": "k", "content-length": "9"})
            await exchange(pool, url, body=b"", method="GET", **{"Accept-Encoding": "gzip"})
        (post, body), (get, _) = it.requests
        assert post.split(b"\r\n") == [
            b"POST /v1/a%2Fb:c?x=%20&y= HTTP/1.1", b"host: 127.0.0.1:%d" % it.port, b"X-Key: k",
            b"accept-encoding: identity", b"content-length: 3", b"connection: keep-alive",
            b"", b"",
        ]  # fmt: skip
        assert body == b"{1}"
        assert b"content-length" not in get
        assert b"identity" not in get

    run(main())


def test_a_large_body_arrives_whole(run):
    body = bytes(range(256)) * 40_000

    async def main():
        async with vendor(says(ok())) as it, connections() as pool:
            assert await exchange(pool, it.url, body=body) == (200, b"{}")
        assert it.requests[0][1] == body

    run(main())


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "\N{SNOWMAN}"])
def test_a_header_that_is_none_is_never_sent(run, value):
    async def main():
        async with vendor(says(ok())) as it, connections() as pool:
            with pytest.raises(Unreached):
                await ask(pool, it.url, key=value)
            assert it.connections == 0

    run(main())


@pytest.mark.parametrize(
    "url",
    ["ftp://h/", "http:///x", "http://u:p@h/", "http://h:99999/", "http://h/a b", "http://h/\xe9"],
)
def test_a_url_that_cannot_be_asked_is_refused(url):
    with pytest.raises(ValueError, match=r"."):
        http_head.target_of(url)


def test_a_url_says_whom_to_ask():
    assert http_head.target_of("https://[::1]/a?b#c") == ((True, "::1", 443), "[::1]", "/a?b")
    assert http_head.target_of("http://EXAMPLE.com:8080").host_header == "example.com:8080"


# Answers

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FRAMES = {
    "length": (ok(b"hello"), 200, b"hello", True),
    "empty": (ok(b""), 200, b"", True),
    "chunked": (CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", 200, b"hello", True),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", 200, b"hello", True),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok(b"hello"),
        200, b"hello", True,
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", 304, b"", True),
    "upgrade offered": (
        ok(b"hello", b"Upgrade: h2c", b"Connection: Upgrade, Keep-Alive"), 200, b"hello", True,
    ),
    "close": (ok(b"hello", b"Connection: close"), 200, b"hello", False),
    "1.0": (ok(b"hello").replace(b"1.1", b"1.0"), 200, b"hello", False),
    "1.0 kept": (
        ok(b"hello", b"Connection: keep-alive").replace(b"1.1", b"1.0"), 200, b"hello", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("is_sliced", [False, True])
@pytest.mark.parametrize("frame", FRAMES)
def test_reads_every_framing_and_keeps_what_may_be_kept(run, frame, is_sliced):
    answer, status, body, is_kept = FRAMES[frame]

    async def main():
        sent = [answer[n : n + 1] for n in range(len(answer))] if is_sliced else answer
        async with vendor(says(sent, ok(b"next"))) as it, connections() as pool:
            connection = await ask(pool, it.url)
            assert connection.status == status
            assert await read(connection) == body
            assert b"a" not in connection.fields
            connection.leave()
            assert pool.idle() == is_kept
            if is_kept:
                assert await exchange(pool, it.url) == (200, b"next")
                assert it.connections == 1

    run(main())


@pytest.mark.parametrize("is_clean", [True, False])
def test_a_clean_end_of_the_connection_may_be_the_end_of_the_answer(run, is_clean):
    async def serve(it, reader, writer):
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhel")
        await asyncio.sleep(0.02)
        writer.write(b"lo")
        await asyncio.sleep(0.02)
        if not is_clean:
            reset(writer)

    async def main():
        async with vendor(serve) as it, connections() as pool:
            if is_clean:
                assert await exchange(pool, it.url) == (200, b"hello")
            else:
                await fails(pool, it.url)
            assert pool.idle() == 0

    run(main())


BROKEN = {
    "silence": b"",
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "half a body": ok(b"hello")[:-1],
    "half a chunk": CHUNKED + b"5\r\nhel",
    "no last chunk": CHUNKED + b"5\r\nhello\r\n",
    "bare line feeds": ok(b"hello").replace(b"\r\n", b"\n"),
    "html": b"<html>it works</html>",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
    "length and chunks": ok(b"0\r\n\r\n", b"transfer-encoding: chunked"),
    "other coding": CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n",
    "bad length": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "bad chunk": CHUNKED + b"zz\r\n",
    "switching": b"HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "fields": ok(b"{}", *(b"x-%d: y" % n for n in range(200))),
    "long field": ok(b"{}", b"x: " + b"y" * 65_536),
    "long status": b"HTTP/1.1 200 " + b"y" * 400_000 + b"\r\n\r\n",
    "endless trailer": CHUNKED + b"1\r\nx\r\n0\r\na: " + b"y" * 400_000,
    "endless interim": b"HTTP/1.1 102 P\r\n\r\n" * 20_000 + ok(),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_no_whole_answer_is_a_failure(run, broken):
    async def main():
        async with (
            vendor(says(BROKEN[broken], closes=True, pause_s=0.02)) as it,
            connections() as pool,
        ):
            await fails(pool, it.url)
            assert it.connections == 1  # a fresh connection is not tried again
            assert pool.idle() == 0

    run(main())


def test_garbage_is_an_answer_or_a_failure_and_nothing_else(run):
    chance = random.Random(7)
    valid = [answer for answer, *_ in FRAMES.values()]

    def spoiled():
        data = bytearray(chance.choice(valid))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
            data = data or bytearray(b"x")
        cut = chance.randrange(len(data))
        return [bytes(data[:cut]), bytes(data[cut:])]

    async def serve(it, reader, writer):
        await read_request(reader)
        for part in spoiled():
            writer.write(part)
            await asyncio.sleep(0)

    async def main():
        outcomes = set()
        async with vendor(serve) as it, connections() as pool:
            for _ in range(1_000):
                try:
                    status, _ = await exchange(pool, it.url)
                    outcomes.add(status >= 200)
                except Broken:
                    outcomes.add("broken")
                assert pool.in_use() == 0
        assert outcomes == {True, "broken"}

    run(main())


def test_what_came_before_a_break_is_read_first(run):
    async def main():
        async with vendor(says(ok(b"hello")[:-1], closes=True)) as it, connections() as pool:
            connection = await ask(pool, it.url)
            await asyncio.sleep(0.05)
            assert await connection.chunk() == b"hell"
            with pytest.raises(Broken):
                await connection.chunk()

    run(main())


def test_200_fields_are_an_answer(run):
    async def main():
        fields = (b"x-%d: y" % n for n in range(199))
        async with vendor(says(ok(b"{}", *fields))) as it, connections() as pool:
            connection = await ask(pool, it.url)
            assert len(connection.fields) == 200
            connection.abort()

    run(main())


def test_headers_are_found_in_any_case():
    headers = http_head.Headers(http_head.joined([(b"A-b", b"1"), (b"C", b"2"), (b"a-B", b"3")]))
    assert headers.get("A-B") == "1, 3"
    assert headers.get("d", "x") == "x"
    assert dict(headers.items()) == {"a-b": "1, 3", "c": "2"}


def test_an_early_answer_is_read_and_its_connection_closed(run):
    async def refuse(it, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await asyncio.sleep(5)

    async def main():
        async with vendor(refuse) as it, connections() as pool:
            assert await exchange(pool, it.url, body=b"x" * (32 << 20)) == (413, b"no")
            assert pool.idle() == 0

    run(main())


# Reuse


def test_the_connection_used_last_is_used_first(run):
    async def main():
        async with vendor(says(*[ok()] * 9)) as it, connections() as pool:
            first, second = await ask(pool, it.url), await ask(pool, it.url)
            for connection in (first, second):
                await read(connection)
                connection.leave()
            for _ in range(3):
                assert await ask(pool, it.url) is second
                await read(second)
                second.leave()
            assert (it.connections, pool.idle()) == (2, 2)

    run(main())


def test_origins_share_no_connection(run):
    async def main():
        async with (
            vendor(says(ok(b"1"))) as one,
            vendor(says(ok(b"2"))) as two,
            connections() as pool,
        ):
            assert await exchange(pool, one.url) == (200, b"1")
            assert await exchange(pool, two.url) == (200, b"2")
            assert pool.idle() == 2

    run(main())


def test_a_connection_that_the_vendor_closed_is_noticed(run):
    async def main():
        async with vendor(says(ok(), closes=True)) as it, connections() as pool:
            await exchange(pool, it.url)
            await asyncio.sleep(0.05)
            assert pool.idle() == 0
            await exchange(pool, it.url)
            assert it.connections == 2

    run(main())


def test_idle_connections_expire_without_being_asked(run):
    async def main():
        async with vendor(says(ok(), ok())) as it, connections(idle_s=0.05) as pool:
            await exchange(pool, it.url)
            assert pool.idle() == 1
            await asyncio.sleep(0.2)
            assert pool.idle() == 0

    run(main())


def test_an_expired_connection_is_not_taken(run):
    async def main():
        async with vendor(says(ok(), ok())) as it, connections(idle_s=0.3) as pool:
            await exchange(pool, it.url)
            time.sleep(0.35)  # blocks the loop: the sweeper must not come first
            await exchange(pool, it.url)
            assert it.connections == 2

    run(main())


def test_a_race_with_the_vendors_close_is_tried_once_more(run):
    """The vendor reads the second request of a connection, says nothing and closes."""

    async def serve(it, reader, writer):
        it.requests.append(await read_request(reader))
        writer.write(ok())
        it.requests.append(await read_request(reader))

    async def main():
        async with vendor(serve) as it, connections() as pool:
            await exchange(pool, it.url)
            assert await exchange(pool, it.url) == (200, b"{}")
            assert it.connections == 2

    run(main())


def test_a_reset_behind_a_second_request_is_not_tried_again(run):
    """The vendor may have read it, and bill it: routing.dial decides what that may cost."""

    async def serve(it, reader, writer):
        await read_request(reader)
        writer.write(ok())
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    async def main():
        async with vendor(serve) as it, connections() as pool:
            await exchange(pool, it.url)
            await fails(pool, it.url)
            assert it.connections == 1

    run(main())


def test_a_reused_connection_that_breaks_in_its_answer_is_not_tried_again(run):
    async def main():
        async with vendor(says(ok(), b"H", closes=True)) as it, connections() as pool:
            await exchange(pool, it.url)
            await fails(pool, it.url)
            assert it.connections == 1

    run(main())


@pytest.mark.parametrize("extra", [b"x", ok(b"smuggled"), b"HTTP/1.1 2"])
@pytest.mark.parametrize("is_later", [False, True])
def test_bytes_behind_an_answer_are_never_the_next_one(run, extra, is_later):
    async def main():
        answer = [ok(b"mine"), extra] if is_later else ok(b"mine") + extra
        async with vendor(says(answer, pause_s=0.02)) as it, connections() as pool:
            assert await exchange(pool, it.url) == (200, b"mine")
            await asyncio.sleep(0.05)
            assert pool.idle() == 0
            assert await exchange(pool, it.url) == (200, b"mine")
            assert it.connections == 2

    run(main())


def test_a_vendor_that_speaks_first_is_not_listened_to(run):
    async def serve(it, reader, writer):
        writer.write(ok(b"smuggled"))
        await asyncio.sleep(0.05)
        await says(ok(b"mine"))(it, reader, writer)

    async def main():
        async with vendor(serve) as it, connections() as pool:
            connection = await pool._connect(http_head.target_of(it.url).origin)
            await asyncio.sleep(0.02)
            with pytest.raises(Broken):
                await connection.exchange(b"GET / HTTP/1.1\r\n\r\n", b"")

    run(main())


# Flow control


def test_a_slow_reader_stops_the_vendor(run):
    sent = 0

    async def flood(it, reader, writer):
        nonlocal sent
        await read_request(reader)
        writer.write(CHUNKED)
        for _ in range(1_000):
            writer.write(b"8000\r\n" + b"x" * 32_768 + b"\r\n")
            sent += 32_768
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await asyncio.sleep(5)

    async def main():
        async with vendor(flood) as it, connections() as pool:
            connection = await ask(pool, it.url)
            await asyncio.sleep(0.3)
            stopped_at = sent
            assert stopped_at < 16 << 20  # the buffers of two kernels and 256 KiB
            assert len(await connection.chunk()) < 1 << 20
            await asyncio.sleep(0.1)
            assert len(await read(connection)) > 32_000_000 - (1 << 20)
            connection.leave()
            assert pool.idle() == 1

    run(main())


def test_many_small_chunks_are_joined(run):
    async def main():
        answer = CHUNKED + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
        async with vendor(says(answer)) as it, connections() as pool:
            assert await exchange(pool, it.url) == (200, b"x" * 50_000)
            assert pool.idle() == 1

    run(main())


# Endings


def test_an_abort_fails_a_pending_read_and_may_be_repeated(run):
    async def main():
        async with vendor(says(CHUNKED)) as it, connections() as pool:
            connection = await ask(pool, it.url)
            reading = asyncio.ensure_future(connection.chunk())
            await asyncio.sleep(0.01)
            connection.abort()
            connection.abort()
            assert pool.in_use() == 0
            with pytest.raises(Broken):
                await reading
            connection.leave()
            assert pool.idle() == 0

    run(main())


def test_leaving_in_the_middle_closes(run):
    async def main():
        async with vendor(says(ok(b"hello")[:-1])) as it, connections() as pool:
            connection = await ask(pool, it.url)
            connection.leave()
            assert (pool.idle(), pool.in_use()) == (0, 0)

    run(main())


def test_closing_the_pool_ends_everything(run):
    async def main():
        async with vendor(says(ok())) as it, connections() as pool:
            connection = await ask(pool, it.url)
            waiting = asyncio.ensure_future(ask(pool, it.url))
            await asyncio.sleep(0)
            pool.close()
            with pytest.raises((Broken, Unreached)):
                await waiting
            with pytest.raises(Broken):
                await read(connection)
            with pytest.raises(Unreached):
                await ask(pool, it.url)

    run(main())


@pytest.mark.parametrize("is_tls", [False, True])
def test_cancels_at_any_point_leave_no_connection_behind(run, certificates, is_tls):
    trusted, made = certificates
    offered = server_context(made["good"]) if is_tls else None
    tls = ssl.create_default_context(cafile=trusted)
    step_s = 0.005 if is_tls else 0.0005

    async def drip(it, reader, writer):
        while (await read_request(reader))[0]:
            await asyncio.sleep(0.002)
            writer.write(CHUNKED)
            for _ in range(3):
                await asyncio.sleep(0.002)
                writer.write(b"1\r\nx\r\n")
            writer.write(b"0\r\n\r\n")

    async def one(pool, url, after_s):
        async def use():
            connection = await ask(pool, url)
            try:
                await read(connection)
            finally:
                connection.leave()

        task = asyncio.ensure_future(use())
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.wait({task})

    async def main():
        async with vendor(drip, tls=offered) as it, connections(tls=tls) as pool:
            url = it.url.replace("http:", "https:") if is_tls else it.url
            for round_no in range(20):
                await asyncio.gather(*(one(pool, url, n % 25 * step_s) for n in range(50)))
                assert pool.in_use() == 0, round_no
            pool.close()
            del pool
            gc.collect()
            # What is closed ends soon, on a busy machine later; what was left open never does.
            _, open_ones = await asyncio.wait(it.tasks, timeout=10)
            assert not open_ones

    run(main())


# Connecting


def test_a_refused_connection_was_never_sent(run):
    async def main():
        async with connections() as pool:
            with pytest.raises(Unreached):
                await ask(pool, "http://127.0.0.1:9/")

    run(main())


def test_a_host_without_an_address_was_never_sent(run):
    async def main():
        async with connections() as pool:
            for host in ("vendor.invalid", "a" * 70 + ".invalid"):
                with pytest.raises(Unreached):
                    await ask(pool, f"http://{host}/")

    run(main())


@contextlib.contextmanager
def mute(ip, port=0):
    """Listen where no connection is taken and none refused, as the backlog is full; the port."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server((ip, port), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(full.getsockname())
        yield full.getsockname()[1]


@pytest.fixture
def mute_port():
    with mute("127.0.0.1") as port:
        yield port


@pytest.mark.parametrize("is_mute", [True, False])
def test_the_dead_address_of_a_host_costs_a_moment(run, is_mute):
    async def main():
        async with vendor(says(ok())) as it, connections() as pool:
            with mute("127.0.0.2", it.port) if is_mute else contextlib.nullcontext():
                began = time.monotonic()
                assert await exchange(pool, f"http://{TWO}:{it.port}/") == (200, b"{}")
                waited_s = time.monotonic() - began
            assert waited_s < 1
            assert (waited_s >= sockets.STAGGER_S) == is_mute

    run(main())


def test_a_connection_that_never_comes_about_is_given_up(run, mute_port):
    async def main():
        async with connections() as pool:
            pool._connect_timeout_s = 0.1
            with pytest.raises(Unreached):
                await ask(pool, f"http://127.0.0.1:{mute_port}/")

    run(main())


def test_a_handshake_that_never_ends_is_given_up(run):
    async def mute(it, reader, writer):
        await reader.read()

    async def main():
        async with vendor(mute) as it, connections() as pool:
            pool._connect_timeout_s = 0.1
            with pytest.raises(Unreached):
                await ask(pool, f"https://127.0.0.1:{it.port}/")
            await asyncio.sleep(0.05)
            assert all(task.done() for task in it.tasks)  # the socket is closed

    run(main())


@pytest.mark.parametrize("kind", ["good", "expired", "wrong host", "self-signed", "old protocol"])
def test_only_a_proven_vendor_is_spoken_to(run, certificates, kind):
    trusted, made = certificates
    offered = server_context(made.get(kind, made["good"]))
    if kind == "old protocol":
        offered.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            offered.minimum_version = offered.maximum_version = ssl.TLSVersion.TLSv1_1
    tls = ssl.create_default_context(cafile=trusted)

    async def main():
        async with vendor(says(ok(), ok()), tls=offered) as it, connections(tls=tls) as pool:
            url = f"https://127.0.0.1:{it.port}/v1"
            if kind == "good":
                for _ in range(2):
                    assert await exchange(pool, url, body=b"x" * 200_000) == (200, b"{}")
                assert (it.connections, pool.idle()) == (1, 1)
                return
            with pytest.raises(Unreached):
                await ask(pool, url)
            assert it.requests == []

    run(main())


def test_limits_are_the_documented_ones():
    assert (transport.HEAD_BYTES_MAX, transport.HEAD_FIELDS_MAX) == (65_536, 200)
    assert (transport.BUFFER_BYTES_MAX, transport.BUFFER_PARTS_MAX) == (65_536, 64)
    assert transport.IDLE_S == 30
