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
_CODES: dict[type[Exception], tuple[str, int]] = {
    leak_senders.KeysAway: ("keys_away", 503),
    leaks.TooMany: ("too_many", 413),
    leaks.Unreadable: ("unreadable", 400),
    keytext.NoPepper: ("not_configured", 503),
}


class Refused(Exception):
    """The message is not read. Arguments: our code, the HTTP status."""


@method_decorator(csrf_exempt, name="dispatch")
class LeakedKeys(View):
    """Verify, revoke, answer which were real; a task tells the owners.

    The contract is that of GitHub's secret scanning partner program (docs.github.com, 2026-11).
    Whatever is answered by 4xx changed nothing, and 5xx asks for the same message again.
    """

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            _measure(request)
            return JsonResponse(_answers(request), safe=False)
        except leak_senders.NotSigned as refusal:
            return _refused(refusal.code, 403)
        except Refused as refusal:
            return _refused(*refusal.args)
        except tuple(_CODES) as error:
            return _refused(*_CODES[type(error)])


def _measure(request: HttpRequest) -> None:
    """Refuse what comes too often or is too large, before it is read. Raises: Refused."""
    if not limits.may(request, action="leaked-keys", per_hour=PER_HOUR):
        raise Refused("too_often", 429)
    if int(request.headers.get("Content-Length") or 0) > BODY_BYTES_MAX:
        raise Refused("too_large", 413)


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


def _refused(error: str, status: int) -> HttpResponse:
    response = JsonResponse({"error": error}, status=status)
    if status in {429, 503}:
        response["Retry-After"] = str(RETRY_S)
    return response
