"""Overview: what do I have, what did I spend today, on what; or the way to a first call."""

from typing import Any

from django.utils import timezone

from bananarouter.pages import activity
from bananarouter.pages.shell import Page

RECENT_ROWS = 8


class Overview(Page):
    """Balance, today's sums and the latest requests of the account."""

    template_name = "overview.html"
    nav = "overview"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = activity.latest(self.account.pk, activity.Filters(), rows_max=RECENT_ROWS)
        today, yesterday = activity.two_days(self.account.pk, today=timezone.now().date())
        return super().get_context_data(rows=rows, today=today, yesterday=yesterday, **kwargs)
