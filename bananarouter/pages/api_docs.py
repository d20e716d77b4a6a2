"""The reference of the API: the OpenAPI document, and the same as pages that people read."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers, patch_cache_control
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import condition
from django.views.generic import TemplateView

from bananarouter.openapi import document, errors, examples, fields, headers
from bananarouter.openapi.document import Described
from bananarouter.openapi.fields import Row
from bananarouter.openapi.operation import Example, Kind, Tag
from bananarouter.openapi.schema import Json
from bananarouter.pages import first_call, words
from bananarouter.pages.shell import of, origin
from routing.error_codes import TABLE, Code

CACHE_S: Final = 300
TITLES: Final[Mapping[Tag, str | Promise]] = {
    Tag.OPENAI: "OpenAI",
    Tag.ANTHROPIC: "Anthropic",
    Tag.GEMINI: "Gemini",
    Tag.MODELS: _("Models"),
    Tag.OPENROUTER: "OpenRouter",
    Tag.CATALOGUE: _("Catalogue"),
    Tag.PLATFORM: _("Account"),
}
LEADS: Final[Mapping[Tag, str | Promise]] = {
    Tag.OPENAI: _("Chat, Responses, embeddings, images, sound, moderation and reranking."),
    Tag.ANTHROPIC: _("Messages, and the count of their tokens."),
    Tag.GEMINI: _("Generating, counting and embedding; the path names the model."),
    Tag.MODELS: _("What your key may use, in the shape of the protocol that asks."),
    Tag.OPENROUTER: _(
        "The same operations under /api/v1, in the envelope of OpenRouter: its errors, a gen- id, "
        "and the cost in every usage."
    ),
    Tag.CATALOGUE: _("Models with prices, their endpoints and vendors, in OpenRouter shapes."),
    Tag.PLATFORM: _("Your keys, your credit, your requests, and what one would cost."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One example request, in both languages."""

    id: str
    summary: str
    curl: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A body of one media type, with its fields."""

    media_type: str
    rows: list[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Everything that a page says of one operation."""

    id: str
    method: str
    path: str
    others: list[str]  # the same operation, elsewhere
    wrapped: list[str]  # the same in OpenRouter's envelope
    home: str  # the page that says the rest of an operation in another envelope
    summary: str
    text: str
    parameters: list[Json]
    requests: list[Part]
    answer_text: str
    answers: list[Part]
    returned: list[str]
    statuses: list[int]
    samples: list[Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The operations of one protocol."""

    tag: str
    title: str | Promise
    lead: str | Promise
    operations: list[Described]


def groups() -> list[Group]:
    """Return all operations by protocol; one that has several paths is there once."""
    found = document.described()
    return [
        Group(
            tag=tag.value,
            title=TITLES[tag],
            lead=LEADS[tag],
            operations=[one for one in found if one.tag is tag and _is_shown(one)],
        )
        for tag in Tag
    ]


def _is_shown(one: Described) -> bool:
    return one.is_home or one.tag is Tag.OPENROUTER


class _Reference(TemplateView):
    """A page of the reference: in the shell for members, else as the public pages are.

    What it says is the same for everybody: templates keep it for `keep_s`, and ask only then for
    what is given here as a function.
    """

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().get(request, *args, **kwargs)
        if request.user.is_authenticated:  # the shell shows a balance
            add_never_cache_headers(response)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            layout="shell.html" if of(self.request).account else "outside.html",
            nav="guide",
            origin=origin(self.request),
            groups=functools.cache(groups),
            keep_s=CACHE_S,
            key_variable=examples.KEY_VARIABLE,
            **kwargs,
        )


class Index(_Reference):
    """Where to point an SDK, all operations, headers, errors."""

    template_name = "api_docs.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            sent=headers.SENT.values(),
            returned=headers.RETURNED,
            codes=lambda: [(c.value, TABLE[c].status, words.failure(c.value)) for c in Code],
            envelopes=_envelopes,
            **kwargs,
        )


class Protocol(_Reference):
    """The operations of one protocol, in full."""

    template_name = "api_protocol.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        found = [group for group in context["groups"]() if group.tag == kwargs["tag"]]
        if not found:
            raise Http404
        is_demo = first_call.has_demo_vendor()

        @functools.cache
        def sheets() -> list[Sheet]:
            return [
                _sheet(one, origin=context["origin"], is_demo=is_demo)
                for one in found[0].operations
            ]

        return {**context, "group": found[0], "sheets": sheets, "is_demo": is_demo}


def _etag(_request: HttpRequest) -> str:
    return document.published(is_demo=first_call.has_demo_vendor())[1]


@method_decorator([gzip_page, condition(etag_func=_etag)], name="dispatch")
class Document(View):
    """The document itself: public, and the same for everybody."""

    def get(self, _: HttpRequest) -> HttpResponse:
        body, _etag = document.published(is_demo=first_call.has_demo_vendor())
        response = HttpResponse(body, content_type="application/json")
        patch_cache_control(response, public=True, max_age=CACHE_S)
        # Tools in a browser read it from pages of their own; it is no secret.
        response["Access-Control-Allow-Origin"] = "*"
        return response


def _sheet(one: Described, *, origin: str, is_demo: bool) -> Sheet:
    told, route = one.operation, one.route
    is_elsewhere = one.tag is Tag.OPENROUTER
    return Sheet(
        id=one.id,
        method=one.method.upper(),
        path=route.path,
        others=[] if is_elsewhere else _others(one, is_platform=route.is_platform),
        wrapped=[] if is_elsewhere or route.is_platform else _others(one, is_platform=True),
        home=told.tag.value if is_elsewhere else "",
        summary=told.summary,
        text=told.text,
        parameters=[
            {**parameter.told(), "kind": fields.kind_of(parameter.schema, document.schemas())}
            for parameter in (*told.parameters, *headers.taken(told.kind, told.tag))
        ],
        requests=_parts(_more(one) if is_elsewhere else one.request),
        answer_text=told.answer_text,
        answers=_parts(one.answers),
        returned=list(headers.given(told.kind)),
        statuses=[int(s) for s in errors.pointers(told, one.family, is_platform=route.is_platform)],
        samples=[
            _sample(one, example, origin=origin, is_demo=is_demo)
            for example in told.examples
            if not is_elsewhere
        ],
    )


def _more(one: Described) -> Mapping[str, Json]:
    """Return what OpenRouter's envelope adds to a request."""
    more = one.operation.platform_request
    return dict.fromkeys(one.operation.request, more) if more is not None else {}


def _others(one: Described, *, is_platform: bool) -> list[str]:
    """Return the other paths of an operation, of one of both envelopes."""
    return [
        other.route.path
        for other in document.described()
        if other.operation is one.operation
        and other.route.path != one.route.path
        and other.route.is_platform is is_platform
    ]


def _sample(one: Described, example: Example, *, origin: str, is_demo: bool) -> Sample:
    place: dict[str, Any] = {
        "method": one.method, "path": one.route.path, "origin": origin, "is_demo": is_demo,
    }  # fmt: skip
    return Sample(
        id=f"{one.id}-{example.name}",
        summary=example.summary,
        curl=examples.curl(one.operation, example, **place),
        python=examples.python(one.operation, example, **place),
    )


def _parts(bodies: Mapping[str, Json]) -> list[Part]:
    return [
        Part(media_type=kind, rows=fields.rows(shape, document.schemas()) if shape else [])
        for kind, shape in bodies.items()
    ]


def _envelopes() -> list[tuple[str | Promise, str]]:
    """Return one error in each protocol's words, as it is sent."""
    names = {
        TITLES[Tag.OPENAI]: "OpenAI",
        TITLES[Tag.ANTHROPIC]: "Anthropic",
        TITLES[Tag.GEMINI]: "Gemini",
        TITLES[Tag.OPENROUTER]: "PlatformOpenAI",
    }
    found = errors.responses()
    code = Code.RATE_LIMITED
    return [
        (
            title,
            document.as_text(
                found[f"{name}.{Kind.RELAYED.name.lower()}.{TABLE[code].status}"]["content"][
                    "application/json"
                ]["examples"][code.value]["value"]
            ),
        )
        for title, name in names.items()
    ]
