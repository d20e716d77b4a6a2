"""Make an API key with credit behind it."""

import argparse
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts import commands, keys, owners
from accounts.models import Account, User
from billing import budgets, ledger
from billing.models import LedgerAccount
from billing.money import BadAmount, parse_usd

ACTOR = "command:create_key"


def amount(text: str) -> int:
    """Parse USD into nUSD, zero included."""
    try:
        found = parse_usd(text)
    except BadAmount as error:
        raise argparse.ArgumentTypeError("not an amount in USD") from error
    if found < 0:
        raise argparse.ArgumentTypeError("below zero")
    return found


class Command(BaseCommand):
    help = (
        "Make an API key for the user of an email address (user and account are made when "
        "missing), credit the account, and print the key once, as the last line of stdout."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", type=commands.email, required=True)
        parser.add_argument("--credit-usd", type=amount, required=True, metavar="USD")
        parser.add_argument("--name", default="key")
        parser.add_argument("--models", nargs="+", default=(), metavar="PATTERN")
        parser.add_argument("--limit-usd", type=amount, metavar="USD", help="in total")
        parser.add_argument(
            "--management", action="store_true", help="manages the account's keys, calls no model"
        )
        commands.add_data_dir(parser)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        if options["management"] and (options["models"] or options["limit_usd"] is not None):
            raise CommandError(
                "A management key calls no model: leave --models and --limit-usd out."
            )
        try:
            text = self._create(options)
        except keys.NoPepper as error:
            raise CommandError("Set KEY_PEPPER or KEY_PEPPER_FILE first.") from error
        except keys.InvalidScope as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)

    @transaction.atomic
    def _create(self, options: dict[str, Any]) -> str:
        user: User = owners.register(email=options["email"])
        account = owners.own_account(user)
        self._credit(account, options["credit_usd"])
        key, text = keys.mint(
            account=account,
            created_by=user,
            name=options["name"][:80],
            allowed_models=options["models"],
            is_management=options["management"],
        )
        if options["limit_usd"] is not None:
            budgets.set_limit(api_key_id=key.pk, limit_nusd=options["limit_usd"])
        self.stderr.write(f"Key {key.pk} of account {account.pk}; the key itself, only now:")
        return text

    def _credit(self, account: Account, amount_nusd: int) -> None:
        if not amount_nusd:
            ledger.open_wallet(account.pk)
            return
        ledger.credit(
            account_id=account.pk,
            amount_nusd=amount_nusd,
            source=LedgerAccount.Kind.PROMOTION,
            ref=f"create_key:{uuid.uuid4()}",
            actor=ACTOR,
        )
