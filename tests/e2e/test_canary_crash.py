"""A worker that dies in mid-stream leaves nothing of what was said on any disk."""

import os
import signal

import pytest

from tests.e2e.canaries import Nest, Search
from tests.e2e.canary_scene import core_files_allowed, serves
from tests.e2e.canary_words import rich, streamed
from tests.e2e.serving import GENERATIONS, Serving, model_of
from tests.gateways import ROOT, is_alive
from tests.servers import wait_until

pytestmark = pytest.mark.alone


class Place(Serving):
    """A gateway with a word for each part of what is said."""

    def __init__(self, folder, **environment):
        super().__init__(folder, names=("crash",), **environment)
        self.nest = Nest()

    def word(self, place):
        return self.nest[place].text

    def latin(self, place):
        return self.nest[place].latin


@pytest.fixture
def place(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    made = Place(tmp_path / "place", TMPDIR=str(temporary), LOG_LEVEL="DEBUG")
    (tmp_path / "place").mkdir()
    with core_files_allowed():
        made.start()
    yield made
    made.stop()


def streams(place):
    """Open one stream in each protocol, each in the middle of its answer."""
    for protocol in GENERATIONS:
        place.vendor.scripts[model_of(protocol, "crash")] = streamed(
            place, protocol, "crash", count=1_500, gap_s=0.02
        )
        tap = place.open_stream(protocol, "crash", **rich(place, protocol))
        tap.read_until(place.latin("crash").encode())
        yield tap


@pytest.mark.clause("1.2-content")
def test_a_worker_killed_in_mid_stream_leaves_no_word_on_any_disk(place, tmp_path):
    search = Search(place.nest)
    cores = set(ROOT.glob("core*"))
    for number in (signal.SIGKILL, signal.SIGABRT):
        taps = list(streams(place))
        (worker,) = place.gateway.workers()
        os.kill(worker, number)
        for tap in taps:
            tap.read_all()
            assert not tap.is_whole
        wait_until(lambda pid=worker: not is_alive(pid), what="the death")
        wait_until(lambda: serves(place), timeout_s=60, what="the next worker")
    left = set(ROOT.glob("core*")) - cores
    try:
        assert {find.place for find in search.tree(tmp_path, *left)} == set()
    finally:
        for core in left:
            core.unlink()
    assert {"run.log", "bananarouter.sqlite3-wal"} <= {path.name for path in search.files}
    word = place.word("user").encode()
    assert search.data(b"..." + word, "a control"), "the search would have missed it"
