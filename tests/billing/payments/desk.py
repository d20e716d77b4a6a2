"""Stripe's side of refunds on loopback: answers as a test scripts."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

ERROR = {"error": {"type": "invalid_request_error", "code": "expired_card", "message": "no"}}


@dataclass(slots=True, kw_only=True)
class Desk:
    """`answers`: a refund's status, or an HTTP status of an error, one for each call."""

    url: str = ""
    answers: list[str | int] = field(default_factory=list)
    # Method and our name of the refund, in the order of the calls.
    calls: list[tuple[str, str]] = field(default_factory=list)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, method: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        said = self.answers.pop(0)
        if method == "POST":
            name = asked["metadata[refund_id]"]
            refund = {
                "id": f"re_{len(self.made) + 1}", "object": "refund", "currency": "usd",
                "amount": int(asked["amount"]), "payment_intent": asked["payment_intent"],
                "metadata": {"refund_id": name, "order": asked["metadata[order]"]},
            }  # fmt: skip
        else:
            found = [one for one in self.made.values() if one["payment_intent"] in asked.values()]
            refund, name = found[0], found[0]["metadata"]["refund_id"]
        self.calls.append((method, name))
        if isinstance(said, int):
            return said, ERROR
        refund |= {"status": said, "failure_reason": "expired_card" if said == "failed" else None}
        self.made[name] = refund
        if method == "POST":
            return 200, refund
        return 200, {"object": "list", "data": [refund], "has_more": False, "url": "/v1/refunds"}


@contextlib.contextmanager
def open_desk() -> Iterator[Desk]:
    """Serve until the end of the block."""
    desk = Desk()

    class Counter(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, asked: str) -> None:
            assert urlsplit(self.path).path == "/v1/refunds"
            told = {name: values[0] for name, values in parse_qs(asked).items()}
            status, said = desk.answer(self.command, told)
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counter) as server:
        server.daemon_threads = True
        desk.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield desk
        finally:
            server.shutdown()
            thread.join(5)
