"""What an account may not do for now, whatever its keys allow."""

from django.db import transaction

from accounts import changes
from accounts.models import Account, Change


def set_trial(account_id: int, *, is_trial: bool) -> bool:
    """Keep an account to cheap models, or no longer, on every worker within a second.

    False if it was so already. Call it last in a transaction: it announces a change.
    """
    with transaction.atomic():
        rows = Account.objects.filter(pk=account_id, is_trial=not is_trial)
        if not rows.update(is_trial=is_trial):
            return False
        changes.announce(Change.Topic.ACCOUNT, str(account_id))
    return True
