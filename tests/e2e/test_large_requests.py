"""A request of 10 MiB makes no file: nowhere, not even one without a name."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import scripts
from tests.e2e import serving
from tests.e2e.serving import CHAT, Serving

pytestmark = pytest.mark.process

BODY_BYTES = 10 << 20
PATHS = ("/v1/chat/completions", "/v1/messages", "/v1beta/models/g-main:generateContent",
         "/v1/responses", "/openai/v1/chat/completions", "/accounts/login/")  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    (folder / "tmp").mkdir()
    place = Serving(folder, TMPDIR=str(folder / "tmp")).start()
    place.vendor.scripts["c-main"] = scripts.chat()
    assert place.call(CHAT).status == 200  # from here on all that a worker opens is open
    yield place
    place.stop()


@pytest.mark.clause("1.2-content")
@pytest.mark.parametrize("path", PATHS)
def test_ten_mebibytes_make_no_file(place, path):
    worker = place.gateway.workers()[0]
    before = open_files(worker)
    body = json.dumps({"x": "y" * BODY_BYTES}).encode()
    with socket.create_connection(("127.0.0.1", place.gateway.port), timeout=10) as client:
        with contextlib.suppress(ConnectionError):
            # All but the end: a file that was made is open now.
            client.sendall(place.head(path, length=len(body)) + body[:-1])
            time.sleep(0.3)
            assert not open_files(worker) - before
            client.sendall(body[-1:])
        with contextlib.suppress(ConnectionError):
            assert client.recv(65536).split(b" ")[1][:1] == b"4"
    assert not open_files(worker) - before
    assert not list((place.folder / "tmp").iterdir())


@pytest.mark.clause("1.2-content")
def test_nor_while_the_vendor_thinks_nor_its_large_answer(place):
    worker = place.gateway.workers()[0]
    text = "x" * BODY_BYTES
    place.vendor.scripts["c-main"] = scripts.chat(text=text, first_s=0.6)
    before = open_files(worker)
    answer, _ = serving.together(
        lambda: place.call(CHAT, messages=[{"role": "user", "content": text}]),
        lambda: watch(worker, before, for_s=1.5),
    )
    assert (answer.status, len(answer.body) > BODY_BYTES) == (200, True)
    assert len(place.vendor.of("c-main")[-1].body) > BODY_BYTES
    assert not list((place.folder / "tmp").iterdir())


def test_the_watch_sees_a_spooled_body(tmp_path):
    """The control: what Django would do with such a body shows, though it has no name."""
    code = (
        "import sys, tempfile\n"
        "spool = tempfile.SpooledTemporaryFile(max_size=1000)\n"
        "print(flush=True); sys.stdin.readline()\n"
        "spool.write(b'x' * 2000); print(flush=True); sys.stdin.readline()"
    )
    environment = {"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]}  # noqa: TID251
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        child.stdout.readline()
        before = open_files(child.pid)
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        assert len(open_files(child.pid) - before) == 1
        child.communicate(b"\n")


def watch(pid, before, *, for_s):
    """Fail as soon as a process holds another file than before."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        assert not open_files(pid) - before
        time.sleep(0.005)


def open_files(pid):
    """Return the regular files that a process holds open, deleted ones too."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = str(entry.readlink())
            if target.startswith("/") and not target.startswith(("/dev/", "/proc/")):
                found.add(target)
    return found
