"""Limits of a key, an account and an address: 429 with Retry-After, in the caller's protocol."""

import threading

import pytest

from tests import scripts
from tests.e2e import serving
from tests.e2e.serving import CHAT, GENERATE, GENERATIONS, MESSAGES, Serving
from tests.servers import wait_until

pytestmark = pytest.mark.alone
generations = pytest.mark.parametrize("protocol", GENERATIONS, ids=[p.name for p in GENERATIONS])
RATE = 12
AT_ONCE = 3
FAILURES = 5


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(
        tmp_path_factory.mktemp("limits"), names=("main", "hang"), TRUSTED_PROXY_HOPS="1",
        KEY_REQUESTS_PER_MINUTE=str(RATE), KEY_CONCURRENCY=str(AT_ONCE),
        IP_REQUESTS_PER_MINUTE="40", IP_CONCURRENCY="5",
        IP_AUTH_FAILURES_PER_MINUTE=str(FAILURES),
    ).start()  # fmt: skip
    for protocol in GENERATIONS:
        place.vendor.scripts[serving.model_of(protocol, "main")] = protocol.answer()
        # Streams that go on until the client leaves.
        place.vendor.scripts[serving.model_of(protocol, "hang")] = scripts.stream(
            protocol.events(["x"] * 3)[:2], end="stall"
        )
    yield place
    place.gateway.manage("audit_ledger")
    place.stop()


_addresses = iter(f"203.0.113.{n}" for n in range(1, 255))
_emails = iter(f"limits{n}@example.com" for n in range(100))


@pytest.fixture
def address():
    """An address of the test's own, as the proxy in front would tell it."""
    return {"x-forwarded-for": next(_addresses)}


@pytest.fixture
def key(place):
    return place.new_key(next(_emails))


def slow_down(place, answer, protocol, code):
    """Check a 429 against the protocol's own form."""
    assert answer.status == 429, answer.body
    assert 1 <= int(answer.headers["retry-after"]) <= 900
    error = answer.json["error"]
    if protocol is CHAT:
        assert (error["type"], error["code"]) == ("rate_limit_error", code)
    elif protocol is MESSAGES:
        assert (answer.json["type"], error["type"]) == ("error", "rate_limit_error")
    else:
        assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert error["details"][0]["reason"].lower() == code
        assert error["details"][1]["retryDelay"] == f"{answer.headers['retry-after']}s"
    status, logged, cost, _ = place.logged(answer.headers["x-generation-id"])
    assert (status, logged, cost) == (429, code, 0)


@generations
def test_requests_a_minute_of_a_key(place, protocol, key, address):
    answers = [place.call(protocol, key=key, headers=address) for _ in range(RATE + 3)]
    assert all(answer.status == 200 for answer in answers[:RATE])
    for answer in answers[RATE:]:
        slow_down(place, answer, protocol, "rate_limit_exceeded")
    # The minute's allowance comes back evenly: 60 s / 12.
    assert int(answers[-1].headers["retry-after"]) <= 60 // RATE + 1
    assert place.call(protocol, headers=address).status != 429, "another key was limited"


def test_a_refused_request_reaches_no_vendor(place, key, address):
    before = place.vendor.dials()
    for _ in range(RATE + 5):
        place.call(CHAT, key=key, headers=address)
    assert place.vendor.dials() - before == RATE


@generations
def test_concurrency_of_a_key(place, protocol, key, address):
    held = [place.open_stream(protocol, "hang", key=key, headers=address) for _ in range(AT_ONCE)]
    try:
        for tap in held:
            tap.read_until(b"data:")
        answer = place.call(protocol, key=key, headers=address)
        slow_down(place, answer, protocol, "concurrency_limit")
    finally:
        for tap in held:
            tap.close()
    wait_until(
        lambda: place.call(protocol, key=key, headers=address).status != 429,
        what="the places of streams that ended", interval_s=1,
    )  # fmt: skip


def test_concurrency_of_an_address_over_its_keys(place, address):
    keys = [place.new_key(next(_emails)) for _ in range(2)]
    held = [place.open_stream(CHAT, "hang", key=keys[n % 2], headers=address) for n in range(5)]
    try:
        for tap in held:
            tap.read_until(b"data:")
        slow_down(place, place.call(CHAT, headers=address), CHAT, "concurrency_limit")
        elsewhere = {"x-forwarded-for": next(_addresses)}
        assert place.call(CHAT, key=keys[1], headers=elsewhere).status == 200
    finally:
        for tap in held:
            tap.close()


def test_requests_a_minute_of_an_address_over_its_keys(place, address):
    keys = [place.new_key(next(_emails)) for _ in range(4)]
    statuses = [place.call(CHAT, key=keys[n % 4], headers=address).status for n in range(44)]
    assert statuses == [200] * 40 + [429] * 4


@generations
def test_wrong_keys_of_an_address(place, protocol, address):
    answers = [place.call(protocol, key="bnr_live_no", headers=address) for _ in range(8)]
    assert [answer.status for answer in answers] == [401] * FAILURES + [429] * 3
    slow_down(place, answers[-1], protocol, "auth_failures")
    # A key that works goes on working behind the same address: it is warm.
    assert place.call(protocol, headers=address).status != 429
    elsewhere = {"x-forwarded-for": next(_addresses)}
    assert place.call(protocol, key="bnr_live_no", headers=elsewhere).status == 401


def test_a_client_cannot_write_its_own_address(place):
    """What stands left of the proxy's own entry is the client's word: it must not count."""
    proxy = next(_addresses)
    told = [{"x-forwarded-for": f"198.51.100.{n}, {proxy}"} for n in range(FAILURES + 1)]
    statuses = [place.call(CHAT, key="bnr_live_no", headers=one).status for one in told]
    assert statuses == [401] * FAILURES + [429]


def test_many_at_once_pass_exactly_as_many_as_allowed(place, key, address):
    """The count holds when all come at the same time."""
    gate = threading.Barrier(20)

    def call():
        gate.wait()
        return place.call(GENERATE, key=key, headers=address).status

    statuses = serving.together(*[call] * 20)
    # Of twelve a minute and three at once: never more, and all others are told to slow down.
    assert set(statuses) == {200, 429}
    assert AT_ONCE <= statuses.count(200) <= RATE
