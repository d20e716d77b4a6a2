"""The list of requests: its filters, pages and roles, alive, and as CSV."""

import csv
import datetime as dt
import uuid
from urllib.parse import parse_qs

import pytest
from django.urls import reverse

from accounts import end_users, keys
from bananarouter.pages.requests import lists
from logs import search
from tests import factories
from tests.bananarouter.test_pages import QUERIES_MAX, text_of

pytestmark = pytest.mark.django_db
ANN = "a" * 32


def ids(response) -> list[uuid.UUID]:
    return [row.request_id for row in response.context["rows"]]


def test_the_newest_come_first_and_only_of_this_account(client, account):
    made = [factories.request(account) for _ in range(3)]
    factories.request(factories.account_of(factories.user("mallory")))
    assert ids(client.get(reverse("requests"))) == made[::-1]


def test_no_request_leads_to_the_first_one(client):
    assert "No requests yet" in text_of(client.get(reverse("requests")))


def test_filters_by_result_and_model(client, account):
    good = factories.request(account)
    bad = factories.request(account, status=504, error_code="upstream_timeout")
    other = factories.request(account, model="demo/peel")
    page = reverse("requests")
    assert ids(client.get(page, {"status": "ok"})) == [other, good]
    assert ids(client.get(page, {"status": "failed"})) == [bad]
    assert ids(client.get(page, {"model": "demo/peel"})) == [other]
    assert ids(client.get(page, {"model": "demo/peel", "status": "failed"})) == []
    nothing = text_of(client.get(page, {"model": "demo/none"}))
    assert "Nothing matches" in nothing
    assert "Show all requests" in nothing


@pytest.mark.parametrize(
    "query", ["?status=%27%20OR%201", "?before=x", "?before=", "?model=%00%FF", "?status[]=1"]
)
def test_a_filter_that_makes_no_sense_is_no_failure(query, client, account):
    factories.request(account)
    assert client.get(reverse("requests") + query).status_code == 200


def test_pages_follow_each_other_without_gap_or_repetition(client, account, monkeypatch):
    monkeypatch.setattr(lists, "PAGE_ROWS", 3)
    made = [
        factories.request(account, model="demo/peel" if n % 2 else "demo/banana") for n in range(16)
    ]
    url, seen = f"{reverse('requests')}?model=demo%2Fpeel", []
    for _ in range(10):
        response = client.get(url)
        seen += ids(response)
        if not response.context["older"]:
            break
        # A new request must not push rows onto the next page a second time.
        factories.request(account, model="demo/peel")
        url = f"{reverse('requests')}?{response.context['older']}"
    assert seen == made[1::2][::-1]


def test_a_full_list_stays_within_its_queries(client, account, django_assert_max_num_queries):
    for _ in range(lists.PAGE_ROWS + 5):
        factories.request(account)
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get(reverse("requests"))
    assert len(ids(response)) == lists.PAGE_ROWS


def test_the_csv_has_the_filtered_rows_and_exact_costs(client, account):
    factories.request(account, status=402, error_code="insufficient_credit", cost_nusd=0)
    wanted = factories.request(account, cost_nusd=317)
    factories.request(factories.account_of(factories.user("mallory")))
    response = client.get(reverse("requests_csv"), {"status": "ok"})
    assert response["Content-Type"].startswith("text/csv")
    assert "attachment" in response["Content-Disposition"]
    (row,) = csv.DictReader(response.content.decode().splitlines())
    assert row["request_id"] == str(wanted)
    assert row["cost_usd"] == "0.000000317"
    assert row["error_code"] == ""
    assert row["is_stream"] == "false"
    assert dt.datetime.fromisoformat(row["created_at"]).utcoffset() == dt.timedelta()


def test_the_csv_is_bounded(client, account, monkeypatch):
    monkeypatch.setattr(lists, "CSV_ROWS_MAX", 2)
    for _ in range(3):
        factories.request(account)
    assert len(client.get(reverse("requests_csv")).content.decode().splitlines()) == 3


def test_the_csv_goes_on_where_a_search_stops_and_ends_at_its_bound(client, account, monkeypatch):
    made = [factories.request(account, model="demo/rare" if n % 9 == 0 else "demo/banana")
            for n in range(40)]  # fmt: skip
    monkeypatch.setattr(search, "FIRST_ROWS", 5)
    monkeypatch.setattr(search, "SCAN_ROWS_MAX", 5)
    monkeypatch.setattr(lists, "CSV_PAGE_ROWS", 2)

    def found():
        text = client.get(reverse("requests_csv"), {"model": "demo/rare"}).content.decode()
        return [row["request_id"] for row in csv.DictReader(text.splitlines())]

    assert found() == [str(made[n]) for n in (36, 27, 18, 9, 0)]
    monkeypatch.setattr(lists, "CSV_CUTS_MAX", 1)
    assert found() == [str(made[n]) for n in (36,)]


def test_the_csv_names_keys_so_that_no_spreadsheet_runs_them(client, account, alice):
    key, _ = keys.mint(account=account, created_by=alice, name="=1+1")
    factories.request(account, api_key_id=key.pk, tag="a/b", end_user=ANN)
    (row,) = csv.DictReader(client.get(reverse("requests_csv")).content.decode().splitlines())
    assert row["api_key"] == "'=1+1"
    assert (row["tag"], row["end_user"]) == ("a/b", ANN)


# Filters


@pytest.fixture
def page(client):
    return lambda **query: client.get(reverse("requests"), query)


def test_filters_by_each_label_key_vendor_and_day(page, account, alice):
    key, _ = keys.mint(account=account, created_by=alice, name="production")
    day = dt.datetime(2026, 11, 20, 23, 59, tzinfo=dt.UTC)
    old = factories.request(account, at=day)
    made = {
        "tag": factories.request(account, tag="team/a"),
        "user": factories.request(account, end_user=ANN),
        "key": factories.request(account, api_key_id=key.pk),
        "vendor": factories.request(account, vendor="acme"),
    }
    wanted = {"tag": "team/a", "user": ANN, "key": key.pk, "vendor": "acme"}
    for name, value in wanted.items():
        assert ids(page(**{name: value})) == [made[name]], name
    assert ids(page(since="2026-11-20", until="2026-11-20")) == [old]
    assert ids(page(until="2026-11-19")) == []
    assert ids(page(since="2026-11-21")) == list(reversed(made.values()))
    assert ids(page(tag="team/a", user=ANN)) == []


@pytest.mark.parametrize(
    ("status", "wanted"),
    [("ok", [200]), ("failed", [400, 402, 429, 503]), ("402", [402]), ("429", [429]),
     ("4xx", [400, 402, 429]), ("5xx", [503])],
)  # fmt: skip
def test_filters_by_each_result(status, wanted, page, account):
    for code in (503, 429, 402, 400, 200):
        factories.request(account, status=code)
    assert [row.status for row in page(status=status).context["rows"]] == wanted


def test_a_filter_that_is_wrong_is_told_beside_its_field_and_keeps_what_was_typed(page, account):
    request_id = factories.request(account)
    wrong = {"q": "gen-xyz", "tag": "two words", "until": "2026-11-01", "since": "2026-11-02"}
    response = page(**wrong)
    assert ids(response) in ([], [request_id])
    assert set(response.context["form"].errors) == {"q", "tag", "until"}
    shown = text_of(response)
    assert "at least its first four characters" in shown
    assert "No tag looks like this" in shown
    assert 'value="two words"' in shown
    assert '<details class="more" open' in shown


def test_a_key_of_another_account_finds_nothing(page, account):
    mallory = factories.user("mallory")
    other = factories.account_of(mallory)
    key, _ = keys.mint(account=other, created_by=mallory, name="secret name")
    factories.request(other, api_key_id=key.pk)
    response = page(key=key.pk)
    assert ids(response) == []
    assert "secret name" not in text_of(response)


def test_links_carry_the_filters_on(page, account, monkeypatch):
    monkeypatch.setattr(lists, "PAGE_ROWS", 1)
    for _ in range(3):
        factories.request(account, tag="x", end_user=ANN)
    context = page(tag="x", user=ANN, status="ok").context
    query = parse_qs(context["older"])
    assert query.pop("before")
    assert query == {"tag": ["x"], "user": [ANN], "status": ["ok"]}
    assert parse_qs(context["newest"]) == query


def test_a_search_that_was_cut_says_how_far_it_came(page, account, monkeypatch):
    monkeypatch.setattr(search, "FIRST_ROWS", 2)
    monkeypatch.setattr(search, "SCAN_ROWS_MAX", 2)
    for _ in range(5):
        factories.request(account)
    response = page(model="demo/none")
    shown = text_of(response)
    assert "Nothing matches so far" in shown
    assert "Searched back to" in shown
    assert "Search older" in shown
    last = page(model="demo/none", before=parse_qs(response.context["older"])["before"][0])
    last = page(model="demo/none", before=parse_qs(last.context["older"])["before"][0])
    assert "No request of this account passes these filters" in text_of(last)


# By id


def test_a_whole_id_leads_to_its_request(client, account):
    request_id = factories.request(account)
    for text in (f"gen-{request_id.hex}", str(request_id), f" GEN-{request_id.hex.upper()} "):
        response = client.get(reverse("requests"), {"q": text})
        assert response["Location"] == reverse("request", args=[request_id])


def test_the_beginning_of_an_id_finds_what_begins_so(page, account):
    early = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    old = factories.request(account, at=early)
    new = factories.request(account)
    assert ids(page(q=f"gen-{old.hex[:12]}")) == [old]
    assert ids(page(q=new.hex[:4])) == [new]
    assert ids(page(q="ffff")) == []


def test_anothers_id_finds_nothing(page, account):
    factories.request(account)
    other = factories.request(factories.account_of(factories.user("mallory")))
    response = page(q=f"gen-{other.hex}")
    assert response.status_code == 200
    assert ids(response) == []


# End users


def test_an_end_users_name_is_hashed_and_looked_up_and_stands_nowhere(client, account):
    hashed = end_users.digest("ann@example.com", account_id=account.pk)
    wanted = factories.request(account, end_user=hashed, tag="x")
    factories.request(account, end_user=ANN, tag="x")
    url = f"{reverse('requests_end_user')}?tag=x"
    response = client.post(url, {"end_user": " ann@example.com"}, follow=True)
    assert response.redirect_chain == [(f"{reverse('requests')}?tag=x&user={hashed}", 302)]
    assert ids(response) == [wanted]
    assert "ann@example" not in response.content.decode()
    assert client.get(url).status_code == 405


def test_after_a_pepper_was_replaced_old_and_new_hashes_are_found(client, account, settings):
    settings.KEY_PEPPERS = {1: "o" * 40}
    old = factories.request(account, end_user=end_users.digest("ann", account_id=account.pk))
    settings.KEY_PEPPERS = {1: "o" * 40, 2: "n" * 40}
    new = factories.request(account, end_user=end_users.digest("ann", account_id=account.pk))
    response = client.post(reverse("requests_end_user"), {"end_user": "ann"}, follow=True)
    assert ids(response) == [new, old]


def test_no_name_shows_the_list_without_that_filter(client, account):
    factories.request(account, end_user=ANN)
    response = client.post(
        f"{reverse('requests_end_user')}?user={ANN}&status=ok", {"end_user": " "}
    )
    assert response["Location"] == f"{reverse('requests')}?status=ok"


# Live


def test_the_live_list_answers_only_when_something_changed(client, account):
    page, live = reverse("requests"), reverse("requests_live")
    first = factories.request(account)
    seen = client.get(page).context["seen"]
    quiet = client.get(live, {"seen": seen})
    assert (quiet.status_code, quiet.content) == (204, b"")
    second = factories.request(account)
    response = client.get(live, {"seen": seen})
    assert response.status_code == 200
    assert ids(response) == [second, first]
    assert "<html" not in response.content.decode()
    assert client.get(live, {"seen": response.context["seen"]}).status_code == 204


def test_a_request_that_ran_for_long_comes_in_below_and_is_seen(client, account):
    """Its id is that of its beginning: a cursor from the newest row would miss it."""
    began = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    newest = factories.request(account)
    seen = client.get(reverse("requests")).context["seen"]
    late = factories.request(account, at=began)
    assert ids(client.get(reverse("requests_live"), {"seen": seen})) == [newest, late]


def test_the_live_list_keeps_to_the_filters(client, account):
    live = client.get(reverse("requests"), {"tag": "x"}).context["live"]
    seen = client.get(reverse("requests"), {"tag": "x"}).context["seen"]
    factories.request(account)
    assert client.get(live, {"tag": "x", "seen": seen}).status_code == 204
    wanted = factories.request(account, tag="x")
    assert ids(client.get(live, {"tag": "x", "seen": seen})) == [wanted]


def test_older_pages_stand_still(page, account, monkeypatch):
    monkeypatch.setattr(lists, "PAGE_ROWS", 1)
    for _ in range(2):
        factories.request(account)
    first = page()
    assert "hx-get" in first.content.decode()
    older = page(before=parse_qs(first.context["older"])["before"][0])
    assert "hx-get" not in older.content.decode()


# Roles


def test_a_developer_sees_what_own_keys_did_and_nothing_else(account, alice, looking):
    bob, client = looking("developer")
    theirs, _ = keys.mint(account=account, created_by=alice, name="alice-key")
    own = [keys.mint(account=account, created_by=bob, name=f"bob-{n}")[0] for n in range(2)]
    factories.request(account, api_key_id=theirs.pk, model="demo/hidden", tag="x")
    factories.request(account, tag="x")
    seen = [factories.request(account, api_key_id=key.pk, tag="x") for key in own]
    page = reverse("requests")
    response = client.get(page)
    assert ids(response) == seen[::-1]
    shown = text_of(response)
    assert "keys did that you made" in shown
    assert "demo/hidden" not in shown
    assert "alice-key" not in shown
    assert ids(client.get(page, {"tag": "x"})) == seen[::-1]
    assert ids(client.get(page, {"key": own[0].pk})) == [seen[0]]
    assert ids(client.get(page, {"key": theirs.pk})) == []
    assert ids(client.get(reverse("requests_live"))) == seen[::-1]
    csv_rows = client.get(reverse("requests_csv")).content.decode().splitlines()
    assert len(csv_rows) == 3
    latest = client.get(reverse("overview")).context["rows"]
    assert [row.request_id for row in latest] == seen[::-1]


def test_a_developer_with_many_keys_is_told_which_are_shown(account, looking, monkeypatch):
    monkeypatch.setattr(search, "KEYS_MAX", 1)
    bob, client = looking("developer")
    older, newer = (keys.mint(account=account, created_by=bob, name=n)[0] for n in "ab")
    made = {key.pk: factories.request(account, api_key_id=key.pk) for key in (older, newer)}
    page = reverse("requests")
    response = client.get(page)
    assert ids(response) == [made[newer.pk]]
    assert "requests of your newest 1 keys" in text_of(response)
    response = client.get(page, {"key": older.pk})
    assert ids(response) == [made[older.pk]]
    assert "your newest" not in text_of(response)


def test_a_developer_without_keys_sees_nothing(account, looking):
    factories.request(account)
    _, client = looking("developer")
    assert "No requests yet" in text_of(client.get(reverse("requests")))


@pytest.mark.parametrize("role", ["owner", "admin", "billing"])
def test_the_other_roles_see_all(role, account, looking):
    made = [factories.request(account) for _ in range(2)]
    _, client = looking(role)
    assert ids(client.get(reverse("requests"))) == made[::-1]


def test_a_developers_filtered_list_stays_within_its_queries(
    account, looking, django_assert_max_num_queries
):
    bob, client = looking("developer")
    for n in range(3):
        key, _ = keys.mint(account=account, created_by=bob, name=f"bob-{n}")
        factories.request(account, api_key_id=key.pk)
    with django_assert_max_num_queries(QUERIES_MAX):
        client.get(reverse("requests"), {"model": "demo/banana", "status": "ok"})
