"""Where the vendors that we offer do not sell: their rules, and what an account says to them.

An app's config says which module knows: `territories`, with `closed()`.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module

from django.apps import apps

from accounts.models import Account


def closed() -> Mapping[str, Sequence[str]]:
    """Return the countries (ISO 3166 codes) that each vendor with such a rule refuses, by name."""
    found: dict[str, Sequence[str]] = {}
    for config in apps.get_app_configs():
        if name := getattr(config, "territories", ""):
            found.update(import_module(name).closed())
    return found


def is_due(account: Account) -> bool:
    """Tell whether a vendor on offer asks for something that an account has not stated; no query.

    A demo account never: it reaches demo vendors only.
    """
    owners_said = account.ownership_attested_at or account.ownership_denied_at
    if account.is_demo or (account.country_attested_at and owners_said):
        return False
    return bool(closed())
