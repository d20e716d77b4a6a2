"""A worker without HTTP for test_bank_crash: pays, "delivers" into a file, waits to be killed.

python -m tests.billing.crash_worker RECORD WALLET [unfenced]
"""

import asyncio
import os
import random
import signal
import sys

import django

django.setup()

from accounts.timeids import uuid7  # noqa: E402
from billing import bank, charges, leases  # noqa: E402
from tests.billing import unfenced  # noqa: E402

CONCURRENT = 40
HOLD = 1_000


async def serve(record: int, wallet_id: int, stopping: asyncio.Event) -> None:
    """Pay for one request after the other, as the relay does."""
    while not stopping.is_set():
        try:
            grant = await leases.admit(
                wallet_id=wallet_id, api_key_id=None, budget_key_id=None, hold_nusd=HOLD
            )
            charge = charges.open_charge(grant, request_id=uuid7())
        except (leases.MoneyUnavailable, leases.InsufficientCredit):
            await asyncio.sleep(0.01)
            continue
        if not await charge.durable:
            continue
        cost = 0
        for _ in range(random.randrange(4)):
            if not bank.may_send() or charge.is_fenced:
                break
            cost += random.randrange(200)
            charge.checkpoint(cost)
            await asyncio.sleep(random.random() / 50)
        end = charges.Settlement(
            cost_nusd=cost, vendor_cost_nusd=0, endpoint="demo/echo@demo", rate_card=1,
            usage_raw=None, state="settled", reason="normal",
        )  # fmt: skip
        if await charge.settle(end) and bank.may_send():
            # The terminal event leaves: from here on the client can prove it.
            os.write(record, f"{charge.request_id} {cost}\n".encode())


async def main(path: str, wallet_id: int) -> None:
    """Serve until SIGTERM, then drain as a gateway does."""
    record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await bank.start()
    os.write(1, b"ready\n")
    await asyncio.gather(*(serve(record, wallet_id, stopping) for _ in range(CONCURRENT)))
    await bank.stop()


if __name__ == "__main__":
    if sys.argv[3:] == ["unfenced"]:
        unfenced.install()
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
