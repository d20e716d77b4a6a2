"""Vendors, channels, models and endpoints in memory; refreshed when their rows change."""

import datetime as dt
import functools
import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

from django.db import Error, transaction

from accounts import changes
from accounts.models import Change
from billing import rates
from routing import credentials, model_names, models, vendor_files
from routing.dialects.base import Quirks
from routing.surfaces import WIRES, Family, Surface
from routing.vendor_files import Vendor

__all__ = [
    "Channel",
    "Endpoint",
    "Model",
    "Snapshot",
    "Vendor",
    "connect",
    "current",
    "opened",
    "refresh",
    "url",
]

logger = logging.getLogger(__name__)

READ_TRIES = 3
READ_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One way to a vendor. `auth_headers` hold the credential: never log or print them."""

    id: int
    name: str
    vendor: Vendor
    family: Family
    base_url: str
    auth_headers: Mapping[str, str] = field(repr=False)
    jurisdiction: str
    priority: int
    on_disconnect: str
    is_demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model on one channel."""

    slug: str
    channel: Channel
    model_slug: str
    upstream_name: str
    context_tokens_max: int | None
    output_tokens_max: int | None
    quirks: Quirks = field(default_factory=Quirks)
    wire: Surface = Surface.CHAT  # how it generates

    def serves(self, surface: Surface) -> bool:
        """Tell whether it speaks a surface natively."""
        if surface is self.wire:
            return True
        if self.channel.family is not surface.family:
            return False
        if surface is Surface.RESPONSES:
            return self.quirks.speaks_responses
        if surface is Surface.COMPLETIONS:
            return self.quirks.speaks_completions
        return not surface.is_generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model and where it can be had, in the order to try."""

    slug: str
    author: str
    name: str
    created: int  # Unix time
    context_tokens_max: int | None
    output_tokens_max: int | None
    endpoints: tuple[Endpoint, ...]
    withdrawn_at: dt.datetime | None = None  # when it ends, once that is known

    @property
    def shutdown_date(self) -> str | None:
        """The day (UTC) on which it ends, as lists of models write it; None: not announced.

        `shutdown_date` in OpenAI's list (API reference, read 2026-11), `expiration_date` in
        OpenRouter's (read 2026-11): both YYYY-MM-DD or null, both without a time.
        """
        if self.withdrawn_at is None:
            return None
        return self.withdrawn_at.astimezone(dt.UTC).date().isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that can be reached at a moment; never changed once made."""

    models: Mapping[str, Model]
    aliases: Mapping[str, Model] = field(default_factory=dict, repr=False)

    def resolve(self, name: str) -> Model | None:
        """Find a model by its canonical name, an alias, or the vendor's bare or dated name."""
        found = self._exact(name)
        if found is None:
            name = model_names.bare(name)
            found = self._exact(name)
        if found is None:
            spellings = map(self._exact, model_names.respelled(name))
            found = next((model for model in spellings if model is not None), None)
        return found

    def _exact(self, name: str) -> Model | None:
        return self.models.get(name) or self.aliases.get(name)


_snapshot = Snapshot(models=MappingProxyType({}))
_refreshing = threading.Lock()


def current() -> Snapshot:
    """Return the snapshot in force."""
    return _snapshot


def refresh() -> None:
    """Read channels, models, endpoints and prices, then swap them in as a whole.

    Prices come first: an endpoint is never visible before its price.
    """
    global _snapshot  # noqa: PLW0603 - the one swap of an immutable snapshot
    with _refreshing:
        rates.load()
        with transaction.atomic():
            _snapshot = _read()


def connect(listener: changes.Listener) -> None:
    """Refresh whenever the catalogue changes, on the listener's thread."""
    listener.subscribe(Change.Topic.CATALOGUE, _on_change)


def _on_change(_ref: str) -> None:
    for attempt in range(READ_TRIES):
        try:
            return refresh()
        except Error:
            if attempt == READ_TRIES - 1:
                raise
            time.sleep(READ_PAUSE_S)
    return None


def url(channel: Channel, path: str, query: str = "") -> str:
    """Join a channel's base URL and a path relative to where the vendor's SDK begins.

    Base URLs are taken with and without the version; a version that the path repeats goes.
    """
    root, own_query = _root(channel.family, channel.base_url)
    parts = [part for part in (own_query, _missing(channel, own_query, query), query) if part]
    joined = f"{root}/{_relative(path)}"
    return f"{joined}?{'&'.join(parts)}" if parts else joined


def _missing(channel: Channel, *queries: str) -> str:
    """Return the vendor's own query, unless it is there already."""
    extra = channel.vendor.quirks.extra_query
    if not extra:
        return ""
    present = {key for query in queries for key, _ in parse_qsl(query, keep_blank_values=True)}
    return "" if any(key in present for key, _ in parse_qsl(extra)) else extra


VERSIONED = re.compile(r"/v\d+[a-z0-9]*$")
PATH_VERSION = re.compile(r"v1(beta|alpha|beta1)?/")


@functools.lru_cache(maxsize=4_096)
def _relative(path: str) -> str:
    bare = path.lstrip("/")
    return PATH_VERSION.sub("", bare, count=1) if PATH_VERSION.match(bare) else bare


@functools.lru_cache(maxsize=4_096)
def _root(family: Family, base_url: str) -> tuple[str, str]:
    split = urlsplit(base_url)
    root = f"{split.scheme}://{split.netloc}{split.path.rstrip('/')}"
    match family:
        case Family.OPENAI:
            pass  # vendors disagree on `/v1` (DeepSeek, Z.ai, Databricks): the base says it all
        case Family.ANTHROPIC:
            root = root if VERSIONED.search(root) else f"{root}/v1"
        case Family.GEMINI:
            root = _gemini_root(root)
    return root, split.query


def _gemini_root(root: str) -> str:
    if root.endswith("/models"):
        root = root.removesuffix("/models")
    if re.search(r"/locations/[^/]+$", root):  # Vertex, cut before its publisher
        return f"{root}/publishers/google"
    if VERSIONED.search(root) or "/publishers/" in root:
        return root
    return f"{root}/v1beta"


def _read() -> Snapshot:
    channels = {row.pk: row for row in models.Channel.objects.filter(is_enabled=True)}
    opened = {pk: opened for pk, row in channels.items() if (opened := _open(row)) is not None}
    by_model: dict[int, list[Endpoint]] = {}
    heads = _heads()
    rows = models.Endpoint.objects.filter(is_enabled=True, model__is_enabled=True)
    for row in rows.only(*_ENDPOINT_FIELDS).iterator():
        channel = opened.get(row.channel_id)
        if channel is not None and row.model_id in heads:
            endpoint = _endpoint(row, channel, heads[row.model_id][0])
            by_model.setdefault(row.model_id, []).append(endpoint)
    by_id = {pk: _model(heads[pk], endpoints) for pk, endpoints in by_model.items()}
    named = dict(models.ModelAlias.objects.values_list("name", "model_id"))
    aliases = {name: by_id[pk] for name, pk in named.items() if pk in by_id}
    for name, model in _undated({**aliases, **{m.slug: m for m in by_id.values()}}).items():
        aliases.setdefault(name, model)
    return Snapshot(
        models=MappingProxyType({model.slug: model for model in by_id.values()}),
        aliases=MappingProxyType(aliases),
    )


_ENDPOINT_FIELDS = (
    "slug",
    "channel_id",
    "model_id",
    "upstream_name",
    "context_tokens_max",
    "output_tokens_max",
    "protocol",
    "quirks",
)


def _endpoint(row: models.Endpoint, channel: Channel, model_slug: str) -> Endpoint:
    vendor, name = channel.vendor, row.upstream_name
    facts = vendor.facts_of(name)
    wire = WIRES[channel.family.value]
    if channel.family is Family.OPENAI and (
        stated := row.protocol or (facts.protocol if facts else "")
    ):
        wire = WIRES[stated]
    return Endpoint(
        slug=row.slug,
        channel=channel,
        model_slug=model_slug,
        upstream_name=name,
        context_tokens_max=row.context_tokens_max,
        output_tokens_max=row.output_tokens_max,
        quirks=vendor.quirks_of(name, row.quirks),
        wire=wire,
    )


_Head = tuple[str, str, str, int, dt.datetime | None]


def _heads() -> Mapping[int, _Head]:
    rows = models.Model.objects.filter(is_enabled=True)
    return {
        pk: (slug, author, name, int(created_at.timestamp()), withdrawn_at)
        for pk, slug, author, name, created_at, withdrawn_at in rows.values_list(
            "pk", "slug", "author", "name", "created_at", "withdrawn_at"
        )
    }


def _model(head: _Head, endpoints: Iterable[Endpoint]) -> Model:
    slug, author, name, created, withdrawn_at = head
    ordered = tuple(sorted(endpoints, key=lambda e: (e.channel.priority, e.channel.id)))
    return Model(
        slug=slug,
        author=author,
        name=name,
        created=created,
        context_tokens_max=_largest([e.context_tokens_max for e in ordered]),
        output_tokens_max=_largest([e.output_tokens_max for e in ordered]),
        endpoints=ordered,
        withdrawn_at=withdrawn_at,
    )


def _largest(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _undated(named: Mapping[str, Model]) -> Mapping[str, Model]:
    """Return the names that dated names have without their date; of several, the latest's."""
    found: dict[str, tuple[str, Model]] = {}
    for name, model in named.items():
        undated = model_names.undated(name)
        if undated and model_names.date_of(name) > found.get(undated, ("",))[0]:
            found[undated] = (model_names.date_of(name), model)
    return {name: model for name, (_, model) in found.items() if name not in named}


def _open(row: models.Channel) -> Channel | None:
    """Return the channel with its credential opened; None when it does not open."""
    try:
        return opened(row)
    except credentials.CredentialError:
        logger.exception("channel left out: its credential does not open", extra={"id": row.pk})
        return None


def opened(row: models.Channel) -> Channel:
    """Return a stored channel with its credential opened. Raises: CredentialError."""
    vendor = vendor_files.get(row.vendor)
    family = Family(row.protocol)
    return Channel(
        id=row.pk,
        name=row.name,
        vendor=vendor,
        family=family,
        base_url=row.base_url,
        auth_headers=_auth_headers(row, vendor.auth_for(family)),
        jurisdiction=row.jurisdiction,
        priority=row.priority,
        on_disconnect=row.on_disconnect,
        is_demo=row.is_demo,
    )


def _auth_headers(row: models.Channel, auth: str) -> Mapping[str, str]:
    if not row.credential or auth == "none":
        return MappingProxyType({})
    secret = credentials.unseal(
        bytes(row.credential), key_id=row.credential_key_id, channel_id=row.pk
    )
    name, form = vendor_files.AUTH_HEADERS[auth]
    return MappingProxyType({name: form.format(secret)})
