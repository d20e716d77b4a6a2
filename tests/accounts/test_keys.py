"""Keys are verified against a real database; look-ups run on threads of their own."""

import asyncio
import contextlib
import datetime as dt
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import callers, changes, keys, keytext, owners, restrictions
from accounts.models import Account, ApiKey, Change, ChangeSequence

pytestmark = pytest.mark.django_db(transaction=True)

IP = "192.0.2.7"
NOW = 1_790_000_000.0


def mint(account, **options):
    return keys.mint(account=account, created_by=None, name="k", **options)


def verify(text, *, source_ip=IP, now=NOW):
    return asyncio.run(keys.verify(text, source_ip=source_ip, now=now))


@contextlib.contextmanager
def at_each_read(wrapper):
    """Let the look-ups' own connections to the database run `wrapper` around each statement."""

    def wrap(connection, **_):
        if threading.current_thread().name.startswith("keys"):
            connection.execute_wrappers.append(wrapper)

    connection_created.connect(wrap)
    try:
        yield
    finally:
        connection_created.disconnect(wrap)


def refusal(call, *args, **options):
    with pytest.raises(keys.KeyRefused) as caught:
        call(*args, **options)
    return caught.value.reason


def test_mints_a_key_that_verifies_and_is_stored_as_a_digest_only(account, alice):
    key, text = keys.mint(account=account, created_by=alice, name="laptop")
    caller = verify(text)
    assert (caller.key_id, caller.account_id) == (key.pk, account.pk)
    assert caller.last_four == text[-4:] == key.last_four
    row = ApiKey.objects.values().get(pk=key.pk)
    stored = repr({**row, "digest": bytes(row["digest"])})
    assert text not in stored
    assert text[9:-6] not in stored
    assert len(bytes(row["digest"])) == 32


def test_is_cold_once_then_warm_without_a_query(account):
    _, text = mint(account)
    assert keys.cached(text, source_ip=IP, now=NOW) is None
    caller = verify(text)
    with CaptureQueriesContext(connection) as queries:
        assert keys.cached(text, source_ip=IP, now=NOW) == caller
        assert verify(text) == caller
    assert not queries.captured_queries


def test_the_cache_asks_again_after_its_ttl(account):
    _, text = mint(account)
    verify(text)
    assert keys.cached(text, source_ip=IP, now=NOW + callers.CACHED_TTL_S - 1) is not None
    assert keys.cached(text, source_ip=IP, now=NOW + callers.CACHED_TTL_S) is None


def test_a_key_that_worked_stays_known_until_it_changes(account):
    key, text = mint(account)
    assert not keys.is_known(text)
    verify(text)
    assert keys.is_known(text)
    assert keys.cached(text, source_ip=IP, now=NOW + callers.CACHED_TTL_S) is None
    assert keys.is_known(text)
    keys._cache.drop_key(str(key.pk))
    assert not keys.is_known(text)


@pytest.mark.parametrize(
    "text", ["", "x", "bnr_live_" + "A" * 36, "ключ", "\ud800", "sk-" + "a" * 48]
)
def test_refuses_malformed_texts_without_a_query(text):
    assert refusal(keys.cached, text, source_ip=IP, now=NOW) == "malformed"
    assert refusal(verify, text) == "malformed"
    assert not keys._look_ups._running


def test_remembers_an_unknown_key_for_two_seconds():
    text = keytext.draw()
    assert refusal(verify, text) == "unknown"
    assert refusal(keys.cached, text, source_ip=IP, now=NOW + 1.9) == "unknown"
    assert keys.cached(text, source_ip=IP, now=NOW + 2) is None


def mint_as(text, account):
    """Mint a key, then let its row be that of a text which nobody would ever draw."""
    key, _ = mint(account)
    digest = keytext.peppers().digest(text)
    ApiKey.objects.filter(pk=key.pk).update(digest=digest, last_four=text[-4:])
    return key


def test_keys_that_share_35_of_36_characters_never_share_identity(account, alice):
    # Same prefix, same random part but its last character: the checksum is recomputed.
    first = keytext.draw()
    body = first[: -keytext.CHECK_CHARS]
    other_char = "A" if body[-1] != "A" else "B"
    second = keytext._with_check(body[:-1] + other_char)
    # And one that shares all but the very last character: no checksum can fit.
    third = first[:-1] + ("A" if first[-1] != "A" else "B")
    other = owners.open_account(alice)
    key, neighbor = mint_as(first, account), mint_as(second, other)
    assert verify(first).key_id == key.pk
    assert verify(second).key_id == neighbor.pk
    assert verify(second).account_id == other.pk
    assert verify(first).account_id == account.pk
    assert refusal(verify, third) == "malformed"
    assert keys.find(third) is None, "nor would the database know it"


def test_expiry_is_checked_at_every_hit(account):
    ends = dt.datetime.fromtimestamp(NOW + 10, tz=dt.UTC)
    _, text = mint(account, expires_at=ends)
    verify(text)
    assert keys.cached(text, source_ip=IP, now=NOW + 9.9) is not None
    assert refusal(keys.cached, text, source_ip=IP, now=NOW + 10) == "expired"
    assert refusal(verify, text, now=NOW + 10) == "expired"


def test_address_rules_are_checked_at_every_hit(account):
    _, text = mint(account, allowed_ips=["192.0.2.0/24", "2001:db8::/32", "203.0.113.9"])
    verify(text)
    for ip in (IP, "2001:db8::1", "::ffff:192.0.2.200", "203.0.113.9"):
        assert keys.cached(text, source_ip=ip, now=NOW) is not None
    for ip in ("192.0.3.1", "2001:db9::1", "203.0.113.10", "", "nonsense", "::ffff:192.0.3.1"):
        assert refusal(keys.cached, text, source_ip=ip, now=NOW) == "ip_not_allowed"


def test_a_disabled_key_is_refused_cold_and_warm(account):
    key, text = mint(account)
    assert keys.disable(key)
    assert key.disabled_at is not None
    assert refusal(verify, text) == "disabled"
    assert refusal(keys.cached, text, source_ip=IP, now=NOW) == "disabled"


@pytest.mark.clause("2-keys")
def test_disabling_twice_announces_once(account):
    key, _ = mint(account)
    assert keys.disable(key)
    assert not keys.disable(key)
    assert Change.objects.filter(topic=Change.Topic.KEY, ref=str(key.pk)).count() == 1


def test_a_paused_key_is_refused_until_it_is_enabled_again(account):
    key, text = mint(account)
    verify(text)
    assert keys.set_paused(key, is_paused=True)
    assert key.paused_at is not None
    keys.close()
    assert refusal(verify, text) == "paused"
    assert keys.set_paused(key, is_paused=False)
    keys.close()
    assert verify(text).key_id == key.pk


def test_pausing_twice_announces_once(account):
    key, _ = mint(account)
    assert keys.set_paused(key, is_paused=True)
    assert not keys.set_paused(key, is_paused=True)
    rows = Change.objects.filter(topic=Change.Topic.KEY, ref=str(key.pk))
    assert rows.count() == 1


def test_enabling_never_brings_a_revoked_key_back(account):
    key, text = mint(account)
    keys.set_paused(key, is_paused=True)
    keys.revoke(key)
    keys.set_paused(key, is_paused=False)
    assert refusal(verify, text) == "disabled"


def test_a_keys_public_hash_tells_keys_apart_and_opens_nothing(account):
    (one, text), (two, _) = mint(account), mint(account)
    told = keys.public_hash(bytes(one.digest))
    assert len(told) == 64
    assert told != keys.public_hash(bytes(two.digest))
    assert told != bytes(one.digest).hex()
    assert refusal(verify, told) == "malformed"
    assert verify(text).key_id == one.pk


def test_a_key_manages_only_when_it_was_minted_so(account):
    _, ordinary = mint(account)
    _, managing = mint(account, is_management=True)
    assert [verify(text).is_management for text in (ordinary, managing)] == [False, True]


def test_an_inactive_account_is_refused(account):
    _, text = mint(account)
    Account.objects.filter(pk=account.pk).update(is_active=False)
    assert refusal(verify, text) == "account_inactive"


def test_a_trial_and_its_end_reach_the_cache(account):
    _, text = mint(account)
    assert not verify(text).is_trial
    listener = changes.Listener()
    keys.connect(listener)
    for is_trial in (True, False):
        assert restrictions.set_trial(account.pk, is_trial=is_trial)
        assert not restrictions.set_trial(account.pk, is_trial=is_trial)  # nothing to tell
        assert verify(text).is_trial is not is_trial  # still warm
        told = Change.objects.latest("seq")
        assert (told.topic, told.ref) == ("account", str(account.pk))
        listener._subscribers.tell(Change.Topic.ACCOUNT, [told.ref])
        assert verify(text).is_trial is is_trial


def test_the_caller_carries_scope_and_limits(account):
    Account.objects.filter(pk=account.pk).update(requests_per_minute_max=7, concurrency_max=3)
    _, text = mint(account, allowed_models=[" openai/gpt-5 ", "demo/*", ""], has_budget=True)
    caller = verify(text)
    assert caller.allowed_models == ("openai/gpt-5", "demo/*")
    assert (caller.requests_per_minute_max, caller.concurrency_max) == (7, 3)
    assert caller.has_budget
    assert not caller.key_is_demo
    assert caller.may_use("openai/gpt-5")
    assert caller.may_use("demo/fast")
    assert not caller.may_use("openai/gpt-5-mini")
    assert not caller.may_use("demo")
    assert text not in repr(caller)


def test_no_patterns_allow_every_model(account):
    _, text = mint(account)
    assert verify(text).may_use("any/thing")


@pytest.mark.parametrize(
    "options",
    [
        {"allowed_ips": ["300.0.0.1"]},
        {"allowed_ips": ["192.0.2.0/40"]},
        {"allowed_models": ["a*b"]},
        {"allowed_models": ["a b"]},
        {"allowed_models": ["m"] * 201},
        {"allowed_ips": ["192.0.2.1"] * 201},
    ],
)
def test_refuses_a_scope_that_means_nothing(account, options):
    with pytest.raises(keys.InvalidScope):
        mint(account, **options)
    assert not ApiKey.objects.exists()


def test_refuses_to_mint_or_verify_without_a_pepper(account, settings):
    _, text = mint(account)
    settings.KEY_PEPPERS = {1: ""}
    with pytest.raises(keys.NoPepper):
        mint(account)
    with pytest.raises(keys.KeysUnavailable):
        keys.cached(text, source_ip=IP, now=NOW)


def test_keys_of_an_older_pepper_go_on_and_new_ones_use_the_new(account, settings):
    settings.KEY_PEPPERS = {1: "old-pepper-" * 4}
    old, old_text = mint(account)
    settings.KEY_PEPPERS = {1: "old-pepper-" * 4, 2: "new-pepper-" * 4}
    new, new_text = mint(account)
    assert (old.pepper_version, new.pepper_version) == (1, 2)
    assert verify(old_text).key_id == old.pk
    assert verify(new_text).key_id == new.pk
    settings.KEY_PEPPERS = {2: "new-pepper-" * 4}
    keys.close()  # settings change with a restart
    assert refusal(verify, old_text) == "unknown"
    assert verify(new_text).key_id == new.pk


def test_a_digest_under_the_wrong_version_opens_nothing(account, settings):
    settings.KEY_PEPPERS = {1: "old-pepper-" * 4, 2: "new-pepper-" * 4}
    key, text = mint(account)
    ApiKey.objects.filter(pk=key.pk).update(pepper_version=1)
    assert refusal(verify, text) == "unknown"


@pytest.mark.clause("4.2-keys")
def test_a_dump_of_the_database_does_not_call_the_api(account, settings):
    key, text = mint(account)
    stored = bytes(ApiKey.objects.get(pk=key.pk).digest)
    # What a thief may try: the digest itself, as text or hex, and a database of his own
    # peppers, into which he may even write.
    for stolen in (stored.hex(), stored.decode("latin-1"), f"bnr_live_{stored.hex()[:36]}"):
        assert refusal(verify, stolen) in {"malformed", "unknown"}
    settings.KEY_PEPPERS = {1: "a-pepper-that-the-thief-made-up-himself!"}
    assert refusal(verify, text) == "unknown"


def test_mint_demo_makes_one_key_for_demo_models_only(account):
    key, text = keys.mint_demo(account=account, name="demo")
    again, same = keys.mint_demo(account=account, name="demo")
    assert (key.pk, text) == (again.pk, same)
    assert text == keys.derive_demo()
    caller = verify(text)
    assert caller.key_is_demo
    assert caller.may_use("demo/fast")
    assert not caller.may_use("openai/gpt-5")


def test_a_database_that_is_away_is_never_a_refusal(account, settings):
    _, text = mint(account)
    table = ApiKey._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(ApiKey, table, "away")
    try:
        with pytest.raises(keys.KeysUnavailable):
            verify(text)
        with pytest.raises(keys.KeysUnavailable):
            verify(keytext.draw())
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(ApiKey, "away", table)
    assert verify(text).last_four == text[-4:]


def test_many_who_wait_for_one_key_share_one_read(account):
    _, text = mint(account)
    reads = []

    def slow(execute, sql, params, many, context):
        reads.append(sql)
        time.sleep(0.2)
        return execute(sql, params, many, context)

    async def many():
        waiting = [asyncio.create_task(keys.verify(text, source_ip=IP, now=NOW)) for _ in range(50)]
        await asyncio.sleep(0.05)
        waiting[0].cancel()  # one who hangs up takes nobody along
        return await asyncio.gather(*waiting, return_exceptions=True)

    with at_each_read(slow):
        results = asyncio.run(many())
    assert isinstance(results[0], asyncio.CancelledError)
    assert len({caller.key_id for caller in results[1:]}) == 1
    assert len(reads) == 1


def test_refuses_to_queue_more_look_ups_than_it_may(monkeypatch):
    monkeypatch.setattr(keys, "LOOK_UPS_WAITING_MAX", 0)
    with pytest.raises(keys.KeysUnavailable):
        verify(keytext.draw())


def test_an_answer_older_than_a_revocation_is_not_kept(account):
    key, text = mint(account)

    def revoke():
        keys.disable(key)
        keys._cache.drop_key(str(key.pk))  # what the listener does
        connections.close_all()

    def late(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if not key.disabled_at:  # read; now the key is revoked and the listener says so
            with ThreadPoolExecutor(1) as other:
                other.submit(revoke).result()
        return found

    with at_each_read(late):
        assert refusal(verify, text) == "disabled"
    assert refusal(keys.cached, text, source_ip=IP, now=NOW) == "disabled"


def test_the_listener_drops_a_key_an_account_or_everything(account, alice):
    key, text = mint(account)
    _, other_text = mint(owners.open_account(alice))

    def warm():
        verify(text)
        verify(other_text)

    def is_warm(text):
        return keys.cached(text, source_ip=IP, now=NOW) is not None

    listener = changes.Listener()
    keys.connect(listener)
    warm()
    listener._subscribers.tell(Change.Topic.KEY, [str(key.pk)])
    assert (is_warm(text), is_warm(other_text)) == (False, True)
    warm()
    listener._subscribers.tell(Change.Topic.ACCOUNT, [str(account.pk)])
    assert (is_warm(text), is_warm(other_text)) == (False, True)
    for topic in (Change.Topic.KEY, Change.Topic.ACCOUNT):
        warm()
        listener._subscribers.tell(topic, [""])
        assert (is_warm(text), is_warm(other_text)) == (False, False)


def test_the_cache_is_bounded_and_keeps_what_is_used(account, monkeypatch):
    monkeypatch.setattr(callers, "CACHED_MAX", 3)
    texts = [mint(account)[1] for _ in range(4)]
    for text in texts[:3]:
        verify(text)
    keys.cached(texts[0], source_ip=IP, now=NOW)
    verify(texts[3])
    assert [keys.cached(text, source_ip=IP, now=NOW) is not None for text in texts] == [
        True, False, True, True,
    ]  # fmt: skip
    assert len(keys._cache._digests) == 3


def test_unknown_keys_are_bounded(monkeypatch):
    monkeypatch.setattr(callers, "UNKNOWN_MAX", 3)
    for _ in range(5):
        refusal(verify, keytext.draw())
    assert len(keys._cache._unknown) == 3


def test_the_change_row_exists_after_migration_or_is_made():
    ChangeSequence.objects.all().delete()
    Change.objects.create(seq=41, topic=Change.Topic.KEY)
    changes.announce(Change.Topic.KEY, "1")
    assert Change.objects.latest("seq").seq == 42


def test_an_expired_key_is_refused_in_real_time(account):
    _, text = mint(account, expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert refusal(verify, text, now=time.time()) == "expired"


@pytest.mark.postgresql
def test_a_connection_that_died_while_idle_is_replaced(account):
    _, text = mint(account)
    verify(text)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] >= 1
    keys._cache.clear()
    assert verify(text).last_four == text[-4:]


# Rotation, change, deletion


HOUR = dt.timedelta(hours=1)


def test_a_rotated_key_works_beside_its_successor_until_the_overlap_ends(account):
    key, text = mint(account, allowed_models=["demo/*"], allowed_ips=["192.0.2.0/24"],
                     allowed_jurisdictions=["US"], requests_per_minute_max=5,
                     cost_center="lab", has_budget=True)  # fmt: skip
    now = timezone.now()
    new, new_text = keys.rotate(key, overlap=HOUR, now=now)
    assert new_text != text
    assert (new.replaces, new.limits_key_id, new.name) == (key, key.pk, key.name)
    old_caller, caller = verify(text, now=now.timestamp()), verify(new_text, now=now.timestamp())
    for name in ("allowed_models", "allowed_jurisdictions", "key_requests_per_minute_max",
                 "budget_key_id"):  # fmt: skip
        assert getattr(caller, name) == getattr(old_caller, name) is not None
    assert (new.cost_center, new.allowed_ips) == ("lab", ["192.0.2.0/24"])
    later = now.timestamp() + 3_601
    assert refusal(verify, text, now=later) == "expired"
    assert verify(new_text, now=later).key_id == new.pk


def test_rotation_without_overlap_ends_the_old_key_at_once_on_every_worker(account):
    key, text = mint(account)
    assert verify(text).key_id == key.pk
    now = timezone.now()
    keys.rotate(key, overlap=dt.timedelta(), now=now)
    assert Change.objects.filter(topic=Change.Topic.KEY, ref=str(key.pk)).exists()
    keys._cache.drop_key(str(key.pk))  # what the listener does
    assert refusal(verify, text, now=now.timestamp()) == "expired"


def test_a_key_is_rotated_once_and_the_chain_keeps_the_oldest_limits(account):
    first, _ = mint(account)
    now = timezone.now()
    second, _ = keys.rotate(first, overlap=HOUR, now=now)
    with pytest.raises(keys.AlreadyRotated) as caught:
        keys.rotate(first, overlap=HOUR, now=now)
    assert caught.value.key == second
    third, _ = keys.rotate(second, overlap=HOUR, now=now)
    assert third.limits_key_id == first.pk
    keys.disable(second)
    assert keys.rotate(first, overlap=HOUR, now=now)[0].limits_key_id == first.pk


def test_rotation_never_prolongs_a_key_and_needs_one_that_works(account):
    soon = timezone.now() + dt.timedelta(minutes=1)
    key, _ = mint(account, expires_at=soon)
    new, _ = keys.rotate(key, overlap=HOUR, now=timezone.now())
    assert key.expires_at == new.expires_at == soon
    with pytest.raises(keys.NotActive):
        keys.rotate(new, overlap=HOUR, now=soon)
    revoked, _ = mint(account)
    keys.disable(revoked)
    with pytest.raises(keys.NotActive):
        keys.rotate(revoked, overlap=HOUR, now=timezone.now())
    paused, _ = mint(account)
    keys.set_paused(paused, is_paused=True)
    with pytest.raises(keys.NotActive):
        keys.rotate(paused, overlap=HOUR, now=timezone.now())
    assert ApiKey.objects.count() == 4


def test_a_form_makes_one_key(account):
    form_id = uuid.uuid4()
    key, _ = mint(account, form_id=form_id)
    with pytest.raises(keys.AlreadyMade) as caught:
        mint(account, form_id=form_id)
    assert caught.value.key == key
    assert ApiKey.objects.count() == 1
    mint(account, form_id=None)
    mint(account, form_id=None)


def test_a_change_holds_for_whoever_asks_next(account):
    key, text = mint(account)
    assert verify(text).may_use("openai/gpt-5")
    keys.change(key, allowed_models=["demo/*"], cost_center="lab")
    keys._cache.drop_key(str(key.pk))  # what the listener does
    assert not verify(text).may_use("openai/gpt-5")
    assert (key.cost_center, key.allowed_ips) == ("lab", [])
    with pytest.raises(keys.InvalidScope):
        keys.change(key, allowed_ips=["no"])
    assert Change.objects.filter(topic=Change.Topic.KEY, ref=str(key.pk)).count() == 1


def test_a_deleted_key_is_disabled_for_good_and_its_row_stays(account):
    key, text = mint(account)
    assert keys.delete(key)
    assert not keys.delete(key)
    assert None not in (key.disabled_at, key.deleted_at)
    assert refusal(verify, text) == "disabled"
    revoked, _ = mint(account)
    keys.disable(revoked)
    assert keys.delete(revoked)


@pytest.mark.parametrize(
    ("own", "accounts", "allowed"),
    [
        ([], [], None), (["US"], [], {"US"}), ([], ["CN"], {"CN"}),
        (["US", "CN"], ["CN", "FR"], {"CN"}), (["US"], ["CN"], set()),
    ],
)  # fmt: skip
def test_what_key_and_account_allow_together_is_known_beforehand(account, own, accounts, allowed):
    Account.objects.filter(pk=account.pk).update(allowed_jurisdictions=accounts)
    _, text = mint(account, allowed_jurisdictions=own)
    assert verify(text).allowed_jurisdictions == allowed


@pytest.mark.parametrize("codes", [["us"], ["U"], ["US CN"], ["USAUSAUSA"], ["US", "X1"]])
def test_a_jurisdiction_is_a_code(account, codes):
    with pytest.raises(keys.InvalidScope):
        mint(account, allowed_jurisdictions=codes)
