"""What a signed-in user has not agreed to yet: terms or policies that changed since.

The answer lies in the session, so that a page asks the database only after a publication.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts import consents
from accounts.models import PolicyVersion, User

SESSION_KEY = "policy_changes"
# Open without agreeing: one's data, one's money, the texts themselves, and the way out.
OPEN = ("/settings", "/billing", "/notifications", "/agree", "/contact", "/switch-account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A version that waits for a user's word."""

    pk: int
    document: str
    version: str
    effective_at: dt.datetime
    is_material: bool

    @property
    def is_due(self) -> bool:
        """True when it holds and is more than a change of form."""
        return self.is_material and self.effective_at <= timezone.now()

    @property
    def path(self) -> str:
        """Where its text stands."""
        return reverse(f"{self.document}_version", args=[self.version])


def changes(request: HttpRequest, *, stamp: str) -> Sequence[Change]:
    """Return what the signed-in user has not agreed to, from the session while `stamp` stands.

    The stamp changes with every publication; "": nothing was ever published.
    """
    if not stamp or not isinstance(request.user, User):
        return ()
    kept = request.session.get(SESSION_KEY)
    if not kept or kept[0] != stamp:
        found = consents.unheard(user=request.user, now=timezone.now())
        kept = [stamp, [_kept(version) for version in found]]
        request.session[SESSION_KEY] = kept
    return tuple(
        Change(
            pk=pk,
            document=document,
            version=version,
            effective_at=dt.datetime.fromisoformat(effective_at),
            is_material=is_material,
        )
        for pk, document, version, effective_at, is_material in kept[1]
    )


def _kept(version: PolicyVersion) -> list[object]:
    at = version.effective_at.isoformat()
    return [version.pk, version.document, version.version, at, version.is_material]


def forget(request: HttpRequest) -> None:
    """Ask anew on the next page."""
    request.session.pop(SESSION_KEY, None)


def url(request: HttpRequest) -> str:
    """Return the page on which to agree, and then go on to where the reader wanted."""
    wanted = request.get_full_path() if request.method == "GET" else ""
    return reverse("agree") + (f"?{urlencode({'next': wanted})}" if wanted else "")
