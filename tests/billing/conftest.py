"""Wallets, keys and banks for the tests of money. Every test that moves money ends in an audit."""

import asyncio
import contextlib

import pytest
from django.db import connection, connections

from accounts import keys, owners
from accounts.timeids import uuid7
from billing import charges, leases, ledger
from billing.bank import Bank
from billing.models import LedgerAccount, Wallet

USD = 1_000_000_000


def settlement(cost_nusd, **changed):
    values = {
        "cost_nusd": cost_nusd, "vendor_cost_nusd": cost_nusd // 2, "endpoint": "demo/echo@demo",
        "rate_card": 1, "usage_raw": '{"total_tokens":3}', "state": "settled", "reason": "normal",
    }  # fmt: skip
    return charges.Settlement(**(values | changed))


@pytest.fixture
def make_wallet(request):
    """Return a function that makes an account with so many nUSD and returns its id."""
    request.getfixturevalue(
        "transactional_db" if "transactional_db" in request.fixturenames else "db"
    )
    made = []

    def make(nusd: int) -> int:
        user = owners.register(email=f"payer{len(made)}@example.com")
        account = owners.own_account(user)
        made.append(account.pk)
        ledger.open_wallet(account.pk)
        if nusd:
            ledger.credit(
                account_id=account.pk, amount_nusd=nusd,
                source=LedgerAccount.Kind.PROMOTION, ref=f"test {account.pk}", actor="test",
            )  # fmt: skip
        return account.pk

    return make


@pytest.fixture
def make_key(make_wallet):
    """Return a function that mints an API key of an account and returns its id."""

    def make(account_id: int) -> int:
        account = Wallet.objects.select_related("account").get(pk=account_id).account
        creator = account.members.first()
        key, _ = keys.mint(account=account, created_by=creator, name="test")
        return key.pk

    return make


@pytest.fixture
def clean(transactional_db):
    """The ledger is clean when the test ends."""
    yield
    assert ledger.audit() == []


@contextlib.asynccontextmanager
async def open_bank(folder, *, install: bool = True):
    """A worker's bank with its threads, installed as this process's own."""
    bank = Bank(folder=folder)
    await bank.open()
    if install:
        leases.install(bank.desk)
        charges.install(bank.desk, bank.batcher)
    try:
        yield bank
    finally:
        await bank.close(timeout_s=3)
        if install:
            leases.install(None)
            charges.install(None, None)


async def hold(bank, wallet_id, nusd, *, api_key_id=None):
    return await bank.desk.admit(
        wallet_id=wallet_id, api_key_id=api_key_id, budget_key_id=api_key_id,
        hold_nusd=nusd,
    )  # fmt: skip


def charge_of(bank, grant):
    return charges.OpenCharge(
        grant, request_id=uuid7(), desk=bank.desk, tray=bank.batcher,
        lease=bank.desk.lease_of(grant),
    )  # fmt: skip


async def open_charge(bank, wallet_id, nusd, *, api_key_id=None):
    """Admit and intend, durably."""
    charge = charge_of(bank, await hold(bank, wallet_id, nusd, api_key_id=api_key_id))
    assert await charge.durable
    return charge


def run(main):
    """Run a coroutine to its end, and close what its helper threads left open."""

    def read(function, *arguments):
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    async def call(function, *arguments):
        return await asyncio.to_thread(read, function, *arguments)

    return asyncio.run(main(call))


def wallet(account_id) -> Wallet:
    return Wallet.objects.get(pk=account_id)


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"
