"""The database is away: 503 with Retry-After, never 401, for warm keys and for cold ones."""

import time

import pytest

from tests.e2e import serving
from tests.e2e.refusals import dump, same_envelope
from tests.e2e.serving import ALL, CHAT, COUNT, GEMINI_COUNT, GENERATIONS, Serving
from tests.servers import fresh_database, wait_until

pytestmark = pytest.mark.alone
each = pytest.mark.parametrize("protocol", ALL, ids=[p.name for p in ALL])
generations = pytest.mark.parametrize("protocol", GENERATIONS, ids=[p.name for p in GENERATIONS])


@pytest.fixture(scope="module")
def away(tmp_path_factory, postgresql):
    """A gateway whose database was stopped; `cold` is a good key that no worker saw."""
    folder = tmp_path_factory.mktemp("away")
    with fresh_database(postgresql.url) as url:
        place = Serving(folder, "--workers", "1", DATABASE_URL=url, LEASE_TTL_S="3",
                        LEASE_ROTATION_S="1").start()  # fmt: skip
        for protocol in GENERATIONS:
            place.vendor.scripts[serving.model_of(protocol, "main")] = protocol.answer()
        cold = place.new_key("cold@example.com")
        for protocol in GENERATIONS:
            assert place.call(protocol).status == 200
        postgresql.stop()
        time.sleep(3.5)  # longer than any lease lives
        yield place, cold
        postgresql.start()
        wait_until(lambda: place.call(CHAT).status == 200, timeout_s=20, what="its return")
        place.stop()


@each
@pytest.mark.parametrize("is_warm", [True, False], ids=["warm", "cold"])
def test_every_surface_says_503(away, protocol, is_warm):
    place, cold = away
    for is_stream in {False, bool(protocol.stream_path)}:
        path, body = protocol.request(serving.model_of(protocol, "main"), is_stream=is_stream)
        began = time.monotonic()
        answer = place.send(protocol, path, dump(body), key=place.key if is_warm else cold)
        took_s = time.monotonic() - began
        if is_warm and protocol in (COUNT, GEMINI_COUNT):
            assert answer.status != 401  # free of charge: no database is asked
            continue
        assert answer.status == 503, answer.body
        same_envelope(answer, protocol)
        assert int(answer.headers["retry-after"]) >= 1
        assert took_s < 2


def test_the_platform_api_and_lists_say_503(away):
    place, cold = away
    for path in ("/api/v1/key", "/api/v1/credits", f"/api/v1/generation?id={'0' * 32}"):
        for key in (place.key, cold):
            answer = place.ask("GET", path, headers={"x-api-key": key})
            assert (answer.status, "retry-after" in answer.headers) == (503, True), path
    assert place.ask("GET", "/v1/models", headers={"x-api-key": cold}).status == 503
    assert place.ask("GET", "/v1/models", headers={"x-api-key": place.key}).status == 200


def test_what_is_no_key_at_all_is_still_a_401(away):
    place, _ = away
    assert place.call(CHAT, key="sk-nonsense").status == 401


def test_the_vendor_was_not_asked(away):
    place, _ = away
    paths = [x.path for x in place.vendor.exchanges[3:] if "ount" not in x.path]
    assert not paths
