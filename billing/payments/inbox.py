"""Deliveries of processors: verify, store what they say, answer. Nothing is applied here."""

import datetime as dt
import hashlib
from collections.abc import Mapping

from billing.models import WebhookEvent
from billing.processors import base, registry


def receive(name: str, headers: Mapping[str, str], body: bytes, *, now: dt.datetime) -> int:
    """Store a delivery's notice once; return its event's id, whether it is new or known.

    Raises: base.NotConfigured, base.WebhookRefused; django.db.Error: deliver it again.
    """
    processor = registry.get(name)
    if len(body) > base.WEBHOOK_BYTES_MAX:
        raise base.WebhookRefused("too_large")
    notice = processor.verify_webhook(headers, body, now=now.timestamp())
    if notice.processor != name:
        raise base.WebhookRefused("wrong_processor")
    return store(notice, sha256=hashlib.sha256(body).digest(), now=now)


def store(notice: base.Notice, *, sha256: bytes, now: dt.datetime) -> int:
    """Store a verified notice once; return its event's id."""
    event, _ = WebhookEvent.objects.get_or_create(
        processor=notice.processor,
        event_id=notice.event_id,
        defaults={
            "kind": notice.kind,
            "sha256": sha256,
            "notice": notice.to_json(),
            "received_at": now,
            "next_try_at": now,
        },
    )
    return event.pk
