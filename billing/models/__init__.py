"""Money: ledger, wallets, leases, charges and rates. Amounts are integer nano-USD (`_nusd`)."""

from billing.models.credit import Attempt, Budget, Charge, Lease, LeaseBudget, Worker
from billing.models.ledger import GoodwillDay, LedgerAccount, LedgerEntry, LedgerTransaction, Wallet
from billing.models.rates import Rate, RateCard
from billing.models.spend import SpendHour
from billing.models.trials import Trial

__all__ = [
    "Attempt",
    "Budget",
    "Charge",
    "GoodwillDay",
    "Lease",
    "LeaseBudget",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Rate",
    "RateCard",
    "SpendHour",
    "Trial",
    "Wallet",
    "Worker",
]
