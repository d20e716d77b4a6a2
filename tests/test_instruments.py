"""The instruments of the other tests, held to what they promise."""

import http.client
import json
import time

import pytest

from tests import faults, scripts
from tests.emulator import Script
from tests.servers import wait_until


@pytest.fixture
def proxy(vendor):
    between = faults.Proxy(vendor.port).start()
    yield between
    between.stop()


def ask(port: int, model: str = "m", *, timeout_s: float = 3):
    """Return the status, the bytes that came, and how it ended."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    received, status = b"", None
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": model}))
        answer = connection.getresponse()
        status = answer.status
        while part := answer.read1(65536):
            received += part
    except (http.client.HTTPException, OSError) as error:
        return status, received, type(error).__name__
    finally:
        connection.close()
    return status, received, "whole"


class TestEmulator:
    def test_plays_a_script_and_records_what_it_got_and_sent(self, vendor):
        vendor.scripts["m"] = scripts.chat_stream(texts=["x", "y"])
        status, received, end = ask(vendor.port)
        assert (status, end) == (200, "whole")
        assert received == b"".join(scripts.chat_events(texts=["x", "y"]))
        (exchange,) = vendor.of("m")
        assert exchange.json == {"model": "m"}
        assert bytes(exchange.sent) == received
        # The vendor notes the end after the last byte has left, on a thread of its own.
        wait_until(lambda: exchange.end == "whole", what="the end of the exchange")
        assert b'{"model": "m"}' in vendor.received

    @pytest.mark.parametrize(
        ("script", "ends"),
        [
            (scripts.chat_stream(end="cut"), {"IncompleteRead"}),
            (scripts.chat_stream(end="reset"), {"ConnectionResetError", "IncompleteRead"}),
            (scripts.chat_stream(end="stall"), {"TimeoutError"}),
            (Script(answers=False, end="stall"), {"TimeoutError"}),
            (Script(answers=False, end="reset"), {"ConnectionResetError"}),
        ],
    )
    def test_breaks_off_as_the_script_says(self, vendor, script, ends):
        vendor.scripts["m"] = script
        assert ask(vendor.port, timeout_s=0.5)[2] in ends
        wait_until(lambda: vendor.open_connections == 0, what="the end of the connection")

    def test_notices_that_the_caller_hung_up(self, vendor):
        vendor.scripts["m"] = scripts.chat_stream(texts=["x"] * 100, gap_s=0.1)
        assert ask(vendor.port, timeout_s=0.05)[2] == "TimeoutError"
        wait_until(lambda: vendor.exchanges[0].end == "gone", timeout_s=1, what="the notice")
        assert vendor.exchanges[0].chunks_sent < 5

    def test_counts_dials_on_kept_connections(self, vendor):
        vendor.default = lambda exchange: scripts.chat(text=str(exchange.number))
        connection = http.client.HTTPConnection("127.0.0.1", vendor.port, timeout=3)
        for number in range(5):
            connection.request("POST", "/x", '{"model": "m"}')
            answer = json.loads(connection.getresponse().read())
            assert answer["choices"][0]["message"]["content"] == str(number)
        connection.close()
        assert (vendor.dials("m"), vendor.connections) == (5, 1)


class TestFaults:
    def test_passes_bytes_unspoiled(self, vendor, proxy):
        vendor.scripts["m"] = scripts.chat(text="z" * 100_000)
        assert ask(proxy.port) == ask(vendor.port)

    def test_slices_change_nothing(self, vendor, proxy):
        vendor.scripts["m"] = scripts.chat_stream(texts=["é", "😀"])
        proxy.set(slice_bytes=1)
        assert ask(proxy.port) == ask(vendor.port)

    @pytest.mark.parametrize(
        ("toxics", "ends"),
        [
            ({"reset_after": 200}, {"ConnectionResetError"}),
            ({"limit_bytes": 200}, {"IncompleteRead"}),
            ({"timeout_after": 200}, {"TimeoutError"}),
            ({"refuses": True}, {"ConnectionResetError", "RemoteDisconnected"}),
        ],
    )
    def test_spoils_as_told_until_healed(self, vendor, proxy, toxics, ends):
        vendor.scripts["m"] = scripts.chat_stream(texts=["x"] * 50)
        proxy.set(**toxics)
        _, received, end = ask(proxy.port, timeout_s=0.5)
        assert end in ends
        assert len(received) < 200
        proxy.heal()
        assert ask(proxy.port)[0] == 200

    def test_delays(self, vendor, proxy):
        vendor.scripts["m"] = scripts.chat()
        proxy.set(latency_s=0.2)
        began = time.monotonic()
        assert ask(proxy.port)[0] == 200
        assert time.monotonic() - began >= 0.4

    def test_cuts_running_connections(self, vendor, proxy):
        vendor.scripts["m"] = scripts.chat_stream(end="stall")
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=3)
        connection.request("POST", "/x", '{"model": "m"}')
        answer = connection.getresponse()
        assert answer.read1(10)
        proxy.cut_all()
        with pytest.raises((ConnectionError, http.client.IncompleteRead)):
            answer.read()
        connection.close()
