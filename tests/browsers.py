"""Debian's Chromium for tests, and what pages are looked at in."""

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-sync",
]  # fmt: skip
IN_CI = os.environ.get("CI") == "true"  # noqa: TID251 - whether a missing browser is a failure
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
TIMEOUT_MS = 30_000  # a busy machine draws late, and right all the same
expect.set_options(timeout=TIMEOUT_MS)
# Playwright waits in an event loop, so the browser starts last and ends first.
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not IN_CI, reason="no Chromium here: apt-get install chromium"
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium; CI must have one."""
    assert CHROMIUM, "CI must have Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def signed_in(browser: Browser, url: str, session: str, **options) -> BrowserContext:
    """A window that holds somebody's session; `session` is the cookie's value."""
    context = browser.new_context(base_url=url, **{"locale": "en-US", **options})
    context.set_default_timeout(TIMEOUT_MS)
    if session:
        context.add_cookies([{"name": "session", "value": session, "url": url}])
    return context
