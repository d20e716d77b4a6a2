"""`manage.py retention`: end what is over now, or show what would go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import commands
from logs import removal


class Command(BaseCommand):
    help = "End every record whose days are over, by the table of retention, and report it."

    def add_arguments(self, parser: CommandParser) -> None:
        commands.add_data_dir(parser)
        parser.add_argument("--dry-run", action="store_true", help="show what would go, by class")
        parser.add_argument(
            "--force",
            action="store_true",
            help="believe the clock, though it is far ahead of the latest run",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        if options["dry_run"]:
            self._preview()
            return
        try:
            run = removal.run(now=timezone.now(), actor="command", is_forced=options["force"])
        except removal.Busy as error:
            raise CommandError("another run is under way") from error
        for record in sorted({*run.removed, *run.held}):
            self._line(record, run.removed.get(record, 0), run.held.get(record, 0))
        for record, kind in sorted(run.errors.items()):
            self.stderr.write(f"{record}: {kind}")
        if run.is_held_back:
            raise CommandError(
                "nothing was removed: the clock is more than a week ahead of the latest run. "
                "Look at it; then give --force."
            )
        self.stdout.write("complete" if run.is_complete else "more is left: run it again")

    def _preview(self) -> None:
        for record, (gone, kept) in removal.preview(now=timezone.now()).items():
            self._line(record, gone, kept)

    def _line(self, record: str, gone: int, kept: int) -> None:
        held = f", {kept} held" if kept else ""
        self.stdout.write(f"{record}: {gone}{held}")
