import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.keys import Caller
from routing import limits

IP = "192.0.2.7"


def caller(key_id=1, account_id=1, *, rpm=None, concurrency=None, **changes):
    return Caller(
        key_id=key_id, account_id=account_id, key_is_demo=False, account_is_demo=False,
        allowed_models=(), has_budget=False, requests_per_minute_max=rpm,
        concurrency_max=concurrency, last_four="abcd", **changes,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def fresh():
    limits.forget()
    yield
    limits.forget()
    assert not limits._key_running
    assert not limits._account_running
    assert not limits._ip_running


def use(who, now, ip=IP):
    limits.enter(who, ip, now).leave()


def limited(call, *args):
    with pytest.raises(limits.RateLimited) as caught:
        call(*args)
    return caught.value


def test_a_minutes_allowance_may_be_used_at_once_and_not_one_more():
    who = caller(rpm=5)
    for _ in range(5):
        use(who, 100.0)
    error = limited(use, who, 100.0)
    assert (error.scope, error.limit) == ("key", 5)
    assert error.wait_s == pytest.approx(12, abs=0.001)
    assert error.retry_after_s == 12


@pytest.mark.parametrize("limit", [1, 7, 59, 601])
def test_the_whole_allowance_passes_at_any_time(limit):
    for now in (0.1, 12345.678, 9_876_543.21):
        who = caller(int(now), rpm=limit)
        for _ in range(limit):
            use(who, now)
        limited(use, who, now)


def test_retry_after_is_exact():
    who = caller(rpm=7)
    for _ in range(7):
        use(who, 100.0)
    wait_s = limited(use, who, 101.0).wait_s
    limited(use, who, 101.0 + wait_s - 0.001)
    use(who, 101.0 + wait_s + 1e-9)


def test_retry_after_header_is_never_too_early():
    assert limits.RateLimited(scope="key", limit=1, wait_s=0.01).retry_after_s == 1
    assert limits.RateLimited(scope="key", limit=1, wait_s=1.01).retry_after_s == 2


def test_a_refused_request_costs_nothing():
    who = caller(rpm=1)
    use(who, 100.0)
    for _ in range(50):
        limited(use, who, 101.0)
    use(who, 160.0 + 1e-9)


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 20), st.lists(st.floats(0.0, 30.0, allow_nan=False), min_size=1, max_size=120)
)
def test_no_sequence_beats_the_rate(limit, gaps):
    """At most a burst of `limit` and then `limit` a minute, whatever the arrival times."""
    limits.forget()
    who, now, passed = caller(rpm=limit), 1000.0, []
    for gap in gaps:
        now += gap
        try:
            use(who, now)
        except limits.RateLimited:
            continue
        passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            span_s = passed[last] - passed[first]
            assert last - first + 1 <= limit + span_s * limit / 60 + 1e-3


def test_remaining_counts_down_and_comes_back():
    who = caller(rpm=4)
    assert limits.remaining(who, 100.0) == 4
    use(who, 100.0)
    assert limits.remaining(who, 100.0) == 3
    assert limits.remaining(who, 114.9) == 3
    assert limits.remaining(who, 115.0) == 4
    for _ in range(4):
        use(who, 200.0)
    assert limits.remaining(who, 200.0) == 0


def test_keys_have_limits_of_their_own(settings):
    settings.KEY_REQUESTS_PER_MINUTE = 2
    for key_id in (1, 2):
        use(caller(key_id), 100.0)
        use(caller(key_id), 100.0)
        limited(use, caller(key_id), 100.0)


def test_an_address_is_limited_over_all_its_keys(settings):
    settings.IP_REQUESTS_PER_MINUTE = 3
    for key_id in (1, 2, 3):
        use(caller(key_id), 100.0)
    error = limited(use, caller(4), 100.0)
    assert (error.scope, error.limit, error.retry_after_s) == ("ip", 3, 20)
    use(caller(4), 100.0, "192.0.2.8")


def test_an_ipv6_network_is_one_address(settings):
    settings.IP_REQUESTS_PER_MINUTE = 2
    use(caller(), 100.0, "2001:db8:0:1::1")
    use(caller(), 100.0, "2001:db8:0:1:ffff::2")
    assert limited(use, caller(), 100.0, "2001:db8:0:1::3").scope == "ip"
    use(caller(), 100.0, "2001:db8:0:2::1")


@pytest.mark.parametrize("name", ["KEY_CONCURRENCY", "ACCOUNT_CONCURRENCY", "IP_CONCURRENCY"])
def test_concurrency_is_limited_and_given_back(settings, name):
    setattr(settings, name, 2)
    scope = name.lower()
    first, second = limits.enter(caller(), IP, 100.0), limits.enter(caller(), IP, 100.0)
    error = limited(use, caller(), 100.0)
    assert (error.scope, error.limit, error.retry_after_s) == (scope, 2, 1)
    first.leave()
    first.leave()  # once only: the second place stays taken
    third = limits.enter(caller(), IP, 100.0)
    assert limited(use, caller(), 100.0).scope == scope
    second.leave()
    third.leave()


def test_an_account_is_limited_over_all_its_keys(settings):
    settings.ACCOUNT_CONCURRENCY = 2
    with limits.enter(caller(1), IP, 100.0), limits.enter(caller(2), IP, 100.0):
        assert limited(use, caller(3), 100.0).scope == "account_concurrency"
        use(caller(4, 2), 100.0)
    use(caller(3), 100.0)


def test_an_accounts_own_numbers_win_over_the_settings(settings):
    settings.KEY_CONCURRENCY = settings.ACCOUNT_CONCURRENCY = 1
    who = caller(concurrency=3)
    tickets = [limits.enter(who, IP, 100.0) for _ in range(3)]
    assert limited(use, who, 100.0).limit == 3
    for ticket in tickets:
        ticket.leave()


def test_a_place_is_given_back_when_the_block_fails():
    with pytest.raises(ZeroDivisionError), limits.enter(caller(), IP, 100.0):
        raise ZeroDivisionError


def test_a_clock_that_goes_back_locks_nobody_out():
    who = caller(rpm=1)
    use(who, 5000.0)
    use(who, 100.0)
    limited(use, who, 101.0)
    use(who, 160.1)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "CELLS_MAX", 10)
    for number in range(50):
        ip = f"192.0.2.{number}"
        use(caller(number), 100.0 + number, ip)
        limits.note_auth_failure(ip, 100.0 + number)
    for rates in (limits._keys, limits._ips, limits._failures, limits._attempts):
        assert len(rates) == 10


def test_the_longest_unused_cell_goes_first(monkeypatch):
    monkeypatch.setattr(limits, "CELLS_MAX", 2)
    one, two, three = (caller(number, rpm=1) for number in (1, 2, 3))
    use(one, 100.0)
    use(two, 100.0)
    use(three, 101.0)
    limited(use, two, 102.0)
    use(one, 102.0)  # was forgotten


def test_failed_keys_shut_an_address_out_after_the_allowance(settings):
    settings.IP_AUTH_FAILURES_PER_MINUTE = 3
    for _ in range(3):
        limits.check_ip(IP, 100.0)
        limits.note_auth_failure(IP, 100.0)
    error = limited(limits.check_ip, IP, 100.0)
    assert (error.scope, error.retry_after_s) == ("auth", 20)
    limits.check_ip("192.0.2.8", 100.0)
    limits.check_ip(IP, 120.1)


@pytest.mark.clause("2-abuse")
def test_whoever_goes_on_is_blocked_for_a_quarter_of_an_hour(settings):
    settings.IP_AUTH_FAILURES_PER_MINUTE = 3
    for _ in range(3):
        limits.note_auth_failure(IP, 100.0)
    for _ in range(28):
        limited(limits.check_ip, IP, 100.0)
    assert limited(limits.check_ip, IP, 100.0).wait_s == pytest.approx(900)
    assert limited(limits.check_ip, IP, 999.0).wait_s == pytest.approx(1)
    limits.check_ip(IP, 1001.0)


def scope(peer=("198.51.100.1", 5), *forwarded):
    return {"client": peer, "headers": [(b"x-forwarded-for", value) for value in forwarded]}


@pytest.mark.parametrize(
    ("hops", "given_scope", "expected"),
    [
        (0, scope(("198.51.100.1", 5), b"203.0.113.9"), "198.51.100.1"),
        (1, scope(("10.0.0.1", 5), b"203.0.113.9"), "203.0.113.9"),
        (1, scope(("10.0.0.1", 5), b"1.1.1.1, 203.0.113.9"), "203.0.113.9"),
        (1, scope(("10.0.0.1", 5), b"1.1.1.1", b"203.0.113.9"), "203.0.113.9"),
        (2, scope(("10.0.0.1", 5), b"1.1.1.1, 203.0.113.9, 10.0.0.2"), "203.0.113.9"),
        (2, scope(("10.0.0.1", 5), b"203.0.113.9"), "203.0.113.9"),
        (1, scope(("10.0.0.1", 5)), "10.0.0.1"),
        (1, scope(("10.0.0.1", 5), b"nonsense"), "10.0.0.1"),
        (1, scope(("10.0.0.1", 5), b""), "10.0.0.1"),
        (1, scope(("10.0.0.1", 5), b"203.0.113.9:4711"), "203.0.113.9"),
        (1, scope(("10.0.0.1", 5), b"[2001:db8::1]:4711"), "2001:db8::1"),
        (1, scope(("10.0.0.1", 5), b"2001:DB8::0001"), "2001:db8::1"),
        (1, scope(("10.0.0.1", 5), b"::ffff:203.0.113.9"), "203.0.113.9"),
        (1, scope(("10.0.0.1", 5), "\uff11.1.1.1".encode()), "10.0.0.1"),
        (0, scope(("fe80::1%eth0", 5)), "fe80::1"),
        (0, scope(None), ""),
        (0, scope(("/run/socket", 0)), ""),
    ],
)  # fmt: skip
def test_the_clients_address_is_counted_from_the_right(settings, hops, given_scope, expected):
    settings.TRUSTED_PROXY_HOPS = hops
    assert limits.client_ip(given_scope) == expected


@pytest.mark.parametrize(("own", "effective"), [(2, 2), (9, 5), (None, 5)])
def test_a_key_lowers_its_accounts_rate_and_never_raises_it(own, effective):
    who = caller(rpm=5, key_requests_per_minute_max=own)
    assert limits.remaining(who, 1_000.0) == effective
    for _ in range(effective):
        use(who, 1_000.0)
    error = limited(limits.enter, who, IP, 1_000.0)
    assert (error.scope, error.limit) == ("key", effective)


def test_a_rotated_key_and_its_successor_share_one_rate():
    old, new = caller(1, rpm=3, limits_key_id=1), caller(2, rpm=3, limits_key_id=1)
    use(old, 1_000.0)
    use(new, 1_000.0)
    use(old, 1_000.0)
    assert limited(limits.enter, new, IP, 1_000.0).scope == "key"
    assert limits.remaining(old, 1_000.0) == limits.remaining(new, 1_000.0) == 0
