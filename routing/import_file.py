"""The file of `import_channels`: JSON in, checked values out; every refusal names its place."""

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from billing.money import USD, BadAmount, parse_usd
from billing.usage import MEASURES, UnitClass
from routing.surfaces import WIRES, Family
from routing.vendor_files import bad_quirk

# A channel's protocol, by any name of its operations, names the family.
PROTOCOLS: Mapping[str, Family] = {
    "openai-chat": Family.OPENAI,
    "openai-responses": Family.OPENAI,
    "openai-embeddings": Family.OPENAI,
    "openai-images": Family.OPENAI,
    "openai-moderations": Family.OPENAI,
    "openai-audio": Family.OPENAI,
    "rerank": Family.OPENAI,
    "openai-input-tokens": Family.OPENAI,
    "anthropic-messages": Family.ANTHROPIC,
    "anthropic-count-tokens": Family.ANTHROPIC,
    "gemini": Family.GEMINI,
    "gemini-count-tokens": Family.GEMINI,
    "gemini-embed": Family.GEMINI,
}
# Names that price lists use for our classes.
CLASS_NAMES: Mapping[str, UnitClass] = {
    **{unit_class.value: unit_class for unit_class in UnitClass},
    "input_audio": UnitClass.AUDIO_INPUT,
    "output_audio": UnitClass.AUDIO_OUTPUT,
    "cache_audio_read": UnitClass.AUDIO_CACHE_READ,
    "input_image": UnitClass.IMAGE_INPUT,
    "output_image": UnitClass.IMAGE_OUTPUT,
    "input_video": UnitClass.VIDEO_INPUT,
    "output_reasoning": UnitClass.REASONING,
    "web_searches": UnitClass.WEB_SEARCH,
    "requests": UnitClass.REQUEST,
    "images": UnitClass.IMAGE,
    "input_mchars": UnitClass.CHARACTERS,
    "input_audio_hours": UnitClass.AUDIO_DURATION,
    "search_units": UnitClass.SEARCH_UNIT,
}
RESPONSES = "openai-responses"
# Only this family has two ways to generate.
OPENAI_WIRES = tuple(name for name in WIRES if PROTOCOLS[name] is Family.OPENAI)
CHANNELS_MAX = 10_000
MODELS_MAX = 100_000
NAME = re.compile(r"[A-Za-z0-9@._~:+=,()!-][A-Za-z0-9@._~:/+=,()!-]{0,159}")
CHANNEL_NAME = re.compile(r"[\x20-\x7e]{1,80}")
VENDOR = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
JURISDICTION = re.compile(r"[A-Za-z0-9-]{2,8}")
BASE_URL_CHARS_MAX = 300
INTEGER_MAX = 2**31 - 1


class ImportRefused(ValueError):
    """The file cannot be imported; nothing of it was. The text names place and reason."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A model on a channel, as the file states it."""

    place: str
    name: str
    upstream_name: str
    priced_as: str = ""
    # USD for the unit of each class (billing.price_source.UNITS); None: the price source's.
    prices: Mapping[UnitClass, Decimal] | None = None
    context_tokens_max: int | None = None
    output_tokens_max: int | None = None
    protocol: str = ""  # how it generates, where the channel's own word does not hold
    quirks: Mapping[str, Any] = field(default_factory=dict)  # over the vendor file's


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEntry:
    """A channel, as the file states it; None: the vendor's or what is stored."""

    place: str
    name: str
    vendor: str
    family: Family
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    jurisdiction: str | None = None
    priority: int | None = None
    on_disconnect: str | None = None
    models: tuple[ModelEntry, ...] = ()


def parse(text: str | bytes) -> tuple[ChannelEntry, ...]:
    """Read the text of a file. Raises: ImportRefused."""
    try:
        document = json.loads(text, object_pairs_hook=_without_twins)
    except json.JSONDecodeError as error:
        raise ImportRefused(f"line {error.lineno} column {error.colno}", error.msg) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ImportRefused("", "the file is no JSON text") from error
    return read(document)


def read(document: object) -> tuple[ChannelEntry, ...]:
    """Check a parsed document. Raises: ImportRefused."""
    top = _Table(document, "file")
    found = tuple(
        _channel(_Table(entry, f"channels[{n}]"))
        for n, entry in enumerate(top.list("channels", CHANNELS_MAX))
    )
    top.nothing_left()
    _refuse_twins([(entry.place, entry.name) for entry in found], "another channel has this name")
    if sum(len(entry.models) for entry in found) > MODELS_MAX:
        raise ImportRefused("channels", f"hold more than {MODELS_MAX} models")
    return found


def check_base_url(value: str) -> str:
    """Return why a base URL is refused; "" when it is fine.

    Prompts travel under TLS; plain HTTP only stays on this machine (policy clause 6-transfer).
    """
    if len(value) > BASE_URL_CHARS_MAX or not value.isascii() or not value.isprintable():
        return f"must be printable ASCII of at most {BASE_URL_CHARS_MAX} characters"
    try:
        split = urlsplit(value)
        host, _port = split.hostname or "", split.port
    except ValueError:
        return "is no URL"
    if split.scheme not in {"https", "http"} or not host or " " in value:
        return "must begin with https:// and name a host"
    if split.username or split.password or split.fragment:
        return "must hold no credential and no fragment"
    if split.scheme == "http" and not _is_loopback(host):
        return "must be https: plain http is for this machine (loopback) only"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_twins(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ImportRefused("file", f"an object holds {twin!r:.80} twice")
    return table


def _refuse_twins(names: Sequence[tuple[str, str]], reason: str) -> None:
    seen: dict[str, str] = {}
    for place, name in names:
        if name in seen:
            raise ImportRefused(place, f"{reason}: {seen[name]}")
        seen[name] = place


class _Table:
    """A JSON object that is taken apart; what is left over at the end is an error."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise ImportRefused(place, "must be an object")
        self.place = place
        self.known: list[str] = []
        self.left: dict[str, Any] = dict(value)

    def at(self, key: str) -> str:
        return key if self.place == "file" else f"{self.place}.{key}"

    def take(self, key: str) -> Any:
        self.known.append(key)
        return self.left.pop(key, None)

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str | None:
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, str) or (pattern and not pattern.fullmatch(value)):
            form = "a text" if pattern is None else f"a text of the form {pattern.pattern}"
            raise ImportRefused(self.at(key), f"must be {form}")
        return value

    def needed(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        value = self.text(key, pattern)
        if value is None:
            raise ImportRefused(self.at(key), "is missing")
        return value

    def integer(self, key: str, *, low: int, high: int = INTEGER_MAX) -> int | None:
        value = self.take(key)
        if value is None:
            return None
        if type(value) is not int or not low <= value <= high:
            raise ImportRefused(self.at(key), f"must be an integer from {low} to {high}")
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str | None:
        value = self.take(key)
        if value is not None and value not in allowed:
            raise ImportRefused(self.at(key), f"must be one of {', '.join(allowed)}")
        return None if value is None else str(value)

    def list(self, key: str, items_max: int) -> Sequence[Any]:
        value = self.take(key)
        if not isinstance(value, list) or len(value) > items_max:
            raise ImportRefused(self.at(key), f"must be a list of at most {items_max} items")
        return value

    def nothing_left(self) -> None:
        if self.left:
            names = ", ".join(sorted(self.left))[:200]
            known = ", ".join(self.known)
            raise ImportRefused(self.place, f"does not know {names}; allowed: {known}")


def _channel(table: _Table) -> ChannelEntry:
    name, vendor = table.needed("name", CHANNEL_NAME).strip(), _vendor(table)
    family, protocol = _family(table)
    entry = ChannelEntry(
        place=table.place,
        name=name,
        vendor=vendor,
        family=family,
        base_url=_base_url(table),
        api_key=table.text("api_key"),
        jurisdiction=_upper(table.text("jurisdiction", JURISDICTION)),
        priority=table.integer("priority", low=-INTEGER_MAX),
        on_disconnect=table.choice("on_disconnect", ("stop", "drain")),
        models=_models(table, protocol),
    )
    if not entry.name:
        raise ImportRefused(table.at("name"), "is empty")
    table.nothing_left()
    return entry


def _vendor(table: _Table) -> str:
    value = table.needed("vendor").strip().lower().replace("_", "-")
    if not VENDOR.fullmatch(value):
        raise ImportRefused(table.at("vendor"), "must be letters, digits and dashes, at most 40")
    return value


def _family(table: _Table) -> tuple[Family, str]:
    """Return the channel's family, and how its models generate where they do not say so."""
    name = table.choice("protocol", tuple(PROTOCOLS))
    if name is None:
        raise ImportRefused(table.at("protocol"), "is missing")
    return PROTOCOLS[name], RESPONSES if name == RESPONSES else ""


def _base_url(table: _Table) -> str:
    value = table.needed("base_url").strip()
    if reason := check_base_url(value):
        raise ImportRefused(table.at("base_url"), reason)
    return value


def _upper(value: str | None) -> str | None:
    return value.upper() if value is not None else None


def _models(table: _Table, protocol: str) -> tuple[ModelEntry, ...]:
    entries = []
    for n, value in enumerate(table.list("models", MODELS_MAX)):
        place = f"{table.place}.models[{n}]"
        own = {"name": value} if isinstance(value, str) else value
        entries.append(_model(_Table(own, place), protocol))
    return tuple(entries)


def _model(table: _Table, protocol: str) -> ModelEntry:
    name = table.needed("name", NAME)
    if name.endswith("/") or "//" in name:
        raise ImportRefused(table.at("name"), "has an empty part")
    entry = ModelEntry(
        place=table.place,
        name=name,
        upstream_name=table.text("upstream_name", NAME) or name,
        priced_as=table.text("priced_as", NAME) or "",
        prices=_prices(table),
        context_tokens_max=table.integer("context_tokens_max", low=1),
        output_tokens_max=table.integer("output_tokens_max", low=1),
        protocol=table.choice("protocol", OPENAI_WIRES) or protocol,
        quirks=_quirks(table),
    )
    table.nothing_left()
    return entry


def _quirks(table: _Table) -> Mapping[str, Any]:
    place, value = table.at("quirks"), table.take("quirks")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ImportRefused(place, "must be an object")
    if bad := bad_quirk(value):
        raise ImportRefused(f"{place}.{bad[0]}", bad[1])
    return value


def _prices(table: _Table) -> Mapping[UnitClass, Decimal] | None:
    place = table.at("prices")
    value = table.take("prices")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ImportRefused(place, 'must be an object like {"input": "2.50", "output": "10"}')
    prices: dict[UnitClass, Decimal] = {}
    for name, text in value.items():
        unit_class = CLASS_NAMES.get(name)
        if unit_class is None:
            allowed = ", ".join(unit_class.value for unit_class in UnitClass)
            raise ImportRefused(f"{place}.{name:.80}", f"is no class; allowed: {allowed}")
        if unit_class in prices:
            raise ImportRefused(f"{place}.{name}", "prices a class a second time")
        prices[unit_class] = _usd(f"{place}.{name}", text)
    if not MEASURES & prices.keys() and UnitClass.INPUT not in prices:
        raise ImportRefused(f"{place}.input", "is missing: without it nothing can be priced")
    return prices


def _usd(place: str, text: object) -> Decimal:
    if not isinstance(text, str):
        raise ImportRefused(place, "must be a text, to stay exact")
    try:
        nano = parse_usd(text)
    except BadAmount as error:
        raise ImportRefused(place, "must be US dollars with at most nine decimals") from error
    if nano < 0:
        raise ImportRefused(place, "must not be negative")
    return Decimal(nano) / USD
