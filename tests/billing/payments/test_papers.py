"""PDF and CSV: fonts embedded, the same bytes each time, every script shown or said not to be."""

import csv
import io

import pytest
from django.utils import translation

from accounts.models import BillingDetails
from billing.models import Receipt
from billing.payments import papers, receipts, sheets, statements
from tests.billing.payments.conftest import NOW, live, refunded
from tests.billing.payments.test_statements import NOVEMBER, at


@pytest.fixture
def facts(alice, pay):
    BillingDetails.objects.create(
        account=alice, legal_name="Zoë Ångström & Søn", tax_id="SE1", country="SE",
        address="Gatan 1\nStockholm",
    )  # fmt: skip
    return receipts.facts(Receipt.objects.get(order=pay(alice)))


def test_a_receipt_is_a_small_pdf_with_its_fonts_inside(facts):
    found = papers.pdf(sheets.receipt(facts))
    assert found.startswith(b"%PDF-")
    assert found.count(b"/FontFile2") >= 2
    assert len(found) < 60_000
    assert found == papers.pdf(sheets.receipt(facts))
    assert b"javascript" not in found.lower()


def test_a_receipt_says_its_three_numbers(settings, facts):
    sheet = sheets.receipt(facts)
    assert sheet.rows == [
        ("Price", "10.00 USD"), ("Tax", "0.00 USD"), ("Credit for the price", "10.00 USD"),
    ]  # fmt: skip
    assert sheet.total == ("Total paid", "10.00 USD")
    assert sheet.notes == []
    with translation.override("zh-hans"):
        assert sheets.receipt(facts).title == "收据"


def test_reverse_charge_and_tests_are_said(settings, alice, pay):
    settings.PAYMENTS = live(tax_ppm={"FR": 200_000}, seller_country="DE")
    BillingDetails.objects.create(account=alice, tax_id="FR1", country="FR")
    order = pay(alice)
    Receipt.objects.all().delete()
    order.is_live = False
    order.save()
    notes = sheets.receipt(receipts.facts(receipts.issue(order, now=NOW))).notes
    assert notes == ["Reverse charge: the buyer accounts for the tax.", "Test: no money was moved."]


def letters(text: str) -> papers.Sheet:
    return papers.Sheet(title="T", facts=[("Name", text)])


def test_what_no_font_has_is_replaced_and_said(monkeypatch):
    monkeypatch.setattr(papers, "OUTLINED", ())
    monkeypatch.setattr(papers, "DRAWN", "/nowhere")
    for cached in (papers._fonts, papers._drawn, papers._is_drawable):
        cached.cache_clear()
    page = papers._Page("T")
    assert [run.text for run in page.runs("Ab王", bold=False)] == ["Ab?"]
    assert page.lacks
    assert len(papers.pdf(letters("王"))) > len(papers.pdf(letters("O"))) + 50
    for cached in (papers._fonts, papers._drawn, papers._is_drawable):
        cached.cache_clear()


def test_chinese_is_shown_where_the_system_has_a_font_for_it():
    if papers._font_of("王", first=papers.PLAIN) is None:
        pytest.skip("this machine has no Chinese font")
    page = papers._Page("T")
    runs = page.runs("Ab 王小明", bold=False)
    assert [run.text for run in runs] == ["Ab ", "王小明"]
    assert page.width("王小明", 9) == pytest.approx(27, abs=1.5)
    assert not page.lacks
    assert page.runs("\U0010fffe", bold=False)[0].text == "?"


def test_long_texts_are_cut_into_lines_and_pages():
    page = papers._Page("T")
    lines = page.wrapped("word " * 60, 200)
    assert 5 < len(lines) <= papers.LINES_MAX
    assert all(page.width(line, papers.SIZE) <= 200 for line in lines)
    assert all(page.width(line, papers.SIZE) <= 320 for line in page.wrapped("x" * 400, 200))
    many = papers.Sheet(title="T", facts=[], rows=[(f"row {n}", "1") for n in range(120)])
    assert papers.pdf(many).count(b"/Type /Page\n") >= 2


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_csv_of_receipts_computes_nothing_and_counts_notes_as_negative(alice, pay):
    BillingDetails.objects.create(account=alice, legal_name='=HYPERLINK("x")', tax_id="+1")
    order = pay(alice)
    receipts.credit_note(refunded(order, minor=400), now=NOW)
    rows = [receipts.facts(row) for row in Receipt.objects.order_by("pk")]
    head, paid, back = read(papers.csv_text(sheets.receipt_rows(rows)))
    paid, back = dict(zip(head, paid, strict=True)), dict(zip(head, back, strict=True))
    assert (paid["total"], paid["credit_usd"]) == ("10.00", "10.00")
    assert (back["total"], back["credit_usd"]) == ("-4.00", "-4.00")
    assert back["receipt"] == paid["number"]
    assert (paid["buyer"], paid["tax_id"]) == ('\'=HYPERLINK("x")', "'+1")


def test_a_statement_is_a_pdf_and_a_csv_with_the_same_sum(alice, pay):
    alice.created_at = at(2026, 9)
    alice.save()
    pay(alice, now=at(2026, 11, 3))
    pay(alice, now=at(2026, 11, 4), minor=555)
    row = statements.issue(alice, NOVEMBER, now=at(2026, 12, 2))
    sheet = sheets.statement(row)
    assert sheet.rows == [("Opening balance", "0.00"), ("Top-ups", "15.55")]
    assert sheet.total == ("Closing balance", "15.55")
    assert papers.pdf(sheet).startswith(b"%PDF-")
    lines = statements.all_lines(alice.pk, NOVEMBER)
    _head, *shown = read(papers.csv_text(sheets.line_rows(lines)))
    assert sum(float(line[3]) for line in shown) == 15.55
