"""Reading what debug mode kept: for its owner, and for staff whom the owner allowed to.

The only decryption there is. A contract in pyproject.toml names the two modules that may import
this one: the owner's page and the staff's.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts.models import Membership, User
from logs import debug, debug_keys
from logs.models import DebugCapture, DebugSession, DebugView


class NothingKept(Exception):
    """There is no such content, not any more, or not for this reader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was said and answered. It never shows in a log: its repr holds sizes alone."""

    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    request_bytes: int
    response_bytes: int


def read(request_id: uuid.UUID, *, user: User, now: dt.datetime) -> Content:
    """Return the content of a request to who had it captured. Raises: NothingKept."""
    capture = _capture(request_id, now=now)
    session = capture.session
    if session.user_id != user.pk or not capture.is_member:
        raise NothingKept
    return _open(capture)


def read_as_staff(
    request_id: uuid.UUID, *, session_id: uuid.UUID, staff: User, now: dt.datetime
) -> Content:
    """Return the content of a request under the owner's grant, and write down who read it.

    Raises: NothingKept, also when the grant is over.
    """
    capture = _capture(request_id, now=now)
    with transaction.atomic():
        session = DebugSession.objects.select_for_update().get(pk=capture.session_id)
        found = debug.granted(session, now=now)
        if session.pk != session_id or found is None:
            raise NothingKept
        content = _open(capture)
        DebugView.objects.create(grant=found, staff=staff, request_id=request_id, viewed_at=now)
    return content


def _capture(request_id: uuid.UUID, *, now: dt.datetime) -> Any:
    """Return what was captured, and whether who had it captured is a member still; one query."""
    places = Membership.objects.filter(
        account=OuterRef("session__api_key__account"), user=OuterRef("session__user")
    )
    rows = DebugCapture.objects.filter(request_id=request_id).select_related("session__api_key")
    capture = rows.annotate(is_member=Exists(places)).first()
    if capture is None or not capture.session.is_running(now):
        raise NothingKept
    return capture


def _open(capture: DebugCapture) -> Content:
    try:
        key = debug_keys.load(capture.session_id)
        request, response = (
            key.unseal(bytes(sealed), request_id=capture.request_id, part=part)
            for part, sealed in (("request", capture.request), ("response", capture.response))
        )
    except (debug_keys.KeyGone, debug_keys.CannotRead) as error:
        raise NothingKept from error
    return Content(
        request=request,
        response=response,
        request_bytes=capture.request_bytes,
        response_bytes=capture.response_bytes,
    )
