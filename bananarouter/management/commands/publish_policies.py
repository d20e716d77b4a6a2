"""Publish the legal documents' versions."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import commands, policies
from bananarouter.pages.legal import documents


class Command(BaseCommand):
    help = (
        "Publish the versions of the legal documents that are not yet, material changes included: "
        "everybody is told of those, and they hold after the notice time. `manage.py run` "
        "publishes only what needs no decision."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        commands.add_data_dir(parser)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        try:
            documents.publish_all(now=timezone.now())
        except policies.VersionChanged as error:
            raise CommandError(f"{error}: give the new text a new version.") from error
        for document, versions in documents.VERSIONS.items():
            self.stdout.write(f"{document} {versions[0].number}")
