"""`manage.py audit_ledger`: check every invariant of money; exit 1 when one is broken."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import ledger


class Command(BaseCommand):
    help = "Check the invariants of money; exit 1 when one is broken."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        findings = ledger.audit()
        for found in findings:
            self.stdout.write(
                f"{found.rule} {found.subject}: expected {found.expected}, found {found.found}"
            )
        if findings:
            raise CommandError(f"{len(findings)} breaches of the ledger's invariants")
        self.stdout.write("The ledger is clean: I1 to I5, I7, I8 and I10 hold.")
