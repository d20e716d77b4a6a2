"""Components and formats of the pages: money, times, counts, our enums in words."""

import datetime as dt
import html
import re
import uuid
from decimal import Decimal
from fractions import Fraction

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.templatetags.static import static
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from bananarouter.pages import words
from bananarouter.pages.catalogue import words as catalogue_words
from bananarouter.pages.catalogue.offers import Price
from billing.money import decimal_usd, display_usd
from logs.models import RequestLog
from routing.exchange import generation_id

register = template.Library()


# Tags of every row of a table are written here, not as templates: drawing a template of one line
# takes ten times as long as its line.


@register.simple_tag
def money(amount_nusd: int | None) -> SafeString:
    """Show an amount for people, the exact one on hover."""
    amount = amount_nusd or 0
    exact, shown = decimal_usd(amount), display_usd(amount)
    # Digits, commas and a currency's sign: nothing to escape, in hundreds of places.
    return mark_safe(f'<data class="money" value="{exact}" title="${exact}">{shown}</data>')  # noqa: S308


@register.simple_tag
def moment(value: dt.datetime, *, exact: bool = False) -> SafeString:
    """Show a time: how long ago with the exact time on hover, or the exact time itself."""
    utc = value.astimezone(dt.UTC)
    written = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    is_exact = " data-exact" if exact else ""
    shown = written if exact else html.escape(str(naturaltime(value)))
    machine = utc.isoformat(timespec="seconds")
    return mark_safe(f'<time datetime="{machine}" title="{written}"{is_exact}>{shown}</time>')  # noqa: S308


@register.simple_tag
def status_badge(row: RequestLog) -> SafeString:
    """Show the HTTP status of a request in the color of its kind."""
    kind = "bad" if row.status >= 500 else "warn" if row.status >= 400 else "good"
    return mark_safe(f'<span class="badge {kind}">{row.status:d}</span>')  # noqa: S308


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon of the sprite; the text beside it says what it means."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>',
        static("img/icons.svg"),
        name,
    )


@register.filter
def code_words(text: str) -> SafeString:
    """Set what stands between backticks as code."""
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S308


@register.filter
def exact_usd(amount_nusd: Fraction | int) -> str:
    """Write an amount of nUSD exactly, even below one nano-dollar: `$2.50`, `$0.0000003175`."""
    amount = Fraction(amount_nusd)
    usd = Decimal(amount.numerator) / Decimal(amount.denominator) / Decimal(10**9)
    whole, _point, decimals = f"{usd:f}".partition(".")
    return f"${int(whole):,}.{decimals.rstrip('0').ljust(2, '0')}"


@register.filter
def shown_usd(amount_nusd: int) -> str:
    """Write an amount of nUSD for people; where it stands, the exact one should be at hand."""
    return display_usd(amount_nusd)


@register.filter
def latest_day(expires_at: dt.datetime) -> dt.date:
    """Return the latest UTC day on which something that expires still works."""
    return (expires_at.astimezone(dt.UTC) - dt.timedelta(microseconds=1)).date()


@register.filter
def duration(milliseconds: int | None) -> str:
    """Write a duration with its unit: `420 ms`, `1.24 s`, `2 min 5 s`."""
    if milliseconds is None:
        return ""
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1_000:.2f} s"
    minutes, rest = divmod(milliseconds // 1_000, 60)
    return f"{minutes} min {rest} s"


@register.filter
def percent_of(part: int | None, whole: int) -> str:
    """Write a share for an SVG attribute: `37.50%`."""
    return f"{100 * min(part or 0, whole) / whole:.2f}%" if whole else "0%"


@register.filter
def tokens_in(row: RequestLog) -> int:
    """Return all tokens that went in, cached ones too."""
    return row.input_tokens + row.cache_read_tokens + row.cache_write_tokens


@register.filter
def tokens_out(row: RequestLog) -> int:
    """Return all tokens that came out, hidden reasoning too."""
    return row.output_tokens + row.reasoning_tokens


@register.filter
def generation(request_id: uuid.UUID) -> str:
    """Write a request's id as the API does: `gen-0198…`."""
    return generation_id(request_id)


@register.filter
def served(endpoint: str | None) -> str:
    """Return the model of an endpoint's slug, which is `<channel>:<model>`."""
    return (endpoint or "").partition(":")[2]


@register.filter
def grouped(count: object) -> str:
    """Write a whole number in groups of three digits, `1,234,567`; nothing for what is none."""
    return f"{count:,}" if isinstance(count, int) else ""


@register.filter
def cached_note(row: RequestLog) -> str:
    """Say how many of a request's tokens were read from a cache; nothing for none."""
    count = row.cache_read_tokens
    return _("%(count)s cached") % {"count": f"{count:,}"} if count else ""


@register.filter
def reasoning_note(row: RequestLog) -> str:
    """Say how many of a request's tokens were hidden reasoning; nothing for none."""
    count = row.reasoning_tokens
    return _("%(count)s reasoning") % {"count": f"{count:,}"} if count else ""


@register.filter
def served_note(row: RequestLog) -> str:
    """Say which model served a request where it is not the one that was asked for."""
    used = served(row.endpoint)
    is_other = used and row.model and used != row.model
    return _("served by %(used)s") % {"used": used} if is_other else ""


@register.filter
def result_name(row: RequestLog) -> str:
    """Name how a request ended: its error code, else its finish reason."""
    return row.error_code or row.finish_reason or ""


@register.filter
def class_name(unit_class: str) -> words.Words:
    """Name a class of tokens."""
    return words.CLASSES.get(unit_class, unit_class)  # type: ignore[call-overload, no-any-return]


@register.filter
def surface_name(surface: str) -> words.Words:
    """Name a surface of the API."""
    return words.SURFACES.get(surface, surface)


@register.filter
def role_name(role: str) -> words.Words:
    """Name a role in an account."""
    return words.ROLES.get(role, role)


@register.filter
def request_state_name(state: str) -> words.Words:
    """Name the state of something that was asked of the operator."""
    return words.REQUEST_STATES.get(state, state)


@register.filter
def state_name(state: str) -> words.Words:
    """Name the state of a charge."""
    return words.STATES.get(state, state)


@register.filter
def period_name(period: str) -> words.Words:
    """Name the window of a limit of money."""
    return words.PERIODS.get(period, period)


@register.filter
def outcome_name(outcome: str) -> words.Words:
    """Name the outcome of an attempt."""
    return words.OUTCOMES.get(outcome, outcome)


@register.simple_tag
def price(found: Price | None) -> SafeString:
    """Show a price exactly, its unit below unless it is that of a million tokens of text."""
    # Not a template: a list shows hundreds of them.
    if found is None:
        return mark_safe('<span class="soft">&ndash;</span>')
    amount = exact_usd(found.nusd)
    if found.is_plain:
        return mark_safe(amount)  # noqa: S308 - digits
    return format_html('{}<span class="second">{}</span>', amount, unit_name(found.unit))


@register.simple_tag
def price_inline(word: str, found: Price | None) -> SafeString:
    """Show a price on one line after a word of what it is for; nothing when there is none."""
    if found is None:
        return mark_safe("")
    unit = "" if found.is_plain else unit_name(found.unit)
    return format_html("<span>{} {} {}</span>", word, exact_usd(found.nusd), unit)


@register.filter
def unit_name(unit: str) -> words.Words:
    """Name the unit of a price."""
    return catalogue_words.UNITS.get(unit, unit)  # type: ignore[call-overload, no-any-return]


@register.filter
def tier_name(service_tier: str) -> words.Words:
    """Name a service tier."""
    return catalogue_words.TIERS.get(service_tier, service_tier)


@register.filter
def modality_name(modality: str) -> words.Words:
    """Name what goes in or comes out of a model."""
    return catalogue_words.MODALITIES.get(modality, modality)


@register.filter
def training_name(trains: str) -> words.Words:
    """Say what a vendor does with what it is sent."""
    return catalogue_words.TRAINING.get(trains, trains)


@register.filter
def place_name(jurisdiction: str) -> words.Words:
    """Name a jurisdiction; its code where there is no word for it."""
    return catalogue_words.PLACES.get(jurisdiction) or words.jurisdiction(jurisdiction)


@register.filter
def short_count(count: int | None) -> str:
    """Write a number of tokens as it is spoken of: `65.5K`, `128K`, `1.05M`."""
    if count is None:
        return ""
    for size, decimals, sign in ((1_000_000, 2, "M"), (1_000, 1, "K")):
        if count >= size:
            return f"{count / size:.{decimals}f}".rstrip("0").rstrip(".") + sign
    return str(count)
