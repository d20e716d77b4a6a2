"""Money: ledger, wallets, leases, charges and rates. Amounts are integer nano-USD (`_nusd`)."""

from billing.models.books import (
    FapiaoRequest,
    MonthlyStatement,
    PaperNumber,
    Receipt,
    StatementImport,
    StatementRow,
    Suspense,
)
from billing.models.credit import Attempt, Budget, Charge, Lease, LeaseBudget, Worker
from billing.models.given import StaffCredit
from billing.models.ledger import GoodwillDay, LedgerAccount, LedgerEntry, LedgerTransaction, Wallet
from billing.models.orders import (
    Debt,
    Dispute,
    Hold,
    Order,
    OrderEvent,
    Processor,
    Refund,
    WebhookEvent,
)
from billing.models.rates import Rate, RateCard
from billing.models.spend import SpendHour
from billing.models.topups import (
    AutoTopUp,
    BalanceReminder,
    PaymentMethod,
    PromotionCode,
    PromotionUse,
)
from billing.models.trials import Trial

__all__ = [
    "Attempt",
    "AutoTopUp",
    "BalanceReminder",
    "Budget",
    "Charge",
    "Debt",
    "Dispute",
    "FapiaoRequest",
    "GoodwillDay",
    "Hold",
    "Lease",
    "LeaseBudget",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "MonthlyStatement",
    "Order",
    "OrderEvent",
    "PaperNumber",
    "PaymentMethod",
    "Processor",
    "PromotionCode",
    "PromotionUse",
    "Rate",
    "RateCard",
    "Receipt",
    "Refund",
    "SpendHour",
    "StaffCredit",
    "StatementImport",
    "StatementRow",
    "Suspense",
    "Trial",
    "Wallet",
    "WebhookEvent",
    "Worker",
]
