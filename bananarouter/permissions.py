"""The Permissions-Policy header: what browsers may be asked for by our pages."""

from collections.abc import Callable, Mapping, Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "Permissions-Policy"


def written(policy: Mapping[str, Sequence[str]]) -> str:
    """Write a policy as the header's value: `camera=(), usb=(self)`."""
    return ", ".join(f"{feature}=({' '.join(who)})" for feature, who in policy.items())


class PermissionsPolicy:
    """Middleware that sends settings.PERMISSIONS_POLICY with every answer that has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._value = written(settings.PERMISSIONS_POLICY)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault(HEADER, self._value)
        return response
