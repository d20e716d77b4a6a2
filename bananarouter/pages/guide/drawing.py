"""Markdown to HTML in our components: code with a copy button, tabs, headings with anchors."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bananarouter.pages.code_tabs import Tab

DRAWN_MAX = 128  # chapters, in each language, at each of few hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A section of a chapter, for the list at its head."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A chapter as a page shows it."""

    html: SafeString
    headings: Sequence[Heading]


@cache
def _parser() -> MarkdownIt:
    # Without HTML: what is written is text, whoever writes it.
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def draw(text: str, *, language: str) -> Drawn:
    """Draw a chapter without its title, which the page shows itself.

    Fences that follow each other and have a title after their language become tabs.
    """
    # The language decides nothing but the labels of buttons, yet they are drawn along.
    return _drawn(text.split("\n", 1)[1], language)


@lru_cache(maxsize=DRAWN_MAX)
def _drawn(text: str, _language: str) -> Drawn:
    parser = _parser()
    drawn: list[str] = []
    headings: list[Heading] = []
    tokens = parser.parse(text)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "fence":
            fences = _run(tokens, at)
            drawn.append(_code(fences, number=at))
            at += len(fences)
            continue
        if token.type == "heading_open":
            heading = Heading(id=_anchor(tokens[at + 1].content), text=tokens[at + 1].content)
            token.attrSet("id", heading.id)
            if token.tag == "h2":
                headings.append(heading)
        drawn.append(_wrapped(parser, token))
        at += 1
    return Drawn(html=mark_safe("".join(drawn)), headings=headings)  # noqa: S308


def _run(tokens: Sequence[Token], at: int) -> list[Token]:
    """Return the fences that make one set of tabs: all that follow, if each has a title."""
    found = [tokens[at]]
    if not _title(tokens[at]):
        return found
    for token in tokens[at + 1 :]:
        if token.type != "fence" or not _title(token):
            break
        found.append(token)
    return found


def _title(fence: Token) -> str:
    return fence.info.partition(" ")[2]


def _code(fences: Sequence[Token], *, number: int) -> str:
    name = f"code-{number}"
    if len(fences) == 1 and not _title(fences[0]):
        context = {"id": name, "kind": "x", "text": fences[0].content.rstrip("\n")}
        return render_to_string("components/api_code.html", context)
    tabs = [
        Tab(id=f"{n}", title=_title(fence), text=fence.content.rstrip("\n"))
        for n, fence in enumerate(fences)
    ]
    return render_to_string("guide/tabs.html", {"name": name, "tabs": tabs})


def _wrapped(parser: MarkdownIt, token: Token) -> str:
    """Draw one token; a table scrolls by itself on a phone."""
    html = str(parser.renderer.render([token], parser.options, {}))
    if token.type == "table_open":
        return f'<div class="table" tabindex="0">{html}'
    return f"{html}</div>" if token.type == "table_close" else html


def _anchor(text: str) -> str:
    """Return a heading as an id; Chinese characters stay as they are."""
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")
