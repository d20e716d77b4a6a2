"""What others ask about accounts: every answer is bound to the user who asks."""

from django.db.models import QuerySet

from accounts.models import Account, ApiKey, User


def accounts_of(user: User) -> QuerySet[Account]:
    """Return the accounts that a user is a member of, oldest membership first."""
    return Account.objects.filter(memberships__user=user).order_by("memberships__pk")


def keys_of(user: User) -> QuerySet[ApiKey]:
    """Return the keys of all accounts that a user is a member of, newest first."""
    return ApiKey.objects.filter(account__memberships__user=user).order_by("-pk")
