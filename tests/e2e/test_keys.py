"""API keys on running workers: their end, their rules, and what a stolen database is worth."""

import base64
import contextlib
import datetime as dt
import http.client
import json
import shutil
import subprocess
import sys
import time

import pytest

from tests import scripts
from tests.e2e.serving import CHAT, GENERATE, MESSAGES, Serving
from tests.gateways import ROOT, Gateway
from tests.servers import Valkey, fresh_database, wait_until

pytestmark = pytest.mark.process
WORKERS = 3
alone = pytest.mark.parametrize("place", ["without Redis"], indirect=True)
HEARD_S_MAX = 1.0
# Runs in `manage.py shell`: what the keys page and the admin do.
REVOKE = """
import time
from accounts import keys
keys.revoke(keys.find({key!r}))
print(time.time())
"""
CLOSE = """
import time
from django.db import transaction
from accounts import changes, keys
from accounts.models import Account, Change
found = keys.find({key!r}).account
with transaction.atomic():
    Account.objects.filter(pk=found.pk).update(is_active=False)
    changes.announce(Change.Topic.ACCOUNT, str(found.pk))
print(time.time())
"""
MINT = """
import datetime as dt
from django.db import transaction
from accounts import keys, owners
from billing import ledger
from billing.models import LedgerAccount
with transaction.atomic():
    user = owners.register(email={email!r})
    account = owners.own_account(user)
    ledger.credit(account_id=account.pk, amount_nusd=10**10, ref=f"test:{{account.pk}}",
                  source=LedgerAccount.Kind.PROMOTION, actor="test")
    key, text = keys.mint(account=account, created_by=user, name="k", {options})
print(text)
"""


@pytest.fixture(scope="module")
def place(request, tmp_path_factory, postgresql):
    """Several workers on PostgreSQL; without Redis only the polled change rows are left."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(fresh_database(postgresql.url))
        valkey = Valkey().start()
        stack.callback(valkey.stop)
        place = Serving(
            tmp_path_factory.mktemp("keys"), "--workers", str(WORKERS), names=("main", "other"),
            DATABASE_URL=url, REDIS_URL=valkey.url,
        )  # fmt: skip
        stack.callback(place.stop)
        place.start()
        if request.param == "without Redis":
            valkey.stop()
        for name in ("c-main", "c-other"):
            place.vendor.scripts[name] = scripts.chat()
        yield place
        place.gateway.manage("audit_ledger")


_emails = iter(f"keys{n}@example.com" for n in range(100))


@pytest.fixture
def key(place):
    return place.new_key(next(_emails))


def shell(place, code):
    """Change something as an operator's process does; return what it printed at its end."""
    data = place.gateway.folder / "data"
    result = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT, env={**place.gateway.environment, "DATA_DIR": str(data)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.split()[-1]


def wait_for_the_word(told_at):
    """Wait as long as workers may take to hear of a change that was committed then."""
    time.sleep(max(0.0, float(told_at) + HEARD_S_MAX - time.time()))


def warm_everywhere(place, key):
    """Call until each worker has surely seen the key: each connection is another's turn."""
    statuses = {place.ask("GET", "/v1/models", headers={"x-api-key": key}).status
                for _ in range(WORKERS * 12)}  # fmt: skip
    assert statuses == {200}


def fate(place, key, *, calls=WORKERS * 12):
    """Return all statuses that new connections get now."""
    return {place.ask("GET", "/v1/models", headers={"x-api-key": key}).status for _ in range(calls)}


@pytest.mark.parametrize("place", ["with Redis", "without Redis"], indirect=True)
class TestRevocation:
    @pytest.mark.clause("2-keys")
    def test_ends_a_key_within_a_second_on_every_worker(self, place, key):
        warm_everywhere(place, key)
        wait_for_the_word(shell(place, REVOKE.format(key=key)))
        assert fate(place, key) == {401}
        answer = place.call(CHAT, key=key)
        assert (answer.status, answer.code) == (401, "disabled_api_key")

    def test_lets_a_running_stream_end(self, place, key):
        place.vendor.scripts["c-other"] = scripts.chat_stream(texts=["x"] * 40, gap_s=0.1)
        tap = place.open_stream(CHAT, "other", key=key)
        tap.read_until(b'"x"')
        revoked_at = shell(place, REVOKE.format(key=key))
        tap.read_all()
        assert b"[DONE]" in tap.body
        wait_for_the_word(revoked_at)
        assert fate(place, key) == {401}

    def test_of_an_account_ends_all_its_keys(self, place, key):
        warm_everywhere(place, key)
        wait_for_the_word(shell(place, CLOSE.format(key=key)))
        assert fate(place, key) == {403}


def mint(place, options):
    """Make a key with rules that the command has no options for; they are Python."""
    return shell(place, MINT.format(email=next(_emails), options=options))


@alone
class TestRules:
    def test_a_key_expires_while_it_is_warm(self, place):
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=6)
        moment = f"dt.datetime.fromisoformat({expires.isoformat()!r})"
        key = mint(place, f"expires_at={moment}")
        warm_everywhere(place, key)
        time.sleep(max(0.0, (expires - dt.datetime.now(dt.UTC)).total_seconds()) + 0.05)
        assert fate(place, key) == {401}
        assert place.call(CHAT, key=key).code == "expired_api_key"

    def test_a_key_of_other_networks_is_refused(self, place):
        inside = mint(place, "allowed_ips=['127.0.0.0/8', '2001:db8::/32']")
        outside = mint(place, "allowed_ips=['192.0.2.0/24']")
        assert place.call(CHAT, key=inside).status == 200
        answer = place.call(CHAT, key=outside, headers={"x-forwarded-for": "192.0.2.7"})
        assert (answer.status, answer.code) == (403, "ip_not_allowed")

    def test_a_key_reaches_its_own_models_only(self, place):
        own = place.rows("SELECT slug FROM routing_model WHERE slug LIKE '%%/c-main'")[0][0]
        key = place.new_key(next(_emails), "--models", own, f"{own[:-4]}x*")
        assert place.call(CHAT, key=key).status == 200
        for protocol, name in ((CHAT, "other"), (MESSAGES, "main"), (GENERATE, "main")):
            assert place.call(protocol, name, key=key).status == 403
        listed = place.ask("GET", "/v1/models", headers={"x-api-key": key}).json["data"]
        assert [model["id"] for model in listed] == [own]
        every = place.new_key(next(_emails), "--models", f"{own[:-6]}c-*")
        place.vendor.scripts["c-other"] = scripts.chat()
        assert place.call(CHAT, "other", key=every).status == 200
        assert place.call(MESSAGES, key=every).status == 403

    def test_a_keys_total_limit_holds_over_all_workers(self, place):
        # A request holds its bytes x $3 + 20 x $15 a million and costs 10 x $3 + 5 x $15: it
        # costs 110,250 nUSD; the limit pays eight of them and a hold.
        key = place.new_key(next(_emails), "--limit-usd", "0.0025", credit_usd="100")
        wait = {"x-max-tokens-clamp": "off"}
        paid, refusals = 0, []
        for _ in range(60):
            answer = place.call(CHAT, key=key, headers=wait)
            if answer.status == 200:
                paid += 1
            else:
                refusals.append((answer.status, answer.code))
        assert 1 <= paid <= 2_500_000 // 110_250
        assert refusals
        assert {status for status, _ in refusals} == {402}
        assert refusals[-1][1] in ("key_limit_reached", "in_flight")
        assert place.call(CHAT).status == 200, "another key was limited"
        spent = place.rows(
            "SELECT coalesce(sum(cost_nusd), 0) FROM billing_charge WHERE api_key_id = "
            "(SELECT api_key_id FROM billing_budget WHERE limit_nusd = 2500000)"
        )[0][0]
        assert spent == paid * 110_250
        assert spent <= 2_500_000


@alone
class TestTheft:
    """Whoever holds the database does not hold a key."""

    @pytest.mark.clause("4.2-keys")
    def test_a_dump_does_not_let_one_call_the_api(self, place, key):
        assert place.call(CHAT, key=key).status == 200
        row = place.rows("SELECT digest, last_four, pepper_version FROM accounts_apikey "
                         "ORDER BY id DESC LIMIT 1")[0]  # fmt: skip
        digest = bytes(row[0])
        assert row[1] == key[-4:]
        dump = json.dumps(
            [[str(value) for value in line] for table in tables(place)
             for line in place.rows(f'SELECT * FROM "{table}"')]  # noqa: S608 - its own tables
        )  # fmt: skip
        for piece in (key, key[9:39], key[-10:]):
            assert piece not in dump
        forged = [
            digest.hex(), base64.b64encode(digest).decode(), f"bnr_live_{digest.hex()[:36]}",
            f"bnr_live_{'0' * 26}{row[1]}", digest.decode("latin-1"), row[1],
        ]  # fmt: skip
        for text in forged:
            # No header carries a line break: the client would refuse to send it.
            clean = "".join(c for c in text if c.isprintable() and ord(c) < 256)
            assert place.call(CHAT, key=clean).status == 401


@pytest.mark.clause("4.2-keys")
def test_a_stolen_database_verifies_no_key_under_another_pepper(tmp_path):
    """The file of the database, in a gateway of the thief's own."""
    own = Gateway(tmp_path / "own").start()
    good = own.key
    own.stop()
    foreign = {"SECRET_KEY": "s" * 60, "KEY_PEPPER": "p" * 60, "CREDENTIAL_KEY": "c" * 60}
    thief = Gateway(tmp_path / "thief", **foreign)
    (thief.folder / "data").mkdir(parents=True)
    name = "bananarouter.sqlite3"
    shutil.copy(own.folder / "data" / name, thief.folder / "data" / name)
    thief.start()
    assert [status(thief, key) for key in (good, thief.key)] == [401, 200]
    thief.stop()


def status(gateway, key):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/models", headers={"x-api-key": key})
        return connection.getresponse().status


def tables(place):
    rows = place.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [name for (name,) in rows]


@alone
def test_the_cache_of_unknown_keys_ends(place):
    """A key that was asked for before it existed works within two seconds of its making."""
    key = place.new_key(next(_emails))
    wait_until(lambda: fate(place, key) == {200}, timeout_s=4, what="a new key everywhere")
