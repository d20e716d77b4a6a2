"""Admission: holds from leased credit by local arithmetic, on the event loop.

The process's one desk (billing.desk) does the work; billing.bank installs it.
"""

from billing.desk import Desk
from billing.grants import Grant, InsufficientCredit, MoneyUnavailable, WalletFrozen

__all__ = [
    "Grant",
    "InsufficientCredit",
    "MoneyUnavailable",
    "WalletFrozen",
    "admit",
    "install",
    "release",
    "try_admit",
]

_desk: Desk | None = None


def install(desk: Desk | None) -> None:
    """Make a desk the one that this process's requests come to (billing.bank)."""
    global _desk  # noqa: PLW0603 - one for each process
    _desk = desk


def desk() -> Desk:
    """Return the process's desk. Raises: MoneyUnavailable before the bank is open."""
    if _desk is None:
        raise MoneyUnavailable
    return _desk


def try_admit(
    *, wallet_id: int, api_key_id: int | None, budget_key_id: int | None, hold_nusd: int
) -> Grant | None:
    """Hold credit without waiting; None when admit() must ask for it."""
    if _desk is None:
        return None
    return _desk.try_admit(
        wallet_id=wallet_id,
        api_key_id=api_key_id,
        budget_key_id=budget_key_id,
        hold_nusd=hold_nusd,
    )


async def admit(
    *, wallet_id: int, api_key_id: int | None, budget_key_id: int | None, hold_nusd: int
) -> Grant:
    """Hold credit; see Desk.admit. Raises: InsufficientCredit, WalletFrozen, MoneyUnavailable."""
    return await desk().admit(
        wallet_id=wallet_id,
        api_key_id=api_key_id,
        budget_key_id=budget_key_id,
        hold_nusd=hold_nusd,
    )


def release(grant: Grant) -> None:
    """Give back a hold that was never intended."""
    if _desk is not None:
        _desk.release(grant)
