"""Members of accounts: who joins whom, what they become, how they go.

Every change holds the account's row, so that two owners cannot unmake each other at once.
"""

import uuid

from django.db import transaction
from django.db.models import Q

from accounts import keys, roles
from accounts.models import Account, ApiKey, Membership, User

Role = Membership.Role
# One person makes so many organizations: a bound on what a script can do.
ORGANIZATIONS_MAX = 20


class NotAllowed(Exception):
    """The actor's role does not allow this, or not any more."""


class LastOwner(Exception):
    """The account would be left without an owner."""


class TooManyOrganizations(Exception):
    """The user owns as many organizations as one may."""


@transaction.atomic
def found(*, founder: User, name: str, public_id: uuid.UUID) -> Account:
    """Make an organization that its founder owns; return the one made already under this id.

    Where its founder says to be is where it is (vendors' territory rules), until it says so itself.
    Raises: TooManyOrganizations; NotAllowed if the id is another's.
    """
    User.objects.select_for_update(no_key=True).get(pk=founder.pk)
    made = Account.objects.filter(public_id=public_id).first()
    if made is not None:
        if not made.memberships.filter(user=founder, role=Role.OWNER).exists():
            raise NotAllowed
        return made
    owned = Account.objects.filter(memberships__user=founder, memberships__role=Role.OWNER)
    if owned.filter(is_organization=True).count() >= ORGANIZATIONS_MAX:
        raise TooManyOrganizations
    own = owned.filter(is_organization=False).order_by("pk").first()
    account = Account.objects.create(
        public_id=public_id,
        name=name,
        is_organization=True,
        country=own.country if own else "",
        country_attested_at=own.country_attested_at if own else None,
    )
    Membership.objects.create(account=account, user=founder, role=Role.OWNER)
    return account


def enter(account_id: int, actor: User) -> str:
    """Lock an account for a change of its members; return the actor's role in it.

    Call it in a transaction. Raises: NotAllowed for a stranger.
    """
    # no_key: whoever inserts a row that points to the account need not wait for this.
    Account.objects.select_for_update(no_key=True).get(pk=account_id)
    place = Membership.objects.filter(account_id=account_id, user=actor).first()
    if place is None:
        raise NotAllowed
    return place.role


@transaction.atomic
def change_role(*, account_id: int, member_id: int, role: str, actor: User) -> Membership:
    """Give a member another role.

    Raises: Membership.DoesNotExist; NotAllowed; LastOwner.
    """
    by = enter(account_id, actor)
    member = Membership.objects.get(pk=member_id, account_id=account_id)
    if not (roles.can_appoint(by, role=member.role) and roles.can_appoint(by, role=role)):
        raise NotAllowed
    if role != Role.OWNER:
        _keep_an_owner(member)
    Membership.objects.filter(pk=member.pk).update(role=role)
    member.role = role
    return member


@transaction.atomic
def hand_over(*, account_id: int, member_id: int, actor: User) -> Membership:
    """Make another member the owner in the actor's place, who becomes an admin.

    Raises: Membership.DoesNotExist, also for the actor itself; NotAllowed.
    """
    if not roles.may_own(enter(account_id, actor)):
        raise NotAllowed
    places = Membership.objects.filter(account_id=account_id)
    member = places.exclude(user=actor).get(pk=member_id)
    places.filter(pk=member.pk).update(role=Role.OWNER)
    places.filter(user=actor).update(role=Role.ADMIN)
    member.role = Role.OWNER
    return member


@transaction.atomic
def remove(*, account_id: int, member_id: int, actor: User, disables_keys: bool) -> int:
    """End a membership, one's own too; return how many of the member's keys were disabled.

    Keys of a browser's playground go in any case: they are nobody else's.
    Raises: Membership.DoesNotExist; NotAllowed; LastOwner.
    """
    by = enter(account_id, actor)
    member = Membership.objects.get(pk=member_id, account_id=account_id)
    if member.user_id != actor.pk and not roles.can_appoint(by, role=member.role):
        raise NotAllowed
    _keep_an_owner(member)
    Membership.objects.filter(pk=member.pk).delete()
    rows = ApiKey.objects.filter(
        account_id=account_id, created_by=member.user_id, disabled_at__isnull=True
    )
    going = Q() if disables_keys else Q(purpose=ApiKey.Purpose.PLAYGROUND)
    return sum(keys.disable(key) for key in rows.filter(going))


def _keep_an_owner(member: Membership) -> None:
    """Caller holds the account's row. Raises: LastOwner if this member is the only one."""
    owners = Membership.objects.filter(account_id=member.account_id, role=Role.OWNER)
    if member.role == Role.OWNER and not owners.exclude(pk=member.pk).exists():
        raise LastOwner
