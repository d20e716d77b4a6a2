"""axe-core over every page, light on a desk and dark on a phone: no serious finding."""

import pytest
from django.test import Client

from tests import browsers, factories, site
from tests.programs import npm

pytestmark = [
    browsers.needs_chromium,
    pytest.mark.sqlite,
    pytest.mark.django_db(transaction=True),
]
AXE = {"axe-core": "4.14.1"}
SERIOUS = {"serious", "critical"}
LOOKS = {
    "desk, light": {"viewport": browsers.DESK, "color_scheme": "light"},
    "phone, dark, Chinese": {
        "viewport": browsers.PHONE, "color_scheme": "dark", "locale": "zh-CN",
    },
}  # fmt: skip
RUN = """async () => {
  const {violations} = await axe.run(document, {resultTypes: ['violations']});
  return violations.map(v => [v.impact, v.id, v.nodes.map(n => n.target.join(' ')).join(', ')]);
}"""


@pytest.fixture(scope="module")
def axe():
    folder = npm.require(AXE)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def pages(live_server):
    """Each page that answers 200, with the session that it is seen in."""
    scene = site.build(password=factories.PASSWORD)
    found = []
    clients = {who: Client(raise_request_exception=False) for who in ("", "alice")}
    clients["alice"].force_login(scene.alice)
    sessions = {
        who: client.cookies["session"].value if who else "" for who, client in clients.items()
    }
    for route in site.routes():
        if route.is_staff or route.name == "None" or set(route.arguments) - set(scene.values):
            continue
        for who, client in clients.items():
            url = scene.url(route)
            answer = client.get(url)
            is_page = answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
            if is_page and b"<html" in answer.content:  # not a part of one, for htmx
                found.append((url, sessions[who]))
    return found


def test_the_check_finds_what_is_wrong(axe, live_server):
    with browsers.chromium() as browser:
        page = browsers.signed_in(browser, live_server.url, "").new_page()
        page.goto("/")
        page.evaluate("document.querySelector('main').innerHTML = '<img src=\"/x.png\"><input>'")
        page.evaluate(axe)
        assert {"image-alt", "label"} <= {rule for _, rule, _ in page.evaluate(RUN)}


@pytest.mark.parametrize("look", LOOKS)
def test_no_page_has_a_serious_finding(look, axe, pages, live_server):
    assert len(pages) > 15
    wrong = []
    with browsers.chromium() as browser:
        windows = {
            session: browsers.signed_in(browser, live_server.url, session, **LOOKS[look]).new_page()
            for session in {session for _, session in pages}
        }
        for url, session in pages:
            page = windows[session]
            page.goto(url)
            page.evaluate(axe)
            wrong += [(url, *finding) for finding in page.evaluate(RUN) if finding[0] in SERIOUS]
    assert wrong == [], "\n".join(map(str, wrong))
