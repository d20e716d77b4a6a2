"""Which requests a member may see: all of an account, or those of the keys that they made."""

import datetime as dt
from collections.abc import Sequence

from django.db.models import Q

from accounts import roles
from accounts.models import ApiKey, Membership

# Longer than the log keeps a row: what a key that ended before did is forgotten.
KEPT = dt.timedelta(days=32)


def key_ids(membership: Membership, *, now: dt.datetime) -> tuple[int, ...] | None:
    """Return the keys whose requests a member may see, newest first; None: all of the account."""
    if roles.may_see_all_requests(membership.role):
        return None
    ended = Q(expires_at__lt=now - KEPT) | Q(disabled_at__lt=now - KEPT)
    made = ApiKey.objects.filter(account=membership.account_id, created_by=membership.user_id)
    return tuple(made.exclude(ended).order_by("-pk").values_list("pk", flat=True))


def keys(membership: Membership, *, count_max: int) -> list[ApiKey]:
    """Return the newest keys that a member may filter by, those that no list shows left out."""
    found = ApiKey.objects.filter(account=membership.account_id, purpose=ApiKey.Purpose.API)
    if not roles.may_see_all_requests(membership.role):
        found = found.filter(created_by=membership.user_id)
    return list(found.order_by("-pk")[:count_max])


def may_see(memberships: Sequence[Membership], *, account_id: int, made_by: int | None) -> bool:
    """Tell whether a user may see a request of an account, whose key somebody made."""
    place = next((m for m in memberships if m.account_id == account_id), None)
    if place is None or not roles.may_see_requests(place.role):
        return False
    return roles.may_see_all_requests(place.role) or made_by == place.user_id
