"""How often one network may write to us; counted in the cache."""

import ipaddress

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

HOUR_S = 3600
REQUESTS_PER_HOUR = 10
REPLIES_PER_HOUR = 60
IPV6_PREFIX = 64


def may(request: HttpRequest, *, action: str, per_hour: int) -> bool:
    """Count an action of the caller's network; False above the limit."""
    network = _network(get_adapter().get_client_ip(request))
    # Not the address itself: the cache may live on another machine.
    digest = salted_hmac(__name__, network, algorithm="sha256").hexdigest()
    key = f"contact:{action}:{digest}"
    cache.add(key, 0, HOUR_S)
    try:
        return cache.incr(key) <= per_hour
    except ValueError:  # it expired in between
        return True


def _network(ip: str) -> str:
    address = ipaddress.ip_address(ip)
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
