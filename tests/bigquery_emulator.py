"""A BigQuery-shaped server: the part of its REST protocol that the official client uses here.

Not BigQuery: SQLite answers the queries, so only SQL that both know can be tried on it. What is
emulated with care is what the archive relies on: a job's id can be used once, a load job replaces
a partition at once or not at all, bad records are left out up to a limit, and jobs may fail or
stay away. Requests as google-cloud-bigquery 3.47 makes them (seen on the wire, 2026-11).
"""

import gzip
import json
import re
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit

_SQL_TYPES = {"INT64": "INTEGER", "INTEGER": "INTEGER", "BOOL": "INTEGER", "BOOLEAN": "INTEGER"}
_PYTHON = {"INT64": int, "INTEGER": int, "BOOL": bool, "BOOLEAN": bool}


class Refusal(Exception):
    """An error as the API tells it."""

    def __init__(self, status: int, reason: str, message: str = "refused") -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class BigQuery:
    """One project with one dataset, on a loopback port."""

    def __init__(self) -> None:
        self.tables: dict[str, dict] = {}
        self.jobs: dict[str, dict] = {}
        self.results: dict[str, tuple[list[str], list[tuple]]] = {}
        self.sessions: dict[str, dict] = {}  # resumable uploads
        self.calls: list[str] = []
        self.lock = Lock()
        self.is_away = False
        # Called with the kind of a job before it runs and after, when its answer is still unsent.
        self.on_job = lambda _kind, _moment: None
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        emulator = self

        class Bound(_Handler):
            server_state = emulator

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> "BigQuery":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.database.close()

    def create(self, resource: dict) -> dict:
        name = resource["tableReference"]["tableId"]
        if name in self.tables:
            raise Refusal(409, "duplicate")
        columns = ", ".join(f'"{field["name"]}" {_SQL_TYPES.get(field["type"], "TEXT")}'
                            for field in resource["schema"]["fields"])  # fmt: skip
        self.database.execute(f'CREATE TABLE "{name}" ({columns})')
        self.tables[name] = resource
        return resource

    def delete(self, name: str) -> None:
        name, _, part = name.partition("$")
        if name not in self.tables:
            raise Refusal(404, "notFound")
        self._clear(name, part)

    def _clear(self, name: str, part: str) -> int:
        field = self.tables[name]["timePartitioning"]["field"]
        delete = f'DELETE FROM "{name}" WHERE "{field}" = ?'  # noqa: S608
        return self.database.execute(delete, [_value(part)]).rowcount

    def load(self, job: dict, body: bytes) -> None:
        """Run a load job into one partition."""
        told = job["configuration"]["load"]
        name, _, part = told["destinationTable"]["tableId"].partition("$")
        assert told["writeDisposition"] == "WRITE_TRUNCATE"
        lines = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        fields = {field["name"]: field for field in self.tables[name]["schema"]["fields"]}
        key = self.tables[name]["timePartitioning"]["field"]
        good, bad = [], 0
        for line in lines.splitlines():
            row = json.loads(line)
            if all(_fits(row.get(each), fields[each]) for each in fields) and not (
                row.keys() - fields.keys()
            ):
                assert row[key] == _value(part), "rows of another partition"
                good.append([row.get(each) for each in fields])
            else:
                bad += 1
        job["statistics"]["load"] = {"outputRows": str(len(good)), "badRecords": str(bad)}
        if bad > int(told.get("maxBadRecords", 0)):
            _fail(job, "invalid")
            return
        self._clear(name, part)
        names, marks = (", ".join(each) for each in (map('"{}"'.format, fields), "?" * len(fields)))
        insert = f'INSERT INTO "{name}" ({names}) VALUES ({marks})'  # noqa: S608
        self.database.executemany(insert, good)

    def query(self, job: dict) -> None:
        """Run a query job; names of tables lose their project and dataset."""
        sql = re.sub(r"`[\w-]+\.\w+\.(\w+)`", r'"\1"', job["configuration"]["query"]["query"])
        try:
            cursor = self.database.execute(sql)
        except sqlite3.Error:
            _fail(job, "invalidQuery")
            return
        names = [each[0] for each in cursor.description or ()]
        self.results[job["jobReference"]["jobId"]] = (names, cursor.fetchall())
        if not names:
            job["statistics"]["query"] = {"numDmlAffectedRows": str(cursor.rowcount)}

    def rows(self, sql: str) -> list[tuple]:
        """Look into the tables, past the API."""
        with self.lock:
            return self.database.execute(sql).fetchall()


def _value(part: str) -> str:
    day = f"{part[:4]}-{part[4:6]}-{part[6:8]}"
    return f"{day} {part[8:]}:00:00" if len(part) > 8 else day


def _fits(value: object, field: dict) -> bool:
    if value is None:
        return field.get("mode") != "REQUIRED"
    wanted = _PYTHON.get(field["type"], str)
    is_short = len(str(value)) <= int(field.get("maxLength", 1 << 20))
    return type(value) is wanted and is_short


def _fail(job: dict, reason: str) -> None:
    error = {"reason": reason, "message": "told to nobody: it may quote rows"}
    job["status"] = {"state": "DONE", "errorResult": error, "errors": [error]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet
    server_state: BigQuery

    def _serve(self) -> None:
        state = self.server_state
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if state.is_away:
            self.close_connection = True
            self.connection.close()
            return
        parts = urlsplit(self.path)
        path = [unquote(each) for each in parts.path.strip("/").split("/")]
        state.calls.append(f"{self.command} {parts.path}")
        try:
            self._answer(200, self._route(path, parse_qs(parts.query), body))
        except Refusal as refusal:
            told = {"reason": refusal.reason, "message": str(refusal)}
            self._answer(refusal.status, {"error": {"code": refusal.status, "message": str(refusal),
                                                    "errors": [told]}})  # fmt: skip

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the library's names

    def _route(self, path: list[str], options: dict, body: bytes) -> dict | None:
        if path[0] == "upload":
            return self._upload(options, body)
        resource = next(part for part in ("tables", "jobs", "queries") if part in path)
        name = path[-1] if path[-1] != resource else ""
        told = json.loads(body) if body else {}
        if resource == "tables":
            return self._table(name, told)
        return self._job(told, b"") if self.command == "POST" else self._told(resource, name)

    def _table(self, name: str, told: dict) -> dict | None:
        state = self.server_state
        with state.lock:
            if self.command == "POST":
                return state.create(told)
            if self.command == "DELETE":
                return state.delete(name)
            if name not in state.tables:
                raise Refusal(404, "notFound")
            state.tables[name].update(told)
            return state.tables[name]

    def _told(self, resource: str, job_id: str) -> dict:
        if job_id not in self.server_state.jobs:
            raise Refusal(404, "notFound")
        return self.server_state.jobs[job_id] if resource == "jobs" else self._results(job_id)

    def _upload(self, options: dict, body: bytes) -> dict | None:
        state = self.server_state
        if options["uploadType"] == ["multipart"]:
            mark = self.headers["Content-Type"].split("boundary=")[1].strip('"').encode()
            _, first, second, _ = body.split(b"--" + mark)
            told = json.loads(first.split(b"\r\n\r\n", 1)[1])
            return self._job(told, second.split(b"\r\n\r\n", 1)[1][:-2])
        if "upload_id" not in options:
            session = str(len(state.sessions))
            state.sessions[session] = json.loads(body)
            self._location = f"{state.url}{self.path}&upload_id={session}"
            return None
        return self._job(state.sessions[options["upload_id"][0]], body)

    def _job(self, told: dict, body: bytes) -> dict:
        state = self.server_state
        reference = told["jobReference"]
        kind = "load" if "load" in told["configuration"] else "query"
        state.on_job(kind, "before")
        with state.lock:
            if reference["jobId"] in state.jobs:
                raise Refusal(409, "duplicate")
            job = {"jobReference": reference, "configuration": told["configuration"],
                   "status": {"state": "DONE"}, "statistics": {}}  # fmt: skip
            state.jobs[reference["jobId"]] = job
            state.load(job, body) if kind == "load" else state.query(job)
        state.on_job(kind, "after")
        return job

    def _results(self, job_id: str) -> dict:
        state = self.server_state
        names, rows = state.results[job_id]
        kinds = ["INTEGER" if any(isinstance(row[n], int) for row in rows) else "STRING"
                 for n in range(len(names))]  # fmt: skip
        fields = [{"name": name, "type": kind} for name, kind in zip(names, kinds, strict=True)]
        return {
            "jobReference": state.jobs[job_id]["jobReference"],
            "jobComplete": True,
            "schema": {"fields": fields},
            "totalRows": str(len(rows)),
            "rows": [
                {"f": [{"v": None if value is None else str(value)} for value in row]}
                for row in rows
            ],
        }

    def _answer(self, status: int, told: dict | None) -> None:
        body = b"" if told is None else json.dumps(told).encode()
        self.send_response(status)
        if location := self.__dict__.pop("_location", ""):
            self.send_header("Location", location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
