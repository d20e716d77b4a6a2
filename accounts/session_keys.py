"""Short-lived keys of a signed-in browser: the playground calls the API as any program does."""

import datetime as dt
from typing import Final

from django.db import transaction

from accounts import keys
from accounts.models import Account, ApiKey, User

LIFETIME: Final = dt.timedelta(hours=1)
# Tabs that a user may have open; one more ends the oldest one's key.
LIVE_MAX: Final = 5
NAME: Final = "Playground"


@transaction.atomic
def mint(*, account: Account, user: User, now: dt.datetime) -> tuple[ApiKey, str]:
    """Make a key for a page of a user's and return it with its text; it works for an hour.

    It is in no list. What it spends is seen under the name of its purpose. Raises: keys.NoPepper.
    """
    live = ApiKey.objects.filter(
        account=account,
        created_by=user,
        purpose=ApiKey.Purpose.PLAYGROUND,
        disabled_at=None,
        expires_at__gt=now,
    ).order_by("-pk")
    for old in live[LIVE_MAX - 1 :]:
        keys.disable(old)
    return keys.mint(
        account=account,
        created_by=user,
        name=NAME,
        expires_at=now + LIFETIME,
        purpose=ApiKey.Purpose.PLAYGROUND,
    )
