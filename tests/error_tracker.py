"""A server that takes error reports as Sentry's does (its envelope protocol, docs of 2026-11)."""

import gzip
import http.server
import json
import threading


class Tracker:
    """Keeps the bodies of everything that was sent to it, inflated."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        taken = self.bodies

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_packed = self.headers.get("Content-Encoding") == "gzip"
                taken.append(gzip.decompress(body) if is_packed else body)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def dsn(self) -> str:
        return f"http://publickey@127.0.0.1:{self._server.server_port}/1"

    def events(self) -> list[dict]:
        """The events of all envelopes: a header's line, then a line for each item's header."""
        found = []
        for body in self.bodies:
            lines = body.split(b"\n")[1:]
            for head, item in zip(lines[::2], lines[1::2], strict=False):
                if head and json.loads(head)["type"] == "event":
                    found.append(json.loads(item))
        return found

    def start(self) -> "Tracker":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
