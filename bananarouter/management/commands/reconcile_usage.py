"""`manage.py reconcile_usage`: the log's sums against the ledger, to the nano-dollar."""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import commands
from accounts.timeids import DAY
from bananarouter import usage_audit

REQUESTS_SHOWN = 20


class Command(BaseCommand):
    help = "Compare what the log's sums cost with what the ledger took, by account and hour."

    def add_arguments(self, parser: CommandParser) -> None:
        commands.add_data_dir(parser)
        parser.add_argument("--from", type=dt.date.fromisoformat, required=True, dest="first")
        parser.add_argument("--to", type=dt.date.fromisoformat, required=True, dest="last")
        parser.add_argument(
            "--correct",
            action="store_true",
            help="give the log's rows what their charges ended at; the ledger is never changed",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        span = {"since": options["first"], "until": options["last"] + DAY}
        today = timezone.now().date()
        found = usage_audit.differences(**span, today=today)
        for one in found:
            self._show(one, is_corrected=options["correct"])
        if options["correct"]:
            found = usage_audit.differences(**span, today=today)
        if found:
            raise CommandError(f"{len(found)} accounts' hours differ from the ledger")
        self.stdout.write("equal to the nano-dollar")

    def _show(self, one: usage_audit.Difference, *, is_corrected: bool) -> None:
        self.stdout.write(
            f"account {one.account_id} {one.at:%Y-%m-%dT%H}: logged {one.logged_nusd}, "
            f"charged {one.charged_nusd}, {one.logged_nusd - one.charged_nusd:+d} nUSD"
        )
        requests = list(usage_audit.requests(one))
        for each in requests[:REQUESTS_SHOWN]:
            self.stdout.write(
                f"  {each.cause} gen-{each.request_id.hex}: logged {each.logged_nusd}, "
                f"charged {each.charged_nusd}"
            )
        if len(requests) > REQUESTS_SHOWN:
            self.stdout.write(f"  and {len(requests) - REQUESTS_SHOWN} more")
        if is_corrected:
            self.stdout.write(f"  corrected {usage_audit.correct(requests)} rows")
