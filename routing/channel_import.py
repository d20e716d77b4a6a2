"""Bring channels, models, endpoints and their prices into the database, all or nothing.

Names: a model name without a slash becomes `<author>/<name>`, the bare name an alias; the same
canonical name on several channels is one model with several endpoints. A name that already
means another model keeps its meaning, and the report says so. Importing adds and changes; what
the file does not mention stays as it is.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import changes
from accounts.models import Change
from billing import rates
from billing.price_source import Quote
from billing.rates import Proposal
from routing import credentials, import_file, model_names, model_prices, vendor_files
from routing.import_file import ChannelEntry, ImportRefused, ModelEntry
from routing.model_prices import Terms
from routing.models import Channel, Endpoint, Model, ModelAlias
from routing.surfaces import Family
from routing.vendor_files import Vendor

DEMO = "demo"
FILE_SOURCE = "import"
ROWS_PER_STATEMENT = 500
WARNINGS_MAX = 200
SLUG_CHARS_MAX = 160
LIMITS = ("context_tokens_max", "output_tokens_max")


@dataclass(kw_only=True)
class Report:
    """What an import did."""

    channels: int = 0
    models: int = 0
    endpoints: int = 0
    aliases: int = 0
    prices: int = 0
    changed: int = 0  # rows that were there and are now different
    warnings: list[str] = field(default_factory=list)

    @property
    def is_change(self) -> bool:
        """Tell whether anything is different now."""
        made = self.channels + self.models + self.endpoints + self.aliases + self.prices
        return bool(made + self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A model of the file, with everything known of it."""

    entry: ModelEntry
    channel: ChannelEntry
    slug: str
    author: str
    aliases: tuple[str, ...]
    priced_as: str
    quotes: tuple[Quote, ...]
    source: str
    context_tokens_max: int | None
    output_tokens_max: int | None

    @property
    def endpoint_slug(self) -> str:
        return f"{self.channel.name}:{self.slug}"


def run(text: str | bytes) -> Report:
    """Import a file's text. Raises: ImportRefused, CredentialError."""
    return install(import_file.parse(text))


def install(entries: Sequence[ChannelEntry]) -> Report:
    """Import checked entries in one transaction, and tell every worker once."""
    now = timezone.now()
    report = Report()
    offers: list[_Offer] = []
    for entry in entries:
        vendor = _vendor(entry, report)
        offers.extend(_offer(model, entry, vendor, now) for model in entry.models)
    _refuse_twins(offers)
    with transaction.atomic():  # short: what can be known without the database is known by now
        channels = {entry.name: _channel(entry, report) for entry in entries}
        models = _models(offers, report)
        _aliases(offers, models, report)
        _endpoints(offers, models, channels, report)
        _limits(offers, models, report)
        report.prices = _price(offers, now)
        _warn(report, (f"{o.entry.place}: {o.slug} has no price" for o in offers if not o.quotes))
        if report.is_change:
            changes.announce(Change.Topic.CATALOGUE)
    return report


def seed_vendor(vendor_slug: str, api_key: str) -> Report:
    """Make or renew the channel that a vendor's key alone allows, with its current models.

    Raises: BadVendorFile when no file tells of the vendor.
    """
    vendor = vendor_files.known(vendor_slug)
    if vendor is None or not vendor.families:
        raise vendor_files.BadVendorFile(f"{vendor_slug}: no vendor file")
    family, speech = next(iter(vendor.families.items()))
    place, now = f"{vendor.slug}-environment", timezone.now()
    models = tuple(
        ModelEntry(place=f"{place}.{name}", name=name, upstream_name=name)
        for name in vendor.models
        if model_prices.of_vendor(name, vendor=vendor, family=family, at=now)
    )
    entry = ChannelEntry(
        place=place,
        name=place,
        vendor=vendor.slug,
        family=family,
        base_url=speech.base_url,
        api_key=api_key,
        models=models,
    )
    return install([entry])


def _vendor(entry: ChannelEntry, report: Report) -> Vendor:
    vendor = vendor_files.get(entry.vendor)
    if vendor_files.known(entry.vendor) is None:
        report.warnings.append(
            f"{entry.place}.vendor: no file tells of {vendor.slug}: it is taken for an ordinary "
            "speaker of its protocol, its policies are shown as unknown"
        )
    return vendor


def _channel(entry: ChannelEntry, report: Report) -> Channel:
    vendor = vendor_files.get(entry.vendor)
    channel = Channel.objects.filter(name=entry.name).first()
    wanted: dict[str, object] = {
        "vendor": vendor.slug,
        "protocol": entry.family.value,
        "base_url": entry.base_url,
        "is_demo": vendor.slug == DEMO,
    }
    optional = {
        "jurisdiction": (entry.jurisdiction, vendor.jurisdiction),
        "priority": (entry.priority, 100),
        "on_disconnect": (entry.on_disconnect, vendor.on_disconnect),
    }
    for key, (value, default) in optional.items():
        if value is not None or channel is None:
            wanted[key] = value if value is not None else default
    if channel is None:
        channel = Channel.objects.create(name=entry.name, **wanted)
        report.channels += 1
    else:
        report.changed += _update(channel, wanted)
    if entry.api_key is not None and (entry.api_key or channel.credential):
        report.changed += _store(channel, entry)
    return channel


def _update(row: Channel | Model | Endpoint, wanted: Mapping[str, object]) -> bool:
    stale = [key for key, value in wanted.items() if getattr(row, key) != value]
    for key in stale:
        setattr(row, key, wanted[key])
    if stale:
        row.save(update_fields=stale)
    return bool(stale)


def _store(channel: Channel, entry: ChannelEntry) -> bool:
    try:
        return credentials.store(channel, entry.api_key or "")
    except credentials.CredentialError as error:
        raise ImportRefused(f"{entry.place}.api_key", str(error)) from error


def _offer(entry: ModelEntry, channel: ChannelEntry, vendor: Vendor, now: dt.datetime) -> _Offer:
    slug, author, aliases = names(entry, vendor)
    if slug.startswith(f"{DEMO}/") != (vendor.slug == DEMO):
        raise ImportRefused(entry.place, "demo/ models live on channels of the vendor demo, only")
    family = channel.family
    terms, priced_as = _terms(entry, slug, vendor, now, family=family)
    quotes, source = terms.quotes, terms.source
    if entry.prices is not None:
        quotes = model_prices.stated(entry.prices, vendor=vendor, family=family, at=now)
        source, priced_as = FILE_SOURCE, ""
    return _Offer(
        entry=entry,
        channel=channel,
        slug=slug,
        author=author,
        aliases=aliases,
        priced_as=priced_as,
        quotes=quotes,
        source=source,
        context_tokens_max=entry.context_tokens_max or terms.context_tokens_max,
        output_tokens_max=entry.output_tokens_max or terms.output_tokens_max,
    )


def _terms(
    entry: ModelEntry, slug: str, vendor: Vendor, now: dt.datetime, *, family: Family
) -> tuple[Terms, str]:
    """Return a model's terms and the name under which they were found; "" when nobody sells it."""
    if entry.priced_as:
        terms = model_prices.of_reference(entry.priced_as, vendor=vendor, family=family, at=now)
        if terms is None:
            raise ImportRefused(
                f"{entry.place}.priced_as", f"no price of {entry.priced_as} is known"
            )
        return terms, entry.priced_as
    author, _, tail = slug.partition("/")
    own = [model_names.bare(entry.upstream_name), model_names.bare(entry.name)]
    if author == vendor.author_of(tail):
        own.append(tail)
    for name in dict.fromkeys(own):
        terms = model_prices.of_vendor(name, vendor=vendor, family=family, at=now)
        if terms is not None:
            return terms, name
    return model_prices.UNKNOWN, ""


def names(entry: ModelEntry, vendor: Vendor) -> tuple[str, str, tuple[str, ...]]:
    """Return a model's canonical name, its author and its other names."""
    name = model_names.bare(entry.name)
    author, slash, tail = name.partition("/")
    if not slash:
        author, tail = vendor.author_of(name), name
    slug = f"{author}/{tail}"
    if len(slug) > SLUG_CHARS_MAX:
        raise ImportRefused(f"{entry.place}.name", "is too long with its author")
    aliases = []
    if author == vendor.author_of(tail) and "/" not in tail:
        aliases.append(tail)
        if model_names.undated(entry.upstream_name) == tail:
            aliases.append(entry.upstream_name)
    return slug, author, tuple(aliases)


def _refuse_twins(offers: Iterable[_Offer]) -> None:
    seen: dict[str, str] = {}
    for offer in offers:
        if offer.endpoint_slug in seen:
            raise ImportRefused(
                offer.entry.place, f"{offer.slug} is there already: {seen[offer.endpoint_slug]}"
            )
        seen[offer.endpoint_slug] = offer.entry.place


def _models(offers: Iterable[_Offer], report: Report) -> dict[str, Model]:
    known = {row.slug: row for row in Model.objects.all()}
    missing: dict[str, Model] = {}
    for offer in offers:
        if offer.slug not in known and offer.slug not in missing:
            name = offer.slug.partition("/")[2]
            missing[offer.slug] = Model(slug=offer.slug, author=offer.author, name=name)
        if model := missing.get(offer.slug):
            for key in LIMITS:
                limits = (getattr(model, key), getattr(offer, key))
                setattr(model, key, max((n for n in limits if n is not None), default=None))
    Model.objects.bulk_create(missing.values(), batch_size=ROWS_PER_STATEMENT)
    report.models = len(missing)
    return {**known, **missing}


def _aliases(offers: Iterable[_Offer], models: Mapping[str, Model], report: Report) -> None:
    """Add names; a name that means another model keeps its meaning."""
    by_id = {model.pk: model.slug for model in models.values()}
    taken = {name: by_id[pk] for name, pk in ModelAlias.objects.values_list("name", "model_id")}
    missing: list[ModelAlias] = []
    clashes: list[str] = []
    for offer in offers:
        for name in offer.aliases:
            owner = taken.get(name) or (name if name in models else None)
            if owner is None:
                taken[name] = offer.slug
                missing.append(ModelAlias(name=name, model=models[offer.slug]))
            elif owner != offer.slug:
                clashes.append(f"{offer.entry.place}: {name} goes on meaning {owner}")
    ModelAlias.objects.bulk_create(missing, batch_size=ROWS_PER_STATEMENT)
    report.aliases = len(missing)
    _warn(report, clashes)


def _endpoints(
    offers: Sequence[_Offer],
    models: Mapping[str, Model],
    channels: Mapping[str, Channel],
    report: Report,
) -> None:
    known = {row.slug: row for row in Endpoint.objects.all()}
    missing: list[Endpoint] = []
    stale: list[Endpoint] = []
    fields = ("upstream_name", "priced_as", "protocol", "quirks", *LIMITS)
    for offer in offers:
        wanted = {
            "upstream_name": model_names.bare(offer.entry.upstream_name),
            "priced_as": offer.priced_as,
            "protocol": offer.entry.protocol,
            "quirks": dict(offer.entry.quirks),
            "context_tokens_max": offer.context_tokens_max,
            "output_tokens_max": offer.output_tokens_max,
        }
        row = known.get(offer.endpoint_slug)
        if row is None:
            channel, model = channels[offer.channel.name], models[offer.slug]
            made = Endpoint(slug=offer.endpoint_slug, channel=channel, model=model, **wanted)
            missing.append(made)
        elif row.channel_id != channels[offer.channel.name].pk:
            raise ImportRefused(offer.entry.place, "another channel's endpoint has this name")
        elif any(getattr(row, key) != value for key, value in wanted.items()):
            for key, value in wanted.items():
                setattr(row, key, value)
            stale.append(row)
    Endpoint.objects.bulk_create(missing, batch_size=ROWS_PER_STATEMENT)
    Endpoint.objects.bulk_update(stale, fields, batch_size=100)
    report.endpoints = len(missing)
    report.changed += len(stale)


def _limits(offers: Iterable[_Offer], models: Mapping[str, Model], report: Report) -> None:
    """Keep a model's limits at the largest of its endpoints'."""
    touched = {models[offer.slug].pk: models[offer.slug] for offer in offers}
    largest: dict[int, dict[str, int]] = {}
    for pk, *limits in Endpoint.objects.values_list("model_id", *LIMITS):
        for key, limit in zip(LIMITS, limits, strict=True):
            if limit is not None:
                own = largest.setdefault(pk, {})
                own[key] = max(own.get(key, 0), limit)
    stale = []
    for pk, model in touched.items():
        wanted = {key: largest.get(pk, {}).get(key) for key in LIMITS}
        if any(getattr(model, key) != value for key, value in wanted.items()):
            for key, value in wanted.items():
                setattr(model, key, value)
            stale.append(model)
    Model.objects.bulk_update(stale, LIMITS, batch_size=200)
    report.changed += len(stale)


def _price(offers: Sequence[_Offer], now: dt.datetime) -> int:
    announced = rates.scheduled([offer.endpoint_slug for offer in offers], after=now)
    proposals: list[Proposal] = []
    for offer in offers:
        slug = offer.endpoint_slug
        proposals.extend(
            model_prices.proposals(
                slug,
                quotes=offer.quotes,
                source=offer.source,
                announced=announced.get(slug, ()),
            )
        )
    return len(rates.propose_all(proposals, markup_ppm=settings.MARKUP_PPM))


def _warn(report: Report, texts: Iterable[str]) -> None:
    for text in texts:
        if len(report.warnings) < WARNINGS_MAX:
            report.warnings.append(text)
