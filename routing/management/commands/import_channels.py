"""Import channels, models and prices from a JSON file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import commands
from routing import channel_import
from routing.import_file import ImportRefused

FILE_BYTES_MAX = 64 << 20


class Command(BaseCommand):
    help = "Import channels from FILE (JSON; - reads standard input). Nothing or all of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        commands.add_data_dir(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            report = channel_import.run(_text(options["file"]))
        except ImportRefused as error:
            raise CommandError(f"{options['file']}: {error}") from error
        for warning in report.warnings:
            self.stderr.write(f"warning: {warning}")
        self.stdout.write(
            f"new: {report.channels} channels, {report.models} models, {report.aliases} aliases, "
            f"{report.endpoints} endpoints, {report.prices} price cards; changed: {report.changed}"
        )


def _text(file: str) -> bytes:
    try:
        text = sys.stdin.buffer.read(FILE_BYTES_MAX + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    if len(text) > FILE_BYTES_MAX:
        raise CommandError(f"{file}: is larger than {FILE_BYTES_MAX >> 20} MiB")
    return text
