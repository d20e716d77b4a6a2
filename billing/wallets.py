"""What staff may do to a wallet."""

from collections.abc import Iterable

from django.db import transaction

from accounts import changes
from accounts.models import Change
from billing.models import Wallet


def set_frozen(account_ids: Iterable[int], *, is_frozen: bool) -> int:
    """Freeze or thaw wallets; return how many changed.

    Every worker admits nothing more from a frozen one within a second; what runs ends normally.
    """
    changed = 0
    with transaction.atomic():
        for account_id in sorted(account_ids):
            rows = Wallet.objects.filter(pk=account_id, frozen=not is_frozen)
            changed += rows.update(frozen=is_frozen)
        for account_id in sorted(account_ids):
            changes.announce(Change.Topic.WALLET, str(account_id))
    return changed
