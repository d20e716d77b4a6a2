"""History: the account's orders, newest first."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import roles
from bananarouter.pages.billing import amounts, words
from bananarouter.pages.billing.numbers import read_hex
from bananarouter.pages.shell import Page
from billing.models import Order

PAGE_ROWS = 50
State = Order.State
# By the words of the URL.
FILTERS: Mapping[str, tuple[words.Words, tuple[State, ...]]] = {
    "open": (_("Waiting"), (State.CREATED, State.PENDING)),
    "paid": (_("Credited"), (State.PAID, State.WON)),
    "refunded": (_("Refunded"), (State.PART_REFUNDED, State.REFUNDED)),
    "disputed": (_("Disputed"), (State.DISPUTED, State.LOST)),
    "unpaid": (_("Not paid"), (State.CLOSED, State.FAILED)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order in a list."""

    order: Order

    @property
    def state_name(self) -> words.Words:
        return words.STATES[self.order.state][0]

    @property
    def state_kind(self) -> str:
        return words.STATES[self.order.state][1]

    @property
    def processor(self) -> words.Words:
        return words.PROCESSORS[self.order.processor]

    @property
    def total(self) -> str:
        return amounts.written(self.order.total_minor, self.order.currency)


class Orders(Page):
    """The account's orders, newest first."""

    template_name = "billing/history.html"
    nav = "billing"
    needs = roles.may_see_money

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        chosen = self.request.GET.get("state", "")
        chosen = chosen if chosen in FILTERS else ""
        before = self.request.GET.get("before", "")
        rows = _orders(self.account.pk, chosen=chosen, before=before)
        page = rows[:PAGE_ROWS]
        older = page[-1].number if len(rows) > PAGE_ROWS else ""
        return super().get_context_data(
            tab="orders",
            rows=[OrderRow(order=order) for order in page],
            filters=[("", _("All")), *((key, name) for key, (name, _states) in FILTERS.items())],
            chosen=chosen,
            older=older,
            is_first=not before,
            **kwargs,
        )


def _orders(account_id: int, *, chosen: str, before: str) -> list[Order]:
    """Return a page of orders and one more; a query for each state, which has an index."""
    wanted = Order.objects.filter(account_id=account_id).order_by("-created_at", "-pk")
    if pk := read_hex(before):
        last = Order.objects.filter(account_id=account_id, pk=pk).first()
        if last is None:
            return []
        same = Q(created_at=last.created_at, pk__lt=pk)
        wanted = wanted.filter(Q(created_at__lt=last.created_at) | same)
        wanted = wanted.filter(created_at__lte=last.created_at)  # a range that the index knows
    if not chosen:
        return list(wanted[: PAGE_ROWS + 1])
    parts = [list(wanted.filter(state=state)[: PAGE_ROWS + 1]) for state in FILTERS[chosen][1]]
    merged = heapq.merge(*parts, key=lambda order: (order.created_at, order.pk), reverse=True)
    return list(merged)[: PAGE_ROWS + 1]
