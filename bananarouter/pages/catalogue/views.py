"""The public catalogue: the list, a comparison, one model's page."""

import re
from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.views.generic import TemplateView

from bananarouter.openapi.examples import KEY_VARIABLE
from bananarouter.pages import code_tabs
from bananarouter.pages.catalogue import choices, offers, price_lists, standing
from bananarouter.pages.catalogue.choices import Choices
from bananarouter.pages.catalogue.offers import Offer, Shelf
from bananarouter.pages.shell import of, origin
from routing.surfaces import WIRES

PAGE_ROWS = 100
COMPARED_MAX = 4
# Their prices are those of a chat, their operation is not.
_WRITES_DOWN = re.compile(r"transcri|scribe|whisper").search


class Public(TemplateView):
    """A page for everybody: in the shell for members, else as the public pages are."""

    nav = "models"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().dispatch(request, *args, **kwargs)
        if request.user.is_authenticated:  # the shell shows a balance
            add_never_cache_headers(response)
        assert isinstance(response, HttpResponse)  # noqa: S101 - a template's response is one
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        layout = "shell.html" if of(self.request).account else "outside.html"
        return super().get_context_data(layout=layout, nav=self.nav, **kwargs)


class Models(Public):
    """All models, filtered and sorted as the URL says; a part of the page when htmx asks."""

    template_name = "catalogue/models.html"

    @property
    def is_part(self) -> bool:
        """Whether the results alone are wanted."""
        headers = self.request.headers
        return "HX-Request" in headers and "HX-History-Restore-Request" not in headers

    def get_template_names(self) -> list[str]:
        return ["catalogue/results.html"] if self.is_part else [self.template_name]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().get(request, *args, **kwargs)
        patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
        if self.is_part:
            query = Choices.read(request.GET).query()
            response["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        chosen = Choices.read(self.request.GET)
        shelf = offers.current(now=timezone.now())
        found = chosen.apply(shelf.offers)
        pages = max(1, -(-len(found) // PAGE_ROWS))
        page = min(chosen.page, pages)
        return super().get_context_data(
            chosen=chosen,
            shelf=shelf,
            rows=[_row(shelf, o) for o in found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]],
            count=len(found),
            page=page,
            pages=pages,
            before=chosen.query(page=page - 1) if page > 1 else None,
            after=chosen.query(page=page + 1) if page < pages else None,
            compared_max=COMPARED_MAX,
            options=choices,
            **kwargs,
        )


def _row(shelf: Shelf, offer: Offer) -> SafeString:
    """Draw a row, once in each language: a hundred of them are most of the page's work."""
    key = offer.slug, get_language() or ""
    row = shelf.drawn.get(key)
    if row is None:
        row = shelf.drawn[key] = render_to_string("catalogue/row.html", {"offer": offer})
    return row


class Compare(Public):
    """Up to four models side by side, as the URL names them."""

    template_name = "catalogue/compare.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        asked = list(dict.fromkeys(self.request.GET.getlist("m")))
        found = [offers.find(name, now=now) for name in asked[:COMPARED_MAX]]
        return super().get_context_data(
            rows=[offer for offer in found if offer],
            missing=[n for n, offer in zip(asked, found, strict=False) if offer is None],
            is_cut=len(asked) > COMPARED_MAX,
            compared_max=COMPARED_MAX,
            **kwargs,
        )


class Model(Public):
    """Everything that is known of one model, in numbers and links."""

    template_name = "catalogue/model.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name = kwargs["model_slug"]
        offer = offers.find(name, now=timezone.now())
        if offer is None:
            raise Http404
        if offer.slug != name:  # an alias: each model has one address
            return HttpResponseRedirect(reverse("model", args=[offer.slug]))
        return super().get(request, *args, offer=offer, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        offer: Offer = kwargs["offer"]
        endpoints = offer.sheet.endpoints
        served = standing.of_endpoints(endpoints, now=timezone.now())
        kind = kind_of(offer)
        place = origin(self.request)
        return super().get_context_data(
            prices=price_lists.of(offer),
            endpoints=[
                (
                    endpoint,
                    offers.price(card, offers.INPUTS),
                    offers.price(card, offers.OUTPUTS),
                    *served[endpoint.slug],
                )
                for endpoint, card in zip(endpoints, offer.sheet.cards, strict=True)
            ],
            parameters=offer.sheet.parameters,
            tabs=code_tabs.call_tabs(model=offer.slug, kind=kind, origin=place) if kind else (),
            protocols=_protocols(offer),
            key_variable=KEY_VARIABLE,
            requests_min=standing.REQUESTS_MIN,
            accounts_min=standing.ACCOUNTS_MIN,
            **kwargs,
        )


def kind_of(offer: Offer) -> str:
    """Return how a model is called, a kind of code_tabs; "" when nothing tells."""
    if _WRITES_DOWN(offer.slug):
        return "transcription"
    if "text" in offer.outputs:
        return "text"
    found = "speech" if "audio" in offer.outputs else next(iter(offer.outputs), "")
    return found if found in code_tabs.KINDS else ""


def _protocols(offer: Offer) -> Sequence[str]:
    """Return the protocols that reach a model: all of them, where translation does."""
    if "text" not in offer.outputs or kind_of(offer) != "text":
        return ()
    return [surface.value for surface in WIRES.values()]
