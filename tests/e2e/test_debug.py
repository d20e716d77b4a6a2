"""Debug mode of a real gateway: seen by who switched it on, ciphertext to everybody else, gone."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import time

import openai
import pytest

from tests import scripts
from tests.e2e.canaries import Nest, Search
from tests.e2e.debugging import HEARD_S_MAX, Debugged
from tests.e2e.serving import CHAT, Serving
from tests.gateways import is_alive
from tests.servers import wait_until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(tmp_path_factory.mktemp("debug"))
    yield place.start()
    place.stop()


@pytest.fixture
def nest():
    return Nest()


_emails = iter(f"debug{n}@example.com" for n in range(100))


@pytest.fixture
def key(place):
    """A key of somebody's who has just called: the worker knows it."""
    made = place.new_key(next(_emails))
    place.vendor.scripts["c-main"] = scripts.chat()
    answer = place.call(CHAT, key=made)
    assert answer.status == 200
    assert "x-debug-capture" not in answer.headers
    return made


def ask(place, key, nest, *, is_stream):
    """Call with the official SDK; return the answer's text and the header."""
    said = [{"role": "user", "content": nest["user"].text}]
    heard = [nest["answer"].latin, nest["answer"].han]
    with openai.OpenAI(api_key=key, base_url=f"{place.gateway.url}/v1", max_retries=0) as sdk:
        create = sdk.chat.completions.with_raw_response.create
        if is_stream:
            place.vendor.scripts["c-main"] = scripts.chat_stream(texts=heard)
            raw = create(model="c-main", messages=said, stream=True)
            text = "".join(
                chunk.choices[0].delta.content or "" for chunk in raw.parse() if chunk.choices
            )
        else:
            place.vendor.scripts["c-main"] = scripts.chat(text=" ".join(heard))
            raw = create(model="c-main", messages=said)
            text = raw.parse().choices[0].message.content
        return text, raw.headers.get("x-debug-capture"), raw.headers["x-generation-id"]


def page_of(generation_id):
    plain = generation_id.removeprefix("gen-")
    parts = (plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:])
    return f"/requests/{'-'.join(parts)}"


def plain_words(place, nest):
    return sorted(Search(nest).tree(place.folder))


def copy_database(place, target):
    """A backup as an operator takes one, of the database alone."""
    with (
        contextlib.closing(sqlite3.connect(place.database)) as source,
        contextlib.closing(sqlite3.connect(target)) as backup,
    ):
        source.backup(backup)


def restore_database(place, backup):
    place.gateway.stop()
    for suffix in ("-wal", "-shm"):
        place.database.with_name(place.database.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(backup, place.database)
    place.gateway.start()


@pytest.mark.clause("1.2-debug")
@pytest.mark.clause("1.2-training")
def test_enable_see_stop_and_nothing_brings_it_back(place, key, nest, tmp_path):
    debugged = Debugged(place, key)
    time.sleep(HEARD_S_MAX)
    said = nest["user"].text
    calls = [ask(place, key, nest, is_stream=is_stream) for is_stream in (False, True)]
    assert [on for _, on, _ in calls] == ["on", "on"]
    wait_until(lambda: debugged.kept() == 2, what="both captures")

    # Its owner sees it: the page, the marks in the list, the files byte for byte.
    for text, _, generation_id in calls:
        page = debugged.get(page_of(generation_id)).body.decode()
        assert nest["user"].latin in page
        assert nest["answer"].latin in page
        sent = debugged.get(f"{page_of(generation_id)}/content/request")
        assert json.loads(sent.body)["messages"][0]["content"] == said
        got = debugged.get(f"{page_of(generation_id)}/content/response").body.decode()
        assert nest["answer"].latin in got
        assert nest["answer"].latin in text
    assert got.startswith("data: ")
    assert got.rstrip().endswith("data: [DONE]")
    wait_until(
        lambda: debugged.get("/requests").body.decode().count("content kept") == 2, what="marks"
    )
    assert "Debug mode is on" in debugged.get("/overview").body.decode()

    # On the disk it is there as ciphertext (a control: the sizes fit), and nowhere in plain.
    (sizes,) = place.rows("SELECT sum(length(request)), sum(request_bytes) FROM logs_debugcapture")
    assert sizes[0] == sizes[1] + 2 * (12 + 16)
    assert debugged.key_file.is_file()
    assert plain_words(place, nest) == []

    backup = tmp_path / "backup.sqlite3"
    copy_database(place, backup)
    debugged.stop()
    assert not debugged.key_file.exists()
    assert debugged.kept() == 0
    time.sleep(HEARD_S_MAX)
    assert ask(place, key, nest, is_stream=False)[1] is None

    # An older backup comes back, with all rows: nobody reads them, the start sweeps them away.
    restore_database(place, backup)
    for _, _, generation_id in calls:
        page = debugged.get(page_of(generation_id))
        assert page.status == 200
        assert nest["user"].latin not in page.body.decode()
        assert debugged.get(f"{page_of(generation_id)}/content/request").status == 404
    wait_until(lambda: debugged.kept() == 0, what="the sweep of the start")
    query = "SELECT end FROM logs_debugsession WHERE id = ?"
    assert place.rows(query, debugged.session_id.replace("-", "")) == [("lost",)]
    assert plain_words(place, nest) == []
    place.gateway.stop()
    assert plain_words(place, nest) == []
    place.gateway.start()


@pytest.mark.clause("1.2-debug")
def test_it_ends_by_the_clock_and_is_shredded(place, key, nest):
    debugged = Debugged(place, key, seconds=20)
    ends_at = time.time() + 20
    time.sleep(HEARD_S_MAX)
    _, on, generation_id = ask(place, key, nest, is_stream=False)
    assert on == "on"
    wait_until(lambda: debugged.kept() == 1, what="a capture")
    page, word = page_of(generation_id), nest["user"].latin
    wait_until(lambda: word in debugged.get(page).body.decode(), what="the request's own row")
    time.sleep(max(0.0, ends_at - time.time()) + 0.1)

    # The sweep has not come yet: by the clock it is over all the same.
    assert ask(place, key, nest, is_stream=False)[1] is None
    assert nest["user"].latin not in debugged.get(page_of(generation_id)).body.decode()
    told = place.gateway.manage("shell", "--no-imports", "-c",
                                "from logs import tasks; print(tasks.sweep_debug())")  # fmt: skip
    assert told.stdout.split()[-1] in {"0", "1"}  # the worker's own sweep may have been first
    assert debugged.kept() == 0
    assert not debugged.key_file.exists()
    assert plain_words(place, nest) == []


@pytest.mark.clause("1.2-law")
def test_without_debug_mode_nothing_is_captured(place, key, nest):
    for is_stream in (False, True):
        _, on, _ = ask(place, key, nest, is_stream=is_stream)
        assert on is None
    time.sleep(0.5)
    assert place.rows("SELECT count(*) FROM logs_debugcapture") == [(0,)]
    assert plain_words(place, nest) == []


@pytest.mark.clause("1.2-debug")
def test_a_killed_worker_loses_captures_and_writes_no_plain_word(place, key, nest):
    debugged = Debugged(place, key)
    time.sleep(HEARD_S_MAX)
    place.vendor.scripts["c-main"] = scripts.chat_stream(
        texts=[nest["crash"].latin] * 100, gap_s=0.02
    )
    messages = [{"role": "user", "content": nest["crash"].text}]
    tap = place.open_stream(CHAT, key=key, messages=messages)
    tap.read_until(nest["crash"].latin.encode())
    workers = place.gateway.workers()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    tap.read_all()
    wait_until(lambda: not any(map(is_alive, workers)), what="the deaths")
    assert plain_words(place, nest) == []
    wait_until(lambda: place.gateway.workers() != [], what="new workers")
    wait_until(lambda: _serves(debugged), timeout_s=30, what="the new worker")
    assert debugged.kept() == 0
    debugged.stop()


def _serves(debugged):
    with contextlib.suppress(OSError):
        return debugged.get("/readyz").status == 200
    return False
