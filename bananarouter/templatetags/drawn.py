"""What takes long to draw as a template, and is the same again and again: frames, rows of requests.

A node of a template takes a hundred times as long as a line of Python, and every page has hundreds.
"""

import functools
import uuid
from collections.abc import Collection, Sequence

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
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


_ROW = """<tr data-id="{id}">
<td class="nowrap wide-only"><a id="r-{id}" href="{href}">{at}</a></td>
<td class="break">{model}<span class="second">{served}</span>{tag}{kept}
<span class="second narrow"><a href="{href}">{at}</a> {badge} {result}</span></td>
<td class="wide-only">{vendor}</td>
<td class="number wide-only">{tokens_in}<span class="second">{cached}</span></td>
<td class="number wide-only">{tokens_out}<span class="second">{reasoning}</span></td>
<td class="number wide-only">{total}<span class="second" title="{first_byte}">{first}</span></td>
<td class="wide-only">{badge}<span class="second">{result}</span></td>
<td class="number">{cost}</td>
</tr>"""


@register.simple_tag
def request_rows(
    rows: Sequence[RequestLog], captured: Collection[uuid.UUID] | None = None
) -> SafeString:
    """Draw the rows of a table of requests; `captured`: those whose content debug mode kept."""
    if not rows:
        return mark_safe("")
    words = {"first_byte": _("Until the first byte"), "unknown": _("unknown model")}
    kept = format_html(
        '<span class="second"><span class="badge warn">{}</span></span>', _("content kept")
    )
    # Addresses differ by the id alone.
    one = str(rows[0].request_id)
    address = reverse("request", args=[one])
    drawn_rows = [
        _row(
            row,
            href=address.replace(one, str(row.request_id)),
            kept=kept if captured and row.request_id in captured else "",
            words=words,
        )
        for row in rows
    ]
    return mark_safe("".join(drawn_rows))  # noqa: S308 - each is escaped


def _row(row: RequestLog, *, href: str, kept: str, words: dict[str, str]) -> SafeString:
    tag = format_html('<span class="second">{}</span>', row.tag) if row.tag else ""
    return format_html(
        _ROW,
        id=row.request_id,
        href=href,
        at=pages.moment(row.created_at),
        model=words["unknown"] if row.model is None else row.model,
        served=pages.served_note(row),
        tag=tag,
        kept=kept,
        badge=pages.status_badge(row),
        result=pages.result_name(row),
        vendor="–" if row.vendor is None else row.vendor,  # noqa: RUF001
        tokens_in=pages.grouped(pages.tokens_in(row)),
        cached=pages.cached_note(row),
        tokens_out=pages.grouped(pages.tokens_out(row)),
        reasoning=pages.reasoning_note(row),
        total=pages.duration(row.total_ms),
        first=pages.duration(row.first_byte_ms),
        first_byte=words["first_byte"],
        cost=pages.money(row.cost_nusd),
    )
