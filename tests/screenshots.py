"""Pictures of every page, for people to look at: `python3 dev.py screenshots`.

Not a test: nothing is asserted but that each page opens. A scene of some thousand requests over 30
days is made in a database of its own (tests/screenshot_scene.py); the pictures land in
docs/screenshots, one of each page and look. Pages that only a walk leads to are at its foot.
"""

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings as ours
from PIL import Image
from playwright.sync_api import Page

from tests import browsers, factories, mailbox, screenshot_scene
from tests.billing.processors import sandboxes


def _writes_chinese() -> bool:
    lister = shutil.which("fc-list") or "true"
    return bool(subprocess.run([lister, ":lang=zh"], capture_output=True, check=False).stdout)


pytestmark = [
    browsers.needs_chromium,
    pytest.mark.skipif(
        not _writes_chinese(),
        reason="no font with Chinese letters here: apt-get install fonts-wqy-microhei",
    ),
    pytest.mark.django_db(transaction=True),
]
FOLDER = Path(ours.BASE_DIR) / "docs" / "screenshots"
TALLEST_PX = 1_400
QUALITY = 45  # text stays sharp, and all pictures together stay under 12 MB
# Each page once on a desk, and once where it is tightest.
LOOKS = {
    "desk": {"viewport": browsers.DESK, "color_scheme": "light"},
    "phone": {"viewport": browsers.PHONE, "color_scheme": "dark", "locale": "zh-CN"},
}
SAID = (
    "A cache keeps what was worked out before. Reading it costs less than working it out again,"
    " and it may be out of date: that is the whole bargain."
)
USAGE = {"prompt_tokens": 21, "completion_tokens": 34, "total_tokens": 55, "cost": 0.000367}
EVENTS = (
    {"choices": [{"delta": {"content": SAID}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE},
)


@pytest.fixture
def stage(live_server, settings, tmp_path):
    """The scene, with the sandbox that plays the payment services."""
    with sandboxes.start(tmp_path) as sandbox:
        settings.PAYMENTS = replace(sandbox.payments, is_sandbox=True)
        settings.PUBLIC_URL = live_server.url
        made = screenshot_scene.build()
        factories.user("dora", password=factories.PASSWORD)
        yield made


@pytest.mark.parametrize("look", LOOKS)
def test_pictures(look, stage, live_server):
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob(f"*-{look}.webp"):
        old.unlink()
    shots = screenshot_scene.shots(stage, has_staff=look == "desk")
    with browsers.chromium() as browser:

        def window(session: str) -> Page:
            context = browsers.signed_in(browser, live_server.url, session, **LOOKS[look])
            return context.new_page()

        def shoot(name: str, page: Page) -> None:
            _shoot(page, FOLDER / f"{name.replace(':', '-')}-{look}.webp", look)

        windows = {session: window(session) for session in {shot.session for shot in shots}}
        for shot in shots:
            windows[shot.session].goto(shot.url)
            shoot(shot.name, windows[shot.session])
        _walk_in(window(""), shoot)
        _prove(window(""), shoot)
        _use(window(stage.session("alice")), shoot)


def _shoot(page: Page, file: Path, look: str) -> None:
    """Take a picture in a window as tall as the page: its foot is then at the picture's foot."""
    viewport = LOOKS[look]["viewport"]
    page.set_viewport_size(viewport)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({**viewport, "height": min(height, TALLEST_PX)})
    taken = Image.open(io.BytesIO(page.screenshot()))
    taken.convert("RGB").save(file, quality=QUALITY, method=6)


def _send(page: Page) -> None:
    page.locator("main .button.primary").first.click()
    page.wait_for_load_state()


def _walk_in(page: Page, shoot: Callable[[str, Page], None]) -> None:
    """From the form of a new user to the first page that they see; and what is forgotten."""
    page.goto("/accounts/signup/")
    for name, text in (("email", "eve@example.com"), ("username", "eve"), ("phone", "12")):
        page.locator(f"[name={name}]").fill(text)
    page.locator("[name=password1]").fill(factories.PASSWORD)
    page.locator("[name=country]").select_option("DE")
    page.locator("[name=accepts_policies]").check()
    _send(page)
    shoot("account_signup-wrong", page)
    page.locator("[name=phone]").fill("")
    page.locator("[name=password1]").fill(factories.PASSWORD)
    _send(page)
    page.wait_for_url("**/confirm-email/")
    shoot("account_signup-code", page)
    page.locator("[name=code]").fill(mailbox.latest_code("eve@example.com"))
    _send(page)
    page.wait_for_url("**/welcome")
    shoot("welcome-new", page)
    page.context.clear_cookies()
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill("eve")
    page.locator("[name=password]").fill("wrong")
    page.locator("[name=password]").press("Enter")
    page.locator(".error, .errorlist").first.wait_for()
    shoot("account_login-wrong", page)
    page.goto("/accounts/password/reset/")
    page.locator("[name=email]").fill("eve@example.com")
    _send(page)
    shoot("account_reset_password-code", page)
    page.locator("[name=code]").fill(mailbox.latest_code("eve@example.com"))
    _send(page)
    page.locator("[name=password1]").wait_for()
    shoot("account_reset_password-new", page)


def _prove(page: Page, shoot: Callable[[str, Page], None]) -> None:
    """What is asked for before and after a second step is set up, and before an account closes."""
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill("dora")
    page.locator("[name=password]").fill(factories.PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/overview")
    page.goto("/settings/privacy/closure")
    if page.locator("[name=password]").count():
        shoot("account_reauthenticate-closure", page)
        page.locator("[name=password]").fill(factories.PASSWORD)
        _send(page)
    shoot("settings_closure", page)
    page.goto("/accounts/2fa/totp/activate/")
    shoot("mfa_activate_totp", page)
    page.goto("/accounts/2fa/webauthn/add/")
    shoot("mfa_add_webauthn", page)


def _use(page: Page, shoot: Callable[[str, Page], None]) -> None:
    """A key that is shown once; models that answer in the playground (as vendors would)."""
    page.goto("/keys/new")
    page.locator("[name=name]").fill("a new key")
    _send(page)
    shoot("key_new-created", page)
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in EVENTS) + "data: [DONE]\n\n"
    answer = {"status": 200, "content_type": "text/event-stream", "body": body}
    page.route("**/api/v1/chat/completions", lambda route: route.fulfill(**answer))
    page.goto("/playground")
    page.locator("[data-do=add]").click()
    page.locator("#message").fill("What is a cache, in two sentences?")
    page.locator("#composer .primary").click()
    page.locator("#composer .primary:not([disabled])").wait_for()
    shoot("playground-answered", page)
