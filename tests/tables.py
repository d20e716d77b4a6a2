"""Databases with every table and no row, made once for a whole run: to copy is quick."""

import atexit
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bananarouter import secret_files
from tests import servers

_environ = os.environ  # noqa: TID251 - a test run hands them to its workers
NAME = "TEST_TABLES_DIR"
ROOT = Path(__file__).resolve().parents[1]


def share() -> Path:
    """Return the folder of these databases, which a run's processes have in common."""
    if NAME not in _environ:
        _environ[NAME] = tempfile.mkdtemp(prefix="bananarouter-tables-")
        atexit.register(shutil.rmtree, _environ[NAME], ignore_errors=True)
        Path(_environ[NAME]).chmod(0o711)  # root's PostgreSQL runs as somebody else
    return Path(_environ[NAME])


@functools.cache
def sqlite() -> Path:
    """Return the file of a SQLite database."""
    return _once("sqlite.sqlite3", _make_sqlite)


@functools.cache
def cluster() -> Path:
    """Return a cluster of PostgreSQL: `postgres` has the tables, and so has each new database.

    `CREATE DATABASE ... TEMPLATE template0` makes an empty one.
    """
    return _once("cluster", _make_cluster)


def _once(name: str, make: Callable[[Path], None]) -> Path:
    """Let the first process that asks make it, and the others wait."""
    made = share() / name
    with (share() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make(made)
    return made


def _make_sqlite(target: Path) -> None:
    folder = _folder()
    _migrate(folder)
    shutil.move(folder / "bananarouter.sqlite3", target)


def _make_cluster(target: Path) -> None:
    server = servers.PostgreSQL().start()
    template = urlunsplit(urlsplit(server.url)._replace(path="/template1"))
    _migrate(_folder(), DATABASE_URL=template)
    with psycopg.connect(template, autocommit=True) as connection:
        connection.execute("DROP DATABASE postgres")
        connection.execute("CREATE DATABASE postgres")
    server.stop()
    shutil.move(server.data, target)


def _folder() -> Path:
    """Return a data folder with secrets, which goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="bananarouter-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    secret_files.make(folder / "secrets", given=set(), has_database=False)
    return folder


def _migrate(folder: Path, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0", "--data-dir", folder],
        cwd=ROOT, env={"PATH": _environ["PATH"], **environment}, check=True,
    )  # fmt: skip
