"""Start the gateway with everything it needs on this machine."""

import json
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import commands
from bananarouter import launch, listening, secret_files, supervisor, valkey

CURL = (
    "curl -N {url}/v1/chat/completions -H 'Authorization: Bearer {key}' "
    "-H 'Content-Type: application/json' -d '{body}'"
)
BODY = {
    "model": "demo/steady",
    "stream": True,
    "messages": [{"role": "user", "content": "Hello from a first request"}],
}


class Command(BaseCommand):
    help = __doc__ or ""
    # Secrets and tables do not exist yet at the first start.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands.add_data_dir(parser)
        parser.add_argument("--port", type=int, default=8000, help="0: any free one")
        parser.add_argument(
            "--host", default="127.0.0.1", help="another address than loopback, if you mean it"
        )
        parser.add_argument("--workers", type=int, help="processes (default: 1, or one per core)")
        parser.add_argument("--demo", action="store_true", default=None, help="also in production")
        parser.add_argument("--no-demo", dest="demo", action="store_false")
        parser.add_argument(
            "--no-tasks", dest="tasks", action="store_false",
            help="tasks run elsewhere (python -m bananarouter.background), or not at all",
        )  # fmt: skip
        parser.add_argument(
            "--reuse-port", action="store_true", help="share the port with a generation that drains"
        )

    def handle(self, *_args: object, **options: Any) -> None:
        wanted = launch.Options(
            host=options["host"],
            port=options["port"],
            workers=options["workers"],
            has_demo=settings.IS_SQLITE if options["demo"] is None else options["demo"],
            has_tasks=options["tasks"],
            shares_port=options["reuse_port"],
        )
        try:
            if made := launch.make_secrets():
                self._tell(f"Made {', '.join(made)}.")
                # Settings were loaded without them: begin again, in the same process.
                os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606
            launch.Gateway(wanted, tell=self._tell).run(announce=self._announce)
        except (
            launch.CannotStart,
            listening.PortBusy,
            secret_files.SecretsMissing,
            supervisor.ChildFailed,
            valkey.NoValkey,
        ) as error:
            raise CommandError(str(error)) from error

    def _tell(self, line: str) -> None:
        self.stderr.write(line, self.style.NOTICE if line.startswith("Log in") else str)

    def _announce(self, url: str, key: str) -> None:
        """Write the two lines that programs may read."""
        self.stdout.write(f"ready {url} key {key}")
        self.stdout.write(CURL.format(url=url, key=key, body=json.dumps(BODY)))
        self.stdout.flush()
