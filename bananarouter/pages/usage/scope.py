"""Whose figures a member may see: the whole account's, or those of the keys that they made."""

from accounts import roles
from accounts.models import ApiKey, Membership


def key_ids(membership: Membership | None) -> list[int] | None:
    """Return the keys whose figures a member may see; None: every key of the account."""
    if membership is None:
        return []
    if roles.may_see_all_requests(membership.role):
        return None
    made = ApiKey.objects.filter(account=membership.account_id, created_by=membership.user_id)
    return list(made.values_list("pk", flat=True))
