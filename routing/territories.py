"""Where the vendors of the catalogue do not sell, as their files say (routing/vendors/*.toml)."""

from collections.abc import Mapping, Sequence

from routing import catalogue


def closed() -> Mapping[str, Sequence[str]]:
    """Return the countries that each vendor on offer refuses, by the vendor's name; sorted."""
    vendors = {
        endpoint.channel.vendor.slug: endpoint.channel.vendor
        for model in catalogue.current().models.values()
        for endpoint in model.endpoints
    }
    return {
        vendors[slug].name: vendors[slug].refuses
        for slug in sorted(vendors)
        if vendors[slug].refuses
    }
