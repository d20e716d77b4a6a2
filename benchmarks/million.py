"""An account with a history: requests over thirty days, each with its row, charge, lease and sums.

Made in bulk, as the gateway would have left it: the audit of the ledger is clean afterwards.
"""

import dataclasses
import datetime as dt
import itertools
import math
import random
import uuid
from collections.abc import Iterator, Sequence

from django.db import connection, transaction
from django.db.models import F

from accounts import keys
from accounts.hours import hour_sql
from accounts.models import Account, ApiKey, User
from accounts.timeids import DAY, bound, uuid7
from billing import charges, closing, ledger, spending
from billing.models import Charge, Lease, LedgerAccount, LedgerEntry, LedgerTransaction, Wallet
from logs import partitions, recorder, sums
from logs.models import RequestLog
from routing.models import Channel, Endpoint, Model

DAYS = 30
GROUP = 20_000
CHARGES_OF_A_LEASE = 200
# Names that people know: the pictures of the pages show them.
NAMES = {
    "openai": ("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4.1-mini", "o4-mini"),
    "anthropic": (
        "claude-opus-4.1", "claude-sonnet-4.5", "claude-sonnet-4", "claude-haiku-4.5",
        "claude-opus-4", "claude-3.5-haiku",
    ),
    "google": (
        "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.0-flash",
        "gemma-3-27b", "gemma-3-12b",
    ),
    "deepseek": (
        "deepseek-v3.2", "deepseek-r1", "deepseek-v3.1", "deepseek-chat", "deepseek-coder",
        "deepseek-prover",
    ),
}  # fmt: skip
MODELS, KEYS, MODELS_OF_A_KEY = 24, 8, 6
KEY_NAMES = (
    "web production", "mobile app", "nightly batch", "search", "support bot", "staging",
    "evaluation", "laptop",
)  # fmt: skip
ERRORS = {
    400: "invalid_value", 402: "insufficient_credit", 429: "rate_limit_exceeded",
    502: "upstream_unreachable",
}  # fmt: skip
TAGS, END_USERS = 12, 300
FAILED = 0.03
SEED = 11


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cast:
    """What the requests are about."""

    account: Account
    keys: Sequence[ApiKey]
    endpoints: Sequence[Endpoint]


def fill(account: Account, person: User, *, requests: int) -> None:
    """Give an account so many requests over the last thirty days."""
    cast = _cast(account, person)
    today = dt.datetime.now(dt.UTC).date()
    for age in range(DAYS + 1):
        partitions.ensure(today=today - age * DAY)
        charges.ensure_partitions(days=0, today=today - age * DAY)
    entries = _entries(cast, requests)
    while group := list(itertools.islice(entries, GROUP)):
        with transaction.atomic():
            _write_logs(group)
            sums.add(group)
            _write_money(account, [one for one in group if one.cost_nusd])
    _sum_hours(account)
    spending.fold(today=today)
    sums.fold(today=today)
    analyze()
    if found := ledger.audit():
        raise SystemExit(f"what was made is not a ledger: {found}")


def analyze() -> None:
    """Tell the planner what was made, however long that takes."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("ANALYZE")
            return
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout; RESET lock_timeout")


def _cast(account: Account, person: User) -> Cast:
    channels = [
        Channel.objects.create(
            name=f"{vendor}-main", vendor=vendor, protocol="openai-chat", base_url="https://x/v1"
        )
        for vendor in NAMES
    ]
    endpoints = []
    for number in range(MODELS):
        channel = channels[number % len(channels)]
        name = NAMES[channel.vendor][number // len(channels)]
        slug = f"{channel.vendor}/{name}"
        model = Model.objects.create(slug=slug, author=channel.vendor, name=name)
        endpoints.append(
            Endpoint.objects.create(
                slug=f"{channel.name}:{slug}", channel=channel, model=model, upstream_name="m"
            )
        )
    made = [
        keys.mint(account=account, created_by=person, name=name)[0] for name in KEY_NAMES[:KEYS]
    ]
    ApiKey.objects.filter(pk__in=[key.pk for key in made[::2]]).update(cost_center="research")
    return Cast(account=account, keys=made, endpoints=endpoints)


def _entries(cast: Cast, requests: int) -> Iterator[recorder.Entry]:
    """Make rows in the order of time: more by day than by night, few models most of the time."""
    dice = random.Random(SEED)  # noqa: S311 - no secret
    end = dt.datetime.now(dt.UTC)
    weights = [1 / (n + 1) for n in range(MODELS_OF_A_KEY)]
    for number in range(requests):
        part = number / requests * DAYS
        part += math.sin(2 * math.pi * part) / (2.2 * math.pi)
        at = end - dt.timedelta(days=DAYS - min(max(part, 0), DAYS))
        place = min(int(dice.expovariate(0.7)), KEYS - 1)
        (choice,) = dice.choices(range(MODELS_OF_A_KEY), weights)
        endpoint = cast.endpoints[(3 * place + choice) % MODELS]
        is_failed = dice.random() < FAILED
        status = dice.choice(tuple(ERRORS)) if is_failed else 200
        tokens = 0 if is_failed else int(dice.lognormvariate(6, 1))
        yield recorder.Entry(
            request_id=_id(at, number), created_at=at, account_id=cast.account.pk,
            api_key_id=cast.keys[place].pk, source_ip="192.0.2.7", surface="chat",
            model=endpoint.model.slug, endpoint=endpoint.slug, vendor=endpoint.channel.vendor,
            channel=endpoint.channel.name, jurisdiction="US", is_stream=number % 3 == 0,
            input_tokens=2 * tokens, cache_read_tokens=tokens // 2, output_tokens=tokens,
            reasoning_tokens=tokens // 4, cost_nusd=tokens * (choice + 1) * 900,
            first_byte_ms=None if is_failed else int(dice.lognormvariate(5.6, 0.6)),
            total_ms=40 if is_failed else int(dice.lognormvariate(7.5, 0.8)),
            status=status,
            finish_reason=None if is_failed else "stop",
            error_code=ERRORS.get(status),
            tag=f"feature-{dice.randrange(TAGS)}" if number % 3 else None,
            end_user=f"{min(int(dice.expovariate(0.02)), END_USERS):032x}" if number % 2 else None,
        )  # fmt: skip


def _id(at: dt.datetime, number: int) -> uuid.UUID:
    midnight = dt.datetime.combine(at.date(), dt.time(), tzinfo=dt.UTC)
    millis = int((at - midnight).total_seconds() * 1000)
    high = bound(at.date()).int + (millis << 80) + (7 << 76)
    return uuid.UUID(int=high | (0b10 << 62) | number)


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value.hex if isinstance(value, uuid.UUID) else value


def _insert(table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write rows by the fastest way that the database has."""
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({places})",  # noqa: S608
                [tuple(map(_plain, row)) for row in rows],
            )


def _write_logs(group: Sequence[recorder.Entry]) -> None:
    rows = [[getattr(entry, name) for name in recorder.FIELDS] for entry in group]
    _insert(RequestLog._meta.db_table, recorder.FIELDS, rows)


CHARGE = (
    "request_id", "lease_id", "wallet_id", "api_key_id", "hold_nusd", "checkpoint_nusd",
    "cost_nusd", "vendor_cost_nusd", "endpoint", "state", "reason", "corrected",
)  # fmt: skip


def _write_money(account: Account, paid: Sequence[recorder.Entry]) -> None:
    """Charge what was answered, on closed leases with their postings."""
    total = sum(entry.cost_nusd for entry in paid)
    ledger.credit(
        account_id=account.pk, amount_nusd=total + 10**9, source=LedgerAccount.Kind.PROMOTION,
        ref=f"bench {paid[0].request_id}", actor="bench",
    )  # fmt: skip
    groups = [paid[n : n + CHARGES_OF_A_LEASE] for n in range(0, len(paid), CHARGES_OF_A_LEASE)]
    spent = [sum(entry.cost_nusd for entry in group) for group in groups]
    leases = Lease.objects.bulk_create(
        Lease(
            worker=uuid.uuid4(), wallet_id=account.pk, amount_nusd=cost, spent_nusd=cost,
            state=Lease.State.CLOSED, created_at=group[0].created_at,
        )
        for group, cost in zip(groups, spent, strict=True)
    )  # fmt: skip
    rows = [
        (e.request_id, lease.pk, account.pk, e.api_key_id, e.cost_nusd, 0, e.cost_nusd,
         e.cost_nusd // 2, e.endpoint, "settled", "normal", False)
        for lease, group in zip(leases, groups, strict=True) for e in group
    ]  # fmt: skip
    _insert(Charge._meta.db_table, CHARGE, rows)
    _post(account, leases, spent)
    Wallet.objects.filter(pk=account.pk).update(
        debit_nusd=F("debit_nusd") + total, spent_nusd=F("spent_nusd") + total
    )


def _post(account: Account, leases: Sequence[Lease], spent: Sequence[int]) -> None:
    owner = ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=account.pk)
    revenue = ledger.account_of(LedgerAccount.Kind.REVENUE)
    postings = [
        LedgerTransaction(
            id=uuid7(), kind=ledger.LEASE, ref=str(lease.pk), actor="bench",
            created_at=lease.created_at,
        )
        for lease in leases
    ]  # fmt: skip
    LedgerTransaction.objects.bulk_create(postings)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(transaction=posting, seq=seq, account=side, amount_nusd=sign * cost)
        for posting, cost in zip(postings, spent, strict=True)
        for seq, side, sign in ((0, revenue, 1), (1, owner, -1))
    )
    LedgerTransaction.objects.filter(pk__in=[one.pk for one in postings]).update(sealed=True)


def _sum_hours(account: Account) -> None:
    hour = hour_sql(connection.vendor, "c.request_id")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_spendhour"  # noqa: S608
            " (wallet_id, hour, api_key_id, endpoint, requests, cost_nusd)"
            f" SELECT c.wallet_id, {hour}, c.api_key_id, c.endpoint, COUNT(*), SUM(c.cost_nusd)"
            f" FROM billing_charge c WHERE c.wallet_id = %s AND {closing.BILLED}"
            " GROUP BY 1, 2, 3, 4",
            [account.pk],
        )
