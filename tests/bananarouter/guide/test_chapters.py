"""The guide: both languages whole, its examples readable, its numbers the installation's own."""

import ast
import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import resolve, reverse
from django.urls.exceptions import Resolver404

from bananarouter.pages.guide import chapters, drawing, places
from routing.error_codes import Code
from tests import factories

FOLDER = Path(settings.BASE_DIR) / "docs" / "guide"
FILES = sorted(FOLDER.glob("*/*.md"))
ORIGIN = "https://api.example"
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def filled(path):
    return places.fill(path.read_text(), origin=ORIGIN, model="demo/fast")


def skeleton(text):
    """What two languages must share: headings, fences with their titles, tables' rows, codes."""
    return [
        (line[:3].strip("# "), line.count("|"), line.startswith("```") and line)
        for line in text.splitlines()
        if line.startswith(("#", "```", "|"))
    ]


def test_every_chapter_is_a_file_in_each_language_and_nothing_else():
    for folder in chapters.FOLDERS.values():
        assert {path.stem for path in (FOLDER / folder).iterdir()} == set(chapters.SLUGS)


@pytest.mark.parametrize("slug", chapters.SLUGS)
def test_both_languages_say_the_same(slug):
    english, chinese = ((FOLDER / folder / f"{slug}.md").read_text() for folder in ("en", "zh"))
    assert len(skeleton(english)) == len(skeleton(chinese))
    assert [part[2] for part in skeleton(english)] == [part[2] for part in skeleton(chinese)]
    names = re.compile(r"`([^`\n]+)`")
    assert set(names.findall(english)) - set(names.findall(chinese)) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_chapter_is_sound(path):
    text = filled(path)
    assert "{{" not in text
    lead = path.read_text().split("\n\n", 2)[1]
    assert not set("`{[*") & set(lead)  # it also stands in the list of chapters, as plain text
    assert "您" not in text
    for language, code in FENCE.findall(text):
        if language == "python":
            ast.parse(code)
        elif language == "json":
            json.loads(code)
        if language == "sh" and "-d '" in code:
            json.loads(re.search(r"-d '(.*)'", code, re.DOTALL).group(1))
    for link in re.findall(r"\]\(([^)]+)\)", text):
        target = link.removeprefix(ORIGIN) if link.startswith(ORIGIN) else f"/docs/{link}"
        try:
            resolve(target)
        except Resolver404:
            pytest.fail(f"{link} leads nowhere")


def test_the_table_of_errors_has_them_all():
    text = filled(FOLDER / "en" / "errors.md")
    assert [code for code in Code if f"`{code}`" not in text] == []


def test_titled_fences_that_follow_each_other_become_tabs():
    drawn = drawing.draw(
        "# T\n\n```sh A\na\n```\n\n```sh B\nb\n```\n\n```sh\nc\n```\n", language="en"
    )
    assert drawn.html.count("<fieldset") == 1
    assert drawn.html.count('type="radio"') == 2
    assert drawn.html.count("data-copy=") == 3


def test_what_is_written_is_never_html():
    drawn = drawing.draw("# T\n\n<script>x</script> [a](javascript:x)\n", language="en")
    assert "<script" not in drawn.html
    assert "href" not in drawn.html


def test_an_unknown_place_is_a_fault():
    with pytest.raises(KeyError):
        places.fill("{{nothing}}", origin=ORIGIN, model=None)


@pytest.mark.django_db
@pytest.mark.parametrize("language", chapters.FOLDERS)
def test_pages_are_read_by_strangers_and_members(language, django_assert_max_num_queries):
    member = Client(headers={"accept-language": language})
    member.force_login(factories.user("alice"))
    for client in (Client(headers={"accept-language": language}), member):
        index = client.get(reverse("guide")).content.decode()
        for slug in chapters.SLUGS:
            url = reverse("guide_chapter", args=[slug])
            assert f'href="{url}"' in index
            with django_assert_max_num_queries(12):
                page = client.get(url).content.decode()
            assert f"<h1>{chapters.chapter(slug, language).title}</h1>" in page


@pytest.mark.django_db
def test_models_read_markdown():
    client = Client()
    index = client.get(reverse("llms_txt"))
    assert index["Content-Type"] == "text/plain; charset=utf-8"
    assert index.content.decode().startswith("# BananaRouter\n\n> ")
    for slug in chapters.SLUGS:
        url = reverse("guide_source", args=[slug])
        assert f"(http://testserver{url})" in index.content.decode()
        source = client.get(url)
        assert source["Content-Type"] == "text/markdown; charset=utf-8"
        assert source.content.decode() in client.get(reverse("llms_full_txt")).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["guide_chapter", "guide_source"])
def test_an_unknown_chapter_is_not_found(name):
    assert Client().get(reverse(name, args=["nothing"])).status_code == 404
