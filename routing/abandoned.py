"""What a key's abandoned requests may cost the platform in a day, in this worker.

A client that leaves before the first byte pays nothing, though the vendor may bill the prompt:
without a cap that is a free way to burn the platform's money.
"""

import time
from collections import OrderedDict

from django.conf import settings

from routing.errors import Code, RelayError

DAY_S = 86_400.0
KEYS_MAX = 20_000

_spent: OrderedDict[int, tuple[float, int]] = OrderedDict()  # key id -> since when, nUSD


def note(key_id: int, vendor_cost_nusd: int) -> None:
    """Count what a vendor may bill for a request that its client left."""
    now = time.monotonic()
    since, spent = _spent.get(key_id, (now, 0))
    if now - since >= DAY_S:
        since, spent = now, 0
    _spent[key_id] = (since, spent + vendor_cost_nusd)
    _spent.move_to_end(key_id)
    if len(_spent) > KEYS_MAX:
        _spent.popitem(last=False)


def check(key_id: int) -> None:
    """Refuse a key that abandoned too much today. Raises: RelayError (429)."""
    found = _spent.get(key_id)
    if found is None or found[1] < settings.ABANDONED_NUSD_PER_DAY:
        return
    left_s = DAY_S - (time.monotonic() - found[0])
    if left_s <= 0:
        return
    raise RelayError(
        code=Code.ABANDONED_COST,
        message="Too many requests of this API key were left before their first byte today: "
        "wait for answers, or use another key.",
        retry_after_s=int(left_s) + 1,
    )


def forget() -> None:
    """Forget all keys."""
    _spent.clear()
