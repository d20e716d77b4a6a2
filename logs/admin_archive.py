"""Staff's view of the archive: how well it is fed, and what it tells of long ranges."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from logs import holds
from logs.archive import report, sinks, watermarks
from logs.archive.base import Away, Refused
from logs.models import ArchiveBatch, ArchiveFeed, ArchiveRejection

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin

RANGES = (7, 30, 90, 365)
DEFAULT_RANGE = 30
# A page may wait so long for the archive; then it says that it is away.
TIMEOUT_S = 5
BATCHES_SHOWN = 24
# A lag above: the hour that should have come is late, not just under way.
LATE = dt.timedelta(minutes=30)
BAR, BAR_GAP, BARS_HEIGHT = 6, 1, 100
WHY = {
    "no_answer": "It cannot be reached, or did not answer in time.",
    "not_installed": "Its client is not installed: pip install 'bananarouter[archive]'.",
    "clickhouse_516": "It refuses the user or the password.",
    "bigquery_401": "It refuses the credentials.",
    "bigquery_403": "The credentials may not do this.",
    "bigquery_404": "There is no such dataset.",
}


class ReadOnly(Base):
    """Rows that nobody edits by hand."""

    show_full_result_count = False

    def has_add_permission(self, *_args: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        return False

    def has_delete_permission(self, *_args: Any) -> bool:
        return False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A day in the drawing; `failed` is the height of its failed part."""

    day: report.Line
    x: int
    top: int
    height: int
    failed_top: int
    failed: int


@admin.register(ArchiveBatch)
class ArchiveBatchAdmin(ReadOnly):
    """Hours that were sent, and the two pages about them."""

    change_list_template = "admin/archive_batches.html"
    list_display = ("hour", "state", "rows", "rejected", "attempts", "error", "sent_at", "feed")
    list_filter = ("state", ("error", admin.EmptyFieldListFilter), "feed")
    list_select_related = ("feed",)
    ordering = ("-hour",)
    date_hierarchy = None

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(f"{name}/", self.admin_site.admin_view(view), name=f"logs_archivebatch_{name}")
            for name, view in (("health", self.health), ("analytics", self.analytics))
        ]
        return [*pages, *super().get_urls()]

    def health(self, request: HttpRequest) -> HttpResponse:
        """Show how far behind the archive is, and what went wrong."""
        config, now = sinks.config(), timezone.now()
        feed = ArchiveFeed.objects.filter(archive=config.name).first() if config.is_on else None
        batches = feed.batches.order_by("-hour") if feed else ArchiveBatch.objects.none()
        context = {
            "archive": config.name if config.is_on else "",
            "feed": feed,
            "why": WHY.get(feed.error, feed.error) if feed else "",
            "health": (found := watermarks.health(feed, now=now)) if feed else None,
            "is_late": feed is not None and found.lag > LATE,
            "held": len(holds.held_accounts(now=now)) if feed else 0,
            "newest": batches.filter(sent_at__isnull=False, rows__gt=0).first(),
            "refused": batches.filter(state=ArchiveBatch.State.REFUSED)[:BATCHES_SHOWN],
            "batches": batches[:BATCHES_SHOWN],
        }
        return self._page(request, "health", "Archive: health", context)

    def analytics(self, request: HttpRequest) -> HttpResponse:
        """Show models, latency and error rates over a range of days."""
        days = _range(request.GET.get("days", ""))
        context: dict[str, Any] = {"ranges": RANGES, "days": days}
        config = sinks.config()
        if config.is_on:
            hurried = dataclasses.replace(config, timeout_s=TIMEOUT_S, patience_s=TIMEOUT_S)
            context["archive"] = config.name
            try:
                found = report.read(sinks.connect(hurried), today=timezone.now().date(), days=days)
            except (Away, Refused) as error:
                context["away"] = WHY.get(error.code, error.code)
            else:
                context |= {"report": found, "bars": _bars(found.days)}
                context["width"] = len(found.days) * (BAR + BAR_GAP)
        return self._page(request, "analytics", "Archive: analytics", context)

    def _page(
        self, request: HttpRequest, name: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        return TemplateResponse(request, f"admin/archive_{name}.html", {**shown, **context})


@admin.register(ArchiveRejection)
class ArchiveRejectionAdmin(ReadOnly):
    """Requests that the archive did not take; everything else of their hour stands in it."""

    list_display = ("found_at", "request_id", "batch")
    list_select_related = ("batch",)
    search_fields = ("=request_id",)
    ordering = ("-found_at",)


def _range(asked: str) -> int:
    return int(asked) if asked.isdecimal() and int(asked) in RANGES else DEFAULT_RANGE


def _bars(days: Sequence[report.Line]) -> list[Bar]:
    """Draw days beside each other; the busiest has the full height."""
    most = max((day.requests for day in days), default=0) or 1
    bars = []
    for place, day in enumerate(days):
        height = -(-BARS_HEIGHT * day.requests // most)
        failed = -(-BARS_HEIGHT * day.failures // most)
        bars.append(
            Bar(
                day=day,
                x=place * (BAR + BAR_GAP),
                top=BARS_HEIGHT - height,
                height=height,
                failed_top=BARS_HEIGHT - failed,
                failed=failed,
            )
        )
    return bars
