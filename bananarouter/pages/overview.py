"""Overview: what do I have, what did I spend today, on what; or the steps to a first call."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from accounts.models import ApiKey
from bananarouter.pages import activity, first_call
from bananarouter.pages.requests import scope
from bananarouter.pages.shell import Page, of, origin
from logs import search
from logs.models import RequestLog
from logs.search import Wanted

RECENT_ROWS = 8


class Overview(Page):
    """Balance, today's sums and the latest requests of the account."""

    template_name = "overview.html"
    nav = "overview"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = self._latest()
        if not rows:
            kwargs |= self._first_steps()
        today, yesterday = activity.two_days(self.account.pk, today=timezone.now().date())
        return super().get_context_data(rows=rows, today=today, yesterday=yesterday, **kwargs)

    def _latest(self) -> Sequence[RequestLog]:
        """Return the latest requests that the user's role may see."""
        place = of(self.request).membership
        keys = scope.key_ids(place, now=timezone.now()) if place else ()
        return search.find(self.account.pk, Wanted(key_ids=keys), rows_max=RECENT_ROWS).rows

    def _first_steps(self) -> dict[str, Any]:
        return {
            "origin": origin(self.request),
            "has_key": ApiKey.objects.filter(account=self.account, disabled_at=None).exists(),
            "model": first_call.model_for(self.account),
        }
