"""What the platform API tells of an API key, in OpenRouter's shapes (read 2026-08)."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from accounts import keys
from accounts.models import ApiKey
from billing import queries
from billing.money import decimal_usd
from billing.queries import KeyLimit, Spent

# Keys of one's own at a vendor are not offered: nothing is ever used through them.
_BYOK = {
    "byok_usage": 0,
    "byok_usage_daily": 0,
    "byok_usage_weekly": 0,
    "byok_usage_monthly": 0,
    "include_byok_in_limit": False,
}


def usd(nusd: int) -> float:
    """Return dollars as OpenRouter's clients expect them: a JSON number."""
    return float(decimal_usd(nusd))


def told(rows: Sequence[ApiKey], *, account_id: int, now: dt.datetime) -> list[dict[str, Any]]:
    """Return what management sees of keys of one account, in their order."""
    limits = queries.key_limits(account_id, now=now)
    ids = [key.pk for key in rows]
    spent = queries.spent_by_key(account_id, today=now.date(), key_ids=ids)
    return [
        {
            "hash": keys.public_hash(bytes(key.digest)),
            "name": key.name,
            "disabled": key.paused_at is not None,
            "created_at": key.created_at.isoformat(),
            "updated_at": None,
            "workspace_id": None,
            **money(
                key, limits=limits.get(key.limits_key_id, ()), spent=spent.get(key.pk, Spent())
            ),
        }
        for key in rows
    ]


def tightest(limits: Sequence[KeyLimit]) -> KeyLimit | None:
    """Return the limit that leaves least, of equal ones that which lasts longest."""
    return min(reversed(limits), key=lambda limit: limit.left_nusd, default=None)


def _limit(limit: KeyLimit) -> dict[str, Any]:
    return {
        "limit": usd(limit.limit_nusd),
        "limit_remaining": usd(limit.left_nusd),
        "limit_reset": None if limit.resets_at is None else limit.period,
        "resets_at": limit.resets_at.isoformat() if limit.resets_at else None,
    }


def money(key: ApiKey, *, limits: Sequence[KeyLimit], spent: Spent) -> dict[str, Any]:
    """Return a key's label, limits, end and usage.

    OpenRouter knows one limit of a key: here that is the one which leaves least.
    """
    limit = tightest(limits)
    return {
        "label": f"{key.name} (…{key.last_four})",
        "limit": usd(limit.limit_nusd) if limit else None,
        "limit_remaining": usd(limit.left_nusd) if limit else None,
        "limit_reset": limit.period if limit and limit.resets_at else None,
        "limits": [_limit(one) for one in limits],
        "usage": usd(spent.total_nusd),
        "usage_daily": usd(spent.day_nusd),
        "usage_weekly": usd(spent.week_nusd),
        "usage_monthly": usd(spent.month_nusd),
        **_BYOK,
        "creator_user_id": None,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }
