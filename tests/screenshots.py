"""Pictures of every page, for people to look at: `python3 dev.py screenshots`.

Not a test: nothing is asserted but that each page opens. A scene of some thousand requests over 30
days is made in a database of its own; the pictures land in docs/screenshots.
"""

import io
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from PIL import Image

from benchmarks import million
from tests import browsers, factories, site

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER = Path(settings.BASE_DIR) / "docs" / "screenshots"
REQUESTS = 3_000
TALLEST_PX = 1_800
COLORS = 96
# Each page once on a desk, and once where it is tightest.
LOOKS = {
    "desk": {"viewport": browsers.DESK, "color_scheme": "light"},
    "phone": {"viewport": browsers.PHONE, "color_scheme": "dark", "locale": "zh-CN"},
}
# What is not a page for people, or looks like another one.
LEFT_OUT = re.compile(
    r"openapi|livez|readyz|metrics|_csv|_txt|source|robots|security_txt|None|requests_live|welcome_first"
)


@pytest.fixture
def pages(live_server):
    """Name, address and session of each page that opens."""
    scene = site.build(password=factories.PASSWORD)
    million.fill(scene.account, scene.alice, requests=REQUESTS)
    stranger, alice = Client(raise_request_exception=False), Client(raise_request_exception=False)
    alice.force_login(scene.alice)
    found = []
    for route in site.routes():
        if (
            route.is_staff
            or LEFT_OUT.search(route.name)
            or set(route.arguments) - set(scene.values)
        ):
            continue
        url = scene.url(route)
        for client in (alice, stranger):
            answer = client.get(url)
            if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
                session = client.cookies["session"].value if client is alice else ""
                found.append((route.name, url, session))
                break
    return found


@pytest.mark.parametrize("look", LOOKS)
def test_pictures(look, pages, live_server):
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob(f"*-{look}.png"):
        old.unlink()
    with browsers.chromium() as browser:
        windows = {
            session: browsers.signed_in(browser, live_server.url, session, **LOOKS[look]).new_page()
            for session in {session for _, _, session in pages}
        }
        for name, url, session in pages:
            page = windows[session]
            page.goto(url)
            # A window as tall as the page: what stands at its foot is then at the picture's foot.
            height = page.evaluate("document.documentElement.scrollHeight")
            size = {**LOOKS[look]["viewport"], "height": min(height, TALLEST_PX)}
            page.set_viewport_size(size)
            taken = Image.open(io.BytesIO(page.screenshot()))
            # Pages have few colors: a palette makes the picture a third as large.
            small = taken.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
            small.save(FOLDER / f"{name.replace(':', '-')}-{look}.png", optimize=True)
            page.set_viewport_size(LOOKS[look]["viewport"])
