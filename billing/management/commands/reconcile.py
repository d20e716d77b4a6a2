"""`manage.py reconcile`: read a processor's statement of a day, or show what clearing holds."""

import argparse
import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.models import Processor
from billing.payments import clearing_report, reconciliation, staff_queue
from billing.processors import base


def _month(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not YYYY-MM") from error


class Command(BaseCommand):
    help = "Read a processor's statement of a day and compare it with the books."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--processor", choices=Processor.values)
        parser.add_argument("--date", type=dt.date.fromisoformat, help="a day of its statements")
        parser.add_argument("--month", type=_month, help="YYYY-MM: show what clearing holds")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        if options["month"]:
            self._report(options["month"])
        elif options["processor"] and options["date"]:
            self._import(options["processor"], options["date"])
        else:
            raise CommandError("give --processor and --date, or --month")

    def _import(self, processor: str, day: dt.date) -> None:
        try:
            result = reconciliation.import_day(processor, day, now=timezone.now())
        except base.ProcessorError as error:
            raise CommandError(f"{processor}: no statement of {day}: {error.code}") from error
        self.stdout.write(f"{processor} {day}: {result.rows} rows, {result.new} new")
        for verdict, count in sorted(result.verdicts.items()):
            self.stdout.write(f"  {verdict}: {count}")
        self.stdout.write(f"  credited after a query: {result.credited}")
        self.stdout.write(f"waiting for staff: {staff_queue.open_rows(processor).count()}")

    def _report(self, month: dt.date) -> None:
        for one in clearing_report.of_month(month):
            sums = ", ".join(f"{kind} {amount}" for kind, amount in sorted(one.by_kind.items()))
            state = "zero" if one.is_zero else f"{one.closing} left"
            self.stdout.write(f"{one.processor} {one.currency}: {state} ({sums})")
