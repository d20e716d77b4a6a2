"""What users agreed to, by version, and when they took it back: rows are added, never changed."""

import datetime as dt
from collections.abc import Collection

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


def unheard(*, user: User, now: dt.datetime) -> list[PolicyVersion]:
    """Return versions of terms and privacy policy, in force or to come, newer than agreed to.

    Of a document to which the user never agreed (a user made by a command) there are none; two
    queries.
    """
    agreed: dict[str, Consent] = {}
    rows = Consent.objects.filter(user=user, purpose__in=_POLICIES).order_by("pk")
    for row in rows:
        agreed[_POLICIES[Consent.Purpose(row.purpose)]] = row
    found: list[PolicyVersion] = []
    for version in PolicyVersion.objects.filter(document__in=agreed).order_by("pk"):
        latest_word = agreed[version.document]
        is_newer = version.pk > (latest_word.version_id or 0)
        if is_newer and latest_word.action == Consent.Action.GIVEN:
            # Of several that hold by now the last one is the text.
            older = [
                one
                for one in found
                if one.document == version.document
                and policies.holds(one, now)
                and policies.holds(version, now)
            ]
            found = [one for one in found if one not in older]
            found.append(version)
    return found


def agree(*, user: User, versions: Collection[PolicyVersion], now: dt.datetime) -> None:
    """Record that a user agrees to versions of terms or privacy policy."""
    purposes = {document: purpose for purpose, document in _POLICIES.items()}
    for version in versions:
        document = PolicyVersion.Document(version.document)
        give(user=user, purpose=purposes[document], version=version, now=now)


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
