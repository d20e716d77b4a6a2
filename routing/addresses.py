"""Which addresses a link of a caller may lead to: none of ours, of the network or the machine."""

import ipaddress

from django.conf import settings

# What older registries of Python take for public: ways to write an IPv4 address as IPv6 that
# routers or gateways undo, site-local addresses, and those of documentation (RFC 9637).
_REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "3fff::/20",
    )
)  # fmt: skip


def is_public(text: str) -> bool:
    """Tell whether an address belongs to the public internet, and to no one machine's inside."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif any(address in network for network in _REFUSED):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_allowed(text: str) -> bool:
    """Tell whether the operator opened an address that is not public (FETCH_NETWORKS)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in settings.FETCH_NETWORKS)


def may_fetch(text: str) -> bool:
    """Tell whether a link may lead to an address."""
    return is_public(text) or is_allowed(text)
