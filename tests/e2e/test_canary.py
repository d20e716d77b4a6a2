"""What clients and vendors say is on no disk, whatever happens: searched for, byte by byte."""

import contextlib
import os
import time

import psycopg
import pytest

from tests.e2e import canaries, canary_scene
from tests.e2e.canaries import Nest, Search
from tests.e2e.canary_scene import Scene
from tests.servers import wait_until

pytestmark = pytest.mark.process


def found_in(search, *folders):
    return sorted(search.tree(*folders))


def dumped(search, url):
    """Search all rows as PostgreSQL tells them: on the disk long values are compressed."""
    query = "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
    found = set()
    with psycopg.connect(url) as connection:
        for (table,) in connection.execute(query).fetchall():
            with connection.cursor().copy(f"COPY (TABLE {table}) TO STDOUT") as rows:
                found |= search.data(b"".join(bytes(row) for row in rows), table)
    return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def played(request, tmp_path_factory):
    """Everything that can be said was said; then what is in memory was written."""
    folder = tmp_path_factory.mktemp("canary")
    with contextlib.ExitStack() as stack:
        played = Scene(folder, request.param, stack)
        canary_scene.play(played, Search(played.nest))
        yield played


@pytest.mark.clause("1.2-content")
@pytest.mark.clause("3.2-noncontent")
def test_no_word_is_on_any_disk(played):
    search = Search(played.nest)
    began = time.monotonic()
    assert not found_in(search, *played.folders())
    names = {path.name for path in search.files} | {path.parent.name for path in search.files}
    assert {"run.log", "dump.rdb", "secrets", "metrics"} <= names
    assert {"log", "pg_wal"} <= names if played.postgresql else "bananarouter.sqlite3-wal" in names
    if played.postgresql is not None:
        assert not dumped(search, played.place.gateway.environment["DATABASE_URL"])
    # Once more, when all has ended as an operator ends it.
    played.place.gateway.stop()
    assert not found_in(search, *played.folders())
    assert time.monotonic() - began < 60


@pytest.mark.clause("1.2-content")
@pytest.mark.clause("1.2-debug")
def test_what_debug_mode_kept_was_on_no_disk_in_plain(played):
    """While it was kept; after it was destroyed, the search above finds nothing either."""
    assert played.captured >= 9
    assert played.found_in_captures == set()


@pytest.mark.clause("3.2-noncontent")
def test_no_word_is_in_an_error_report(played):
    wait_until(played.tracker.events, timeout_s=30, what="a report")
    search = Search(played.nest)
    for body in played.tracker.bodies:
        assert not search.data(body, "a report")


@pytest.mark.clause("1.2-content")
def test_every_word_was_said(played):
    missing = set(canaries.PLACES) - played.nest.flown
    assert missing == (set() if played.postgresql else {"away"})
    received = bytes(played.place.vendor.received)
    for place in ("system", "user", "tool-content", "tool-name", "image-link", "file-name",
                  "unknown-field", "big"):  # fmt: skip
        word = played.latin(place).encode()
        assert word in received, f"no vendor got the {place}"
    for place in ("header-custom", "header-agent", "header-cookie", "header-auth",
                  "header-tag", "query"):  # fmt: skip
        assert played.latin(place).encode() not in received, f"a vendor got the {place}"


def test_the_matrix_is_wide(played):
    assert len(played.nest) * 2 >= 64  # a Latin and a Chinese word for each place
    assert len(played.place.scenarios) >= 40


@pytest.mark.clause("1.2-metadata")
def test_the_log_holds_what_it_may(played):
    """The control of the matrix: it did reach the log, once for each call."""
    rows = played.place.rows(
        "SELECT status, count(*), sum(input_tokens), sum(output_tokens) FROM logs_requestlog "
        "GROUP BY status"
    )
    by_status = {row[0]: row[1:] for row in rows}
    assert by_status[200][0] >= 10
    assert by_status[200][1] > 0
    assert {400, 401, 404, 415, 429, 502, 503} <= set(by_status)


@pytest.mark.parametrize("which", ["latin", "han"])
def test_the_search_finds_each_form(tmp_path, which):
    """The control of the search: a word written on purpose is found, and named."""
    nest = Nest()
    search = Search(nest)
    word = getattr(nest["system"], which)
    for form, data in canaries.samples(word).items():
        file = tmp_path / f"{form}.bin"
        file.write_bytes(os.urandom(500) + data + os.urandom(500))
        found = search.tree(file)
        assert found, form
        if "half" not in form:
            assert {find.place for find in found} == {"system"}, form
        file.unlink()
    assert not search.tree(tmp_path)


def test_the_search_finds_words_in_databases_and_names(tmp_path, played):
    """The control of the stores: a word in a log line, a table, a server's log is found."""
    nest = played.nest
    search = Search(nest)
    word = nest["system"].text
    (tmp_path / f"{nest['path'].latin}.txt").touch()
    assert {find.place for find in search.tree(tmp_path)} == {"path"}
    if played.postgresql is None:
        return
    with psycopg.connect(played.postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE told (said text)")
        connection.execute("INSERT INTO told VALUES (%s)", [word])
        connection.execute("CHECKPOINT")
    paths = {find.path for find in search.tree(played.postgresql.folder)}
    long = psycopg.connect(played.postgresql.url, autocommit=True)
    with long as connection:
        connection.execute("UPDATE told SET said = %s", [word * 5_000])  # is compressed
    assert {f.place for f in dumped(search, played.postgresql.url)} == {"system"}
    assert any(path.endswith("/log") for path in paths)
    assert any("/pg_wal/" in path for path in paths)
    assert any("/base/" in path for path in paths)
