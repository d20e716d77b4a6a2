"""kill -9 between a notice's verification, its commit and its answer: credited exactly once."""

import datetime as dt
import itertools
import json
import os
import random
import signal
import threading
import time

import psycopg
import pytest
import requests

from bananarouter.payment_sandbox import keys as sandbox_keys
from billing.processors import signing
from tests.billing.processors import alipay_notices
from tests.gateways import Gateway
from tests.servers import wait_until

pytestmark = pytest.mark.process
KILLS, ALL_KILLS = 12, 200
ORDERS_PER_KILL, COPIES = 4, 3
# Alipay delivers again when nobody answered; so do we, sooner.
AGAIN_S, PATIENCE_S = 0.2, 90
# One that was killed often is started again after half a minute.
STILL_S = 120
VICTIMS = ("bananarouter.serve", "bananarouter.background")
ORDERS = """
import datetime as dt, json
from accounts import owners
from accounts.timeids import uuid7
from billing.models import Order
user = owners.register(email="alice@example.com")
account = owners.own_account(user)
now = dt.datetime.now(dt.UTC)
rows = [
    Order(id=uuid7(), account=account, idempotency_key=f"key-{{n}}", processor="alipay",
          method="qr", state="pending", is_live=False, currency="CNY", net_minor=2_000 + n,
          credit_nusd=(2_000 + n) * 1_000_000, rate_ppm=10_000_000, created_at=now,
          expires_at=now + dt.timedelta(hours=9))
    for n in range({count})
]
Order.objects.bulk_create(rows)
print(json.dumps([[row.number, row.total_minor] for row in rows]))
"""


class Shop:
    """A gateway with tasks on PostgreSQL, and orders that wait to be paid."""

    def __init__(self, folder, url, *, count):
        self.url = url
        self.keys = sandbox_keys.make()
        self.gateway = Gateway(
            folder, "--no-demo", "--workers", "2", has_tasks=True, DATABASE_URL=url,
            **self.keys.environment("http://127.0.0.1:9"),
        ).start()  # fmt: skip
        made = self.gateway.manage("shell", "-v0", "-c", ORDERS.format(count=count))
        self.orders = iter(json.loads(made.stdout.splitlines()[-1]))

    def notice(self, number, total_minor) -> bytes:
        china = dt.timezone(dt.timedelta(hours=8))
        amount = f"{total_minor // 100}.{total_minor % 100:02d}"
        fields = alipay_notices.payment(
            out_trade_no=number, trade_no=f"trade-{number}", notify_id=f"paid-{number}",
            app_id=self.keys.alipay_app_id, auth_app_id=self.keys.alipay_app_id,
            seller_id=self.keys.alipay_seller_id, total_amount=amount, receipt_amount=amount,
            notify_time=f"{dt.datetime.now(china):%Y-%m-%d %H:%M:%S}",
        )  # fmt: skip
        sign = signing.sign(self.keys.alipay_key, alipay_notices.message(fields))
        return alipay_notices.body(fields | {"sign_type": "RSA2", "sign": sign})

    def deliver(self, body) -> None:
        """Post until it is accepted."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = requests.post(
                    f"{self.gateway.url}/hooks/alipay", data=body, headers=alipay_notices.HEADERS,
                    timeout=10,
                )  # fmt: skip
                if answer.content == b"success":
                    return
                assert answer.status_code >= 500, (answer.status_code, answer.content)
            except requests.RequestException:
                pass  # the worker died under it
            time.sleep(AGAIN_S)
        raise AssertionError("a notice was never accepted")

    def ask(self, query):
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query).fetchall()


def one_round(shop, marker) -> None:
    """Deliver some payments several times each, and kill a process in the middle of it."""
    raised = []

    def deliver(body):
        try:
            shop.deliver(body)
        except BaseException as error:  # noqa: BLE001 - told to the test
            raised.append(error)

    bodies = [shop.notice(*next(shop.orders)) for _ in range(ORDERS_PER_KILL)]
    threads = [threading.Thread(target=deliver, args=(body,)) for body in bodies * COPIES]
    victims = wait_until(lambda: shop.gateway.children(marker), timeout_s=60, what=marker)
    for thread in threads:
        thread.start()
    time.sleep(random.random() * 0.12)
    os.kill(random.choice(victims), signal.SIGKILL)
    for thread in threads:
        thread.join(PATIENCE_S + 20)
    assert raised == []


def wait_for_credit(shop) -> None:
    """Return once all is credited, however many wait for a worker that was killed just now."""
    waiting = "SELECT count(*) FROM billing_order WHERE state <> 'paid'"
    while left := shop.ask(waiting)[0][0]:
        wait_until(
            lambda left=left: shop.ask(waiting)[0][0] < left,
            timeout_s=STILL_S, interval_s=0.5, what=f"credit of {left} orders",
        )  # fmt: skip


@pytest.mark.proof
def test_a_payment_is_credited_exactly_once_whoever_is_killed(
    tmp_path, postgresql_url, proof_count
):
    kills = proof_count(KILLS, ALL_KILLS)
    count = kills * ORDERS_PER_KILL
    shop = Shop(tmp_path, postgresql_url, count=count)
    try:
        for marker in itertools.islice(itertools.cycle([*VICTIMS, VICTIMS[0]]), kills):
            one_round(shop, marker)
        wait_for_credit(shop)
        ((postings,),) = shop.ask(
            "SELECT count(*) FROM billing_ledgertransaction WHERE kind = 'top_up'"
        )
        ((credit,),) = shop.ask("SELECT credit_nusd FROM billing_wallet")
        ((due,),) = shop.ask("SELECT sum(credit_nusd) FROM billing_order")
        assert (postings, credit) == (count, due)
        assert shop.ask("SELECT count(*) FROM billing_suspense") == [(0,)]
        assert "clean" in shop.gateway.manage("audit_ledger").stdout
    finally:
        shop.gateway.stop(timeout_s=60)
