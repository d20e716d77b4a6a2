"""Which package translates for which surface (pure)."""

from collections.abc import Mapping

from routing.surfaces import Surface
from routing.translators.base import ClientSide, VendorSide

# By the surface that a vendor's endpoint speaks natively.
VENDORS: Mapping[Surface, VendorSide] = {}
# By the surface that a client speaks.
CLIENTS: Mapping[Surface, ClientSide] = {}
