"""What each role in an account may do (pure). A role that is not known here may do nothing.

Owner: everything, and who else owns it. Admin: members, keys, settings, money. Developer: keys
of their own and what those did. Billing: money, all requests and usage; no keys, no members.
"""

from collections.abc import Callable, Mapping
from typing import Final

_OWNER, _ADMIN, _DEVELOPER, _BILLING = "owner", "admin", "developer", "billing"
_EVERYONE: Final = frozenset({_OWNER, _ADMIN, _DEVELOPER, _BILLING})
_MANAGERS: Final = frozenset({_OWNER, _ADMIN})


def may_own(role: str) -> bool:
    """Tell whether a role makes and unmakes owners."""
    return role == _OWNER


def may_change_account(role: str) -> bool:
    """Tell whether a role changes the account itself: its name, where requests may go."""
    return role in _MANAGERS


def may_manage_members(role: str) -> bool:
    """Tell whether a role invites, changes and removes members."""
    return role in _MANAGERS


def may_manage_keys(role: str) -> bool:
    """Tell whether a role sees and changes every key of the account."""
    return role in _MANAGERS


def may_make_keys(role: str) -> bool:
    """Tell whether a role makes keys, and changes those that it made."""
    return role in _MANAGERS or role == _DEVELOPER


def may_see_requests(role: str) -> bool:
    """Tell whether a role sees requests and usage: at least those of keys that it made."""
    return role in _EVERYONE


def may_see_all_requests(role: str) -> bool:
    """Tell whether a role sees the requests and usage of every key."""
    return role in _MANAGERS or role == _BILLING


def may_see_money(role: str) -> bool:
    """Tell whether a role sees the statement, adds money and changes billing details."""
    return role in _MANAGERS or role == _BILLING


def can_appoint(by: str, *, role: str) -> bool:
    """Tell whether one role gives another one to somebody, or takes it away."""
    return may_own(by) or (may_manage_members(by) and role in _EVERYONE - {_OWNER})


# All questions by name, for templates: `shell.may.make_keys`.
QUESTIONS: Final[Mapping[str, Callable[[str], bool]]] = {
    "own": may_own,
    "change_account": may_change_account,
    "manage_members": may_manage_members,
    "manage_keys": may_manage_keys,
    "make_keys": may_make_keys,
    "see_requests": may_see_requests,
    "see_all_requests": may_see_all_requests,
    "see_money": may_see_money,
}
