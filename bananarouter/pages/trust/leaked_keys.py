"""Where GitHub's secret scanning reports keys of ours that it found in public."""

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from accounts import keytext, leak_senders, leaks
from bananarouter.pages.contact import limits

PER_HOUR = 1_200
BODY_BYTES_MAX = 8 << 20
RETRY_S = 60


@method_decorator(csrf_exempt, name="dispatch")
class LeakedKeys(View):
    """Verify, revoke, answer which were real; a task tells the owners.

    The contract is that of GitHub's secret scanning partner program (docs.github.com, 2026-11).
    Whatever is answered by 4xx changed nothing, and 5xx asks for the same message again.
    """

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if not limits.may(request, action="leaked-keys", per_hour=PER_HOUR):
            return _refused("too_often", status=429)
        if int(request.headers.get("Content-Length") or 0) > BODY_BYTES_MAX:
            return _refused("too_large", status=413)
        try:
            return JsonResponse(_answers(request), safe=False)
        except leak_senders.NotSigned as refusal:
            return _refused(refusal.code, status=403)
        except leak_senders.KeysAway:
            return _refused("keys_away", status=503)
        except leaks.TooMany:
            return _refused("too_many", status=413)
        except leaks.Unreadable:
            return _refused("unreadable", status=400)
        except keytext.NoPepper:
            return _refused("not_configured", status=503)


def _answers(request: HttpRequest) -> list[dict[str, Any]]:
    body = request.read()  # `body` would refuse more than a form holds
    leak_senders.check(
        body,
        key_id=request.headers.get("GitHub-Public-Key-Identifier", ""),
        signature=request.headers.get("GitHub-Public-Key-Signature", ""),
    )
    findings = leaks.read(body)
    labels = leaks.take(findings, now=timezone.now())
    return [
        {
            "token_hash": hashlib.sha256(finding.token.encode()).hexdigest(),
            "token_type": finding.kind,
            "label": "true_positive" if is_ours else "false_positive",
        }
        for finding, is_ours in zip(findings, labels, strict=True)
    ]


def _refused(error: str, *, status: int) -> HttpResponse:
    response = JsonResponse({"error": error}, status=status)
    if status in {429, 503}:
        response["Retry-After"] = str(RETRY_S)
    return response
