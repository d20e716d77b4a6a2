"""`manage.py staff_roles`: make the groups of staff's roles."""

from typing import Any

from django.core.management.base import BaseCommand

from bananarouter import staff_roles


class Command(BaseCommand):
    help = "Make the groups of staff's roles, or bring them up to date."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        for name, count in staff_roles.write().items():
            self.stdout.write(f"{name}: {count} permissions")
