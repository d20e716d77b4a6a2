"""What a refusal must look like, and requests that no client library would send."""

import contextlib
import json
import socket

from tests.e2e import serving
from tests.e2e.serving import Answer, Serving
from tests.servers import wait_until

BODY_BYTES_MAX = 4 << 20
WORD = "Zyzzogeton"  # what no row of the log may hold


@contextlib.contextmanager
def place(folder):
    """Yield a gateway for wrong requests; after all of them it must be as if none had come."""
    place = Serving(folder, names=("main", "open"), BODY_BYTES_MAX=str(BODY_BYTES_MAX)).start()
    yield place
    assert not [x for x in place.vendor.by_model() if x.endswith("-main")]
    wait_until(
        lambda: not place.rows("SELECT 1 FROM billing_charge WHERE state = 'open'"),
        what="the end of all charges",
    )
    paid = place.rows("SELECT endpoint FROM billing_charge WHERE cost_nusd > 0")
    assert all("-open" in endpoint for (endpoint,) in paid)
    place.gateway.manage("audit_ledger")
    place.gateway.stop()
    assert place.rows("SELECT sum(leased_nusd), sum(reserved_nusd) FROM billing_wallet") == [(0, 0)]
    assert WORD not in place.gateway.log_text()
    assert "API view failed" not in place.gateway.log_text()
    place.stop()


def same_envelope(answer, protocol):
    """Check an error's form against the protocol's own; return it in common words."""
    assert answer.headers["content-type"] == "application/json"
    told = answer.json
    error = told["error"]
    assert isinstance(error["message"], str)
    assert len(error["message"]) > 10
    if protocol.family == "anthropic-messages":
        assert told["type"] == "error"
        assert set(error) == {"type", "message"}
        assert told["request_id"] == answer.headers["x-generation-id"]
        return ""
    if protocol.family == "gemini":
        assert error["code"] == answer.status
        assert error["status"].isupper()
        return error["details"][0]["reason"].lower()
    assert set(error) == {"message", "type", "param", "code"}
    return error["code"]


def refused(place, protocol, answer, status, code):
    """Check that an answer refuses in the caller's protocol, and the row that it left."""
    assert answer.status == status, (answer.status, answer.body[:500])
    told = same_envelope(answer, protocol)
    assert told in ("", code), (told, code)
    row = place.logged(answer.headers["x-generation-id"])
    assert (row[0], row[1], row[2]) == (status, code, 0)
    return row


def known(protocol):
    return protocol.request(serving.model_of(protocol, "main"))


def dump(value):
    return json.dumps(value).encode()


def bytes_of(place, protocol, path, *, key=None, **headers):
    """Return a head as bytes, ready for a socket."""
    told = {"host": "gateway", "content-type": "application/json", "connection": "close",
            **place.credentials(protocol, key), **headers}  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def talk(place, raw):
    """Send bytes and return the answer, though the server may stop reading early."""
    with socket.create_connection(("127.0.0.1", place.gateway.port), timeout=10) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(raw)
        got = received(client)
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    return Answer(status=int(first.split()[1]), headers=headers, body=body)


def received(client):
    got = b""
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65536):
            got += part
    return got
