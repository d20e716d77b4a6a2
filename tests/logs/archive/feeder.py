"""A process that feeds the archive when it is told to, for tests that kill it.

Each line of standard input is a time; a child of this process, which has all modules loaded,
feeds as of then. What it printed before: its process id; after: its exit code.
"""

import datetime as dt
import os
import sys

import django

django.setup()

from django.db import connections  # noqa: E402

from logs.archive import bigquery, clickhouse, feed  # noqa: E402, F401 - loaded once


def main() -> None:
    for line in sys.stdin:
        connections.close_all()
        if child := os.fork():
            sys.stdout.write(f"{child}\n")
            sys.stdout.flush()
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            sys.stdout.write(f"{code}\n")
            sys.stdout.flush()
        else:
            feed.run(now=dt.datetime.fromisoformat(line.strip()))
            os._exit(0)


if __name__ == "__main__":
    main()
