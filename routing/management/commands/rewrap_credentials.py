"""Wrap every stored credential with the latest key-encryption key."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import commands
from routing import credentials


class Command(BaseCommand):
    help = (
        "After a new key was added to CREDENTIAL_KEYS: wrap all credentials with it, so that the "
        "old one can go. The secrets themselves are not decrypted."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands.add_data_dir(parser)

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            count = credentials.rewrap()
        except credentials.CredentialError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} credentials wrapped anew")
