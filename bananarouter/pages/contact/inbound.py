"""Where a mail server delivers what came to the contact address."""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from accounts import inbound_mail, mail_text

# JSON escapes: a line break takes two bytes, a foreign letter six.
BODY_BYTES_MAX = 2 * inbound_mail.MAIL_BYTES_MAX


@method_decorator(csrf_exempt, name="dispatch")
class Inbound(View):
    """Take a signed mail, as `message/rfc822` or as JSON `{"raw": "..."}`.

    What is refused by 4xx is refused for good: delivering it again changes nothing.
    """

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if int(request.headers.get("Content-Length") or 0) > BODY_BYTES_MAX:
            return _refused("too_large", status=413)
        body = request.body
        now = timezone.now()
        try:
            inbound_mail.check(body, signature=request.headers.get("X-Signature", ""), now=now)
            outcome = inbound_mail.receive(_mail(request, body), now=now)
        except inbound_mail.NotSigned:
            return _refused("not_signed", status=403)
        except inbound_mail.TooLarge:
            return _refused("too_large", status=413)
        except mail_text.Unreadable:
            return _refused("unreadable", status=400)
        return JsonResponse({"status": outcome})


def _mail(request: HttpRequest, body: bytes) -> bytes:
    """Return the mail's bytes. Raises: mail_text.Unreadable."""
    if request.content_type != "application/json":
        return body
    try:
        raw = json.loads(body)["raw"]
        return str(raw).encode("utf-8", "replace")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise mail_text.Unreadable from error


def _refused(error: str, *, status: int) -> HttpResponse:
    return JsonResponse({"error": error}, status=status)
