"""A ClickHouse server for tests: the real engine (chdb) behind the HTTP that its clients speak.

`python -m tests.clickhouse_server PORT FOLDER`. One query at a time; no users, no TLS.
"""

import gzip
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qsl, urlsplit

from chdb import session

_CODE = re.compile(r"Code: (\d+)\.")
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)
_OURS = ("database", "query", "default_format", "compress", "session_id", "wait_end_of_query")


class Handler(BaseHTTPRequestHandler):
    """`POST /?query=...&setting=...`: the body ends the query, or is the rows of an INSERT."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet
    engine: session.Session
    lock = Lock()

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/ping":
            self._answer(200, b"Ok.\n")
            return
        self.do_POST()

    def do_POST(self) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query))
        body = self._body()
        query, rows = (asked["query"], body) if asked.get("query") else (body.decode(), b"")
        settings = {name: value for name, value in asked.items()
                    if name not in _OURS and not name.startswith(("param_", "role"))}  # fmt: skip
        try:
            with self.lock:
                self._answer(200, self._run(query.strip(), rows, settings))
        except Exception as error:  # noqa: BLE001 - whatever the engine says is the answer
            code = found[1] if (found := _CODE.search(str(error))) else "1002"
            self._answer(500, str(error).encode(), code=code)

    def _run(self, query: str, rows: bytes, settings: dict[str, str]) -> bytes:
        form = found[1] if (found := _FORMAT.search(query)) else "TabSeparated"
        if query.upper().startswith("INSERT"):
            listed = ", ".join(f"{name} = {value}" for name, value in settings.items()
                               if name.startswith(("input_format", "async_insert")))  # fmt: skip
            head = _FORMAT.sub("", query).rstrip()
            self.engine.query(f"{head} SETTINGS {listed or 'max_threads = 1'} FORMAT {form}\n"
                              + rows.decode())  # fmt: skip
            return b""
        return self.engine.query(_FORMAT.sub("", query), form).bytes() or b""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, status: int, body: bytes, *, code: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.send_header("X-ClickHouse-Summary", "{}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main(port: int, folder: Path) -> None:
    """Serve until killed."""
    Handler.engine = session.Session(str(folder))
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
