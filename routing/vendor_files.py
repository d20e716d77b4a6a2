"""What is known of each vendor: reads and checks routing/vendors/*.toml."""

import datetime as dt
import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from routing.dialects.base import Quirks
from routing.surfaces import WIRES, Family

FOLDER = Path(__file__).parent / "vendors"
GENERIC = "generic"
REVIEW_DAYS_MAX = 180

AUTH_HEADERS = {
    "bearer": ("authorization", "Bearer {}"),
    "x-api-key": ("x-api-key", "{}"),
    "x-goog-api-key": ("x-goog-api-key", "{}"),
    "api-key": ("api-key", "{}"),
}
DEFAULT_AUTH = {
    Family.OPENAI: "bearer",
    Family.ANTHROPIC: "x-api-key",
    Family.GEMINI: "x-goog-api-key",
}
TRAINS = frozenset({"no", "yes", "opt-out", "opt-in", "unknown", "operator"})
# Instead of a URL: nobody found it, or the operator of the server decides.
STATED = frozenset({"unknown", "operator"})
# OpenRouter's words for what models take (its OpenAPI document, 2026-08); text always goes in.
INPUTS = frozenset({"image", "file", "audio", "video"})
PARAMETERS = frozenset({
    "temperature", "top_p", "top_k", "min_p", "top_a", "frequency_penalty", "presence_penalty",
    "repetition_penalty", "max_tokens", "max_completion_tokens", "logit_bias", "logprobs",
    "top_logprobs", "prediction", "seed", "response_format", "structured_outputs", "stop", "tools",
    "tool_choice", "parallel_tool_calls", "include_reasoning", "reasoning", "reasoning_effort",
    "web_search_options", "verbosity",
})  # fmt: skip
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
COUNTRY = re.compile(r"[A-Z]{2}")
REGION = re.compile(r"[A-Z]{2,8}|unknown|operator")


class BadVendorFile(ValueError):
    """A vendor file that cannot be used; the text names file and field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """How a vendor is reached in one family: where its SDK puts the base URL, and the key."""

    base_url: str
    auth: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the price source does not know of some models: limits, prices in USD."""

    pattern: str  # a model's name; `*` at its end stands for any rest
    context_tokens_max: int | None = None
    output_tokens_max: int | None = None
    prices: Mapping[str, str] = field(default_factory=dict)  # class -> USD per million tokens
    protocol: str = ""  # "openai-responses" for models that know no chat completions
    quirks: Mapping[str, Any] = field(default_factory=dict)  # over the vendor's own

    def covers(self, name: str) -> bool:
        """Tell whether these facts are about this model."""
        return _covers(self.pattern, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What some models are known to take, beside text; nothing else follows from them."""

    patterns: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


def _covers(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


NO_ABILITIES = Abilities(patterns=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor, as its file states it."""

    slug: str
    name: str
    author: str  # the first half of the canonical name of its bare model names
    jurisdiction: str
    privacy_url: str
    terms_url: str
    trains: str
    retention: str
    reviewed_on: dt.date
    families: Mapping[Family, Speech]
    # The longest that what is sent and answered is kept; 0: not at all, None: not stated.
    retention_days_max: int | None = None
    quirks: Quirks = field(default_factory=Quirks)
    on_disconnect: str = "stop"
    sells_to: tuple[str, ...] = ()  # ISO countries; empty: unknown
    refuses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    priced_by: tuple[str, ...] = ()  # providers of the price source
    takes_audio_as_input: bool = False  # audio tokens cost what text does, unless priced
    flex_costs_as_batch: bool = False  # the price source lists batch prices only
    authors: Mapping[str, str] = field(default_factory=dict)  # prefix of a name -> author
    models: tuple[str, ...] = ()  # offered when a key alone makes a channel
    facts: tuple[Facts, ...] = ()
    abilities: tuple[Abilities, ...] = ()
    fees: Mapping[str, str] = field(default_factory=dict)  # class -> USD for one thousand

    @property
    def auth(self) -> str:
        """How the first of its families takes the key."""
        return next((speech.auth for speech in self.families.values()), "bearer")

    def auth_for(self, family: Family) -> str:
        """Return the kind of authentication in a family."""
        speech = self.families.get(family)
        return speech.auth if speech else DEFAULT_AUTH[family]

    def author_of(self, name: str) -> str:
        """Return the author of a bare model name."""
        found = (author for prefix, author in self.authors.items() if name.startswith(prefix))
        return next(found, self.author)

    def facts_of(self, name: str) -> Facts | None:
        """Return what the file states of a model; the first entry that covers it holds."""
        return next((facts for facts in self.facts if facts.covers(name)), None)

    def abilities_of(self, name: str) -> Abilities:
        """Return what a model is known to take; the first entry that covers it holds."""
        found = (a for a in self.abilities if any(_covers(p, name) for p in a.patterns))
        return next(found, NO_ABILITIES)

    def quirks_of(self, name: str, overrides: Mapping[str, Any]) -> Quirks:
        """Return the quirks of one model: the vendor's, its facts' over them, then these."""
        facts = self.facts_of(name)
        changes = {**(facts.quirks if facts else {}), **overrides}
        return replace(self.quirks, **changes) if changes else self.quirks


@functools.cache
def all_vendors() -> Mapping[str, Vendor]:
    """Return every vendor by slug. Raises: BadVendorFile."""
    found = {path.stem: read(path) for path in sorted(FOLDER.glob("*.toml"))}
    seen = dict.fromkeys(found, "")
    for vendor in found.values():
        for alias in vendor.aliases:
            if alias in seen:
                raise BadVendorFile(f"{vendor.slug}.toml: aliases: {alias} is taken")
            seen[alias] = vendor.slug
    return found


@functools.cache
def _by_alias() -> Mapping[str, Vendor]:
    return {alias: vendor for vendor in all_vendors().values() for alias in vendor.aliases}


def known(slug: str) -> Vendor | None:
    """Return the vendor of a slug or of one of its aliases; None when no file tells of it."""
    return all_vendors().get(slug) or _by_alias().get(slug)


@functools.lru_cache(maxsize=4_096)
def get(slug: str) -> Vendor:
    """Return a vendor; one without a file behaves as generic.toml says, under its own name."""
    found = known(slug)
    if found is not None:
        return found
    generic = all_vendors()[GENERIC]
    own = {item.name: getattr(generic, item.name) for item in fields(Vendor)}
    return Vendor(**{**own, "slug": slug, "name": slug, "author": slug, "aliases": ()})


def read(path: Path) -> Vendor:
    """Read one file. Raises: BadVendorFile."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadVendorFile(f"{path.name}: {error}") from error
    return _Reader(path.name, table).vendor(path.stem)


def bad_quirk(table: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first name of a table that is not of quirks, and why; None when all are."""
    known_types = {item.name: type(getattr(Quirks(), item.name)) for item in fields(Quirks)}
    for key, value in table.items():
        if key not in known_types:
            return key, "is no quirk"
        if type(value) is not known_types[key]:
            return key, f"must be {known_types[key].__name__}"
    return None


class _Reader:
    """Takes a table apart; every refusal names file and field."""

    def __init__(self, file: str, table: Mapping[str, Any]) -> None:
        self.file = file
        self.table = dict(table)

    def vendor(self, slug: str) -> Vendor:
        if not SLUG.fullmatch(slug):
            raise self.bad("file name", "must be lower-case letters, digits and dashes")
        data = self.sub("data")
        territory = self.sub("territory")
        vendor = Vendor(
            slug=slug,
            name=self.text(self.table, "name"),
            author=self.text(self.table, "author"),
            jurisdiction=self.text(self.table, "jurisdiction", pattern=REGION),
            privacy_url=self.page(data, "privacy_url"),
            terms_url=self.page(data, "terms_url"),
            trains=self.word(data, "trains", TRAINS),
            retention=self.text(data, "retention"),
            retention_days_max=self.days(data, "retention_days_max"),
            reviewed_on=self.day(data, "reviewed_on"),
            families=self.families(),
            quirks=self.quirks(),
            on_disconnect=self.word(self.table, "on_disconnect", {"stop", "drain"}),
            sells_to=self.countries(territory, "sells_to"),
            refuses=self.countries(territory, "refuses"),
            aliases=self.words(self.table, "aliases"),
            priced_by=self.words(self.table, "priced_by"),
            takes_audio_as_input=self.take(self.table, "takes_audio_as_input", bool, default=False),
            flex_costs_as_batch=self.take(self.table, "flex_costs_as_batch", bool, default=False),
            authors=self.texts("authors"),
            models=self.words(self.table, "models"),
            facts=self.facts(),
            abilities=self.abilities(),
            fees=self.texts("fees"),
        )
        self.nothing_left(data, "data")
        self.nothing_left(territory, "territory")
        self.nothing_left(self.table, "")
        return vendor

    def bad(self, where: str, why: str) -> BadVendorFile:
        return BadVendorFile(f"{self.file}: {where}: {why}")

    def take(self, table: dict[str, Any], key: str, kind: type, *, default: object = None) -> Any:
        """Take a value out of its table; without a default it must be there."""
        if key not in table:
            if default is None:
                raise self.bad(key, "is missing")
            return default
        value = table.pop(key)
        if type(value) is not kind:
            raise self.bad(key, f"must be {kind.__name__}")
        return value

    def sub(self, key: str) -> dict[str, Any]:
        return dict(self.take(self.table, key, dict, default={}))

    def text(
        self, table: dict[str, Any], key: str, *, pattern: re.Pattern[str] | None = None
    ) -> str:
        value = str(self.take(table, key, str)).strip()
        if not value or (pattern and not pattern.fullmatch(value)):
            raise self.bad(key, "is empty" if not value else "has the wrong form")
        return value

    def word(self, table: dict[str, Any], key: str, allowed: set[str] | frozenset[str]) -> str:
        value = self.text(table, key)
        if value not in allowed:
            raise self.bad(key, f"must be one of {', '.join(sorted(allowed))}")
        return value

    def words(self, table: dict[str, Any], key: str) -> tuple[str, ...]:
        values: Sequence[Any] = self.take(table, key, list, default=[])
        if any(not isinstance(value, str) or not value for value in values):
            raise self.bad(key, "must be a list of names")
        if len(set(values)) != len(values):
            raise self.bad(key, "names something twice")
        return tuple(values)

    def texts(self, key: str) -> Mapping[str, str]:
        table = self.sub(key)
        if any(not isinstance(value, str) for value in table.values()):
            raise self.bad(key, "must hold texts (prices are texts, to stay exact)")
        return table

    def page(self, table: dict[str, Any], key: str) -> str:
        value = self.text(table, key)
        if value not in STATED and not value.startswith("https://"):
            raise self.bad(key, "must be an https URL, unknown or operator")
        return value

    def day(self, table: dict[str, Any], key: str) -> dt.date:
        value: dt.date = self.take(table, key, dt.date)
        return value

    def days(self, table: dict[str, Any], key: str) -> int | None:
        if key not in table:
            return None
        value: int = self.take(table, key, int)
        if value < 0:
            raise self.bad(key, "must not be negative")
        return value

    def countries(self, table: dict[str, Any], key: str) -> tuple[str, ...]:
        values = self.words(table, key)
        if any(not COUNTRY.fullmatch(value) for value in values):
            raise self.bad(f"territory.{key}", "must hold ISO country codes")
        return values

    def families(self) -> Mapping[Family, Speech]:
        found: dict[Family, Speech] = {}
        for name, table in self.sub("families").items():
            if name not in set(Family):
                raise self.bad("families", f"{name} is no family")
            own = dict(table)
            auth = self.word(own, "auth", {*AUTH_HEADERS, "none"})
            found[Family(name)] = Speech(base_url=self.text(own, "base_url"), auth=auth)
            self.nothing_left(own, f"families.{name}")
        return found

    def quirks(self) -> Quirks:
        return Quirks(**self.checked_quirks(self.sub("quirks")))

    def checked_quirks(self, table: Mapping[str, Any]) -> Mapping[str, Any]:
        if bad := bad_quirk(table):
            raise self.bad(f"quirks.{bad[0]}", bad[1])
        return table

    def facts(self) -> tuple[Facts, ...]:
        found = []
        for entry in self.take(self.table, "facts", list, default=[]):
            own = dict(entry)
            prices = dict(self.take(own, "prices", dict, default={}))
            protocol = self.take(own, "protocol", str, default="")
            if protocol and protocol not in WIRES:
                raise self.bad("facts.protocol", f"must be one of {', '.join(WIRES)}")
            if any(not isinstance(value, str) for value in prices.values()):
                raise self.bad("facts.prices", "must hold texts, to stay exact")
            found.append(
                Facts(
                    pattern=self.text(own, "name"),
                    context_tokens_max=own.pop("context_tokens_max", None),
                    output_tokens_max=own.pop("output_tokens_max", None),
                    prices=prices,
                    protocol=protocol,
                    quirks=self.checked_quirks(self.take(own, "quirks", dict, default={})),
                )
            )
            self.nothing_left(own, "facts")
        return tuple(found)

    def abilities(self) -> tuple[Abilities, ...]:
        found = []
        for entry in self.take(self.table, "abilities", list, default=[]):
            own = dict(entry)
            abilities = Abilities(
                patterns=self.words(own, "names"),
                inputs=self.words(own, "inputs"),
                parameters=self.words(own, "parameters"),
            )
            for key, stated, known_words in (
                ("inputs", abilities.inputs, INPUTS),
                ("parameters", abilities.parameters, PARAMETERS),
            ):
                if unknown := set(stated) - known_words:
                    raise self.bad(f"abilities.{key}", f"does not know {', '.join(unknown)}")
            self.nothing_left(own, "abilities")
            found.append(abilities)
        return tuple(found)

    def nothing_left(self, table: Mapping[str, Any], where: str) -> None:
        if table:
            names = ", ".join(sorted(table))
            raise self.bad(where or "file", f"does not know {names}")
