"""Personal data in billing: money and what it was paid for. Amounts stay, their owner does not."""

from functools import partial

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from accounts.personal_data import (
    BOOKS_WHY,
    Ending,
    Retention,
    Store,
    apart,
    names,
)
from billing import models, subjects

_BOOKS = partial(Store, retention=Retention.BOOKS, ending=Ending.PSEUDONYMIZED, why=BOOKS_WHY)

_SETTING = partial(
    Store,
    retention=Retention.ACCOUNT,
    ending=Ending.ERASED,
    why="It goes with the account or the key that it limits.",
)

MONEY_IN = (
    _BOOKS(
        name="orders",
        title=_("Orders"),
        model=models.Order,
        rows=subjects.orders,
        fields=names(
            "id account_id purpose processor method state is_live currency net_minor "
            "tax_minor credit_nusd rate_ppm rate_source refunded_minor session_ref "
            "payment_ref failure created_at expires_at paid_at evidence"
        ),
        withheld=apart(
            others="created_by_id",
            inner="idempotency_key next_check_at checks",
            sealed="pay_url network_digest card_digest",
        ),
        clears={
            "created_by": None,
            "pay_url": "",
            "network_digest": b"",
            "card_digest": b"",
            "evidence": {},
        },
    ),
    _BOOKS(
        name="order_events",
        title=_("What happened to orders"),
        model=models.OrderEvent,
        rows=subjects.of_order(models.OrderEvent),
        fields=names("order_id at code facts state"),
        withheld=apart(inner="id", others="actor"),
        clears={"actor": ""},
    ),
    _BOOKS(
        name="payment_notices",
        title=_("What payment processors told us"),
        model=models.WebhookEvent,
        rows=subjects.notices,
        fields=names("processor event_id kind notice received_at applied_at outcome"),
        withheld=apart(inner="id sha256 attempts next_try_at"),
        clears={"notice": subjects.unsaid, "sha256": b""},
    ),
    _BOOKS(
        name="refunds",
        title=_("Refunds"),
        model=models.Refund,
        rows=subjects.of_order(models.Refund),
        fields=names(
            "id order_id state amount_minor tax_minor wallet_nusd owed_nusd refund_ref reason "
            "failure created_at ended_at"
        ),
        withheld=apart(others="actor", inner="form_id next_check_at checks"),
        clears={"actor": ""},
    ),
    _BOOKS(
        name="disputes",
        title=_("Disputes of payments"),
        model=models.Dispute,
        rows=subjects.of_order(models.Dispute),
        fields=names(
            "order_id dispute_ref state amount_minor fee_minor reserved_nusd owed_nusd "
            "taken_nusd tax_minor said reason opened_at ended_at"
        ),
        withheld=apart(inner="id"),
    ),
    _BOOKS(
        name="suspense",
        title=_("Payments that needed a decision"),
        model=models.Suspense,
        rows=subjects.of_order(models.Suspense),
        fields=names(
            "order_id processor ref cause amount_minor currency is_posted facts opened_at "
            "resolved_at resolution note"
        ),
        withheld=apart(inner="id", others="resolved_by"),
        clears={"note": ""},
    ),
    _BOOKS(
        name="processor_statements",
        title=_("Your payments in the processors' statements"),
        model=models.StatementRow,
        rows=subjects.statement_rows,
        fields=names(
            "processor row_ref day kind order_ref payment_ref refund_ref amount_minor "
            "fee_minor currency status verdict resolved_at resolution note"
        ),
        withheld=apart(inner="id", others="resolved_by"),
        clears={"note": ""},
    ),
    _BOOKS(
        name="receipts",
        title=_("Receipts and credit notes"),
        model=models.Receipt,
        rows=subjects.of_account(models.Receipt),
        fields=names("number kind account_id order_id facts issued_at"),
        withheld=apart(inner="id ref"),
        clears={"facts": subjects.nameless},
    ),
    _BOOKS(
        name="monthly_statements",
        title=_("Monthly statements"),
        model=models.MonthlyStatement,
        rows=subjects.of_account(models.MonthlyStatement),
        fields=names("account_id month opening_nusd closing_nusd sums facts issued_at"),
        withheld=apart(inner="id"),
        clears={"facts": subjects.nameless},
    ),
    _BOOKS(
        name="fapiao",
        title=_("Fapiao"),
        model=models.FapiaoRequest,
        rows=subjects.fapiaos,
        fields=names(
            "order_id state title tax_number email fapiao_number fapiao_date file_ref "
            "red_number red_date red_file_ref note created_at updated_at"
        ),
        withheld=apart(inner="id", others="asked_by_id answered_by"),
        clears={"asked_by": None, "title": "", "tax_number": "", "email": "", "note": ""},
    ),
    _BOOKS(
        name="promotions",
        title=_("Promotion codes that you used"),
        model=models.PromotionUse,
        rows=subjects.of_account(models.PromotionUse),
        fields=("account_id", "code__code", "used_at"),
        withheld=apart(inner="id", others="used_by"),
        clears={"used_by": ""},
    ),
    _BOOKS(
        name="staff_credits",
        title=_("Credit that we gave you by hand"),
        model=models.StaffCredit,
        rows=subjects.of_account(models.StaffCredit),
        fields=names("id account_id amount_nusd reason state asked_at decided_at note"),
        withheld=apart(inner="form_id needs_second", others="asked_by decided_by"),
        clears={"reason": "", "note": ""},
    ),
    _BOOKS(
        name="trial",
        title=_("Trial money"),
        model=models.Trial,
        rows=subjects.of_account(models.Trial),
        fields=names("account_id amount_nusd granted_at expires_at ended_at returned_nusd"),
        withheld=apart(sealed="email_digest phone_digest network_digest"),
        clears={
            "email_digest": None,
            "phone_digest": None,
            "network_digest": b"",
        },
    ),
)

LEDGER = (
    _BOOKS(
        name="wallet",
        title=_("Wallet"),
        model=models.Wallet,
        rows=subjects.of_account(models.Wallet),
        fields=names(
            "account_id credit_nusd debit_nusd spent_nusd leased_nusd reserved_nusd frozen"
        ),
    ),
    _BOOKS(
        name="debt",
        title=_("What you owe"),
        model=models.Debt,
        rows=subjects.of_account(models.Debt),
        fields=("account_id", "owed_nusd"),
    ),
    _BOOKS(
        name="ledger_accounts",
        title=_("Ledger: accounts"),
        model=models.LedgerAccount,
        rows=subjects.of_account(models.LedgerAccount, "owner_id"),
        fields=names("id owner_id kind currency"),
    ),
    _BOOKS(
        name="ledger_postings",
        title=_("Ledger: postings"),
        model=models.LedgerTransaction,
        rows=subjects.postings,
        fields=names("id kind ref memo created_at"),
        withheld=apart(others="actor", inner="sealed"),
    ),
    _BOOKS(
        name="ledger_entries",
        title=_("Ledger: entries"),
        model=models.LedgerEntry,
        rows=subjects.of_account(models.LedgerEntry, "account__owner_id"),
        fields=names("transaction_id seq account_id amount_nusd"),
        withheld=apart(inner="id"),
    ),
    _BOOKS(
        name="goodwill",
        title=_("Answers that broke off and cost nothing"),
        model=models.GoodwillDay,
        rows=subjects.of_account(models.GoodwillDay, "wallet_id"),
        fields=("wallet_id", "day", "given_nusd"),
        withheld=apart(inner="id"),
    ),
    _BOOKS(
        name="leases",
        title=_("Credit lent to our servers for your requests"),
        model=models.Lease,
        rows=subjects.of_account(models.Lease, "wallet_id"),
        fields=names("id wallet_id amount_nusd spent_nusd state created_at"),
        withheld=apart(inner="worker"),
    ),
)

SETTINGS = (
    Store(
        name="holds",
        title=_("Limits because of a payment"),
        model=models.Hold,
        rows=subjects.of_account(models.Hold),
        fields=names("account_id until reason is_frozen"),
        retention=Retention.PAYMENTS,
        ending=Ending.ERASED,
        why="It limits an account that is closed.",
    ),
    Store(
        name="payment_methods",
        title=_("Saved cards"),
        model=models.PaymentMethod,
        rows=subjects.of_account(models.PaymentMethod),
        fields=names(
            "account_id processor customer_ref method_ref brand last4 expires_month "
            "expires_year created_at"
        ),
        withheld=apart(inner="id", sealed="card_digest"),
        retention=Retention.PAYMENTS,
        ending=Ending.ERASED,
        why="Nobody may charge the card again; the processor is told to forget it, too.",
    ),
    _SETTING(
        name="automatic_top_up",
        title=_("Automatic top-up"),
        model=models.AutoTopUp,
        rows=subjects.of_account(models.AutoTopUp),
        fields=names(
            "account_id is_on threshold_nusd amount_minor monthly_cap_minor failures "
            "off_reason latest_try_at"
        ),
        withheld=apart(inner="method_id"),
    ),
    _SETTING(
        name="balance_reminder",
        title=_("Balance reminder"),
        model=models.BalanceReminder,
        rows=subjects.of_account(models.BalanceReminder),
        fields=names("account_id threshold_nusd is_armed latest_at"),
    ),
    _SETTING(
        name="budgets",
        title=_("Money limits of your API keys"),
        model=models.Budget,
        rows=lambda subject: models.Budget.objects.filter(api_key__in=subject.keys().values("pk")),
        fields=names("id api_key_id period period_start limit_nusd spent_nusd leased_nusd"),
    ),
)

USE = (
    _SETTING(
        name="lease_budgets",
        title=_("Credit lent within those limits"),
        model=models.LeaseBudget,
        rows=lambda subject: models.LeaseBudget.objects.filter(
            budget__api_key__in=subject.keys().values("pk")
        ),
        fields=("lease_id", "budget_id", "period_start"),
        withheld=apart(inner="id"),
    ),
    Store(
        name="charges",
        title=_("What each request cost"),
        model=models.Charge,
        rows=subjects.charges,
        fields=names(
            "request_id wallet_id api_key_id lease_id hold_nusd checkpoint_nusd cost_nusd "
            "endpoint rate_card usage state reason corrected"
        ),
        withheld=apart(platform="vendor_cost_nusd"),
        retention=Retention.REQUESTS,
        ending=Ending.PSEUDONYMIZED,
        why="The ledger's audit adds them up until their day is dropped; the key's number goes.",
        clears={"api_key_id": None},
    ),
    Store(
        name="attempts",
        title=_("Vendors that were asked for your requests"),
        model=models.Attempt,
        rows=lambda subject: models.Attempt.objects.filter(
            request_id__in=subjects.charges(subject).values("request_id")
        ),
        fields=names("request_id n endpoint outcome"),
        withheld=apart(inner="id", platform="vendor_cost_nusd"),
        retention=Retention.REQUESTS,
        ending=Ending.PSEUDONYMIZED,
        why="It names a request's random number only, until that day is dropped.",
    ),
    Store(
        name="spend_by_hour",
        title=_("What you spent, by hour"),
        model=models.SpendHour,
        rows=lambda subject: models.SpendHour.objects.filter(
            subject.made(account="wallet_id", key="api_key_id", unknown=0)
        ),
        fields=names("wallet_id hour api_key_id endpoint requests cost_nusd"),
        withheld=apart(inner="id"),
        retention=Retention.BOOKS,
        ending=Ending.PSEUDONYMIZED,
        why=BOOKS_WHY,
    ),
)

STORES = (*MONEY_IN, *LEDGER, *SETTINGS, *USE)
IMPERSONAL: dict[type[Model], str] = {
    models.PaperNumber: "Counters of papers.",
    models.PromotionCode: "Codes, and the number of the member of staff who made each.",
    models.Rate: "Prices.",
    models.RateCard: "Prices.",
    models.StatementImport: "Days of processors' statements that were read.",
    models.Worker: "Lives of server processes.",
}
