"""The pages of keys: made once and shown once, limited, changed, rotated, disabled, deleted."""

import datetime as dt
import re
import uuid

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import keys
from accounts.models import Account, ApiKey, Change
from billing import budgets, ledger
from billing.models import Budget, Charge, Lease
from routing.models import Channel, Endpoint, Model, ModelAlias
from tests import factories

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12
NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)  # a Thursday


@pytest.fixture
def alice():
    return factories.user("alice")


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


@pytest.fixture
def client(alice):
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def models():
    for name, place in (("us", "US"), ("cn", "CN")):
        channel = Channel.objects.create(
            name=name, vendor="generic", protocol="openai-chat", base_url="http://x/v1",
            jurisdiction=place,
        )  # fmt: skip
        model = Model.objects.create(slug=f"lab/{name}", author="lab", name=name)
        Endpoint.objects.create(
            slug=f"{name}:lab/{name}", channel=channel, model=model, upstream_name=name
        )
    ModelAlias.objects.create(name="nickname", model=model)


def text_of(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def mint(account, **options):
    options = {"created_by": account.members.first(), "name": "laptop", **options}
    return keys.mint(account=account, **options)[0]


def create(client, **fields):
    return client.post(reverse("key_new"), {"name": "laptop", **fields})


def edit(client, key, **fields):
    return client.post(reverse("key_edit", args=[key.pk]), {"name": key.name, **fields})


def post(client, route, key, **fields):
    return client.post(reverse(route, args=[key.pk]), fields)


def page(client, name, key):
    return text_of(client.get(reverse(name, args=[key.pk])))


def charge(key, cost_nusd, *, at, n=1):
    """A request of a key that was paid in full."""
    ledger.open_wallet(key.account_id)
    lease, _ = Lease.objects.get_or_create(
        wallet_id=key.account_id, state="draining", worker=uuid.UUID(int=1),
        defaults={"amount_nusd": 10**12, "created_at": at},
    )  # fmt: skip
    millis = int(at.timestamp() * 1000)
    Charge.objects.create(
        request_id=uuid.UUID(int=(millis << 80) + (7 << 76) + n), lease_id=lease.pk,
        wallet_id=key.account_id, api_key_id=key.pk, hold_nusd=cost_nusd, cost_nusd=cost_nusd,
        endpoint="demo:m", state="settled", reason="normal",
    )  # fmt: skip


# Making


def test_a_new_key_is_shown_once_and_works(alice, account, client):
    response = create(client)
    shown = set(re.findall(r"bnr_live_\w{36}", text_of(response)))
    assert len(shown) == 1
    text = shown.pop()
    found = keys.find(text)
    assert found is not None
    assert (found.account, found.created_by, found.name) == (account, alice, "laptop")
    assert "no-store" in response["Cache-Control"]
    for name in ("keys", "key"):
        url = reverse(name, args=[found.pk] if name == "key" else [])
        assert text not in text_of(client.get(url))
        assert f"…{found.last_four}" in text_of(client.get(url))
    assert text not in str(dict(client.session))


def test_a_key_carries_everything_that_the_form_says(client, models):
    day = timezone.now().date() + dt.timedelta(days=3)
    create(
        client, cost_center="Lab 7", daily_usd="$2.50", weekly_usd="10", monthly_usd="1,000",
        total_usd="5000.000000001", requests_per_minute_max="30", expires_on=str(day),
        allowed_models="lab/us, nickname\nopenai/* ", allowed_ips="192.0.2.7\n2001:db8::/32",
        allowed_jurisdictions=["US", "CN"],
    )  # fmt: skip
    key = ApiKey.objects.get()
    assert dict(Budget.objects.values_list("period", "limit_nusd")) == {
        "daily": 2_500_000_000, "weekly": 10 * 10**9, "monthly": 1_000 * 10**9,
        "total": 5_000_000_000_001,
    }  # fmt: skip
    assert (key.cost_center, key.requests_per_minute_max, key.has_budget) == ("Lab 7", 30, True)
    assert key.allowed_models == ["lab/us", "lab/cn", "openai/*"]
    assert key.allowed_ips == ["192.0.2.7/32", "2001:db8::/32"]
    assert sorted(key.allowed_jurisdictions) == ["CN", "US"]
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
    assert key.expires_at == midnight + dt.timedelta(days=1)
    said = page(client, "key", key)
    for part in ("$2.50", "$1,000.00", "Lab 7", "lab/cn", "2001:db8::/32", "30", "China"):
        assert part in said
    assert "$2.50" in text_of(client.get(reverse("keys")))
    assert "Lab 7" in text_of(client.get(reverse("keys")))


def test_a_key_without_limits_has_none(client):
    create(client)
    key = ApiKey.objects.get()
    assert not Budget.objects.exists()
    assert (key.has_budget, key.allowed_models, key.allowed_ips) == (False, [], [])
    assert "only the balance of the account limits it" in page(client, "key", key)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "This field is required"),
        ("name", "n" * 81, "at most 80"),
        ("cost_center", "c" * 41, "at most 40"),
        ("daily_usd", "0", "above 0"),
        ("weekly_usd", "-5", "above 0"),
        ("monthly_usd", "five", "above 0"),
        ("total_usd", "0.0000000001", "above 0"),
        ("total_usd", "1000000.01", "above 0"),
        ("daily_usd", "NaN", "above 0"),
        ("requests_per_minute_max", "0", "greater than or equal to 1"),
        ("requests_per_minute_max", "61", "Your account allows 60 requests a minute"),
        ("requests_per_minute_max", "many", "whole number"),
        ("expires_on", "2020-01-01", "is over"),
        ("expires_on", "9999-12-31", "earlier day"),
        ("expires_on", "soon", "valid date"),
        ("allowed_models", "demo/missing", "There is no model"),
        ("allowed_models", "demo/*/x", "cannot name a model"),
        ("allowed_models", "<b>", "cannot name a model"),
        ("allowed_models", "\n".join(f"m{n}*" for n in range(201)), "at most 200"),
        ("allowed_ips", "192.0.2.300", "“192.0.2.300” is no address"),
        ("allowed_ips", "192.0.2.0/40", "is no address"),
        ("allowed_ips", "\n".join(f"10.0.{n}.1" for n in range(201)), "at most 200"),
        ("allowed_jurisdictions", "XX", "Select a valid choice"),
    ],
)
def test_a_wrong_field_is_explained_and_makes_no_key(field, value, said, account, client, models):
    Account.objects.update(requests_per_minute_max=60)
    response = create(client, **{field: value})
    assert said in text_of(response)
    assert 'aria-invalid="true"' in text_of(response)
    assert not ApiKey.objects.exists()
    assert not Budget.objects.exists()


def test_what_was_written_is_kept_and_escaped_when_a_field_is_wrong(client, models):
    said = text_of(
        create(client, name='"><script>x</script>', daily_usd="zero", allowed_ips="10.0.0.1\n1.2",
               allowed_jurisdictions=["CN"])
    )  # fmt: skip
    assert "&quot;&gt;&lt;script&gt;" in said
    assert "<script>x" not in said
    assert 'value="zero"' in said
    assert "10.0.0.1 1.2" in said
    assert re.search(r'value="CN"[^>]* checked', said)
    assert not re.search(r'value="US"[^>]* checked', said)


def test_a_form_that_is_sent_twice_makes_one_key(client, account):
    form_id = client.get(reverse("key_new")).context["form"]["form_id"].initial
    first = create(client, form_id=str(form_id), daily_usd="1")
    again = create(client, form_id=str(form_id), daily_usd="1")
    assert (first.status_code, again.status_code) == (200, 409)
    assert ApiKey.objects.count() == Budget.objects.count() == 1
    said = text_of(again)
    assert "This key was made already" in said
    assert f"ending in {ApiKey.objects.get().last_four}" in said
    assert not re.search(r"bnr_live_\w{36}", said)
    create(client, form_id="nonsense")
    assert ApiKey.objects.count() == 1
    create(client)
    create(client)
    assert ApiKey.objects.count() == 3


def test_places_are_those_that_the_account_can_reach(client, account, models):
    assert "allowed_jurisdictions" in client.get(reverse("key_new")).context["form"].fields
    Account.objects.update(allowed_jurisdictions=["CN"])
    form = client.get(reverse("key_new")).context["form"]
    assert [code for code, _ in form.fields["allowed_jurisdictions"].choices] == ["CN"]
    Channel.objects.update(is_enabled=False)
    assert "allowed_jurisdictions" not in client.get(reverse("key_new")).context["form"].fields
    assert create(client).status_code == 200


# Looking


def test_the_list_puts_working_keys_first_and_leaves_deleted_and_playground_keys_out(
    client, account
):
    past = timezone.now() - dt.timedelta(seconds=1)
    mint(account, name="old", expires_at=past)
    keys.disable(mint(account, name="revoked"))
    keys.set_paused(mint(account, name="paused"), is_paused=True)
    keys.delete(mint(account, name="gone"))
    mint(account, name="browsers", purpose=ApiKey.Purpose.PLAYGROUND)
    mint(account, name="new")
    mint(account, name="newer", is_management=True)
    response = client.get(reverse("keys"))
    assert [(row.key.name, row.state) for row in response.context["rows"]] == [
        ("newer", "active"), ("new", "active"), ("paused", "disabled"), ("old", "expired"),
        ("revoked", "revoked"),
    ]  # fmt: skip
    said = text_of(response)
    assert "gone" not in said
    assert "browsers" not in said
    assert said.count(">management<") == 1


@time_machine.travel(NOON, tick=False)
def test_a_key_tells_what_it_spent_and_when_it_was_used(client, account):
    key, other = mint(account), mint(account, name="other")
    budgets.set_limits(api_key_id=key.pk, limits={"daily": 10**9, "total": 2 * 10**9})
    for n, (days, cost) in enumerate([(0, 1), (6, 10), (7, 100), (29, 1_000), (31, 10_000)]):
        charge(key, cost * 10**7, at=NOON - dt.timedelta(days=days), n=n)
    charge(other, 5 * 10**7, at=NOON, n=77)
    factories.request(account, api_key_id=key.pk, at=NOON - dt.timedelta(hours=2))
    factories.request(account, api_key_id=key.pk, at=NOON - dt.timedelta(hours=5))
    Budget.objects.filter(period="daily").update(spent_nusd=4 * 10**8)
    (row,) = [r for r in client.get(reverse("keys")).context["rows"] if r.key == key]
    assert row.used_at == NOON - dt.timedelta(hours=2)
    spent = row.spent
    assert (spent.today_nusd, spent.days7_nusd, spent.days30_nusd, spent.month_nusd) == (
        10**7, 11 * 10**7, 1_111 * 10**7, 111 * 10**7
    )  # fmt: skip
    said = page(client, "key", key)
    assert "$0.40" in said
    assert 'width="40.00%"' in said
    assert "2026-11-27 00:00 UTC" in said
    assert f"?key={key.pk}" in said
    other_page = page(client, "key", other)
    assert "not among the account" in other_page
    assert "$0.05" in other_page
    assert "$0.40" not in other_page


def test_a_limit_that_is_used_up_says_so(client, account):
    key = mint(account)
    budgets.set_limits(api_key_id=key.pk, limits={"monthly": 10**9})
    assert "Used up" not in page(client, "key", key)
    Budget.objects.update(spent_nusd=10**9)
    assert "Used up: requests are refused" in page(client, "key", key)


@pytest.mark.parametrize("count", [1, 60])
def test_pages_of_many_keys_cost_no_more_queries(
    count, client, account, django_assert_max_num_queries
):
    for n in range(count):
        key = mint(account, name=f"key {n}")
        budgets.set_limits(api_key_id=key.pk, limits={"daily": 10**9, "total": 10**9})
    for url in (
        reverse("keys"), reverse("key_new"), reverse("key", args=[key.pk]),
        reverse("key_edit", args=[key.pk]), reverse("key_rotate", args=[key.pk]),
        reverse("key_delete", args=[key.pk]), reverse("key_new_management"),
    ):  # fmt: skip
        with django_assert_max_num_queries(QUERIES_MAX):
            assert client.get(url).status_code == 200
    if count > 50:
        assert "Page 1 of 2" in text_of(client.get(reverse("keys")))
        rest = client.get(reverse("keys"), {"page": "2"})
        assert [row.key.name for row in rest.context["rows"]][-1] == "key 0"
        assert client.get(reverse("keys"), {"page": "nine"}).status_code == 200


# Changing


def test_the_form_of_a_change_holds_what_stands_and_saves_the_rest(client, account, models):
    create(
        client, cost_center="Lab", daily_usd="2.5", total_usd="7", allowed_models="lab/us",
        allowed_ips="192.0.2.0/24", allowed_jurisdictions=["CN"], requests_per_minute_max="9",
    )  # fmt: skip
    key = ApiKey.objects.get()
    said = page(client, "key_edit", key)
    for part in ('value="2.5"', 'value="7"', 'value="Lab"', "lab/us", "192.0.2.0/24", 'value="9"'):
        assert part in said
    assert re.search(r'value="CN"[^>]* checked', said)
    changed_before = Change.objects.count()
    response = edit(client, key, name="desk", weekly_usd="3", total_usd="8")
    assert response["Location"] == reverse("key", args=[key.pk])
    key.refresh_from_db()
    assert (key.name, key.cost_center, key.requests_per_minute_max) == ("desk", "", None)
    assert (key.allowed_models, key.allowed_ips, key.allowed_jurisdictions) == ([], [], [])
    assert dict(Budget.objects.values_list("period", "limit_nusd")) == {
        "weekly": 3 * 10**9, "total": 8 * 10**9
    }  # fmt: skip
    assert Change.objects.count() > changed_before
    edit(client, key)
    key.refresh_from_db()
    assert not key.has_budget
    assert not Budget.objects.exists()


def test_a_change_that_leaves_the_limits_alone_leaves_the_leases_alone(client, account):
    key = mint(account)
    budgets.set_limits(api_key_id=key.pk, limits={"daily": 10**9})
    wallet = Change.objects.filter(topic=Change.Topic.WALLET)
    before = wallet.count()
    edit(client, key, daily_usd="1", name="desk")
    assert wallet.count() == before
    edit(client, key, daily_usd="2")
    assert wallet.count() == before + 1


def test_a_wrong_change_is_explained_and_changes_nothing(client, account):
    key = mint(account)
    response = edit(client, key, name="desk", daily_usd="none", total_usd="5")
    assert "above 0" in text_of(response)
    key.refresh_from_db()
    assert (key.name, key.has_budget) == ("laptop", False)


def test_a_key_that_ends_within_a_day_keeps_its_moment(client, account):
    at = timezone.now() + dt.timedelta(days=2, hours=1)
    key = mint(account, expires_at=at)
    form = client.get(reverse("key_edit", args=[key.pk])).context["form"]
    day = form.initial["expires_on"]
    edit(client, key, expires_on=str(day), name="desk")
    key.refresh_from_db()
    assert key.expires_at == at
    edit(client, key, expires_on=str(day + dt.timedelta(days=1)))
    key.refresh_from_db()
    assert key.expires_at.time() == dt.time()


def test_a_model_that_is_gone_may_stay_on_a_key(client, account, models):
    key = mint(account, allowed_models=["lab/us"])
    Model.objects.filter(slug="lab/us").delete()
    assert edit(client, key, allowed_models="lab/us", name="desk").status_code == 302
    assert "There is no model" in text_of(edit(client, key, allowed_models="lab/us\nlab/x"))


def test_disabling_and_enabling_is_idempotent(client, account):
    key = mint(account)
    for _ in range(2):
        said = text_of(client.post(reverse("key_pause", args=[key.pk]), {"wanted": "disabled"},
                                   follow=True))  # fmt: skip
        assert "“laptop” is disabled." in said
        key.refresh_from_db()
        assert key.paused_at is not None
    for _ in range(2):
        post(client, "key_pause", key, wanted="enabled")
        key.refresh_from_db()
        assert key.paused_at is None
    assert Change.objects.filter(topic=Change.Topic.KEY, ref=str(key.pk)).count() == 2
    assert client.get(reverse("key_pause", args=[key.pk])).status_code == 405


# Rotating, deleting


@pytest.mark.parametrize(
    ("overlap", "hours"), [("now", 0), ("hour", 1), ("day", 24), ("week", 168)]
)
@time_machine.travel(NOON, tick=False)
def test_a_rotated_key_is_shown_and_the_old_one_stops_when_it_was_said(
    overlap, hours, client, account
):
    key = mint(account, allowed_ips=["192.0.2.7"])
    budgets.set_limits(api_key_id=key.pk, limits={"daily": 10**9})
    Budget.objects.update(spent_nusd=10**9)
    response = post(client, "key_rotate", key, overlap=overlap)
    (text,) = set(re.findall(r"bnr_live_\w{36}", text_of(response)))
    new = keys.find(text)
    key.refresh_from_db()
    assert (new.replaces, new.allowed_ips, new.has_budget) == (key, key.allowed_ips, True)
    assert key.expires_at == NOON + dt.timedelta(hours=hours)
    # One budget for both: rotation is no way around a limit.
    assert Budget.objects.count() == 1
    assert "Used up" in page(client, "key", new)
    assert "Shared with the key that it replaced" in page(client, "key", new)
    old_page = page(client, "key", key)
    assert f"(…{new.last_four})" in old_page
    assert reverse("key_rotate", args=[key.pk]) not in old_page
    edit(client, new, daily_usd="3")
    assert Budget.objects.get().limit_nusd == 3 * 10**9
    assert "$3.00" in page(client, "key", key)


def test_rotating_twice_makes_one_key(client, account):
    key = mint(account)
    post(client, "key_rotate", key, overlap="day")
    again = post(client, "key_rotate", key, overlap="day")
    assert again.status_code == 409
    assert "This key was made already" in text_of(again)
    assert ApiKey.objects.count() == 2


def test_rotation_needs_a_choice_and_a_key_that_works(client, account):
    key = mint(account)
    assert "valid choice" in text_of(post(client, "key_rotate", key, overlap="never"))
    keys.disable(key)
    said = text_of(
        client.post(reverse("key_rotate", args=[key.pk]), {"overlap": "day"}, follow=True)
    )
    assert "does not work: enable it first" in said
    assert ApiKey.objects.count() == 1


def test_deleting_asks_first_and_then_deletes(client, account):
    key = mint(account)
    request_id = factories.request(account, api_key_id=key.pk)
    assert "Delete “laptop”?" in page(client, "key_delete", key)
    key.refresh_from_db()
    assert key.disabled_at is None
    said = text_of(client.post(reverse("key_delete", args=[key.pk]), follow=True))
    assert "“laptop” is deleted." in said
    assert reverse("key", args=[key.pk]) not in said
    key.refresh_from_db()
    assert None not in (key.disabled_at, key.deleted_at)
    for name in ("key", "key_edit", "key_rotate", "key_delete"):
        assert client.get(reverse(name, args=[key.pk])).status_code == 404
    assert client.post(reverse("key_delete", args=[key.pk])).status_code == 404
    assert client.get(reverse("request", args=[request_id])).status_code == 200


def test_a_management_key_is_made_by_itself_and_has_no_limits(client, account):
    made = client.post(reverse("key_new_management"), {"name": "boss", "allowed_ips": "192.0.2.7"})
    (text,) = set(re.findall(r"bnr_live_\w{36}", text_of(made)))
    key = keys.find(text)
    assert (key.is_management, key.allowed_ips) == (True, ["192.0.2.7/32"])
    assert "curl" not in text_of(made)
    form = client.get(reverse("key_edit", args=[key.pk])).context["form"]
    assert "daily_usd" not in form.fields
    edit(client, key, name="chief", daily_usd="5", allowed_models="demo/*")
    key.refresh_from_db()
    assert (key.name, key.has_budget, key.allowed_models) == ("chief", False, [])
    assert "Spending limits" not in page(client, "key", key)


# Who may


@pytest.fixture
def as_role(account):
    """Return `as_role(role)`: a client of bob, who looks at alice's account in that role."""

    def enter(role):
        bob = factories.user("bob")
        factories.join(bob, account, role)
        client = Client()
        client.force_login(bob)
        client.post(reverse("switch_account"), {"account": str(account.public_id)})
        return client, bob

    return enter


CHANGES = ("key_edit", "key_rotate", "key_delete")


def test_a_developer_sees_and_changes_only_keys_of_their_own(account, as_role):
    client, bob = as_role("developer")
    hers, his = mint(account, name="hers"), mint(account, name="his", created_by=bob)
    assert [row.key for row in client.get(reverse("keys")).context["rows"]] == [his]
    assert "hers" not in text_of(client.get(reverse("keys")))
    for name in ("key", *CHANGES):
        assert client.get(reverse(name, args=[hers.pk])).status_code == 404
        assert client.get(reverse(name, args=[his.pk])).status_code == 200
    for name in (*CHANGES, "key_pause"):
        assert post(client, name, hers, name="x", overlap="now").status_code == 404
    hers.refresh_from_db()
    assert (hers.name, hers.paused_at, hers.disabled_at) == ("hers", None, None)
    assert client.get(reverse("key_new_management")).status_code == 403
    assert edit(client, his, name="renamed").status_code == 302
    create(client, name="third")
    assert ApiKey.objects.get(name="third").created_by == bob


def test_billing_sees_every_key_with_its_spending_and_changes_none(account, as_role):
    client, _ = as_role("billing")
    key = mint(account, name="hers")
    response = client.get(reverse("keys"))
    assert [row.key for row in response.context["rows"]] == [key]
    said = text_of(response) + page(client, "key", key)
    assert reverse("key_new") not in said
    for name in (*CHANGES, "key_pause"):
        assert reverse(name, args=[key.pk]) not in said
        assert post(client, name, key, name="x", overlap="now").status_code == 403
    key.refresh_from_db()
    assert (key.name, key.paused_at, key.disabled_at) == ("hers", None, None)


def test_an_admin_changes_every_key_and_the_maker_stays(account, as_role):
    client, bob = as_role("admin")
    key = mint(account, name="hers")
    assert edit(client, key, name="ours").status_code == 302
    (text,) = set(
        re.findall(r"bnr_live_\w{36}", text_of(post(client, "key_rotate", key, overlap="now")))
    )
    assert keys.find(text).created_by == key.created_by != bob


def test_another_accounts_keys_do_not_exist(account):
    key = mint(account)
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    assert "laptop" not in text_of(mallory.get(reverse("keys")))
    for name in ("key", *CHANGES):
        assert mallory.get(reverse(name, args=[key.pk])).status_code == 404
    for name in (*CHANGES, "key_pause"):
        assert post(mallory, name, key, name="x", overlap="now").status_code == 404
    key.refresh_from_db()
    assert (key.name, key.paused_at, key.disabled_at) == ("laptop", None, None)
    assert ApiKey.objects.count() == 1


def test_forms_need_their_csrf_token(alice, account):
    key = mint(account)
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    for name in (*CHANGES, "key_pause"):
        response = post(client, name, key, overlap="now")
        assert response.status_code == 403
        assert "The form was too old" in text_of(response)
    key.refresh_from_db()
    assert key.disabled_at is None
