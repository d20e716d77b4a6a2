"""What may be done to a wallet without a posting: freeze it, and set money in it aside."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from accounts import changes
from accounts.models import Change
from billing.models import Hold, Wallet


class NotReserved(RuntimeError):
    """So much is not set aside in the wallet: an invariant is broken, nothing is written."""


def set_frozen(account_ids: Iterable[int], *, is_frozen: bool) -> int:
    """Freeze or thaw wallets because staff say so; return how many changed.

    Every worker admits nothing more from a frozen one within a second; what runs ends normally.
    From now on the end of a dispute does not thaw it.
    """
    changed, ids = 0, sorted(account_ids)
    with transaction.atomic():
        for account_id in ids:
            rows = Wallet.objects.filter(pk=account_id, frozen=not is_frozen)
            changed += rows.update(frozen=is_frozen)
        Hold.objects.filter(pk__in=ids, is_frozen=True).update(is_frozen=False)
        for account_id in ids:
            changes.announce(Change.Topic.WALLET, str(account_id))
    return changed


def available(wallet: Wallet) -> int:
    """Return what can be spent of a wallet now."""
    taken = wallet.debit_nusd + wallet.leased_nusd + wallet.reserved_nusd
    return wallet.credit_nusd - taken


@transaction.atomic
def reserve(account_id: int, *, nusd_max: int) -> int:
    """Set money aside, as far as there is some; return how much. Locks: the wallet."""
    wallet = Wallet.objects.select_for_update().get(pk=account_id)
    amount = min(nusd_max, available(wallet))
    if amount <= 0:
        return 0
    taken = F("debit_nusd") + F("leased_nusd") + F("reserved_nusd") + amount
    rows = Wallet.objects.filter(pk=account_id, credit_nusd__gte=taken)
    return amount if rows.update(reserved_nusd=F("reserved_nusd") + amount) else 0


def release(account_id: int, *, amount_nusd: int) -> None:
    """Make what was set aside available again. Raises: NotReserved."""
    rows = Wallet.objects.filter(pk=account_id, reserved_nusd__gte=amount_nusd)
    if not rows.update(reserved_nusd=F("reserved_nusd") - amount_nusd):
        raise NotReserved(str(account_id))
