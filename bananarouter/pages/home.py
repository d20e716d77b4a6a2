"""The public home page: what this is, in five seconds, and what it holds right now."""

from typing import Any

from django.utils import timezone
from django.views.generic import TemplateView

from bananarouter.pages import code_tabs
from bananarouter.pages.catalogue import offers, standing
from bananarouter.pages.shell import origin
from routing.surfaces import WIRES


class Home(TemplateView):
    """Say what the product is, show the base URLs of this very host, and count."""

    template_name = "home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        shelf = offers.current(now=now)
        # A demo is counted only where there is nothing else, and says so.
        shown = shelf.real or shelf.offers
        served = standing.requests_of_a_day(now=now)
        return super().get_context_data(
            tabs=code_tabs.sdk_tabs(origin(self.request)),
            is_demo=any(offer.is_demo for offer in shelf.offers),
            is_simulated=bool(shown) and not shelf.real,
            models=len(shown),
            vendors=len({vendor.slug for offer in shown for vendor in offer.vendors}),
            protocols=len(WIRES),
            served=None if served is None else _rounded(served),
            **kwargs,
        )


def _rounded(count: int) -> int:
    """Round down to two digits: enough to see, too little to count single requests by."""
    step: int = 10 ** max(0, len(str(count)) - 2)
    return count // step * step
