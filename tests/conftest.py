"""Shared fixtures and the rules of the suite.

Backend: everything runs on SQLite; with TEST_BACKEND=postgresql what uses the test database runs
again on PostgreSQL (tests marked `sqlite` or `postgresql` run on that one only; pages once, on
SQLite, but for those that ask in SQL of their own). Kind: `quick` is in-process; `process` starts
gateway processes (so marked, or by fixtures), which bear a neighbor; `alone` kills, pauses and
measures: it has the machine to itself.
Proofs: `proof_count(reduced, full)` repeats in full under `--proof`.
"""

import os
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import TransactionTestCase
from django.utils import translation

from tests import clause_results, emulator, gateways, kinds, servers, slate, tables

pytest.register_assert_rewrite("tests.sdk_contract")

_environ = os.environ  # noqa: TID251 - the backend is chosen before settings exist
IS_ON_POSTGRESQL = _environ.get("TEST_BACKEND", "sqlite") == "postgresql"
DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
PARAMETER_CHARACTERS_MAX = 80
TESTS = Path(__file__).parent
# Of the composition root's tests, nearly all about pages: what asks in SQL, or moves many rows.
ASK_IN_SQL = {
    "requests", "test_closing.py", "test_connections.py", "test_dead_rows.py",
    "test_erasing.py", "test_keys.py", "test_overview.py", "test_retention.py",
    "test_usage_audit.py", "usage",
}  # fmt: skip


def pytest_addoption(parser) -> None:
    group = parser.getgroup("bananarouter")
    group.addoption("--proof", action="store_true", help="run the slow proofs in full")
    group.addoption(
        "--kind", choices=["all", "quick", "process", "alone"], default="all",
        help="quick: in-process; process: with gateway processes; alone: those without neighbors",
    )  # fmt: skip
    group.addoption(clause_results.OPTION, metavar="FILE", help="add outcomes by clause to FILE")


def pytest_configure(config) -> None:
    for line in (
        "sqlite: the test's own database must be SQLite",
        "process: starts gateway processes",
        "alone: kills, pauses or measures processes, so runs without neighbors",
    ):
        config.addinivalue_line("markers", line)
    if not hasattr(config, "workerinput"):
        tables.share()
    clause_results.install(config, "postgresql" if IS_ON_POSTGRESQL else "sqlite")
    if IS_ON_POSTGRESQL and not hasattr(config, "workerinput"):
        servers.start_shared_postgresql(tables.cluster)


def pytest_make_parametrize_id(val, argname):
    """Name long texts by their place: they may hold a signature, which is new in each process."""
    is_long = isinstance(val, (str, bytes)) and len(val) > PARAMETER_CHARACTERS_MAX
    return argname if is_long else None


def pytest_ignore_collect(collection_path, config):
    """Load no file in vain: with the SDKs of four vendors all of them take half a minute."""
    is_file = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    if is_file and not kinds.may_hold(collection_path, config.getoption("--kind")):
        return True
    return None  # others have a say


def pytest_collection_modifyitems(config, items) -> None:
    """Keep what belongs to this backend and kind; drop the rest."""
    kind = config.getoption("--kind")
    kept, dropped = [], []
    for item in items:
        (kept if _is_wanted(item, kind=kind) else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = kinds.longest_first(kept) if kind == "process" else kept
    clause_results.note(items)


def _is_wanted(item, *, kind: str) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    if kind not in {"all", kinds.kind_of(item)}:
        return False
    uses_database = bool(item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES)
    if IS_ON_POSTGRESQL:  # the second pass: only what a database can change, not what a page shows
        return uses_database and not _is_page(item) and not item.get_closest_marker("sqlite")
    return not (uses_database and item.get_closest_marker("postgresql"))


def _is_page(item) -> bool:
    parts = set(item.path.relative_to(TESTS).parts)
    return "bananarouter" in parts and not ASK_IN_SQL & parts


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """pytest-django's, and a quicker way back after a test that committed."""
    with django_db_blocker.unblock():
        before = slate.Slate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: before.restore())
        yield


@pytest.fixture(autouse=True)
def clean_slate():
    """What one test did too often, or in which language, is no matter of the next."""
    cache.clear()
    translation.deactivate()


@pytest.fixture(autouse=True)
def shelves(shelves_of_module):
    """What one test sells, the next does not."""
    yield from _as_it_was()


@pytest.fixture(scope="module", autouse=True)
def shelves_of_module():
    """Nor do the tests of the next module."""
    yield from _as_it_was()


def _as_it_was():
    from routing import catalogue  # noqa: PLC0415 - as a plugin this file comes before settings

    served = catalogue.current()
    yield
    catalogue._snapshot = served


@pytest.fixture(scope="session")
def is_proof(request) -> bool:
    """True when the slow proofs run in full."""
    return request.config.getoption("--proof")


@pytest.fixture(scope="session")
def proof_count(is_proof):
    """Return `count(reduced, full)`: how often a proof repeats in this run."""

    def count(reduced: int, full: int) -> int:
        return full if is_proof else reduced

    return count


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server of this session's own, which a test may kill and start again."""
    server = servers.PostgreSQL(cluster=tables.cluster()).start()
    yield server
    server.remove()


@pytest.fixture
def postgresql_url(postgresql):
    """The URL of a PostgreSQL database with every table and no row."""
    with servers.fresh_database(postgresql.url) as url:
        yield url


@pytest.fixture
def valkey():
    """A Valkey server, which a test may kill and start again."""
    server = servers.Valkey().start()
    yield server
    server.stop()


@pytest.fixture
def vendor():
    """An emulated vendor that does what each test scripts."""
    server = emulator.Vendor().start()
    yield server
    server.stop()


@pytest.fixture
def run_gateway(tmp_path):
    """Return `run(*arguments, **environment)`: a gateway, with empty tables, for one test."""
    started: list[gateways.Gateway] = []

    def run(
        *arguments: str, waits: bool = True, is_new: bool = False, **environment: str
    ) -> gateways.Gateway:
        folder = tmp_path / f"gateway{len(started)}"
        gateway = gateways.Gateway(folder, *arguments, is_new=is_new, **environment)
        started.append(gateway)
        return gateway.start(waits=waits)

    yield run
    for gateway in started:
        gateway.stop()


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """The embedded default as it comes, shared by the tests that only call it."""
    folder = tmp_path_factory.mktemp("running")
    gateway = gateways.Gateway(folder, has_tasks=True, is_new=True).start()
    yield gateway
    assert gateway.stop() == 0
