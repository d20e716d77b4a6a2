"""Streams through a real gateway: what passes, when it passes, and how it ends badly."""

import itertools
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import scripts
from tests.e2e import serving
from tests.e2e.serving import CHAT, GENERATE, GENERATIONS, Serving, model_of
from tests.emulator import Script
from tests.servers import wait_until

pytestmark = pytest.mark.alone

NAMES = ("main", "slow", "quiet", "silent", "gap", "late-error", "pinged", "huge", "first",
         "stall", "idle")  # fmt: skip
KEEPALIVE = b": keep-alive\n\n"
FIRST_BYTE_TIMEOUT_S = 13
GAP_TIMEOUT_S = 3
ids = [protocol.name for protocol in GENERATIONS]
each = pytest.mark.parametrize("protocol", GENERATIONS, ids=ids)


def events_of(protocol, texts=("一a", "b🍌", "c"), prompt=10):
    return protocol.events(texts, prompt)


def passed(protocol, events):
    """What a client that did not ask for usage gets of these events."""
    return b"".join(e for e in events if not (protocol is CHAT and b'"choices":[],"usage"' in e))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(
        tmp_path_factory.mktemp("stream"), names=NAMES, spares=1,
        FIRST_BYTE_TIMEOUT_S=str(FIRST_BYTE_TIMEOUT_S), GAP_TIMEOUT_S=str(GAP_TIMEOUT_S),
        LEASE_ROTATION_S="2",
    ).start()  # fmt: skip
    yield place
    place.gateway.manage("audit_ledger")
    place.stop()


@pytest.fixture
def second(place):
    """The vendor of the second priority; both forget what they saw of the main model."""
    for vendor in (place.vendor, *place.spares):
        vendor.exchanges[:] = [seen for seen in vendor.exchanges if seen.model != "c-main"]
        vendor.scripts.pop("c-main", None)
    return place.spares[0]


@pytest.fixture(scope="module")
def slow(place):
    """Calls that take many seconds, all at once, from the module's first test on."""
    with ThreadPoolExecutor(8) as pool:
        vendor, spare = place.vendor, place.spares[0]
        answer = scripts.chat_events(texts=("late",))
        for name in ("quiet", "silent"):
            vendor.scripts[f"c-{name}"] = scripts.stream(answer, first_s=11.5)
        vendor.scripts[model_of(GENERATE, "quiet")] = scripts.stream(
            scripts.gemini_events(texts=("late",)), first_s=11.5
        )
        # The first of two endpoints never answers: after FIRST_BYTE_TIMEOUT_S it is the other's.
        vendor.scripts["c-first"] = Script(answers=False, end="stall")
        spare.scripts["c-first"] = scripts.stream(answer)
        yield {
            "quiet": pool.submit(lambda: place.open_stream(CHAT, "quiet").read_all()),
            "silent": pool.submit(
                lambda: place.open_stream(
                    CHAT, "silent", headers={"x-keep-alive": "off"}
                ).read_all()
            ),
            "first": pool.submit(lambda: place.open_stream(CHAT, "first").read_all()),
            "google": pool.submit(lambda: place.open_stream(GENERATE, "quiet").read_all()),
        }


@pytest.fixture(autouse=True)
def _slow_ones_run(slow):
    """Let the slow calls run beside all other tests."""


@pytest.fixture
def vendor(place):
    """The first vendor; the slow calls' scripts stay."""
    return place.vendor


class TestPassing:
    @each
    def test_the_first_byte_leaves_before_the_last_arrives(self, place, vendor, protocol):
        events = events_of(protocol, texts=[f"t{n}" for n in range(6)])
        vendor.scripts[serving.model_of(protocol, "main")] = scripts.stream(events, gap_s=0.15)
        tap = place.open_stream(protocol)
        tap.read_until(b"t0")
        seen = vendor.of(serving.model_of(protocol, "main"))[-1]
        assert seen.ended_at is None
        assert seen.chunks_sent < len(events) - 2, "the vendor had said nearly all"
        tap.read_all()
        arrivals = [at for at, part in tap.parts if b"t" in part]
        assert arrivals[-1] - arrivals[0] > 0.4, "the events came in one heap"
        assert tap.is_whole

    @each
    @pytest.mark.parametrize("cut", [1, 2, 3, 7, 61, None])
    def test_any_cut_of_the_bytes_gives_the_same_bytes(self, place, vendor, protocol, cut):
        events = events_of(protocol)
        vendor.scripts[serving.model_of(protocol, "main")] = scripts.stream(
            [b"".join(events)], slice_bytes=cut
        )
        tap = place.open_stream(protocol).read_all()
        assert tap.status == 200
        assert tap.body == passed(protocol, events)

    def test_crlf_comments_and_unknown_events_pass_as_they_are(self, place, vendor):
        events = events_of(CHAT)
        odd = [
            b": a comment\r\n\r\n",
            b'event: x-new\r\ndata: {"object":"y","choices":[]}\r\n\r\n',
            *(e.replace(b"\n\n", b"\r\n\r\n") for e in events),
        ]
        for cut in (1, 5, None):
            vendor.scripts["c-main"] = scripts.stream([b"".join(odd)], slice_bytes=cut)
            assert place.open_stream(CHAT).read_all().body == passed(CHAT, odd)

    def test_usage_passes_to_who_asks_for_it(self, place, vendor):
        vendor.scripts["c-main"] = scripts.stream(events_of(CHAT))
        tap = place.open_stream(CHAT, stream_options={"include_usage": True}).read_all()
        assert tap.body == b"".join(events_of(CHAT))

    def test_a_whole_answer_to_a_stream_request_passes(self, place, vendor):
        vendor.scripts["c-main"] = scripts.chat(text="all at once")
        tap = place.open_stream(CHAT).read_all()
        assert tap.headers["content-type"].startswith("application/json")
        assert json.loads(tap.body)["choices"][0]["message"]["content"] == "all at once"

    @each
    def test_the_bill_is_the_vendors_usage(self, place, vendor, protocol):
        vendor.scripts[serving.model_of(protocol, "main")] = scripts.stream(
            events_of(protocol, prompt=1_000)
        )
        tap = place.open_stream(protocol).read_all()
        status, code, cost, model = place.logged(tap.headers["x-generation-id"])
        # 1,000 x $3 and 3 x $15 a million, with 5% markup.
        assert (status, code, cost) == (200, None, 3_197_250)
        assert model.endswith(serving.model_of(protocol, "main"))


class TestFailover:
    """Before the first content byte the next endpoint answers, in the order of priority."""

    @pytest.mark.clause("2-failures")
    @pytest.mark.parametrize(
        "broken",
        [
            *(scripts.error(status) for status in (408, 429, 500, 502, 503, 504, 529)),
            scripts.error(401),
            scripts.error(403),
            Script(answers=False, end="reset"),
            Script(headers=scripts.EVENT_STREAM, is_chunked=True, end="reset"),
            scripts.stream([scripts.sse({"error": {"message": "no", "code": 503}})]),
            scripts.stream([]),
            scripts.stream([b": PROCESSING\n\n",
                            scripts.sse({"error": {"message": "no", "code": 503}})], gap_s=0.05),
            scripts.stream([b"<html>garbage", b"</html>"]),
        ],
        ids=["408", "429", "500", "502", "503", "504", "529", "401", "403", "reset",
             "reset-after-head", "error-event", "empty", "comment-then-error", "garbage"],
    )  # fmt: skip
    @pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
    def test_another_endpoint_answers(self, place, second, broken, is_stream):
        place.vendor.scripts["c-main"] = broken
        second.scripts["c-main"] = (
            scripts.chat_stream(texts=("spare",)) if is_stream else scripts.chat(text="spare")
        )
        began = time.monotonic()
        answer = place.call(CHAT, is_stream=is_stream)
        assert (answer.status, b"spare" in answer.body) == (200, True), answer.body
        assert (len(place.vendor.of("c-main")), len(second.of("c-main"))) == (1, 1)
        assert time.monotonic() - began < 2
        attempts = place.rows(
            "SELECT outcome FROM billing_attempt WHERE request_id = ? ORDER BY n",
            answer.headers["x-generation-id"].removeprefix("gen-"),
        )
        assert [outcome for (outcome,) in attempts][-1] == "delivered"
        assert len(attempts) == 2

    def test_the_first_priority_answers_while_it_can(self, place, second):
        place.vendor.scripts["c-main"] = scripts.chat_stream(texts=("first",))
        second.scripts["c-main"] = scripts.chat_stream(texts=("spare",))
        for _ in range(5):
            assert b"first" in place.call(CHAT, is_stream=True).body
        assert second.dials("c-main") == 0

    def test_nothing_fails_over_after_content(self, place, second):
        place.vendor.scripts["c-main"] = scripts.stream(events_of(CHAT)[:2], end="reset")
        second.scripts["c-main"] = scripts.chat_stream(texts=("spare",))
        tap = place.open_stream(CHAT).read_all()
        assert b"spare" not in tap.body
        assert second.dials("c-main") == 0

    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_a_request_that_is_at_fault_is_not_tried_elsewhere(self, place, second, status):
        place.vendor.scripts["c-main"] = scripts.error(status)
        second.scripts["c-main"] = scripts.chat()
        answer = place.call(CHAT)
        assert answer.status == status
        assert answer.json["error"]["message"] == "scripted"
        assert second.dials("c-main") == 0

    @pytest.mark.parametrize(
        ("first", "then", "status", "code"),
        [
            (429, 429, 429, "rate_limit_exceeded"),
            (529, 529, 503, "upstream_overloaded"),
            (503, 503, 503, "upstream_overloaded"),
            (500, 500, 502, "upstream_error"),
            (401, 403, 502, "upstream_auth"),
            (402, 402, 502, "upstream_auth"),
            (504, 504, 504, "upstream_timeout"),
        ],
    )
    def test_the_last_failure_is_told_in_our_words(self, place, second, first, then, status, code):
        extra = (("Retry-After", "7"), ("X-Vendor-Account", "org-1234567890abcdef"))
        place.vendor.scripts["c-main"] = scripts.error(first, headers=extra)
        second.scripts["c-main"] = scripts.error(then, headers=extra)
        answer = place.call(CHAT)
        assert (answer.status, answer.code) == (status, code)
        assert b"scripted" not in answer.body
        assert "x-vendor-account" not in answer.headers
        if status in (429, 503):
            assert answer.headers["retry-after"] == "7"
        assert place.logged(answer.headers["x-generation-id"])[2] == 0

    def test_nobody_listening_is_a_gateway_error(self, place, second):
        place.vendor.scripts["c-main"] = Script(answers=False, end="reset")
        second.scripts["c-main"] = Script(answers=False, end="reset")
        answer = place.call(CHAT)
        assert (answer.status, answer.code) == (502, "upstream_unreachable")
        assert answer.headers["retry-after"]


class TestTroubleInside:
    """After the first content byte the error comes in the stream, in the caller's protocol."""

    MARKS = {"chat": b'"finish_reason":"error"', "messages": b"event: error", "generate": b"INTERN"}

    @each
    @pytest.mark.parametrize("end", ["reset", "cut", "whole"])
    def test_a_broken_stream_ends_in_an_error_and_is_given_back(self, place, vendor, protocol, end):
        # All but what ends it: the finish and whatever follows.
        events = events_of(protocol, texts=["ab", "cd", "ef"])[
            : 3 if protocol is not GENERATE else 2
        ]
        vendor.scripts[serving.model_of(protocol, "main")] = scripts.stream(
            events, end=end, gap_s=0.02
        )
        tap = place.open_stream(protocol).read_all()
        assert tap.status == 200
        assert tap.body.startswith(b"".join(events))
        rest = tap.body[len(b"".join(events)) :]
        assert self.MARKS[protocol.name] in rest, rest
        assert b"[DONE]" not in rest
        generation = tap.headers["x-generation-id"]
        assert place.logged(generation)[1] == "stream_interrupted"
        charge = wait_until(
            lambda: place.rows(
                "SELECT state, reason FROM billing_charge WHERE request_id = ? "
                "AND state <> 'open'", generation.removeprefix("gen-"),
            ), what="the end of a charge",
        )  # fmt: skip
        assert charge in ([("settled", "goodwill")], [("voided", "upstream_error")])

    def test_goodwill_is_given_back_to_the_balance(self, place, vendor):
        key = place.new_key("goodwill@example.com", credit_usd="1")
        before = self.balance(place, key)
        vendor.scripts["c-main"] = scripts.stream(events_of(CHAT)[:3], end="reset")
        tap = place.open_stream(CHAT, key=key).read_all()
        assert b'"finish_reason":"error"' in tap.body
        wait_until(lambda: self.balance(place, key) == before, what="the balance as it was")

    def balance(self, place, key):
        answer = place.ask("GET", "/api/v1/credits", headers={"x-api-key": key})
        return answer.json["data"]["balance"], answer.json["data"]["in_flight"]

    def test_a_vendors_error_event_is_told_and_its_words_are_not_kept(self, place, vendor):
        error = {"error": {"message": "secret words", "type": "server_error", "code": 500}}
        vendor.scripts["c-main"] = scripts.stream([*events_of(CHAT)[:2], scripts.sse(error)])
        tap = place.open_stream(CHAT).read_all()
        assert b'"finish_reason":"error"' in tap.body
        assert place.logged(tap.headers["x-generation-id"])[1] is not None

    def test_a_vendor_that_stands_still_is_cut(self, place, vendor):
        vendor.scripts["c-gap"] = scripts.stream(events_of(CHAT)[:3], end="stall")
        tap = place.open_stream(CHAT, "gap").read_all()
        assert GAP_TIMEOUT_S - 1 <= tap.parts[-1][0] <= GAP_TIMEOUT_S + 3
        assert b"deadline_exceeded" in tap.body
        wait_until(lambda: vendor.of("c-gap")[-1].end == "gone", what="the hang-up at the vendor")

    def test_an_event_without_end_is_cut(self, place, vendor):
        blob = b"data: " + b"x" * (1 << 20)
        chunks = [events_of(CHAT)[1], *itertools.repeat(blob, 6)]
        vendor.scripts["c-huge"] = scripts.stream(chunks, end="stall")
        tap = place.open_stream(CHAT, "huge").read_all()
        assert b"upstream_invalid_answer" in tap.body
        assert len(tap.body) < 1 << 20


class TestReaders:
    def test_a_slow_reader_stops_the_vendor_not_the_others(self, place, vendor):
        texts = ["x" * 8_000] * 4_000  # 32 MB, which no buffer on the way may swallow
        vendor.scripts["c-slow"] = scripts.stream(scripts.chat_events(texts=texts))
        vendor.scripts["c-main"] = scripts.chat()
        worker = place.gateway.workers()[0]
        before = resident_kib(worker)
        taps = [place.open_stream(CHAT, "slow", receive_bytes=4_096) for _ in range(4)]
        for tap in taps:
            tap.read_until(b"data:")
        sent = self.standstill(vendor)
        assert all(size < 16 << 20 for size in sent), sent
        assert resident_kib(worker) - before < 24 << 10
        began = time.monotonic()
        assert place.call(CHAT).status == 200
        assert time.monotonic() - began < 1
        for tap in taps:
            tap.reset()
        wait_until(
            lambda: all(x.ended_at is not None for x in vendor.of("c-slow")),
            what="the vendor to be left",
        )

    def standstill(self, vendor):
        """Return what the vendor got rid of, once it does not move any more."""
        sent = None
        while sent != (sent := [len(x.sent) for x in vendor.of("c-slow")]):
            time.sleep(0.5)
        return sent

    def test_a_client_that_leaves_stops_the_vendor_within_a_second(self, place, vendor):
        vendor.scripts["c-idle"] = scripts.stream(
            scripts.chat_events(texts=["x"] * 400), gap_s=0.02
        )
        tap = place.open_stream(CHAT, "idle")
        tap.read_until(b'"x"')
        left_at = time.monotonic()
        tap.close()
        wait_until(lambda: vendor.of("c-idle")[-1].end == "gone", what="the hang-up")
        assert time.monotonic() - left_at < 1
        assert vendor.of("c-idle")[-1].chunks_sent < 200


class TestSilence:
    """The slow calls: they ran beside all the tests above."""

    def test_a_comment_comes_after_ten_seconds(self, slow):
        tap = slow["quiet"].result(60)
        parts = re.split(rb"(?<=\n\n)", tap.body)
        assert parts[0] == KEEPALIVE
        first = next(at for at, part in tap.parts if KEEPALIVE in part)
        assert 9 <= first <= 11.4
        assert b"".join(p for p in parts if p != KEEPALIVE) == passed(
            CHAT, scripts.chat_events(texts=("late",))
        )

    def test_an_empty_line_comes_to_googles_sdk_which_fails_on_comments(self, slow):
        tap = slow["google"].result(60)
        assert KEEPALIVE not in tap.body
        assert tap.body.startswith(b"\r\ndata: ")
        first = next(at for at, part in tap.parts if b"2\r\n\r\n\r\n" in part)
        assert 9 <= first <= 11.4

    def test_no_comment_comes_to_who_opted_out(self, slow):
        tap = slow["silent"].result(60)
        assert KEEPALIVE not in tap.body
        assert tap.body == passed(CHAT, scripts.chat_events(texts=("late",)))

    def test_failover_goes_on_after_comments(self, slow, place):
        tap = slow["first"].result(60)
        assert tap.status == 200
        assert tap.body.startswith(KEEPALIVE)
        assert b"late" in tap.body
        assert FIRST_BYTE_TIMEOUT_S - 1 < tap.parts[-1][0] < FIRST_BYTE_TIMEOUT_S + 5
        assert len(place.spares[0].of("c-first")) == 1


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 - procfs
        return next(int(x.split()[1]) for x in status if x.startswith("VmRSS"))
