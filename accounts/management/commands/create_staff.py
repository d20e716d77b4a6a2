"""Make a user a member of staff."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts import commands, owners


class Command(BaseCommand):
    help = "Make the user of an email address a superuser; a new password is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", type=commands.email, required=True)
        commands.add_data_dir(parser)

    def handle(self, *args: Any, email: str, **options: Any) -> None:  # noqa: ARG002
        user, password = owners.make_staff(email=email)
        self.stderr.write(f"{user.username} is staff.")
        if password:
            self.stderr.write(f"password {password} (shown only now)")
        else:
            self.stderr.write("The password is as it was.")
