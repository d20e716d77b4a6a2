"""The playground in a real browser, against a real gateway and its simulated vendor."""

import re

import pytest
from playwright.sync_api import expect

from tests import browsers

pytestmark = [browsers.needs_chromium, pytest.mark.process]
LOGIN = re.compile(r"Log in as (\S+) with (\S+)")


@pytest.fixture
def page(running):
    """The page, signed in as the embedded default's own user; it must not complain."""
    name, password = LOGIN.search(running.log_text()).groups()
    noted = []
    with browsers.chromium() as browser:
        context = browsers.signed_in(browser, running.url, "", viewport=browsers.DESK)
        page = context.new_page()
        page.on("console", lambda m: m.type in {"error", "warning"} and noted.append(m.text))
        page.on("pageerror", lambda error: noted.append(str(error)))
        page.goto("/accounts/login/?next=/playground")
        page.locator("[name=login]").fill(name)
        page.locator("[name=password]").fill(password)
        page.locator("[name=password]").press("Enter")
        page.wait_for_url("**/playground")
        page.noted = noted
        yield page
        assert noted == []


def say(page, text):
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def test_two_models_answer_side_by_side_and_tell_their_cost(page):
    page.get_by_role("button", name="Add a model").click()
    talks = page.locator(".talk")
    talks.nth(0).get_by_label("Model", exact=True).fill("demo/steady")
    talks.nth(1).get_by_label("Model", exact=True).fill("demo/only-gemini")
    say(page, "Name two fruits.")
    for n in range(2):
        answer = talks.nth(n).locator(".turn.assistant")
        expect(answer.locator(".facts-line")).to_contain_text(re.compile(r"^\$0\.\d+ · \d+ tokens"))
        expect(answer.locator(".said")).not_to_be_empty()
        expect(answer.locator(".failure")).to_be_hidden()
    total = page.locator("#total-cost").inner_text()
    costs = [
        line.inner_text().split(" · ")[0] for line in page.locator(".assistant .facts-line").all()
    ]
    assert float(total[1:]) == pytest.approx(sum(float(cost[1:]) for cost in costs), abs=1e-9)
    assert page.evaluate("localStorage.length") == 0


def test_stop_ends_an_answer_which_then_tells_its_cost(page):
    page.locator(".talk").get_by_label("Model", exact=True).fill("demo/steady")
    say(page, "A long story. " * 200)
    expect(page.locator(".turn.assistant .said p")).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped. You pay for what was written")).to_be_visible()
    expect(page.locator(".assistant .facts-line")).to_contain_text("$")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


def test_what_goes_wrong_is_said_in_the_column(page):
    page.locator(".talk").get_by_label("Model", exact=True).fill("no/such-model")
    say(page, "Hello")
    expect(page.locator(".assistant .failure")).to_contain_text("No such model")
    assert [text for text in page.noted if "404" not in text] == []
    page.noted.clear()  # the browser notes a 404 by itself
    page.locator(".talk").get_by_label("Model", exact=True).fill("")
    say(page, "Hello")
    expect(page.locator("#trouble")).to_have_text("Choose a model first.")


def test_conversations_outlive_the_page_only_when_asked(page):
    page.locator(".talk").get_by_label("Model", exact=True).fill("demo/fast")
    say(page, "Remember the word walnut.")
    expect(page.locator(".assistant .facts-line")).to_contain_text("$")
    page.reload()
    expect(page.get_by_text("Nothing said yet.")).to_be_visible()
    page.get_by_text("System prompt and parameters").click()
    page.get_by_label("Keep conversations in this browser").check()
    say(page, "Remember the word walnut.")
    expect(page.locator(".assistant .facts-line")).to_contain_text("$")
    page.reload()
    expect(page.locator(".turn.user")).to_contain_text("walnut")
    page.get_by_text("System prompt and parameters").click()
    page.get_by_label("Keep conversations in this browser").uncheck()
    assert page.evaluate("localStorage.length") == 0


def test_a_conversation_becomes_code_that_runs(page, running):
    page.locator(".talk").get_by_label("Model", exact=True).fill("demo/fast")
    page.get_by_text("System prompt and parameters").click()
    page.get_by_label("System prompt", exact=True).fill('Say it\'s "fine".')
    page.get_by_label("Temperature").fill("0.5")
    say(page, "Hello")
    expect(page.locator(".assistant .facts-line")).to_contain_text("$")
    page.get_by_role("button", name="Copy as code").click()
    code = page.locator("#code-text")
    expect(code).to_contain_text(f"curl {running.url}/v1/chat/completions")
    page.get_by_role("button", name="Python").click()
    compile(code.inner_text(), "playground", "exec")
    assert "temperature=0.5" in code.inner_text()
    page.get_by_role("button", name="JavaScript").click()
    expect(code).to_contain_text("baseURL")
    page.keyboard.press("Escape")
    expect(code).to_be_hidden()


def test_an_image_goes_along(page):
    page.locator(".talk").get_by_label("Model", exact=True).fill("demo/fast")
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
        "f8cfc0f01f0005000"
        "1ff89993d1d0000000049454e44ae426082"
    )
    page.locator("#images").set_input_files(
        [{"name": "dot.png", "mimeType": "image/png", "buffer": png}]
    )
    expect(page.locator(".thumb img")).to_have_count(1)
    say(page, "What is this?")
    expect(page.locator(".turn.user img")).to_have_count(1)
    expect(page.locator(".assistant .facts-line")).to_contain_text("$")
    page.locator("#images").set_input_files(
        [{"name": f"{n}.png", "mimeType": "image/png", "buffer": png} for n in range(5)]
    )
    expect(page.locator("#trouble")).to_contain_text("5 MB at most")


@pytest.mark.parametrize("look", ["phone", "dark", "Chinese"])
def test_it_fits_a_phone_and_speaks_chinese(page, running, look):
    if look == "phone":
        page.set_viewport_size(browsers.PHONE)
    if look == "dark":
        page.emulate_media(color_scheme="dark")
    if look == "Chinese":
        page.context.add_cookies(
            [{"name": "django_language", "value": "zh-hans", "url": running.url}]
        )
        page.reload()
        expect(page.get_by_role("heading", name="试验场")).to_be_visible()
    width, shown = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= shown
