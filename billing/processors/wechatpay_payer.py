"""Inside WeChat's own browser: who pays (web authorization), and what its bridge is asked.

Only JSAPI pays there, and JSAPI wants the payer's openid: WeChat tells it for a code that the
browser brings back (developers.weixin.qq.com, "snsAccessToken", read 2026-11-27). The openid is
kept nowhere.
"""

import http.client
import re
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

import orjson

from billing.processors import config
from billing.processors.base import Refused, Unavailable
from billing.processors.calls import READ_TIMEOUT_S
from billing.processors.wechatpay_facts import code as short_code
from billing.processors.wechatpay_wire import Wire

ANSWER_BYTES_MAX: Final = 8 << 10
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_CODE = re.compile(r"[A-Za-z0-9_\-]{8,128}", re.ASCII)
_OPENID = re.compile(r"[A-Za-z0-9_\-]{6,128}", re.ASCII)


class Preview(Refused):
    """The page is WeChat's snapshot of it, whose visitor is nobody who could pay."""


class Payers:
    """Finds who pays inside WeChat, for one app."""

    def __init__(self, keys: config.WeChatPay) -> None:
        self._keys = keys

    def ask_url(self, back_url: str, *, state: str) -> str:
        """Return where the browser goes to get a code; `state` comes back with it."""
        # The order of the fields is WeChat's: it refuses another one.
        said = urlencode(
            {
                "appid": self._keys.appid,
                "redirect_uri": back_url,
                "response_type": "code",
                "scope": "snsapi_base",  # the openid alone: nothing to read, nothing to click
                "state": state,
            }
        )
        return f"{self._keys.open_url}/connect/oauth2/authorize?{said}#wechat_redirect"

    def openid(self, code: str) -> str:
        """Return the payer's openid for a code, which is good once and for five minutes.

        Raises: Refused for a code that WeChat does not take, Preview, Unavailable.
        """
        if not _CODE.fullmatch(code):
            raise Refused("bad_code")
        found = _asked(self._keys.api_url, self._keys.appid, self._keys.app_secret, code)
        if number := found.get("errcode"):
            # -1: busy, try again (from memory of its list of return codes).
            raise (Unavailable if number == -1 else Refused)(f"wechat_{short_code(str(number))}")
        if found.get("is_snapshotuser") == 1:
            raise Preview("wechat_preview")
        openid = found.get("openid")
        if not isinstance(openid, str) or not _OPENID.fullmatch(openid):
            raise Unavailable("answer_openid")
        return openid

    def client_call(self, prepay_id: str) -> Mapping[str, str]:
        """Return what WeChat's bridge is given to pay an order that WeChat Pay knows, signed."""
        return Wire(self._keys).client_call(prepay_id)


def _asked(api_url: str, appid: str, secret: str, code: str) -> dict[str, object]:
    """Exchange a code. Raises: Unavailable.

    WeChat wants the secret in the address. So no client that logs addresses is used, and no error
    that repeats one leaves.
    """
    parts = urlsplit(api_url)
    said = urlencode(
        {"appid": appid, "secret": secret, "code": code, "grant_type": "authorization_code"}
    )
    connection: http.client.HTTPConnection
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise Unavailable("not_https")
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            parts.netloc, timeout=READ_TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=READ_TIMEOUT_S)
    try:
        connection.request("GET", f"{parts.path}/sns/oauth2/access_token?{said}")
        answer = connection.getresponse()
        body = answer.read(ANSWER_BYTES_MAX)
        found = orjson.loads(body) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        raise Unavailable("no_answer") from None
    finally:
        connection.close()
    if not isinstance(found, dict):
        raise Unavailable(f"status_{answer.status}")
    return found
