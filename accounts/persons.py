"""Who is the same person, as far as an address, a phone and a network tell; only keyed digests.

A digest answers "was this one here before?" and cannot be read back, not even by trying all
phone numbers, without a secret that is not in the database.
"""

import functools
import hmac
import ipaddress
from pathlib import Path

from django.conf import settings

from accounts import keytext

LISTED = Path(__file__).with_name("disposable_domains.txt")
IPV4_BITS, IPV6_BITS = 24, 48
# Its letters are the same with dots and without (Google's account help, 2026-08).
DOTLESS = frozenset({"gmail.com"})
RENAMED = {"googlemail.com": "gmail.com"}


def email_digest(address: str) -> bytes:
    """Return the digest of the mailbox that an address leads to. Raises: NoPepper."""
    return _digest(b"email", mailbox(address))


def phone_digest(number: str) -> bytes:
    """Return the digest of an E.164 number. Raises: NoPepper."""
    return _digest(b"phone", number)


def network_digest(address: str) -> bytes:
    """Return the digest of an address's network: /24 of IPv4, /48 of IPv6. Raises: NoPepper.

    What is no address is a network of its own.
    """
    return _digest(b"network", network(address))


def device_digest(family: str, address: str) -> bytes:
    """Return the digest of a family of devices in an address's network. Raises: NoPepper."""
    return _digest(b"device", f"{family}\n{network(address)}")


def card_digest(fingerprint: str) -> bytes:
    """Return the digest of a processor's token for a card: the same for the same card."""
    return _digest(b"card", fingerprint)


def mailbox(address: str) -> str:
    """Return one spelling for all that lead to the same mailbox: `+tags` go, Gmail's dots, too."""
    local, _, domain = address.strip().lower().rpartition("@")
    domain = RENAMED.get(domain, domain)
    local = local.partition("+")[0] or local
    if domain in DOTLESS:
        local = local.replace(".", "")
    return f"{local}@{domain}"


def is_disposable(address: str) -> bool:
    """Tell whether an address is at a domain whose mailboxes are open to all, or thrown away."""
    labels = address.strip().lower().rpartition("@")[2].split(".")
    names = {".".join(labels[start:]) for start in range(len(labels) - 1)}
    more = settings.TRIAL_BLOCKED_DOMAINS
    return not names.isdisjoint(_domains(LISTED)) or (
        more is not None and not names.isdisjoint(_domains(more))
    )


@functools.lru_cache(maxsize=4)
def _domains(path: Path) -> frozenset[str]:
    lines = (line.partition("#")[0].strip().lower() for line in path.read_text().splitlines())
    return frozenset(line for line in lines if line)


def network(address: str) -> str:
    """Return an address's network, as CIDR: /24 of IPv4, /48 of IPv6. What is none is its own."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    bits = IPV4_BITS if isinstance(found, ipaddress.IPv4Address) else IPV6_BITS
    return str(ipaddress.ip_network((found, bits), strict=False))


def _digest(label: bytes, text: str) -> bytes:
    """Key a digest for one purpose, under the oldest pepper: it stays as others come."""
    peppers = {version: text for version, text in settings.KEY_PEPPERS.items() if text}
    if not peppers:
        raise keytext.NoPepper
    oldest = peppers[min(peppers)].encode()
    key = hmac.digest(oldest, b"bananarouter person " + label + b" v1", "sha256")
    return hmac.digest(key, text.encode(), "sha256")
