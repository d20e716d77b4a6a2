"""Reads of the request log that more than one edge needs."""

import uuid

from logs.models import RequestLog


def one(*, account_id: int, request_id: uuid.UUID) -> RequestLog | None:
    """Return an account's request; None when there is none, or it is another's."""
    return RequestLog.objects.filter(account_id=account_id, request_id=request_id).first()
