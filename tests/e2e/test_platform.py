"""The control endpoints of /api/v1 on a real gateway: models, keys, accounts, estimates."""

import json
import time
from decimal import Decimal

import pytest

from tests import scripts
from tests.e2e.serving import CHAT, COUNT, EMBEDDINGS, GENERATE, MESSAGES, RESPONSES, Serving
from tests.servers import wait_until

pytestmark = pytest.mark.process
HEARD_S_MAX = 1.1
PAID_NUSD = 110_250  # 10 x $3 + 5 x $15 a million, and 5 % on top
PAID = PAID_NUSD / 10**9


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Serving(tmp_path_factory.mktemp("platform"))
    try:
        place.start()
        place.vendor.scripts["c-main"] = scripts.chat()
        yield place
        place.gateway.manage("audit_ledger")
    finally:
        place.stop()


_emails = iter(f"platform{n}@example.com" for n in range(100))


class Account:
    """An account with an ordinary and a management key."""

    def __init__(self, place):
        self.place = place
        self.email = next(_emails)
        self.key = place.new_key(self.email)
        self.manager = place.new_key(self.email, "--management", credit_usd="0")

    def ask(self, method, path, body=None, *, key=None):
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {key or self.key}",
                   "content-type": "application/json"}  # fmt: skip
        return self.place.ask(method, f"/api/v1/{path}", raw, headers)

    def get(self, path, *, key=None):
        answer = self.ask("GET", path, key=key)
        assert answer.status == 200, answer.body
        return answer.json["data"]

    def manage(self, method, path="keys", body=None):
        return self.ask(method, path, body, key=self.manager)

    def create(self, **fields):
        answer = self.manage("POST", body={"name": "made", **fields})
        assert answer.status == 201, answer.body
        return answer.json["data"], answer.json["key"]


@pytest.fixture(scope="module")
def alice(place):
    return Account(place)


@pytest.fixture(scope="module")
def mallory(place):
    return Account(place)


@pytest.fixture
def newcomer(place):
    """Somebody whose requests nobody has counted yet."""
    return Account(place)


# As the staff site does: the date, then word of it to every worker.
ENDS = """
import datetime as dt
from accounts import changes
from accounts.models import Change
from routing.models import Model
at = dt.datetime(2031, 4, 1, 23, 59, tzinfo=dt.UTC)
assert Model.objects.filter(slug="generic/c-main").update(withdrawn_at=at) == 1
changes.announce(Change.Topic.CATALOGUE)
"""


def _shutdown_dates(place, account):
    """Return the days that OpenAI's list at /v1/models tells."""
    answer = place.ask("GET", "/v1/models", headers={"authorization": f"Bearer {account.key}"})
    return {model["shutdown_date"] for model in answer.json["data"]}


def refused(answer, status, *words):
    error = answer.json["error"]
    assert (answer.status, error["code"]) == (status, status)
    for word in words:
        assert word in error["message"]
    assert set(error) == {"code", "message", "metadata"}
    return error["metadata"]["reason"]


class TestModels:
    def test_are_listed_with_the_price_that_is_charged(self, alice):
        answer = alice.ask("GET", "models").json
        assert answer["total_count"] == len(answer["data"]) == 3
        assert answer["links"] == {"next": None}
        chat = next(m for m in answer["data"] if m["id"].endswith("/c-main"))
        assert chat["pricing"]["prompt"] == "0.00000315"
        assert chat["pricing"]["completion"] == "0.00001575"
        assert chat["pricing"]["input_cache_read"] == "0.000000315"
        assert "web_search" not in chat["pricing"]
        assert (chat["context_length"], chat["description"]) == (200_000, None)
        assert chat["top_provider"]["max_completion_tokens"] == 4_096

    def test_come_in_pages_that_hold_each_once(self, alice):
        seen, path = [], "models?limit=2&sort=newest&q=main"
        while path:
            page = alice.ask("GET", path).json
            seen += [model["id"] for model in page["data"]]
            following = page["links"]["next"]
            path = following.partition("/api/v1/")[2] if following else None
        assert len(seen) == len(set(seen)) == 3

    @pytest.mark.parametrize(("query", "name"), [
        ("limit=0", "limit"), ("limit=1001", "limit"), ("offset=-1", "offset"),
        ("context=x", "context"), ("min_price=much", "min_price"), ("max_price=-1", "max_price"),
        ("sort=top-weekly", "sort"), ("zdr=true", "zdr"), ("category=science", "category"),
    ])  # fmt: skip
    def test_refuse_what_they_cannot_answer(self, alice, query, name):
        assert refused(alice.ask("GET", f"models?{query}"), 400, f"`{name}`") == "invalid_value"

    def test_tell_a_model_by_any_of_its_names(self, alice):
        whole = alice.get("models/generic/c-main")
        for path in ("models/c-main", "model/generic/c-main"):
            assert alice.get(path) == whole
        told = alice.get("models/generic/c-main/endpoints")
        (endpoint,) = told["endpoints"]
        assert endpoint["pricing"] == whole["pricing"]
        assert (endpoint["status"], endpoint["context_length"]) == (0, 200_000)
        for unknown in ("uptime_last_30m", "latency_last_30m", "quantization"):
            assert endpoint[unknown] is None
        for path in ("models/generic/nothing", "models/generic/nothing/endpoints"):
            assert refused(alice.ask("GET", path), 404) == "model_not_found"

    def test_say_on_which_day_they_end(self, place, alice):
        assert [m["expiration_date"] for m in alice.get("models")] == [None] * 3
        assert _shutdown_dates(place, alice) == {None}
        place.gateway.manage("shell", "-c", ENDS)
        ends = {"generic/c-main": "2031-04-01"}
        wait_until(
            lambda: alice.get("models/generic/c-main")["expiration_date"],
            timeout_s=10, what="the model's end",
        )  # fmt: skip
        listed = {m["id"]: m["expiration_date"] for m in alice.get("models")}
        assert {name: on for name, on in listed.items() if on} == ends
        assert len(listed) == 3
        assert _shutdown_dates(place, alice) == {None, "2031-04-01"}

    def test_of_a_key_are_those_that_it_may_use(self, place, alice):
        own = place.new_key(alice.email, "--models", "generic/c-*", credit_usd="0")
        assert [m["id"] for m in alice.get("models/user", key=own)] == ["generic/c-main"]
        assert len(alice.get("models", key=own)) == 3
        assert alice.get("models/count", key=own) == {"count": 3}

    def test_have_providers_of_whom_only_the_known_is_told(self, alice):
        (provider,) = alice.get("providers")
        assert provider["slug"] == "generic"
        assert provider["privacy_policy_url"] is None
        assert provider["headquarters"] is None
        assert provider["status_page_url"] is None


class TestManagementKeys:
    @pytest.mark.parametrize("protocol", [CHAT, RESPONSES, EMBEDDINGS, MESSAGES, COUNT, GENERATE],
                             ids=lambda p: p.name)  # fmt: skip
    def test_call_no_model(self, place, alice, protocol):
        before = place.vendor.dials()
        answer = place.call(protocol, key=alice.manager)
        assert answer.status == 403
        assert b"management key" in answer.body
        assert place.vendor.dials() == before

    def test_call_no_model_under_openrouters_paths_either(self, place, alice):
        _, body = CHAT.request("c-main")
        before = place.vendor.dials()
        answer = alice.manage("POST", "chat/completions", body)
        assert refused(answer, 403, "management key") == "permission_denied"
        assert place.vendor.dials() == before

    def test_read_their_account(self, alice):
        told = alice.get("key", key=alice.manager)
        assert told["is_management_key"] is told["is_provisioning_key"] is True
        assert alice.get("credits", key=alice.manager) == alice.get("credits")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_alone_manage_keys(self, alice, method):
        assert refused(alice.ask(method, "keys", {"name": "x"}), 403) == "permission_denied"
        made, _ = alice.create()
        for verb in ("GET", "PATCH", "DELETE"):
            assert refused(alice.ask(verb, f"keys/{made['hash']}", {}), 403)

    def test_are_not_among_the_keys_that_they_manage(self, alice):
        labels = {key["label"] for key in alice.manage("GET").json["data"]}
        assert f"key (…{alice.key[-4:]})" in labels
        assert f"key (…{alice.manager[-4:]})" not in labels


class TestKeys:
    def test_are_made_used_limited_disabled_and_deleted(self, place, alice):
        made, text = alice.create(limit=0.002, expires_at="2999-01-01T00:00:00Z")
        assert (made["limit"], made["limit_remaining"], made["usage"]) == (0.002, 0.002, 0)
        assert (made["disabled"], made["limit_reset"]) == (False, None)
        assert text not in json.dumps(made)
        path = f"keys/{made['hash']}"
        assert place.call(CHAT, key=text).status == 200
        told = alice.manage("GET", path).json["data"]
        assert (told["usage"], told["usage_daily"], told["usage_monthly"]) == (PAID, PAID, PAID)
        assert told["limit_remaining"] == float(Decimal("0.002") - Decimal(str(PAID)))

        told = alice.manage("PATCH", path, {"limit": 0, "name": "spent"}).json["data"]
        assert (told["limit"], told["limit_remaining"], told["name"]) == (0, 0, "spent")
        time.sleep(HEARD_S_MAX)
        assert place.call(CHAT, key=text).status == 402
        assert alice.manage("PATCH", path, {"limit": None}).json["data"]["limit"] is None
        time.sleep(HEARD_S_MAX)
        assert place.call(CHAT, key=text).status == 200

        assert alice.manage("PATCH", path, {"disabled": True}).json["data"]["disabled"] is True
        time.sleep(HEARD_S_MAX)
        answer = place.call(CHAT, key=text)
        assert (answer.status, answer.code) == (401, "disabled_api_key")
        assert made["hash"] not in hashes(alice, "keys")
        assert made["hash"] in hashes(alice, "keys?include_disabled=true")
        alice.manage("PATCH", path, {"disabled": False})
        time.sleep(HEARD_S_MAX)
        assert place.call(CHAT, key=text).status == 200

        assert alice.manage("DELETE", path).json == {"deleted": True}
        time.sleep(HEARD_S_MAX)
        assert place.call(CHAT, key=text).status == 401
        for method in ("GET", "PATCH", "DELETE"):
            assert refused(alice.manage(method, path, {"disabled": False}), 404) == "not_found"
        assert made["hash"] not in hashes(alice, "keys?include_disabled=true")

    @pytest.mark.parametrize(("body", "name"), [
        ({}, "name"), ({"name": ""}, "name"), ({"name": 5}, "name"), ({"name": "x" * 81}, "name"),
        ({"name": "x", "limit": -1}, "limit"), ({"name": "x", "limit": "5"}, "limit"),
        ({"name": "x", "limit": True}, "limit"), ({"name": "x", "limit": 1e-10}, "limit"),
        ({"name": "x", "limit": 1e7}, "limit"), ({"name": "x", "limit_reset": "daily"},
                                                 "limit_reset"),
        ({"name": "x", "limit": 1, "limit_reset": "hourly"}, "limit_reset"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "2999-01-01T00:00:00+02:00"}, "expires_at"),
        ({"name": "x", "expires_at": "2999-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "expires_at": "soon"}, "expires_at"),
        ({"name": "x", "include_byok_in_limit": True}, "include_byok_in_limit"),
        ({"name": "x", "disabled": True}, "disabled"), ({"name": "x", "limits": 1}, "limits"),
    ])  # fmt: skip
    def test_are_not_made_of_nonsense(self, alice, body, name):
        before = hashes(alice, "keys?include_disabled=true")
        refused(alice.manage("POST", body=body), 400, f"`{name}`")
        assert hashes(alice, "keys?include_disabled=true") == before

    @pytest.mark.parametrize(("body", "name"), [
        ({"disabled": "yes"}, "disabled"), ({"limit_reset": "yearly"}, "limit_reset"),
        ({"expires_at": None}, "expires_at"), ({"limit": -1, "name": "changed"}, "limit"),
    ])  # fmt: skip
    def test_are_not_changed_by_nonsense(self, alice, body, name):
        made, _ = alice.create(limit=1)
        path = f"keys/{made['hash']}"
        refused(alice.manage("PATCH", path, body), 400, f"`{name}`")
        assert alice.manage("GET", path).json["data"] == made

    def test_of_another_account_are_not_there(self, place, alice, mallory):
        made, text = alice.create()
        path = f"keys/{made['hash']}"
        for method in ("GET", "PATCH", "DELETE"):
            assert refused(mallory.manage(method, path, {"disabled": True}), 404) == "not_found"
        assert made["hash"] not in hashes(mallory, "keys?include_disabled=true")
        answer = mallory.ask("GET", f"activity?api_key_hash={made['hash']}")
        assert refused(answer, 404) == "not_found"
        time.sleep(HEARD_S_MAX)
        assert place.call(CHAT, key=text).status == 200


def hashes(account, path):
    return {key["hash"] for key in account.manage("GET", path).json["data"]}


class TestSums:
    def test_are_one_row_told_five_times(self, place, newcomer, mallory):
        answers = [place.call(CHAT, key=newcomer.key) for _ in range(3)]
        generation = answers[0].headers["x-generation-id"]
        for answer in answers:
            place.logged(answer.headers["x-generation-id"])
        total = float(Decimal(PAID_NUSD * 3) / 10**9)
        key = newcomer.get("key")
        assert key["usage"] == key["usage_daily"] == key["usage_weekly"] == total
        assert (key["limit"], key["limit_remaining"], key["byok_usage"]) == (None, None, 0)
        assert key["rate_limit"]["requests"] == 1_000_000
        assert newcomer.get("credits")["total_usage"] == total
        (row,) = newcomer.get("activity")
        assert (row["requests"], row["usage"]) == (3, total)
        assert (row["prompt_tokens"], row["completion_tokens"]) == (30, 15)
        assert (row["model"], row["endpoint_id"]) == (
            "generic/c-main", "openai-chat-0:generic/c-main")  # fmt: skip
        assert newcomer.get(f"activity?date={row['date']}") == [row]
        told = newcomer.get(f"generation?id={generation}")
        assert (told["total_cost"], told["usage"], told["cost_usd"]) == (PAID, PAID, "0.00011025")
        assert (told["api_type"], told["cancelled"], told["is_byok"]) == (
            "completions", False, False)  # fmt: skip
        assert told["upstream_inference_cost"] is None
        assert [a["outcome"] for a in told["provider_responses"]] == ["delivered"]
        # A stranger sees nothing of it.
        assert mallory.get("activity") == []
        assert mallory.get("key")["usage"] == 0
        assert refused(mallory.ask("GET", f"generation?id={generation}"), 404) == "not_found"

    def test_tell_keys_apart(self, place, newcomer):
        made, text = newcomer.create()
        place.call(CHAT, key=text)
        place.call(CHAT, key=newcomer.key)
        wait_until(lambda: newcomer.get("activity")[0]["prompt_tokens"] == 20, what="both rows")
        (row,) = newcomer.get(f"activity?api_key_hash={made['hash']}")
        assert (row["requests"], row["prompt_tokens"], row["usage"]) == (1, 10, PAID)

    @pytest.mark.parametrize("query", ["date=2020-01-01", "date=2999-01-01", "date=20261101",
                                       "date=today", "day=2026-11-01"])  # fmt: skip
    def test_refuse_days_that_are_not_kept(self, alice, query):
        refused(alice.ask("GET", f"activity?{query}"), 400, f"`{query.partition('=')[0]}`")


class TestEstimates:
    def test_hold_what_the_call_then_holds_and_send_nothing(self, place, alice):
        path, body = CHAT.request("c-main")
        before = place.vendor.dials()
        charges = len(place.charges())
        answer = alice.ask("POST", "estimate", body)
        told = answer.json["data"]
        assert place.vendor.dials() == before
        assert len(place.charges()) == charges
        (offer,) = told["endpoints"]
        assert told["excluded"] == []
        assert told["price"] == offer["price"]
        raw = json.dumps(body).encode()
        answer = place.send(CHAT, path, raw, key=alice.key)
        generation = answer.headers["x-generation-id"].removeprefix("gen-")
        held = place.rows("SELECT hold_nusd, cost_nusd FROM billing_charge WHERE request_id = ?",
                          generation)[0]  # fmt: skip
        assert Decimal(told["price"]["max"]) * 10**9 == held[0]
        assert Decimal(told["price"]["min"]) * 10**9 < held[1] < held[0]
        assert offer["completion_tokens_max"] == 20

    def test_say_why_an_endpoint_is_left_out(self, alice):
        _, body = EMBEDDINGS.request("a-main")
        told = alice.ask("POST", "estimate?surface=embeddings", body).json["data"]
        assert told["price"] is None
        assert told["endpoints"] == []
        assert [one["reason"] for one in told["excluded"]] == ["wrong_protocol"]

    @pytest.mark.parametrize(("protocol", "query", "model"), [
        (RESPONSES, "?surface=responses", "c-main"), (EMBEDDINGS, "?surface=embeddings", "c-main"),
        (MESSAGES, "?surface=messages", "a-main"), (GENERATE, "?surface=generate&model=g-main", ""),
    ], ids=lambda value: getattr(value, "name", None))  # fmt: skip
    def test_read_every_protocol(self, alice, protocol, query, model):
        _, body = protocol.request(model)
        told = alice.ask("POST", f"estimate{query}", body).json["data"]
        assert len(told["endpoints"]) == 1
        assert 0 < Decimal(told["price"]["min"]) <= Decimal(told["price"]["max"])
        assert told["prompt_tokens"] == 1

    def test_refuse_what_the_call_would_refuse(self, place, alice):
        _, body = CHAT.request("c-main")
        ask = alice.ask
        assert refused(ask("POST", "estimate", {**body, "model": "x"}), 404) == "model_not_found"
        assert refused(ask("POST", "estimate", {**body, "messages": 5}), 400, "messages")
        assert refused(ask("POST", "estimate?surface=moods", body), 400, "`surface`")
        assert refused(ask("POST", "estimate", {**body, "store": True}), 400, "store")
        own = place.new_key(alice.email, "--models", "generic/a-*", credit_usd="0")
        assert refused(ask("POST", "estimate", body, key=own), 403) == "model_not_allowed"
        assert refused(ask("POST", "estimate", body, key=alice.manager), 403)
