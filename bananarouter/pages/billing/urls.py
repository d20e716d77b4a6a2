"""URLs of this area's pages."""

from django.urls import URLPattern, path

from bananarouter.pages.billing import (
    automatic,
    cards,
    fapiaos,
    history,
    months,
    orders,
    promotion,
    receipts,
    refunding,
    statement,
    topup,
    wechat,
)

_RECEIPT = "billing/receipts/<slug:receipt_number>"
_METHOD = "billing/methods/<int:method_id>"
_MONTH = "billing/statements/<slug:month>"
_ORDER = "billing/orders/<slug:order_number>"

urlpatterns: list[URLPattern] = [
    path("billing", topup.TopUp.as_view(), name="billing"),
    path("billing/quote", topup.Quote.as_view(), name="billing_quote"),
    path(_ORDER, orders.OrderPage.as_view(), name="billing_order"),
    path(f"{_ORDER}/live", orders.Live.as_view(), name="billing_order_live"),
    path(f"{_ORDER}/check", orders.Check.as_view(), name="billing_order_check"),
    path(f"{_ORDER}/cancel", orders.Cancel.as_view(), name="billing_order_cancel"),
    path(f"{_ORDER}/wechat", wechat.Ask.as_view(), name="billing_order_wechat"),
    path(f"{_ORDER}/wechat/back", wechat.Back.as_view(), name="billing_order_wechat_back"),
    path(f"{_ORDER}/refund", refunding.Refund.as_view(), name="billing_order_refund"),
    path(f"{_ORDER}/fapiao", fapiaos.Fapiao.as_view(), name="billing_order_fapiao"),
    path("billing/refund", refunding.RefundAll.as_view(), name="billing_refund"),
    path("billing/receipts", receipts.Receipts.as_view(), name="billing_receipts"),
    path("billing/receipts.csv", receipts.ReceiptsCsv.as_view(), name="billing_receipts_csv"),
    path(_RECEIPT, receipts.Paper.as_view(), name="billing_receipt"),
    path(f"{_RECEIPT}.pdf", receipts.PaperPdf.as_view(), name="billing_receipt_pdf"),
    path(f"{_RECEIPT}.csv", receipts.PaperCsv.as_view(), name="billing_receipt_csv"),
    path("billing/statements", months.Statements.as_view(), name="billing_statements"),
    path(_MONTH, months.Statement.as_view(), name="billing_statement"),
    path(f"{_MONTH}.pdf", months.StatementPdf.as_view(), name="billing_statement_pdf"),
    path(f"{_MONTH}.csv", months.StatementCsv.as_view(), name="billing_statement_csv"),
    path("billing/methods", cards.Cards.as_view(), name="billing_methods"),
    path(f"{_METHOD}/forget", cards.Forget.as_view(), name="billing_method_forget"),
    path("billing/automatic", automatic.Automatic.as_view(), name="billing_automatic"),
    path("billing/promotion", promotion.Promotion.as_view(), name="billing_promotion"),
    path("billing/history", history.Orders.as_view(), name="billing_history"),
    path("billing/history/balance", statement.Statement.as_view(), name="billing_balance"),
    path(
        "billing/history/balance.csv", statement.StatementCsv.as_view(), name="billing_balance_csv"
    ),
    path("billing/history/lines/<int:entry_id>", statement.OneLine.as_view(), name="billing_line"),
]
