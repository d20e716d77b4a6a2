"""Every path of the API with its view and methods, as routing/urls.py has them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, get_resolver

from routing.api.base import METHODS, PLATFORM_PREFIX

# How an alternative in a pattern is written out: google-genai asks /v1, curl users /v1beta.
_EITHER = re.compile(r"\(\?:(\w+)\)\?")
_NAMED = re.compile(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>")


class UnreadablePattern(ValueError):
    """A route is written in a way that this module does not know how to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path with the view behind it."""

    path: str  # as OpenAPI writes it: "/v1/models/{name}"
    view: type
    methods: tuple[str, ...]
    names: tuple[str, ...]  # of the path's parameters

    @property
    def is_platform(self) -> bool:
        """Whether OpenRouter's envelope holds here."""
        return self.path.startswith(PLATFORM_PREFIX)


def all_routes() -> list[Route]:
    """Return every route, in the order of the URLconf. Raises: UnreadablePattern."""
    return [
        route
        for pattern in get_resolver("routing.urls").url_patterns
        if isinstance(pattern, URLPattern)
        for route in _routes(pattern)
    ]


def _routes(pattern: URLPattern) -> Iterator[Route]:
    view = getattr(pattern.callback, "cls", None)
    if view is None:
        raise UnreadablePattern(str(pattern.pattern))
    for written in _spellings(str(pattern.pattern).removeprefix("^").removesuffix("$")):
        names = tuple(one or other for one, other in _NAMED.findall(written))
        path = f"/{_NAMED.sub(lambda found: '{%s}' % (found[1] or found[2]), written)}"
        if re.search(r"[\\^$()<>?*+|]", path):
            raise UnreadablePattern(written)
        methods = tuple(name for name in sorted(METHODS) if hasattr(view, name))
        yield Route(path=path, view=view, methods=methods, names=names)


def _spellings(written: str) -> list[str]:
    """Write `v1(?:beta)?` out as both of its meanings."""
    found = _EITHER.search(written)
    if found is None:
        return [written]
    head, tail = written[: found.start()], written[found.end() :]
    return [spelled for part in ("", found[1]) for spelled in _spellings(head + part + tail)]
