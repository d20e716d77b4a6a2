"""`manage.py rebuild_sums`: make the sums of days those of their rows."""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import commands
from accounts.timeids import DAY
from logs import retention_rules, rollups
from logs.retention_rules import Record


class Command(BaseCommand):
    help = "Rebuild the sums of requests of days from the log's rows; twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        commands.add_data_dir(parser)
        parser.add_argument("--from", type=dt.date.fromisoformat, required=True, dest="first")
        parser.add_argument("--to", type=dt.date.fromisoformat, required=True, dest="last")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        first, last = options["first"], options["last"]
        today = timezone.now().date()
        kept = retention_rules.first_kept(Record.REQUEST_LOG, today=today)
        if not kept <= first <= last <= today:
            raise CommandError(
                f"days must lie between {kept}, the first whose rows stand, and today"
            )
        for n in range((last - first) // DAY + 1):
            day = first + n * DAY
            found = rollups.rebuild(day, today=today)
            self.stdout.write(f"{day}: {found.changed} sums changed, {found.cost_nusd:+d} nUSD")
