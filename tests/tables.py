"""Databases with every table and no row, made once for each process of a run: to copy is quick."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bananarouter import secret_files
from tests import servers

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def sqlite() -> Path:
    """Return the file of a SQLite database."""
    folder = _folder()
    _migrate(folder)
    return folder / "bananarouter.sqlite3"


@functools.cache
def cluster() -> Path:
    """Return a cluster of PostgreSQL: `postgres` has the tables, and so has each new database.

    `CREATE DATABASE ... TEMPLATE template0` makes an empty one.
    """
    server = servers.PostgreSQL().start()
    template = urlunsplit(urlsplit(server.url)._replace(path="/template1"))
    _migrate(_folder(), DATABASE_URL=template)
    with psycopg.connect(template, autocommit=True) as connection:
        connection.execute("DROP DATABASE postgres")
        connection.execute("CREATE DATABASE postgres")
    server.stop()
    return server.data


def _folder() -> Path:
    """Return a data folder with secrets, which goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="bananarouter-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    secret_files.make(folder / "secrets", given=set(), has_database=False)
    return folder


def _migrate(folder: Path, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0", "--data-dir", folder],
        cwd=ROOT, env={"PATH": os.environ["PATH"], **environment}, check=True,  # noqa: TID251
    )  # fmt: skip
