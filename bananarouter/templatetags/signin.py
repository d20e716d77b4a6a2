"""What pages of log-in must know of the settings and of the address they are read at."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.provider import Provider
from django import template
from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

from accounts import phones

register = template.Library()

SITES = {"github": "GitHub", "google": "Google"}


@register.filter
def site_name(provider: str) -> str:
    """Name another site, which the settings need not allow any more."""
    return SITES.get(provider, provider)


@register.filter
def phone_number(phone: str) -> str:
    """Write a phone number in groups."""
    return phones.shown(phone)


@register.simple_tag
def mail_is_printed() -> bool:
    """Tell whether mail goes to the terminal, where a newcomer must look for codes."""
    return str(settings.EMAIL_BACKEND).endswith("console.EmailBackend")


@register.simple_tag
def sms_is_printed() -> bool:
    """Tell whether text messages go to the terminal."""
    return str(settings.SMS_BACKEND).endswith(".Console")


@register.simple_tag(takes_context=True)
def has_domain_name(context: dict[str, Any]) -> bool:
    """Tell whether this page is read under a name, not an IP address: passkeys need one."""
    request: HttpRequest = context["request"]
    host, _ = split_domain_port(request.get_host())
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return True
    return False


@register.simple_tag(takes_context=True)
def localhost_url(context: dict[str, Any]) -> str:
    """Return this page's address with `localhost` for the host."""
    request: HttpRequest = context["request"]
    _, port = split_domain_port(request.get_host())
    return f"{request.scheme}://localhost{f':{port}' if port else ''}{request.get_full_path()}"


@register.simple_tag(takes_context=True)
def social_sites(context: dict[str, Any]) -> Sequence[Provider]:
    """Return the other sites that the settings allow to log in with."""
    found: Sequence[Provider] = get_adapter().list_providers(context["request"])
    return found
