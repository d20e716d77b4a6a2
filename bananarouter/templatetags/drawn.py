"""What takes long to draw as a template, and is the same again and again: frames, rows of requests.

A node of a template takes a hundred times as long as a line of Python, and every page has hundreds.
"""

import functools
import uuid
from collections.abc import Collection, Sequence
from html import escape
from typing import NamedTuple

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bananarouter.templatetags import pages
from logs.models import RequestLog

register = template.Library()
# More than there are pages, roles and languages together.
FRAMES_MAX = 500


@register.simple_tag
def drawn(name: str, **facts: str | bool) -> SafeString:
    """Draw a template that depends on these facts and the language alone: once in a process."""
    if settings.DEBUG:  # templates are being written
        return render_to_string(name, facts)
    return _kept(name, get_language() or "", tuple(sorted(facts.items())))


@functools.lru_cache(maxsize=FRAMES_MAX)
def _kept(name: str, language: str, facts: tuple[tuple[str, str | bool], ...]) -> SafeString:  # noqa: ARG001
    return render_to_string(name, dict(facts))


@register.simple_tag
def request_rows(
    rows: Sequence[RequestLog], captured: Collection[uuid.UUID] | None = None
) -> SafeString:
    """Draw the rows of a table of requests; `captured`: those whose content debug mode kept."""
    if not rows:
        return mark_safe("")
    kept = f'<span class="badge warn">{escape(_("content kept"))}</span>'
    words = _Words(
        first_byte=escape(_("Until the first byte")),
        unknown=escape(_("unknown model")),
        kept=f'<span class="second">{kept}</span>',
    )
    # Addresses differ by the id alone.
    one = str(rows[0].request_id)
    address = reverse("request", args=[one])
    drawn_rows = [
        _row(
            row,
            href=address.replace(one, str(row.request_id)),
            is_kept=bool(captured) and row.request_id in (captured or ()),
            words=words,
        )
        for row in rows
    ]
    return mark_safe("".join(drawn_rows))  # noqa: S308 - each is escaped


class _Words(NamedTuple):
    """What rows say, escaped."""

    first_byte: str
    unknown: str
    kept: str


def _row(row: RequestLog, *, href: str, is_kept: bool, words: _Words) -> str:
    """Draw one row. What is not a number or a tag of ours is escaped."""
    at, badge, result = pages.moment(row.created_at), pages.status_badge(row), _result(row)
    model = words.unknown if row.model is None else escape(row.model)
    tag = f'<span class="second">{escape(row.tag)}</span>' if row.tag else ""
    vendor = "–" if row.vendor is None else escape(row.vendor)  # noqa: RUF001
    tokens_in, tokens_out = f"{pages.tokens_in(row):,}", f"{pages.tokens_out(row):,}"
    first, total = pages.duration(row.first_byte_ms), pages.duration(row.total_ms)
    cached, reasoning = escape(pages.cached_note(row)), escape(pages.reasoning_note(row))
    served, first_byte = escape(pages.served_note(row)), words.first_byte
    return f"""<tr data-id="{row.request_id}">
<td class="nowrap wide-only"><a id="r-{row.request_id}" href="{href}">{at}</a></td>
<td class="break">{model}<span class="second">{served}</span>{tag}
{words.kept if is_kept else ""}
<span class="second narrow"><a href="{href}">{at}</a> {badge} {result}</span></td>
<td class="wide-only">{vendor}</td>
<td class="number wide-only">{tokens_in}<span class="second">{cached}</span></td>
<td class="number wide-only">{tokens_out}<span class="second">{reasoning}</span></td>
<td class="number wide-only">{total}<span class="second" title="{first_byte}">{first}</span></td>
<td class="wide-only">{badge}<span class="second">{result}</span></td>
<td class="number">{pages.money(row.cost_nusd)}</td>
</tr>
"""


def _result(row: RequestLog) -> str:
    return escape(pages.result_name(row))
