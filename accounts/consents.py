"""What users agreed to, by version, and when they took it back: rows are added, never changed."""

import datetime as dt

from accounts import policies
from accounts.models import Consent, PolicyVersion, User

_POLICIES = {
    Consent.Purpose.TERMS: PolicyVersion.Document.TERMS,
    Consent.Purpose.PRIVACY: PolicyVersion.Document.PRIVACY,
}


def give(*, user: User, purpose: str, version: PolicyVersion | None, now: dt.datetime) -> Consent:
    """Record that a user agrees; `version` is None where no document is published."""
    return _record(user, purpose, version, Consent.Action.GIVEN, now)


def accept_policies(*, user: User, now: dt.datetime) -> None:
    """Record that a user accepts the terms and the privacy policy in force."""
    for purpose, document in _POLICIES.items():
        give(user=user, purpose=purpose, version=policies.current(document, now), now=now)


def withdraw(*, user: User, purpose: str, now: dt.datetime) -> Consent:
    """Record that a user agrees no longer, to the version agreed to last."""
    found = latest(user=user, purpose=purpose)
    version = found.version if found else None
    return _record(user, purpose, version, Consent.Action.WITHDRAWN, now)


def latest(*, user: User, purpose: str) -> Consent | None:
    """Return a user's latest word for a purpose."""
    rows = Consent.objects.filter(user=user, purpose=purpose).select_related("version")
    return rows.order_by("-pk").first()


def is_given(*, user: User, purpose: str) -> bool:
    """Tell whether a user's latest word for a purpose is yes."""
    found = latest(user=user, purpose=purpose)
    return found is not None and found.action == Consent.Action.GIVEN


def _record(
    user: User, purpose: str, version: PolicyVersion | None, action: str, now: dt.datetime
) -> Consent:
    return Consent.objects.create(
        user=user, purpose=purpose, version=version, action=action, created_at=now
    )
