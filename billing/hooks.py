"""Where processors deliver their notices."""

import logging

from celery import current_app
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from kombu.exceptions import OperationalError

from accounts.metrics import WEBHOOKS
from billing.payments import inbox
from billing.processors import base, registry
from billing.tasks import APPLY_EVENT

logger = logging.getLogger(__name__)


@method_decorator(csrf_exempt, name="dispatch")
class Hook(View):
    """Verify, store, answer; a task applies it. The answer is the processor's own constant."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, processor: str) -> HttpResponse:
        try:
            event_pk = inbox.receive(processor, request.headers, _body(request), now=timezone.now())
        except base.NotConfigured:
            return _told(processor, "not_configured", _plain(503))
        except base.WebhookRefused as refusal:
            return _told(processor, refusal.code, _reply(registry.get(processor).refused))
        except DatabaseError:
            logger.exception("a payment notice could not be stored")
            return _told(processor, "not_stored", _plain(503))
        _hurry(event_pk)
        return _told(processor, "stored", _reply(registry.get(processor).accepted))


def _body(request: HttpRequest) -> bytes:
    """Return the raw bytes, never more than we read. Raises: base.WebhookRefused."""
    length = request.headers.get("Content-Length") or "0"
    if not length.isdecimal() or int(length) > base.WEBHOOK_BYTES_MAX:
        raise base.WebhookRefused("too_large")
    return request.body


def _hurry(event_pk: int) -> None:
    """Tell a worker; when nobody takes it, the sweep does."""
    try:
        current_app.send_task(APPLY_EVENT, args=[event_pk], retry=False, ignore_result=True)
    except (OperationalError, OSError):
        logger.warning("no broker: the sweep applies the event", extra={"event": event_pk})


def _told(processor: str, outcome: str, response: HttpResponse) -> HttpResponse:
    name = processor if processor in registry.NAMES else "unknown"
    WEBHOOKS.labels(name, outcome).inc()
    return response


def _reply(reply: base.Reply) -> HttpResponse:
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)


def _plain(status: int) -> HttpResponse:
    return HttpResponse(status=status)
