"""A hold on leased credit, and the reasons why there is none (pure)."""

import datetime as dt
from dataclasses import dataclass

WALLET = "wallet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What bounds a caller most: its wallet, or a budget of its key. Amounts are nUSD."""

    name: str = WALLET  # or billing.models.Budget.Period
    amount_nusd: int = 0
    # What would be free if nothing were in flight.
    left_nusd: int = 0
    resets_at: dt.datetime | None = None


class InsufficientCredit(Exception):
    """The caller could hold `available_nusd` now; less than it asked for."""

    def __init__(self, *, available_nusd: int, is_in_flight: bool, limit: Limit) -> None:
        super().__init__(f"{limit.name}: {available_nusd}")
        self.available_nusd = available_nusd
        # The money is there, but other requests hold it.
        self.is_in_flight = is_in_flight
        self.limit = limit


class WalletFrozen(Exception):
    """Staff froze the wallet."""


class MoneyUnavailable(Exception):
    """The database cannot be asked now, or this worker's life is not confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A hold on leased credit."""

    lease_id: int
    wallet_id: int
    api_key_id: int | None
    hold_nusd: int
