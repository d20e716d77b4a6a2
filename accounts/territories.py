"""Where the vendors that we offer do not sell: their rules, which sign-up asks about.

An app's config says which module knows: `territories`, with `closed()`.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module

from django.apps import apps


def closed() -> Mapping[str, Sequence[str]]:
    """Return the countries (ISO 3166 codes) that each vendor with such a rule refuses, by name."""
    found: dict[str, Sequence[str]] = {}
    for config in apps.get_app_configs():
        if name := getattr(config, "territories", ""):
            found.update(import_module(name).closed())
    return found
