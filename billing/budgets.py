"""Money limits of API keys. The total limit works; recurring periods have their schema."""

from django.db import transaction

from accounts import changes
from accounts.models import ApiKey, Change
from billing.models import Budget


class BadLimit(ValueError):
    """A limit below zero."""


def set_limit(*, api_key_id: int, limit_nusd: int) -> Budget:
    """Limit what a key may ever spend; a lower limit than what is spent refuses everything.

    Workers hear of it within a second; a request that runs keeps its hold. Raises: BadLimit.
    """
    if limit_nusd < 0:
        raise BadLimit
    with transaction.atomic():
        budget, _ = Budget.objects.update_or_create(
            api_key_id=api_key_id,
            period=Budget.Period.TOTAL,
            defaults={"limit_nusd": limit_nusd},
        )
        _mark(api_key_id, has_budget=True)
    return budget


def remove_limit(*, api_key_id: int) -> None:
    """Let a key spend whatever its account has. What it spent under the limit stays noted."""
    with transaction.atomic():
        _mark(api_key_id, has_budget=False)


def _mark(api_key_id: int, *, has_budget: bool) -> None:
    key = ApiKey.objects.select_for_update().get(pk=api_key_id)
    ApiKey.objects.filter(pk=api_key_id).update(has_budget=has_budget)
    changes.announce(Change.Topic.KEY, str(api_key_id))
    # The key's leases hold the account's whole wallet or the old limit: begin anew.
    changes.announce(Change.Topic.WALLET, str(key.account_id))
