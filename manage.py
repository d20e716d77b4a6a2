#!/usr/bin/env python
"""Django's command line. Every command also takes `--data-dir DIR`."""

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line


def take_data_dir(arguments: list[str]) -> tuple[list[str], str | None]:
    """Return the arguments without `--data-dir DIR`, and DIR: settings need it before they load."""
    rest, found = [], None
    waiting = iter(arguments)
    for argument in waiting:
        name, equals, value = argument.partition("=")
        if name != "--data-dir":
            rest.append(argument)
            continue
        found = value if equals else next(waiting, "")
        if not found:
            raise SystemExit("--data-dir needs a folder")
    return rest, found


if __name__ == "__main__":
    argv, data_dir = take_data_dir(sys.argv)
    if data_dir:
        os.environ["DATA_DIR"] = str(Path(data_dir).expanduser().absolute())  # noqa: TID251
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bananarouter.settings")  # noqa: TID251
    execute_from_command_line(argv)
