"""Search everything that is stored for what leads to a person."""

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import closures, commands, erasure, traces
from accounts.models import User
from bananarouter import erasing

HELP = """
Search every table, the cache's server, every file of the data folder and the archive for a
person's traces. Exits with 1 and the places when it finds any, or when the archive does not answer.
The traces come from a file (- is standard input), one "kind value" on each line; kinds: email,
phone, name, username, ip, key, id, ref, archive (a name of one day there). Before an erasure
--collect writes that file for a user. Delete it when you are done: it names a person.
"""


class Command(BaseCommand):
    help = HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the traces; - reads standard input")
        parser.add_argument(
            "--collect", metavar="USERNAME", help="write FILE instead of reading it"
        )
        commands.add_data_dir(parser)

    def handle(self, *args: Any, file: str, collect: str | None, **options: Any) -> None:  # noqa: ARG002
        if collect is not None:
            self._collect(file, collect)
            return
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        found = traces.parse(text)
        if not found:
            raise CommandError("The file holds no traces: nothing would be proved.")
        try:
            places = sorted({str(place) for place in erasing.places(traces.Search(found))})
        except erasing.Unreachable as error:
            raise CommandError(f"Not proved: the {error} cannot be searched now.") from error
        self._name_stores()
        for place in places:
            self.stdout.write(place)
        if places:
            raise CommandError(f"Found in {len(places)} places.", returncode=1)
        self.stdout.write(f"Looked for {len(found)} traces: none found.")

    def _name_stores(self) -> None:
        stores, out_of_reach = erasing.searched()
        for said, names in (("Searched", stores), ("Out of reach", out_of_reach)):
            for name in names:
                self.stdout.write(f"{said}: {name}.")

    def _collect(self, file: str, username: str) -> None:
        user = User.objects.filter(username__iexact=username).first()
        if user is None:
            raise CommandError("There is no such user.")
        accounts = [account.pk for account in closures.ending(user)]
        found = erasing.traces_of(user, erasure.leaver(user, accounts))
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(traces.written(found))
        self.stdout.write(f"Wrote {len(found)} traces.")
