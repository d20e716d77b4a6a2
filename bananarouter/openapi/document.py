"""The OpenAPI document: every route of the API, with what is said of its operation."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import orjson

from bananarouter.openapi import (
    anthropic,
    catalogue,
    errors,
    examples,
    gemini,
    headers,
    media,
    models,
    openai,
    platform,
    schema,
)
from bananarouter.openapi.operation import JSON, Kind, Operation, Operations, Tag
from bananarouter.openapi.routes import Route, all_routes
from bananarouter.openapi.schema import Json
from routing.gateway import BARE
from routing.surfaces import Family

VERSION: Final = "1.0.0"  # of the API: its paths say v1
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PARTS: Final = (openai, media, anthropic, gemini, models, catalogue, platform)
OPERATIONS: Final[Operations] = {
    view: told for part in PARTS for view, told in part.OPERATIONS.items()
}
_FAMILIES: Final[Mapping[Tag, Family]] = {
    Tag.ANTHROPIC: Family.ANTHROPIC,
    Tag.GEMINI: Family.GEMINI,
}
# The first path of each operation has its plain id; the others tell where they stand.
_HOME: Final[Mapping[Tag, str]] = {
    Tag.GEMINI: "v1beta",
    Tag.CATALOGUE: "api",
    Tag.PLATFORM: "api",
}
_ENDINGS: Final[Mapping[str, str]] = {"v1": "V1", "v1beta": "V1beta", "api": "OpenRouter"}
_TAGS: Final[Mapping[Tag, str]] = {
    Tag.OPENAI: "OpenAI's protocol. Base URL of its SDK: this host with `/v1`.",
    Tag.ANTHROPIC: "Anthropic's protocol. Base URL of its SDK: this host.",
    Tag.GEMINI: "Gemini's protocol. Base URL of its SDK: this host.",
    Tag.MODELS: "What your key may use, in the shape of the protocol that asks.",
    Tag.OPENROUTER: "The same operations in OpenRouter's envelope: its errors, a `gen-` id, "
    "`provider`, and the cost in every usage. Base URL: this host with `/api/v1`.",
    Tag.CATALOGUE: "Models with prices, their endpoints and vendors, in OpenRouter's shapes.",
    Tag.PLATFORM: "Your keys, your credit, your requests, and what one would cost.",
}
_KEYS: Final[Mapping[str, Json]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "As OpenAI's SDKs send it."},
    "x-api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "As Anthropic's SDKs send it.",
    },
    "x-goog-api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-goog-api-key",
        "description": "As Google's SDKs send it.",
    },
    "key": {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "Under /v1beta only. Headers do not end up in logs: prefer one.",
    },
}
_IN_HEADERS: Final = ("bearer", "x-api-key", "x-goog-api-key")


class Undescribed(LookupError):
    """A route of the API has a method that nobody described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One operation at one path."""

    route: Route
    method: str
    operation: Operation
    is_alias: bool = False  # another path of the same place has the same view

    @property
    def tag(self) -> Tag:
        """The group that it stands in."""
        if self.route.is_platform and _HOME.get(self.operation.tag) != "api":
            return Tag.OPENROUTER
        return self.operation.tag

    @property
    def is_home(self) -> bool:
        """Whether this is the path that the operation is shown under."""
        return not self.is_alias and self._is_in_place

    @property
    def id(self) -> str:
        """The operation's id, unique over all paths."""
        ending = "" if self._is_in_place else _ENDINGS[self._place]
        return self.operation.id + ending + ("Alias" if self.is_alias else "")

    @property
    def family(self) -> Family:
        """The protocol of its errors."""
        if self.route.path.startswith("/v1beta/"):  # model lists, too, are told in its form there
            return Family.GEMINI
        return _FAMILIES.get(self.operation.tag, Family.OPENAI)

    @property
    def keys(self) -> tuple[str, ...]:
        """The ways to send a key."""
        return (*_IN_HEADERS, "key") if self._place == "v1beta" else _IN_HEADERS

    @property
    def request(self) -> Mapping[str, Json]:
        """The schemas of the request's body, by media type."""
        more = self.operation.platform_request
        if not self.route.is_platform or more is None:
            return self.operation.request
        return {kind: {"allOf": [told, more]} for kind, told in self.operation.request.items()}

    @property
    def answers(self) -> Mapping[str, Json]:
        """The schemas of the answer, by media type."""
        plain = self.operation.answers
        if not self.route.is_platform or self.operation.kind is not Kind.RELAYED:
            return plain
        if self.operation.platform_answers is not None:
            return self.operation.platform_answers
        priced = {"allOf": [plain[JSON], schema.ref("OpenRouterCost")]} if JSON in plain else {}
        return {**plain, **({JSON: priced} if priced else {})}

    @property
    def _is_in_place(self) -> bool:
        return self._place == _HOME.get(self.operation.tag, "v1")

    @property
    def _place(self) -> str:
        return self.route.path.split("/")[1]


def described() -> list[Described]:
    """Return every operation of the API, in the order of the URLconf. Raises: Undescribed."""
    found: list[Described] = []
    seen: set[str] = set()
    for route in all_routes():
        for method in route.methods:
            one = Described(route=route, method=method, operation=_said(route, method))
            found.append(replace(one, is_alias=one.id in seen))
            seen.add(one.id)
    return found


def _said(route: Route, method: str) -> Operation:
    try:
        return OPERATIONS[route.view][method]
    except KeyError:
        raise Undescribed(
            f"{method.upper()} {route.path}: say it in bananarouter/openapi"
        ) from None


@cache
def schemas() -> Mapping[str, Json]:
    """Return every named schema."""
    own = {name: told for part in PARTS for name, told in part.SCHEMAS.items()}
    return {**errors.SCHEMAS, **own}


def build(*, is_demo: bool) -> Json:
    """Return the whole document; `is_demo`: its examples call models of the demo vendor."""
    found = described()
    paths: Json = {}
    for one in found:
        paths.setdefault(one.route.path, {})[one.method] = _operation(one, is_demo=is_demo)
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "BananaRouter",
            "version": VERSION,
            "summary": "One key for the OpenAI, Anthropic and Google APIs.",
            "description": _introduction(),
        },
        "jsonSchemaDialect": DIALECT,
        "servers": [{"url": "/", "description": "This host."}],
        "security": [{name: []} for name in _IN_HEADERS],
        "tags": [{"name": tag.value, "description": words} for tag, words in _TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": dict(_KEYS),
            "headers": {name: {**told} for name, told in headers.RETURNED.items()},
            "schemas": dict(schemas()),
        },
    }
    used = set(_pointers(paths))
    document["components"]["responses"] = {
        name: told
        for name, told in errors.responses().items()
        if f"#/components/responses/{name}" in used
    }
    return document


@cache
def published(*, is_demo: bool) -> tuple[bytes, str]:
    """Return the document as JSON, and its ETag: made once in a process's life."""
    body = orjson.dumps(build(is_demo=is_demo), option=orjson.OPT_INDENT_2)
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _introduction() -> str:
    bare = ", ".join(f"`{path}`" for path in sorted(BARE))
    return (
        "Point an official SDK at this host, give it a key, change nothing else. Every model is "
        "reached from every protocol. A request whose model's vendor speaks the same protocol "
        "goes there byte for byte, but for the model's name, credentials and limits of money; "
        "any other is translated.\n\n"
        "Schemas name the main fields. Others pass as they are where the vendor speaks the "
        "protocol; in translation a field without a counterpart is refused or named in "
        "`X-Dropped-Parameters`.\n\n"
        f"Without a version in the path, these mean /v1: {bare}, and what is under `/messages/`."
    )


def _operation(one: Described, *, is_demo: bool) -> Json:
    told = one.operation
    found: Json = {
        "operationId": one.id,
        "tags": [one.tag.value],
        "summary": told.summary,
        "description": told.text,
        "security": [{name: []} for name in one.keys],
        "parameters": [
            parameter.told()
            for parameter in (*told.parameters, *headers.taken(told.kind, told.tag))
        ],
        "responses": {
            str(told.status): {
                "description": told.answer_text,
                "headers": headers.given(told.kind),
                "content": {kind: _content(shape) for kind, shape in one.answers.items()},
            },
            **errors.pointers(told, one.family, is_platform=one.route.is_platform),
        },
    }
    if told.request:
        found["requestBody"] = {"required": True, "content": _bodies(one, is_demo=is_demo)}
    return {name: value for name, value in found.items() if value not in ("", [])}


def _content(shape: Json) -> Json:
    return {"schema": shape} if shape else {}


def _bodies(one: Described, *, is_demo: bool) -> Json:
    found: Json = {kind: {"schema": shape} for kind, shape in one.request.items()}
    for example in one.operation.examples:
        if example.body is None:
            continue
        value = {**examples.body(example, is_demo=is_demo), **example.files}
        shown = found[examples.media_type(example)].setdefault("examples", {})
        shown[example.name] = {"summary": example.summary, "value": value}
    return found


def _pointers(value: Any) -> Iterator[str]:
    """Yield every `$ref` below a value."""
    if isinstance(value, dict):
        if isinstance(target := value.get("$ref"), str):
            yield target
        for part in value.values():
            yield from _pointers(part)
    elif isinstance(value, list):
        for part in value:
            yield from _pointers(part)


def as_text(value: Any) -> str:
    """Write a part of the document for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)
