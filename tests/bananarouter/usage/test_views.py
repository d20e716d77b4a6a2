"""The usage page and its CSV: figures, access, and what cannot be trusted."""

import csv
import datetime as dt
import io
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership
from billing.models import SpendHour
from tests import factories

pytestmark = pytest.mark.django_db
QUERIES_MAX = 12


def client_of(person):
    client = Client()
    client.force_login(person)
    return client


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def get(person, query="", name="usage"):
    return client_of(person).get(f"{reverse(name)}?{query}")


def rows_of(response):
    return list(csv.reader(io.StringIO(response.content.decode())))


def test_an_account_without_requests_is_told_what_to_do(desk):
    page = text_of(get(desk.person))
    assert "Nothing in these days" in page
    assert "<figure" not in page
    assert "Download CSV" not in page


def test_the_page_shows_each_group_and_the_exact_total(desk):
    desk.request(key=desk.key("web"), cost_nusd=1_500_000_001)
    desk.request(key=desk.key("batch"), cost_nusd=500_000_000)
    page = text_of(get(desk.person, "group=key"))
    assert "web" in page
    assert "batch" in page
    assert "Total equals the ledger: $2.000000001." in page
    assert "$2.000000001 is spent but not posted yet" in page
    desk.close()
    page = text_of(get(desk.person, "group=key"))
    assert "All hours since the first request add up to $2.000000001" in page
    assert "not posted yet" not in page


def test_a_difference_to_the_ledger_is_not_hidden(desk):
    desk.request(cost_nusd=1_000)
    desk.close()
    SpendHour.objects.update(cost_nusd=999)
    page = text_of(get(desk.person))
    assert "These numbers are not the ledger" in page
    assert "The hours add up to $0.000000999, the ledger took $0.000001" in page
    assert "Total equals" not in page


def test_the_chart_and_the_table_behind_it_say_the_same(desk):
    now = timezone.now()
    for number in range(12):
        desk.request(
            key=desk.key(f"k{number:02}"), cost_nusd=1_000 * (12 - number),
            at=now - dt.timedelta(days=number),
        )  # fmt: skip
    chart = get(desk.person, "group=key").context["chart"]
    assert [series.group.name for series in chart.series] == [
        *(f"k{number:02}" for number in range(8)), "All others",
    ]  # fmt: skip
    assert len({series.css for series in chart.series}) == 9
    assert len(chart.columns) == 30
    today = chart.columns[-1]
    assert today.at == f"{now:%Y-%m-%d}"
    assert [cell.exact for cell in today.cells] == ["$0.000012", *["$0"] * 8]
    assert sum(float(column.total.exact[1:]) for column in chart.columns) == pytest.approx(78e-6)
    for series in chart.series:
        assert series.path.count("M") == (4 if series.group.name == "All others" else 1)


@pytest.mark.parametrize("measure", ["spend", "requests", "tokens", "errors"])
def test_every_measure_is_a_link_that_keeps_the_rest(desk, measure):
    desk.request(status=500)
    response = get(desk.person, f"range=7d&group=vendor&measure={measure}")
    page = text_of(response)
    assert response.context["choice"].measure == measure
    for other in ("spend", "requests", "tokens", "errors"):
        assert f"?range=7d&amp;group=vendor&amp;measure={other}" in page


def test_wrong_days_are_explained_beside_the_field_and_kept(desk):
    page = text_of(get(desk.person, "range=custom&from=2026-10-05&to=2026-10-01"))
    assert "not before the first one" in page
    assert 'value="2026-10-05"' in page
    assert 'aria-invalid="true"' in page


@pytest.mark.parametrize("name", ["usage", "usage_csv"])
@pytest.mark.parametrize(
    "query",
    ["range=custom&from=0001-01-01&to=9999-12-31", "range=%00&group=%00", "group=<script>",
     "from=2026-01-01", "range=custom", "measure=' OR 1=1"],
)  # fmt: skip
def test_nonsense_in_the_url_breaks_nothing(desk, name, query):
    desk.request()
    response = get(desk.person, query, name)
    assert response.status_code == 200
    assert b"<script>" not in response.content


def test_words_of_others_are_escaped(desk):
    desk.request(key=desk.key("<b>x</b>"))
    page = text_of(get(desk.person, "group=key"))
    assert "&lt;b&gt;x" in page
    assert "<b>x" not in page


# CSV


def test_the_csv_has_exact_amounts_that_add_up(desk):
    web = desk.key("web")
    desk.request(key=web, cost_nusd=1, input_tokens=3)
    desk.request(key=web, cost_nusd=2_000_000_000, status=500)
    response = get(desk.person, "group=key&range=7d", "usage_csv")
    head, row = rows_of(response)
    assert head == [
        "day", "key", "note", "requests", "errors", "input_tokens", "cache_read_tokens",
        "cache_write_tokens", "output_tokens", "reasoning_tokens", "spend_usd",
    ]  # fmt: skip
    today = timezone.now().date()
    assert row[:2] == [f"{today}T00:00+00:00", "web"]
    assert row[3:] == ["2", "1", "15", "0", "0", "60", "0", "2.000000001"]
    assert (
        f"usage-{today - dt.timedelta(days=6)}-{today}-by-key.csv"
        in (response["Content-Disposition"])
    )
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in response["Cache-Control"]


def test_the_csv_of_labels_has_what_is_summed_of_them(desk):
    desk.request(cost_nusd=5, tag="web")
    desk.request(cost_nusd=7)
    rows = rows_of(get(desk.person, "group=tag", "usage_csv"))
    assert rows[0] == ["day", "tag", "note", "requests", "spend_usd"]
    assert [row[1:] for row in rows[1:]] == [
        ["web", "", "1", "0.000000005"], ["Without a tag", "", "1", "0.000000007"],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_name_is_never_a_formula(desk, name):
    desk.request(key=desk.key(name))
    (_, row) = rows_of(get(desk.person, "group=key", "usage_csv"))
    assert row[1] == f"'{name}"


# Access


def test_a_developer_sees_own_keys_only(desk):
    bob = factories.user("bob")
    factories.join(bob, desk.account)
    client = client_of(bob)
    client.post(reverse("switch_account"), {"account": str(desk.account.public_id)})
    desk.request(key=desk.key("of alice"), cost_nusd=7_000_000_000, tag="secret-tag")
    desk.request(key=desk.key("of bob", by=bob), cost_nusd=5_000_000_000)
    for query in ("group=key", "group=tag", "group=end_user", "group=member"):
        page = text_of(client.get(f"{reverse('usage')}?{query}"))
        assert "Your own keys only" in page
        assert "$5.00" in page
        for hidden in ("of alice", "secret-tag", "$7.00", "$12", "equals the ledger"):
            assert hidden not in page
    rows = rows_of(client.get(f"{reverse('usage_csv')}?group=key"))
    assert [row[1] for row in rows[1:]] == ["of bob"]


def test_a_billing_member_sees_all(desk):
    carol = factories.user("carol")
    factories.join(carol, desk.account, role=Membership.Role.BILLING)
    client = client_of(carol)
    client.post(reverse("switch_account"), {"account": str(desk.account.public_id)})
    desk.request(key=desk.key("of alice"))
    page = text_of(client.get(f"{reverse('usage')}?group=key"))
    assert "of alice" in page
    assert "Total equals the ledger" in page


@pytest.mark.parametrize("grouping", ["model", "key", "member", "vendor", "cost_center", "tag"])
@pytest.mark.parametrize("role", ["owner", "developer"])
def test_the_page_keeps_within_its_queries(desk, grouping, role, django_assert_max_num_queries):
    person = desk.person
    if role == "developer":
        person = factories.user("bob")
        factories.join(person, desk.account)
    client = client_of(person)
    client.post(reverse("switch_account"), {"account": str(desk.account.public_id)})
    for number in range(12):
        desk.request(key=desk.key(f"k{number}", by=person), model=f"a/{number}", tag=f"t{number}")
    with django_assert_max_num_queries(QUERIES_MAX):
        response = client.get(f"{reverse('usage')}?group={grouping}")
    assert response.context["chart"]
