"""Words and looks: both languages whole, nothing inline, colors that can be read, small pages."""

import ast
import gettext
import gzip
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import engines
from django.template.base import Node, NodeList
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.test import Client
from django.urls import reverse

from accounts.timeids import uuid7
from bananarouter.pages import words
from bananarouter.templatetags import pages
from billing.models import Attempt, Charge
from routing.error_codes import Code
from routing.surfaces import Surface
from tests import site

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# A mail must bring its own style: no browser, no policy of ours.
MAILS = {ROOT / "templates" / "notices" / "mail.html"}
PAGE_TEMPLATES = [path for path in TEMPLATES if path not in MAILS]
CATALOGS = sorted((ROOT / "locale").glob("*/zh_Hans/LC_MESSAGES/django.po"))
APPS = ("accounts", "bananarouter", "billing", "logs", "routing")
PLACE = re.compile(r"%\(\w+\)[sd]|%[sd]")
ASSETS_BYTES_MAX = 100 * 1024


def read_po(text: str) -> dict[str, str]:
    """The entries of a .po file without plurals and contexts."""
    found = {}
    pattern = r'^msgid ((?:".*"\s*)+)msgstr ((?:".*"\s*)+)'
    for msgid, msgstr in re.findall(pattern, text, re.MULTILINE):
        parts = [
            "".join(ast.literal_eval(line) for line in part.strip().splitlines())
            for part in (msgid, msgstr)
        ]
        found[parts[0]] = parts[1]
    return found


def po() -> dict[str, str]:
    """All areas' entries; what two areas say is in `core`."""
    found: dict[str, str] = {}
    for path in CATALOGS:
        entries = {key: text for key, text in read_po(path.read_text()).items() if key}
        assert not (twice := found.keys() & entries.keys()), f"move to locale/core: {twice}"
        found |= entries
    return found


def nodes(found: Node | NodeList):
    """Every node of a template, in all its branches."""
    for child in found if isinstance(found, NodeList) else [found]:
        yield child
        for value in vars(child).values():
            if isinstance(value, Node | NodeList):
                yield from nodes(value)
        for _, branch in getattr(child, "conditions_nodelists", ()):
            yield from nodes(branch)


def said_in_templates() -> set[str]:
    said = set()
    for path in [*TEMPLATES, *(ROOT / "templates").rglob("*.txt")]:
        text = path.read_text()
        said |= set(re.findall(r'_\("([^"]+)"\)', text))
        template = engines["django"].from_string(text).template
        for node in nodes(template.nodelist):
            if isinstance(node, TranslateNode):
                literal = node.filter_expression.var.literal
                said |= {literal} - {None}  # a variable's texts are said in Python
            elif isinstance(node, BlockTranslateNode):
                said.add(node.render_token_list(node.singular)[0])
    return said


def said_in_python() -> set[str]:
    said = set()
    for path in [path for app in APPS for path in (ROOT / app).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "_"
            ):
                said.add(ast.literal_eval(node.args[0]))
    return said


def test_everything_said_is_translated_and_nothing_else():
    said, translated = said_in_templates() | said_in_python(), {key for key in po() if key}
    assert len(said) > 200
    assert said - translated == set(), "not in locale/zh_Hans"
    assert translated - said == set(), "said nowhere any more"


def test_each_translation_is_whole():
    for msgid, msgstr in po().items():
        assert msgstr, msgid
        assert sorted(PLACE.findall(msgid)) == sorted(PLACE.findall(msgstr)), msgid
        if msgid:
            assert msgstr.count("<code>") == msgid.count("<code>"), msgid


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parents[2].name)
def test_the_compiled_translation_is_that_of_the_source(path):
    with path.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    said = read_po(path.read_text())
    assert set(compiled._catalog) == set(said)
    assert {key: compiled.gettext(key) for key in said if key} == {
        k: v for k, v in said.items() if k
    }


def test_chinese_speaks_to_the_reader_in_one_way():
    assert not [text for text in po().values() if "您" in text or "請" in text]


@pytest.mark.django_db
def test_the_language_is_chosen_in_the_footer():
    client = Client()
    assert "Sign up" in client.get("/").content.decode()
    client.post(reverse("set_language"), {"language": "zh-hans", "next": "/"})
    page = client.get("/").content.decode()
    assert '<html lang="zh-hans">' in page
    assert "注册" in page
    assert "Sign up" not in page
    response = client.post(
        reverse("set_language"), {"language": "en", "next": "https://evil.example"}
    )
    assert "evil" not in response["Location"]
    assert "Sign up" in client.get("/").content.decode()


def test_every_enum_has_its_words():
    assert set(words.STATES) == set(Charge.State)
    assert set(words.REASONS) == set(Charge.Reason)
    assert set(words.OUTCOMES) == set(Attempt.Outcome)
    assert set(words.SURFACES) == set(Surface)
    assert [code for code in Code if not words.failure(code.value)] == []
    assert words.failure("a_code_of_tomorrow") == ""
    assert words.failure(None) == ""


# Formats


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(None, ""), (0, "0 ms"), (999, "999 ms"), (1_240, "1.24 s"), (59_994, "59.99 s"),
     (60_000, "1 min 0 s"), (125_900, "2 min 5 s")],
)  # fmt: skip
def test_durations_carry_their_unit(milliseconds, shown):
    assert pages.duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "$0.00"), (2_500_000_000, "$2.50"), (317, "$0.000000317"),
     (12_345_600_000_000, "$12,345.60"), (pages.Fraction(635, 2), "$0.0000003175")],
)  # fmt: skip
def test_exact_money_hides_nothing(amount, shown):
    assert pages.exact_usd(amount) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(1, 4, "25.00%"), (9, 4, "100.00%"), (None, 4, "0.00%"), (1, 0, "0%")],
)
def test_shares_stay_within_the_bar(part, whole, shown):
    assert pages.percent_of(part, whole) == shown


# Nothing inline, and the header that forbids it


class Inline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        if tag == "style" or (tag == "script" and not ({"src", "type"} & set(names))):
            self.found.append(f"<{tag}>")
        if tag == "script" and "src" not in names and names.get("type") != "application/json":
            self.found.append("script without src")
        for name, value in attrs:
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:"):
                self.found.append(f"{tag} {name}")
            if name in {"src", "href", "action"} and re.match(r"(https?:)?//", value or ""):
                self.found.append(f"{tag} {name}={value}")


def inline(text: str) -> list[str]:
    parser = Inline()
    parser.feed(text)
    return parser.found


def test_the_search_for_inline_code_finds_it():
    wrong = '<p style="x">,<b onclick="x">,<script>x</script>,<style></style>,<a href="//x.y">'
    assert len(inline(wrong)) == 6


@pytest.mark.parametrize("path", PAGE_TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_has_nothing_inline_and_calls_nobody(path):
    assert inline(re.sub(r"\{[%#{].*?[%#}]\}", "", path.read_text(), flags=re.DOTALL)) == []


PAGES = [route for route in site.routes() if not route.is_staff and route.name != "None"]


@pytest.mark.sqlite
@pytest.mark.django_db
@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.name)
def test_a_page_is_strict_small_and_speaks_two_languages(route, whole_site):
    if set(route.arguments) - set(whole_site.values):
        pytest.skip("a link that only a mail holds")
    stranger, alice = Client(raise_request_exception=False), Client(raise_request_exception=False)
    alice.force_login(whole_site.alice)
    for client in (stranger, alice):
        for language in ("en", "zh-hans"):
            response = client.get(whole_site.url(route), headers={"accept-language": language})
            if response.status_code == 200 and "html" in response["Content-Type"]:
                assert_strict_and_small(response, language)


def assert_strict_and_small(response, language):
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    for part in ("default-src 'none'", "style-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    page = response.content.decode()
    # A link that a reader may follow asks nobody by itself.
    assert [found for found in inline(page) if not found.startswith("a href=https://")] == []
    if "<html" not in page:
        return  # a part of a page, for htmx
    assert f'<html lang="{language}">' in page
    assert page.count("<h1") == 1
    assert re.search(r"<title>\s*\S[^<]* · BananaRouter</title>", page)
    assets = set(re.findall(r'(?:href|src)="/static/([^"#?]+)', page))
    found = [Path(path) for asset in assets if (path := finders.find(asset))]
    assert len(found) == len(assets), assets
    size = sum(len(gzip.compress(path.read_bytes())) for path in found)
    assert len(gzip.compress(response.content)) + size < ASSETS_BYTES_MAX


@pytest.mark.django_db
def test_errors_have_their_own_page():
    client = Client(raise_request_exception=False)
    response = client.get(f"/requests/{uuid7()}/x")
    assert response.status_code == 404
    assert "Nothing is here" in response.content.decode()
    broken = engines["django"].get_template("500.html").render({})
    assert "Something broke here" in broken
    assert inline(broken) == []


# Contrast (WCAG 2.2, 1.4.3 and 1.4.11), from the tokens themselves


def luminance(color: str) -> float:
    """Relative luminance of an oklch() color (Ottosson's matrices, clipped to sRGB)."""
    lightness, chroma, hue = map(float, color.split())
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    l_ = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m_ = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s_ = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_
    green = -1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_
    blue = -0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_
    red, green, blue = (min(max(part, 0.0), 1.0) for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def tokens() -> dict[str, dict[str, str]]:
    css = (ROOT / "static" / "css" / "base.css").read_text()
    light, dark = (
        dict(re.findall(r"--([\w-]+): oklch\(([^)/]+)\)", block))
        for block in re.findall(r":root \{(.*?)\n *\}", css, re.DOTALL)
    )
    return {"light": light, "dark": {**light, **dark}}


TEXT_PAIRS = [
    *[(text, ground) for text in ("ink", "ink-soft") for ground in ("page", "surface", "sunken")],
    *[(state, f"{state}-tint") for state in ("good", "bad", "warn", "info")],
    *[("ink", f"{state}-tint") for state in ("good", "bad", "warn", "info")],
    ("bad", "surface"), ("bad", "page"), ("accent-ink", "accent"), ("accent-ink", "accent-hover"),
]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read(theme):
    colors = tokens()[theme]
    for text, ground in TEXT_PAIRS:
        assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
    for ground in ("page", "surface"):
        assert contrast(colors["line-strong"], colors[ground]) >= 3, ground


def test_contrast_is_computed_as_the_standard_says():
    assert contrast("1 0 0", "0 0 0") == pytest.approx(21, abs=0.01)
    # Yellow is never for text on white.
    assert contrast(tokens()["light"]["accent"], "1 0 0") < 2
