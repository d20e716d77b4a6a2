"""What a management key does with the ordinary keys of its account."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from django.db import transaction
from django.db.models import QuerySet

from accounts import keys
from accounts.keys import Caller
from accounts.models import Account, ApiKey
from billing import budgets, queries, windows
from billing.models import Budget
from billing.money import USD, BadAmount, parse_usd
from routing import key_sheets
from routing.dialects import fields
from routing.errors import Code, RelayError

PAGE_ROWS = 100  # OpenRouter's
NAME_CHARS_MAX = 80
LIMIT_USD_MAX = 1_000_000
# A program that makes keys without end is broken.
KEYS_MAX = 10_000
ALWAYS_NULL = ("workspace_id", "creator_user_id")
CREATE_FIELDS = frozenset(
    {"name", "limit", "limit_reset", "expires_at", "include_byok_in_limit", *ALWAYS_NULL}
)
CHANGE_FIELDS = frozenset({"name", "disabled", "limit", "limit_reset", "include_byok_in_limit"})


class NoSuchKey(LookupError):
    """The account has no ordinary key of this hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a request asks of a key; None, and `has_limit` False: it says nothing of that."""

    name: str | None = None
    is_disabled: bool | None = None
    has_limit: bool = False
    limit_nusd: int | None = None  # None with `has_limit`: no limit
    period: str | None = None  # of the limit, one of windows.PERIODS
    expires_at: dt.datetime | None = None

    @classmethod
    def to_create(cls, body: Mapping[str, Any], *, now: dt.datetime) -> "Wish":
        """Read the body of POST /keys. Raises: RelayError (400) naming the field."""
        _only(body, CREATE_FIELDS)
        if body.get("name") is None:
            fields.refuse_missing("name", "a name for the key")
        has_limit = body.get("limit") is not None
        if body.get("limit_reset") is not None and not has_limit:
            _refuse("limit_reset", "says when a limit starts over: give `limit`, too")
        return cls(
            name=_name(body),
            has_limit=has_limit,
            limit_nusd=_limit(body),
            period=_period(body) if has_limit else None,
            expires_at=_expires_at(body, now),
        )

    @classmethod
    def to_change(cls, body: Mapping[str, Any]) -> "Wish":
        """Read the body of PATCH /keys/{hash}. Raises: RelayError (400) naming the field."""
        _only(body, CHANGE_FIELDS)
        has_switch = body.get("disabled") is not None
        return cls(
            name=_name(body),
            is_disabled=fields.flag(body, "disabled") if has_switch else None,
            has_limit="limit" in body,
            limit_nusd=_limit(body),
            period=_period(body) if "limit_reset" in body else None,
        )


def listed(
    account_id: int, *, offset: int, has_disabled: bool, now: dt.datetime
) -> list[dict[str, Any]]:
    """Return a page of an account's ordinary keys, newest first; revoked ones are gone."""
    rows = _ordinary(account_id).order_by("-pk")
    if not has_disabled:
        rows = rows.filter(paused_at=None)
    page = list(rows[offset : offset + PAGE_ROWS])
    return key_sheets.told(page, account_id=account_id, now=now)


def one(account_id: int, public_hash: str, *, now: dt.datetime) -> dict[str, Any]:
    """Return one key. Raises: NoSuchKey."""
    key = find(account_id, public_hash)
    return key_sheets.told([key], account_id=account_id, now=now)[0]


def create(caller: Caller, wish: Wish, *, now: dt.datetime) -> tuple[dict[str, Any], str]:
    """Make a key of the caller's account; return it and its text, which is known only now.

    Raises: RelayError (403) for an account that has too many.
    """
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=caller.account_id)
        if _ordinary(account.pk).count() >= KEYS_MAX:
            raise RelayError(
                code=Code.PERMISSION_DENIED,
                message=f"This account has {KEYS_MAX:,} keys: delete some first.",
            )
        maker = ApiKey.objects.select_related("created_by").get(pk=caller.key_id)
        key, text = keys.mint(
            account=account,
            created_by=maker.created_by,
            name=wish.name or "",
            expires_at=wish.expires_at,
        )
        _set_limit(key, wish, now=now)
    return one(account.pk, keys.public_hash(bytes(key.digest)), now=now), text


def change(account_id: int, public_hash: str, wish: Wish, *, now: dt.datetime) -> dict[str, Any]:
    """Change a key, on every worker within a second; return it.

    Raises: NoSuchKey; RelayError (403) for a key that the operator holds.
    """
    with transaction.atomic():
        key = find(account_id, public_hash)
        if wish.name is not None:
            keys.rename(key, name=wish.name)
        _set_limit(key, wish, now=now)
        if wish.is_disabled is not None:
            _set_paused(key, is_paused=wish.is_disabled)
    return one(account_id, public_hash, now=now)


def _set_paused(key: ApiKey, *, is_paused: bool) -> None:
    try:
        keys.set_paused(key, is_paused=is_paused)
    except keys.KeyHeld as error:
        raise RelayError(
            code=Code.PERMISSION_DENIED,
            message="This key was paused by the operator after a report of abuse.",
        ) from error


def delete(account_id: int, public_hash: str) -> None:
    """Revoke a key for good, on every worker within a second. Raises: NoSuchKey."""
    if not keys.delete(find(account_id, public_hash)):
        raise NoSuchKey(public_hash)


def find(account_id: int, public_hash: str) -> ApiKey:
    """Return an ordinary key of an account that is not revoked. Raises: NoSuchKey."""
    digests = _ordinary(account_id).values_list("pk", "digest")
    for pk, digest in digests.iterator():
        if keys.public_hash(bytes(digest)) == public_hash:
            return ApiKey.objects.get(pk=pk)
    raise NoSuchKey(public_hash)


def _ordinary(account_id: int) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(account_id=account_id, is_management=False, disabled_at=None)


def _set_limit(key: ApiKey, wish: Wish, *, now: dt.datetime) -> None:
    """Give a key the one limit that the API knows, in place of all that it has.

    What a change does not name of it, amount or period, stays as it is told. Raises: RelayError.
    """
    if not wish.has_limit and wish.period is None:
        return
    limits: dict[str, int | None] = dict.fromkeys(windows.PERIODS)
    amount, period = wish.limit_nusd, wish.period
    if amount is None or period is None:
        found = queries.key_limits(key.account_id, now=now).get(key.limits_key_id, ())
        told = key_sheets.tightest(found)
        period = period or (told.period if told else Budget.Period.TOTAL)
        if not wish.has_limit:
            if told is None:
                _refuse("limit_reset", "says when a limit starts over, and this key has none")
            amount = told.limit_nusd
    limits[period] = amount
    budgets.set_limits(api_key_id=key.pk, limits=limits, now=now)


def _only(body: Mapping[str, Any], names: frozenset[str]) -> None:
    for name in body:
        if name not in names:
            known = ", ".join(sorted(names))
            _refuse(name[:40], f"is no field of this request, which takes {known}")
    if body.get("workspace_id") is not None or body.get("creator_user_id") is not None:
        name = "workspace_id" if body.get("workspace_id") is not None else "creator_user_id"
        _refuse(name, "must be left out: an account has neither workspaces nor members' keys")
    if fields.flag(body, "include_byok_in_limit"):
        _refuse("include_byok_in_limit", "must be false: there are no vendor keys of your own")


def _name(body: Mapping[str, Any]) -> str | None:
    text = fields.text(body, "name")
    if text is None:
        return None
    text = text.strip()
    if not 0 < len(text) <= NAME_CHARS_MAX or not text.isprintable():
        _refuse("name", f"must have 1 to {NAME_CHARS_MAX} printable characters")
    return text


def _limit(body: Mapping[str, Any]) -> int | None:
    value = body.get("limit")
    if value is None:
        return None
    if type(value) not in (int, float):
        fields.refuse_type(value, "a number of US dollars", "limit")
    try:
        found = parse_usd(str(value))
    except BadAmount:
        found = None
    if found is None or not 0 <= found <= LIMIT_USD_MAX * USD:
        _refuse("limit", f"must be 0 to {LIMIT_USD_MAX:,} US dollars, with at most 9 decimals")
    return found


def _period(body: Mapping[str, Any]) -> str:
    text = fields.text(body, "limit_reset")
    if text is None:
        return Budget.Period.TOTAL
    if text not in windows.PERIODS or text == Budget.Period.TOTAL:
        _refuse("limit_reset", "must be daily, weekly, monthly or null")
    return text


def _expires_at(body: Mapping[str, Any], now: dt.datetime) -> dt.datetime | None:
    text = fields.text(body, "expires_at")
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        found = None
    # OpenRouter takes UTC only (2026-08): what has no zone could mean another hour.
    if found is None or found.utcoffset() != dt.timedelta(0):
        _refuse("expires_at", "must be a moment in UTC, like 2027-01-31T00:00:00Z")
    if found <= now:
        _refuse("expires_at", "must be in the future")
    return found


def _refuse(param: str, what: str) -> NoReturn:
    fields.refuse(Code.INVALID_VALUE, f"`{param}` {what}.", param)
