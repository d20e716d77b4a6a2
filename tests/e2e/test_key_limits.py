"""A key's own limits on a running gateway: money by the day, and where its requests may go.

Clocks cannot be moved here: what happens when a window turns is in tests/billing/test_windows.py.
"""

import datetime as dt
import json
import subprocess
import sys
import time

import pytest

from tests import scripts
from tests.e2e import serving
from tests.e2e.serving import CHAT, GENERATE, GENERATIONS, MESSAGES, Serving
from tests.gateways import ROOT

pytestmark = pytest.mark.process
generations = pytest.mark.parametrize("protocol", GENERATIONS, ids=[p.name for p in GENERATIONS])
HEARD_S_MAX = 1.0
COST_USD = 0.00011025  # 10 tokens in, 5 out, and 5 % on top
LIMIT_USD = 0.002  # several requests, each of which holds about half of it
# Runs in `manage.py shell`: what the keys page does.
RESTRICT = """
from accounts import changes, keys
from accounts.models import Account, Change
from django.db import transaction
key = keys.find({key!r})
with transaction.atomic():
    keys.change(key, allowed_jurisdictions={own!r})
    Account.objects.filter(pk=key.account_id).update(allowed_jurisdictions={accounts!r})
    changes.announce(Change.Topic.ACCOUNT, str(key.account_id))
"""
ROTATE = """
import datetime as dt
from django.utils import timezone
from accounts import keys
print(keys.rotate(keys.find({key!r}), overlap=dt.timedelta(hours=1), now=timezone.now())[1])
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(
        tmp_path_factory.mktemp("limits"), spares=1, places=("US", "CN"), LEASE_ROTATION_S="1"
    ).start()
    for vendor in (place.vendor, *place.spares):
        for protocol in GENERATIONS:
            vendor.scripts[serving.model_of(protocol, "main")] = protocol.answer()
    yield place
    place.gateway.manage("audit_ledger")
    place.stop()


_emails = iter(f"key{n}@example.com" for n in range(100))


def shell(place, code):
    data = place.gateway.folder / "data"
    result = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT, env={**place.gateway.environment, "DATA_DIR": str(data)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    time.sleep(HEARD_S_MAX)
    return result.stdout.strip()


class Manager:
    """A management key, and the API that it speaks."""

    def __init__(self, place):
        self.place = place
        self.email = next(_emails)
        self.key = place.new_key(self.email, "--management")

    def ask(self, method, path, body=None):
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        raw = json.dumps(body).encode() if body is not None else b""
        return self.place.ask(method, f"/api/v1/{path}", raw, headers).json

    def create(self, **body):
        made = self.ask("POST", "keys", {"name": "k", **body})
        return made["data"]["hash"], made["key"]

    def told(self, public_hash):
        return self.ask("GET", f"keys/{public_hash}")["data"]


@pytest.fixture
def manager(place):
    return Manager(place)


def use_up(place, key):
    """Call until the key is refused; return the answer and how many were served."""
    for served in range(40):
        answer = place.call(CHAT, key=key)
        if answer.status != 200:
            return answer, served
    raise AssertionError("the limit does not hold")


def message(protocol, answer):
    return answer.json["error"]["message"]


def test_a_daily_limit_ends_in_a_402_that_names_it_in_every_protocol(place, manager):
    public_hash, key = manager.create(limit=LIMIT_USD, limit_reset="daily")
    answer, served = use_up(place, key)
    assert 0 < served <= LIMIT_USD / COST_USD
    tomorrow = dt.datetime.combine(
        dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC
    )
    for protocol in GENERATIONS:
        answer = place.call(protocol, key=key)
        assert answer.status == 402
        said = message(protocol, answer)
        assert "this API key's daily limit of $0.002" in said
        assert f"It starts over at {tomorrow:%Y-%m-%dT%H:%M:%SZ}." in said
        left_s = (tomorrow - dt.datetime.now(dt.UTC)).total_seconds()
        assert left_s - 5 <= int(answer.headers["retry-after"]) <= left_s + 5
        if protocol is not MESSAGES:
            assert answer.code == "key_limit_reached"
        if protocol is GENERATE:
            assert answer.json["error"]["status"] == "RESOURCE_EXHAUSTED"
    told = manager.told(public_hash)
    assert told["usage_daily"] == pytest.approx(served * COST_USD)
    assert told["limit_remaining"] == pytest.approx(LIMIT_USD - served * COST_USD)
    assert (told["limit"], told["limit_reset"]) == (LIMIT_USD, "daily")
    metadata = platform(place, key)["metadata"]
    assert (metadata["limit"], metadata["limit_usd"]) == ("daily", "0.002")
    assert metadata["resets_at"] == tomorrow.isoformat()
    # Another key of the account is as free as before, and so is this one without its limit.
    assert place.call(CHAT, key=manager.create()[1]).status == 200
    manager.ask("PATCH", f"keys/{public_hash}", {"limit": 1, "limit_reset": "monthly"})
    time.sleep(HEARD_S_MAX)
    assert place.call(CHAT, key=key).status == 200
    # What was spent this month counts in the limit of the month.
    assert manager.told(public_hash)["limit_remaining"] == pytest.approx(
        1 - (served + 1) * COST_USD
    )


def platform(place, key):
    _, body = CHAT.request("c-main")
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    answer = place.ask("POST", "/api/v1/chat/completions", json.dumps(body).encode(), headers)
    assert answer.status == 402
    return answer.json["error"]


def test_a_limit_in_total_never_starts_over(place, manager):
    _, key = manager.create(limit=LIMIT_USD)
    answer, _ = use_up(place, key)
    assert "total limit of $0.002" in message(CHAT, answer)
    assert "starts over" not in message(CHAT, answer)
    assert "retry-after" not in answer.headers


def test_a_rotated_key_has_no_limit_of_its_own(place, manager):
    public_hash, key = manager.create(limit=LIMIT_USD, limit_reset="weekly")
    _, served = use_up(place, key)
    new = shell(place, ROTATE.format(key=key)).split()[-1]
    answer = place.call(CHAT, key=new)
    assert (answer.status, answer.code) == (402, "key_limit_reached")
    assert "weekly limit" in message(CHAT, answer)
    manager.ask("PATCH", f"keys/{public_hash}", {"limit": 0.003})
    time.sleep(HEARD_S_MAX)
    answers = [place.call(CHAT, key=text).status for _ in range(10) for text in (key, new)]
    assert 0 < answers.count(200) <= 0.003 / COST_USD - served
    assert answers[-2:] == [402, 402]


# Jurisdictions


def dialled(place):
    """How many requests each vendor has got."""
    return [len(vendor.exchanges) for vendor in (place.vendor, *place.spares)]


def dials_during(place, call):
    before = dialled(place)
    answers = call()
    return answers, [after - was for after, was in zip(dialled(place), before, strict=True)]


@pytest.mark.clause("6-crossborder")
@generations
def test_a_restricted_key_never_leaves_its_jurisdiction(place, protocol):
    key = place.new_key(next(_emails))
    shell(place, RESTRICT.format(key=key, own=["CN"], accounts=[]))

    def calls():
        return [place.call(protocol, key=key).status for _ in range(4)]

    assert dials_during(place, calls) == ([200] * 4, [0, 4])
    # Nor when the only vendor there fails: no request falls back to another place.
    spare, name = place.spares[0], serving.model_of(protocol, "main")
    good = spare.scripts[name]
    spare.scripts[name] = scripts.whole({"error": {"message": "down"}}, status=500)
    try:
        statuses, (abroad, at_home) = dials_during(place, calls)
    finally:
        spare.scripts[name] = good
    assert min(statuses) >= 500
    assert abroad == 0
    assert at_home >= 4


@pytest.mark.clause("6-crossborder")
@generations
@pytest.mark.parametrize(
    ("own", "accounts", "who"),
    [
        (["FR"], [], "This API key allows vendors in FR only"),
        ([], ["SG"], "This account allows vendors in SG only"),
        (["US"], ["CN"], "This API key allows no jurisdiction that its account allows"),
    ],
)
def test_where_no_vendor_is_left_it_gets_a_clear_error_instead(place, protocol, own, accounts, who):
    key = place.new_key(next(_emails))
    shell(place, RESTRICT.format(key=key, own=own, accounts=accounts))
    answer, dials = dials_during(place, lambda: place.call(protocol, key=key))
    assert (answer.status, dials) == (403, [0, 0])
    assert who in message(protocol, answer)
    assert "the request was sent nowhere" in message(protocol, answer)
    if protocol is not MESSAGES:
        assert answer.code == "jurisdiction_not_allowed"
    models = place.ask("GET", "/v1/models", headers=place.credentials(CHAT, key)).json["data"]
    assert models == []
    generation = answer.headers["x-generation-id"]
    assert place.logged(generation)[:3] == (403, "jurisdiction_not_allowed", 0)


@pytest.mark.clause("6-crossborder")
def test_a_restriction_reaches_a_warm_key_within_a_second(place):
    key = place.new_key(next(_emails))
    assert place.call(CHAT, key=key).headers["x-jurisdiction"] == "US"
    shell(place, RESTRICT.format(key=key, own=["CN"], accounts=[]))
    assert place.call(CHAT, key=key).headers["x-jurisdiction"] == "CN"
