"""Staff let a blocked address in again, and every worker hears of it."""

import asyncio
import threading
import time

import pytest
from django.db import connections

from accounts import changes
from accounts.models import Change
from routing import lifting, limits

pytestmark = pytest.mark.django_db(transaction=True)
IP, OTHER = "198.51.100.7", "198.51.100.8"
IPV6 = ("2001:db8:1:2::3", "2001:db8:1:2::ffff")


@pytest.fixture(autouse=True)
def blocked(settings):
    """Three addresses that guessed keys until they were shut out."""
    settings.IP_AUTH_FAILURES_PER_MINUTE = 1
    for ip in (IP, OTHER, IPV6[0]):
        for _ in range(2 * limits.BLOCK_FACTOR):
            limits.note_auth_failure(ip, time.monotonic())
        assert not may_try(ip)
    yield
    limits.forget()


def may_try(ip):
    try:
        limits.check_ip(ip, time.monotonic())
    except limits.RateLimited:
        return False
    return True


def announce(address):
    """Announce on a thread of its own, and leave no connection there."""
    try:
        lifting.announce(address)
    finally:
        connections.close_all()


def hear(*told, until):
    """Be a worker: listen on an event loop while each of `told` is announced."""

    async def main():
        listener = changes.Listener(poll_s=0.05)
        lifting.connect(listener)
        is_listening = threading.Event()
        listener.subscribe(Change.Topic.LIFT, lambda _: is_listening.set())
        listener.start()
        try:
            # What is announced before a listener's first look is not told to it.
            assert await asyncio.to_thread(is_listening.wait, 10)
            for address in told:
                await asyncio.to_thread(announce, address)
            deadline = time.monotonic() + 10
            while not until() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
        finally:
            await asyncio.to_thread(listener.stop)

    asyncio.run(main())


@pytest.mark.clause("2-abuse")
def test_a_worker_lets_an_address_in_again_that_staff_name():
    assert limits.blocked(time.monotonic()) == 3
    hear(IP, until=lambda: may_try(IP))
    assert may_try(IP)
    assert not may_try(OTHER)
    assert limits.blocked(time.monotonic()) == 2
    assert limits.blocked(time.monotonic() + limits.BLOCK_S) == 0


def test_of_an_ipv6_address_its_network_is_let_in():
    hear(IPV6[1], until=lambda: may_try(IPV6[0]))
    assert may_try(IPV6[0])


def test_who_was_let_in_is_blocked_as_for_the_first_time_when_it_goes_on():
    hear(IP, until=lambda: may_try(IP))
    for _ in range(2 * limits.BLOCK_FACTOR):
        limits.note_auth_failure(IP, time.monotonic())
    with pytest.raises(limits.RateLimited) as error:
        limits.check_ip(IP, time.monotonic())
    assert error.value.wait_s == pytest.approx(limits.BLOCK_S, abs=5)


def test_the_longest_address_fits_its_row_and_stands_in_none():
    longest = "2001:0db8:1111:2222:3333:4444:5555:6666"
    lifting.announce(longest)
    row = Change.objects.get(topic=Change.Topic.LIFT)
    assert longest not in row.ref
    assert len(row.ref) <= Change._meta.get_field("ref").max_length


def test_what_cannot_be_read_lifts_nothing(caplog):
    async def main():
        lifting._hear(asyncio.get_running_loop(), "1.k.nonsense")
        lifting._hear(asyncio.get_running_loop(), "")
        await asyncio.sleep(0)

    asyncio.run(main())
    assert [record.message for record in caplog.records] == ["a lifted block cannot be read"]
    assert not may_try(IP)
