"""The clients' own record of received bytes against the charges."""

import collections
from collections.abc import Iterable

from accounts.timeids import moment
from tests.e2e.crash_client import Record
from tests.e2e.crash_site import TTL_S, Charge, Site
from tests.e2e.crash_vendor import OUTPUT_NUSD

# A checkpoint is at most a second old when it is written; then it waits for its commit.
LOST_S_MAX = 1.5
PROBE = 0  # the number of requests that only ask whether they are served
LOST = "paid, its answer lost"


def check(
    site: Site,
    records: Iterable[Record],
    *,
    since: float,
    killed_at: float | None = None,
    found: collections.Counter[str] | None = None,
) -> None:
    """Hold every answer against its charge, and every charge against an answer.

    `since` is wall-clock time, `killed_at` monotonic: when a worker of these requests died.
    """
    found = collections.Counter() if found is None else found
    assert not site.breaches()
    assert not site.open_charges(since_s=2 * TTL_S)
    charges = {
        key: charge for key, charge in site.charges().items() if moment(key).timestamp() >= since
    }
    plans = {record.plan.number: record for record in records}
    by_number = collections.defaultdict(list)
    for charge in charges.values():
        if charge.number is not None:
            by_number[charge.number].append(charge)
    for record in plans.values():
        charge = charges.pop(record.request_id, None) if record.request_id else None
        found[_judge(record, charge, killed_at)] += 1
        assert len(by_number[record.plan.number]) <= 1, "an answer was charged twice"
    for charge in charges.values():
        found[_judge_unknown(charge, plans)] += 1


def _judge(record: Record, charge: Charge | None, killed_at: float | None) -> str:
    """Check one request whose client heard of it, or heard nothing; return what it was."""
    if record.is_delivered:
        assert charge is not None, f"free: {record}"
        assert (charge.state, charge.reason) == ("settled", "normal"), (charge, record)
        assert charge.cost_nusd == record.plan.price_nusd, (charge, record)
        assert charge.number == record.plan.number
        return "delivered and paid"
    if charge is None:
        assert not record.tokens(), f"free: {record}"
        return "refused" if record.status else "not answered"
    assert charge.state != "open", charge
    if charge.state == "settled" and charge.reason == "normal":
        # Settled, then killed before the last bytes left: what is missing is the end alone.
        assert record.tokens() == record.plan.tokens, (charge, record)
        assert charge.cost_nusd == record.plan.price_nusd
        return "paid, its end lost"
    return _judge_cut(record, charge, killed_at)


def _judge_cut(record: Record, charge: Charge, killed_at: float | None) -> str:
    tokens = charge.cost_nusd // OUTPUT_NUSD
    assert tokens <= record.tokens(), f"paid for what did not come: {charge} {record}"
    if killed_at is not None and record.tokens():
        least = record.tokens(until=killed_at - LOST_S_MAX)
        assert tokens >= least, f"more than a second is lost: {charge} {record}"
    return f"{charge.state} {charge.reason}"


def _judge_unknown(charge: Charge, plans: dict[int, Record]) -> str:
    """Check a charge whose request id no client was told."""
    assert charge.state != "open", charge
    if charge.cost_nusd == 0:
        return f"free, {charge.state} {charge.reason}"
    if charge.number == PROBE:
        return "probe"
    # Settled, then killed before the first byte left: the one answer that is paid and lost.
    assert (charge.state, charge.reason) == ("settled", "normal"), charge
    record = plans[charge.number]
    assert record.status is None
    assert not record.plan.is_stream
    assert charge.cost_nusd == record.plan.price_nusd
    return LOST
