"""A payment sandbox in a process of its own, and a receiver of its notices."""

import contextlib
import http.server
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from bananarouter.payment_sandbox import keys as sandbox_keys
from billing.processors import config
from tests import servers

ROOT = Path(__file__).parents[3]
CALL_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came to the receiver."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body of a notice that is JSON."""
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Stands where our hooks do: records each notice and answers as told."""

    url: str
    status: int = 200
    reply: bytes = b""
    deliveries: list[Delivery] = field(default_factory=list)

    def wait(self, count: int = 1, *, timeout_s: float = 10) -> list[Delivery]:
        """Return the deliveries once there are so many."""
        servers.wait_until(
            lambda: len(self.deliveries) >= count, timeout_s=timeout_s, what=f"{count} notices"
        )
        return list(self.deliveries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running sandbox, and the settings of a gateway that uses it."""

    url: str
    keys: sandbox_keys.Keys
    payments: config.Payments

    def post_control(self, path: str, said: dict[str, Any]) -> dict[str, Any]:
        """POST to one of the sandbox's controls, such as /sandbox/act."""
        answer = requests.post(self.url + path, json=said, timeout=CALL_TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()

    def turn(self, **knobs: Any) -> None:
        """Turn knobs: see bananarouter.payment_sandbox.book.Knobs."""
        self.post_control("/sandbox/knobs", knobs)

    def act(self, processor: str, number: str, do: str, **more: Any) -> dict[str, Any]:
        """Act as the payer, the payer's bank or the processor's staff."""
        return self.post_control(
            "/sandbox/act", {"processor": processor, "number": number, "do": do, **more}
        )

    def payment(self, processor: str, number: str) -> dict[str, Any]:
        """Return what the sandbox knows of a payment."""
        asked = {"processor": processor, "number": number}
        answer = requests.get(f"{self.url}/sandbox/payment", asked, timeout=CALL_TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()


@contextlib.contextmanager
def start(folder: Path) -> Iterator[Sandbox]:
    """Start a sandbox on a free port of loopback; its keys lie in `folder`."""
    file = folder / "payment_sandbox.json"
    keys = sandbox_keys.load(file)
    command = [sys.executable, "-m", "bananarouter.payment_sandbox", "--keys", str(file)]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Connections wait in the listener's queue until the process serves: nothing to wait for.
        process = subprocess.Popen(
            [*command, "--fd", str(listener.fileno())], pass_fds=[listener.fileno()], cwd=ROOT
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield Sandbox(url=url, keys=keys, payments=_payments(keys, url))
    finally:
        process.terminate()
        process.wait(10)


def _payments(keys: sandbox_keys.Keys, url: str) -> config.Payments:
    return config.Payments(
        stripe=config.Stripe(
            url=url,
            account=keys.stripe_account,
            secret_key=keys.stripe_secret_key,
            webhook_secrets=(keys.stripe_webhook_secret,),
        ),
        alipay=config.Alipay(
            url=f"{url}/gateway.do",
            app_id=keys.alipay_app_id,
            seller_id=keys.alipay_seller_id,
            private_key=keys.merchant_key,
            public_keys=(sandbox_keys.public_pem(keys.alipay_key),),
        ),
        wechatpay=config.WeChatPay(
            url=url,
            mchid=keys.wechatpay_mchid,
            appid=keys.wechatpay_appid,
            serial=keys.wechatpay_serial,
            private_key=keys.merchant_key,
            api_v3_key=keys.wechatpay_api_v3_key,
            public_keys={
                keys.wechatpay_public_key_id: sandbox_keys.public_pem(keys.wechatpay_key),
                keys.wechatpay_platform_serial: keys.wechatpay_platform_certificate,
            },
            app_secret=keys.wechatpay_app_secret,
            open_url=url,
            api_url=url,
        ),
        is_sandbox=True,
    )


def pay_page(url: str, do: str = "pay") -> str:
    """Press a button on a page where a payer pays; return where the browser goes then."""
    answer = requests.post(url, {"do": do}, timeout=CALL_TIMEOUT_S, allow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


@contextlib.contextmanager
def receive() -> Iterator[Receiver]:
    """Listen for notices on a free port of loopback."""
    receiver = Receiver(url="")

    class Hook(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            found = Delivery(path=self.path, headers=dict(self.headers.items()), body=body)
            receiver.deliveries.append(found)
            self.send_response(receiver.status)
            self.send_header("Content-Length", str(len(receiver.reply)))
            self.end_headers()
            self.wfile.write(receiver.reply)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join(5)
