"""What members who see an account's money hear of it: low balance, automatic top-ups, fapiao."""

import datetime as dt
import uuid
from typing import Final

from accounts import notifications, roles
from accounts.models import Account, Membership, Notification, User
from accounts.notifications import FACT_CHARS_MAX, Notice
from accounts.timeids import uuid7
from billing.models import FapiaoRequest, Order
from billing.money import display_usd
from billing.payments.receipts import minor_text

TOP_UP: Final = "top_up"
PATH: Final = "/billing"
FAPIAO: Final = "fapiao"
_OF_FAPIAO: Final = {
    FapiaoRequest.State.ISSUED: "fapiao_issued",
    FapiaoRequest.State.REFUSED: "fapiao_refused",
    FapiaoRequest.State.RED_ISSUED: "fapiao_reversed",
}


def topped_up(order: Order, *, now: dt.datetime) -> None:
    """Tell that an automatic top-up was paid."""
    paid = f"{minor_text(order.total_minor)} {order.currency}"
    notice = Notice(
        kind=TOP_UP,
        key=f"topped-up:{order.number}",
        name="topped_up",
        facts={"paid": paid, "credit": display_usd(order.credit_nusd)},
        path=f"/billing/orders/{order.number}",
    )
    _tell(order.account, notice, now=now)


def top_up_failed(account: Account, *, is_off: bool, now: dt.datetime) -> None:
    """Tell that an automatic top-up failed, and whether it is now off."""
    name = "top_up_failed_off" if is_off else "top_up_failed"
    key = f"top-up-failed:{account.pk}:{now:%Y%m%d%H%M%S}"
    _tell(account, Notice(kind=TOP_UP, key=key, name=name, path=PATH), now=now)


def turned_off(account: Account, *, now: dt.datetime) -> None:
    """Tell that automatic top-up is off because its card is gone or its amount not possible."""
    key = f"top-up-off:{account.pk}:{now:%Y%m%d%H%M%S}"
    _tell(account, Notice(kind=TOP_UP, key=key, name="top_up_off", path=PATH), now=now)


def cap_reached(account: Account, *, cap_minor: int, now: dt.datetime) -> None:
    """Tell, once in a month, that automatic top-up waits because of its monthly cap."""
    notice = Notice(
        kind="low_balance",
        key=f"top-up-cap:{account.pk}:{now:%Y-%m}:{cap_minor}",
        name="top_up_cap",
        facts={"account": account.name, "cap": minor_text(cap_minor)},
        path=PATH,
        is_urgent=True,
    )
    _tell(account, notice, now=now)


def low_balance(
    account: Account, *, available_nusd: int, threshold_nusd: int, now: dt.datetime
) -> None:
    """Tell that the balance fell below the threshold; each call is an event of its own."""
    notice = Notice(
        kind="low_balance",
        key=f"low-balance:{account.pk}:{uuid7()}",
        name="low_balance",
        facts={
            "account": account.name,
            "available": display_usd(available_nusd),
            "threshold": display_usd(threshold_nusd),
        },
        path=PATH,
        is_urgent=True,
    )
    _tell(account, notice, now=now)


def fapiao_answered(request: FapiaoRequest, *, now: dt.datetime) -> None:
    """Tell who asked for a fapiao what became of it; each call is an event of its own.

    The mail goes to the address that the request names, which need not be a user's. An order
    whose account has no member any more has nobody to tell.
    """
    reader = _reader_of(request)
    if reader is None:
        return
    account, number = request.order.account, request.order.number
    notice = Notice(
        kind=FAPIAO,
        key=f"{FAPIAO}:{number}:{uuid7()}",
        name=_OF_FAPIAO[FapiaoRequest.State(request.state)],
        facts={
            "number": request.fapiao_number,
            "red": request.red_number,
            "note": _cut(request.note),
        },
        path=f"{PATH}/orders/{number}/fapiao",
    )
    notifications.tell(user=reader, notice=notice, account=account, address=request.email, now=now)


def address_of(notification: Notification) -> str:
    """Return where staff send the mail of a notice again; "" for the reader's own address.

    What became of a fapiao goes to the address that its request names now: who pays for the
    account typed it there, and may correct it by asking again.
    """
    source, _, rest = notification.key.partition(":")
    if source != FAPIAO:
        return ""
    asked = FapiaoRequest.objects.filter(order=uuid.UUID(rest.partition(":")[0]))
    return asked.values_list("email", flat=True).first() or ""


def _reader_of(request: FapiaoRequest) -> User | None:
    """Return who asked; the first member who sees the money when that one left, or does not."""
    places = Membership.objects.filter(account=request.order.account, user__is_active=True)
    readers = [
        place.user
        for place in places.select_related("user").order_by("pk")
        if roles.may_see_money(place.role)
    ]
    asked = (reader for reader in readers if reader.pk == request.asked_by_id)
    return next(asked, readers[0] if readers else None)


def _cut(text: str) -> str:
    """Shorten a text to what a notice may say; its page has all of it."""
    return text if len(text) <= FACT_CHARS_MAX else text[: FACT_CHARS_MAX - 1] + "…"


def _tell(account: Account, notice: Notice, *, now: dt.datetime) -> None:
    notifications.tell_account(account=account, roles=roles.may_see_money, notice=notice, now=now)
