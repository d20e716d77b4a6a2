"""Propose new price cards where the price source changed."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts import commands
from routing import price_sync


class Command(BaseCommand):
    help = "Propose dated price cards from genai-prices; prices that an operator stated stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands.add_data_dir(parser)

    def handle(self, *_args: Any, **_options: Any) -> None:
        synced = price_sync.run()
        for line in synced.unknown:
            self.stderr.write(f"warning: {line}")
        for line in synced.changed:
            self.stdout.write(line)
        self.stdout.write(
            f"{synced.endpoints} endpoints looked up, {len(synced.changed)} cards are new, "
            f"{len(synced.unknown)} unknown"
        )
