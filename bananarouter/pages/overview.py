"""Overview: what do I have, what did I spend, on what, what needs me; or the first call."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from django.utils import timezone

from bananarouter.pages import attention, glance
from bananarouter.pages.shell import Page, of
from bananarouter.pages.usage import scope
from billing import holds
from logs import search
from logs.models import RequestLog
from logs.search import Wanted

RECENT_ROWS = 8


class Overview(Page):
    """Balance, the last days, and the latest requests: of the account, or of one's own keys."""

    template_name = "overview.html"
    nav = "overview"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = timezone.now()
        key_ids = scope.key_ids(of(self.request).membership)
        rows = self._latest(key_ids)
        money = glance.money(self.account.pk, today=now.date(), key_ids=key_ids)
        kwargs["notes"] = []
        if rows:
            kwargs |= self._work(money, now=now, key_ids=key_ids)
        if of(self.request).may["change_account"]:
            kwargs["notes"] += attention.of_territory(self.account)
        return super().get_context_data(rows=rows, money=money, sees_all=key_ids is None, **kwargs)

    def _latest(self, key_ids: Collection[int] | None) -> Sequence[RequestLog]:
        """Return the latest requests, of all keys or of some, the newest keys first."""
        keys = None if key_ids is None else tuple(sorted(key_ids, reverse=True))
        return search.find(self.account.pk, Wanted(key_ids=keys), rows_max=RECENT_ROWS).rows

    def _work(
        self, money: glance.Money, *, now: dt.datetime, key_ids: Collection[int] | None
    ) -> dict[str, Any]:
        today = now.date()
        work = glance.work(self.account.pk, today=today, key_ids=key_ids)
        sees_freeze = key_ids is None and money.is_frozen
        freeze = holds.frozen(self.account.pk) if sees_freeze else None
        notes = attention.of_keys(self.account.pk, work.failures, key_ids=key_ids, now=now)
        if freeze is None:  # which models end matters little while every request is refused
            notes[:0] = attention.of_models(self.account.pk, key_ids=key_ids, now=now)
        balance = of(self.request).balance
        if key_ids is None and balance is not None:
            notes[:0] = attention.of_money(balance, week_nusd=money.week.value, freeze=freeze)
        # Latency is summed for the whole account.
        speed = glance.speed(self.account.pk, today=today) if key_ids is None else None
        return {"work": work, "speed": speed, "notes": notes}
