"""Incidents as everybody may read them: those that run, and those of the last 90 days."""

import datetime as dt
from typing import Final

from django.db.models import Prefetch, Q

from accounts.timeids import DAY
from routing.models import Incident, IncidentUpdate

SHOWN: Final = 90 * DAY
SHOWN_MAX: Final = 100


def lately(*, now: dt.datetime) -> list[Incident]:
    """Return published incidents with their updates, newest first; in two queries at most.

    An incident that runs is there however old it is, one that ended for 90 days.
    """
    rows = Incident.objects.filter(published_at__isnull=False, published_at__lte=now)
    rows = rows.filter(Q(resolved_at=None) | Q(resolved_at__gte=now - SHOWN))
    updates = IncidentUpdate.objects.order_by("-written_at", "-pk")
    found = rows.order_by("-began_at", "-pk").prefetch_related(Prefetch("updates", updates))
    return list(found[:SHOWN_MAX])
