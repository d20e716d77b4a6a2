"""Erase again whom a restored backup brought back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from accounts import commands
from bananarouter import erasing


class Command(BaseCommand):
    help = (
        "Erase again everybody on the list of erasures (ERASURE_LIST). Run it after a backup of "
        "the database was restored, before the service is opened; again it does nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        commands.add_data_dir(parser)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        done = erasing.replay(now=timezone.now())
        self.stdout.write(f"Erased again: {done.erased}.")
        for account_id in done.ownerless:
            self.stderr.write(f"Account {account_id} has no owner now: appoint one.")
