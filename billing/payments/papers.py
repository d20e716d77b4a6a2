"""Papers as PDF and CSV.

A PDF carries the glyphs that it shows: Latin from the font that comes with reportlab, other
scripts from TrueType fonts of the system. Chinese fonts of Debian mostly hold other outlines
(CFF), which reportlab cannot embed: their text is drawn as small pictures instead. What no font
has is replaced by `?`, and a line says that the web page shows it.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

PLAIN, BOLD = "Vera", "VeraBd"
# Debian: fonts-dejavu-core, fonts-droid-fallback, fonts-wqy-microhei, fonts-noto-cjk.
OUTLINED: Final = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
)
DRAWN: Final = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
DRAWN_FACE = 2  # Simplified Chinese
# Pixels of a picture for each point of text.
SHARPNESS = 6
SIZE, SMALL, TITLE = 9.0, 7.5, 18.0
LEADING = 1.45
MARGIN = 56.0
COLUMN_GAP = 6.0
WIDTH, HEIGHT = A4
# Nobody's address or name fills more lines than this.
LINES_MAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A heading with lines below it, such as who sells."""

    heading: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A heading, a text, and rows below their head."""

    heading: str
    head: Sequence[str]
    # How wide each column is, in points; the last one has what is left.
    widths: Sequence[float]
    rows: Sequence[Sequence[str]]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a paper shows, in the reader's language."""

    title: str
    facts: Sequence[tuple[str, str]]
    blocks: Sequence[Block] = field(default=())
    rows: Sequence[tuple[str, str]] = field(default=())
    # The last row, in bold.
    total: tuple[str, str] | None = None
    notes: Sequence[str] = field(default=())
    tables: Sequence[Table] = field(default=())
    # Stands at the foot of each page, with its number.
    foot: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    font: str  # "" for a picture


@cache
def _fonts() -> tuple[str, ...]:
    """Register the fonts that are there; return the names of those for text that is not bold."""
    for name in (PLAIN, BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
    names = [PLAIN]
    for place in OUTLINED:
        name = Path(place).stem
        if Path(place).is_file():
            try:
                pdfmetrics.registerFont(TTFont(name, place))
            except TTFError:  # an unusual build of it: the next font may do
                continue
            names.append(name)
    return tuple(names)


@cache
def _drawn(size: float) -> ImageFont.FreeTypeFont | None:
    if not Path(DRAWN).is_file():
        return None
    return ImageFont.truetype(DRAWN, round(size * SHARPNESS), index=DRAWN_FACE)


def _has(font: str, letter: str) -> bool:
    return ord(letter) in pdfmetrics.getFont(font).face.charToGlyph


@cache
def _is_drawable(letter: str) -> bool:
    """Tell whether the font of the pictures has a letter: its box for unknown ones is not it."""
    font = _drawn(SIZE)
    if font is None or ord(letter) < 0x2E80:
        return False
    return bytes(font.getmask(letter)) != bytes(font.getmask("\U0010ffff"))


def _font_of(letter: str, *, first: str) -> str | None:
    """Return the font of a letter, "" for a picture, None when nothing has it."""
    for font in (first, *_fonts()):
        if _has(font, letter):
            return font
    return "" if _is_drawable(letter) else None


class _Page:
    """Draws text from the top of a page down."""

    def __init__(self, title: str, foot: str = "") -> None:
        self.foot, self.number = foot, 1
        self.out = io.BytesIO()
        _fonts()
        # Invariant: the same paper is the same bytes, whenever it is fetched.
        self.canvas = Canvas(self.out, pagesize=A4, invariant=1, pageCompression=1)
        self.canvas.setTitle(title)
        self.canvas.setAuthor(settings.OPERATOR_NAME)
        self.y = HEIGHT - MARGIN
        self.lacks = False

    def runs(self, text: str, *, bold: bool) -> list[_Run]:
        """Cut a text where its font changes."""
        found: list[_Run] = []
        for letter in text:
            font = _font_of(letter, first=BOLD if bold else PLAIN)
            run = _Run("?", PLAIN) if font is None else _Run(letter, font)
            self.lacks = self.lacks or font is None
            if found and found[-1].font == run.font:
                run = _Run(found.pop().text + run.text, run.font)
            found.append(run)
        return found

    def width(self, text: str, size: float, *, bold: bool = False) -> float:
        """Return how wide a text is, in points."""
        return sum(_width(run, size) for run in self.runs(text, bold=bold))

    def draw(self, x: float, text: str, size: float = SIZE, *, bold: bool = False) -> None:
        """Write a line at x, on the present line."""
        for run in self.runs(text, bold=bold):
            if run.font:
                self.canvas.setFont(run.font, size)
                self.canvas.drawString(x, self.y, run.text)
            else:
                self._picture(x, run.text, size)
            x += _width(run, size)

    def _picture(self, x: float, text: str, size: float) -> None:
        font = _drawn(size)
        if font is None:
            return
        ascent, descent = font.getmetrics()
        box = (max(1, round(font.getlength(text))), ascent + descent)
        mask = Image.new("L", box)
        ImageDraw.Draw(mask).text((0, 0), text, font=font, fill=255)
        picture = Image.new("RGBA", box)
        picture.putalpha(mask)
        self.canvas.drawImage(
            ImageReader(picture),
            x,
            self.y - descent / SHARPNESS,
            width=box[0] / SHARPNESS,
            height=box[1] / SHARPNESS,
            mask="auto",
        )

    def wrapped(self, text: str, room: float, size: float = SIZE) -> list[str]:
        """Cut a text into lines that fit, at blanks where there are some."""
        lines = [""]
        for word in _words(text):
            if self.width(lines[-1] + word.rstrip(), size) > room and lines[-1].strip():
                lines.append("")
            lines[-1] += word
        return [line.strip() for line in lines[:LINES_MAX]]

    def down(self, size: float = SIZE, lines: float = 1) -> None:
        """Go to the next line; to the next page where this one ends."""
        self.y -= size * LEADING * lines
        if self.y < MARGIN:
            self.turn()

    def turn(self) -> None:
        """Begin a new page."""
        self._sign()
        self.canvas.showPage()
        self.number += 1
        self.y = HEIGHT - MARGIN

    def _sign(self) -> None:
        if self.foot:
            self.y = MARGIN / 2
            self.draw(MARGIN, f"{self.foot}, {self.number}", SMALL)

    def right(self, text: str, *, bold: bool = False) -> None:
        """Write a line that ends at the right margin."""
        self.draw(WIDTH - MARGIN - self.width(text, SIZE, bold=bold), text, bold=bold)

    def rule(self) -> None:
        """Draw a hairline."""
        self.canvas.setLineWidth(0.4)
        self.canvas.line(MARGIN, self.y + SIZE * 0.3, WIDTH - MARGIN, self.y + SIZE * 0.3)
        self.down(SIZE)

    def bytes(self) -> bytes:
        """Return the finished file."""
        self._sign()
        self.canvas.save()
        return self.out.getvalue()


def _width(run: _Run, size: float) -> float:
    if run.font:
        return float(pdfmetrics.stringWidth(run.text, run.font, size))
    font = _drawn(size)
    return font.getlength(run.text) / SHARPNESS if font else 0.0


def _words(text: str) -> list[str]:
    """Cut a text where a line may end: after blanks, and around each Chinese character."""
    found = [""]
    for letter in text:
        is_wide = ord(letter) >= 0x2E80
        if found[-1] and (is_wide or found[-1][-1].isspace() or ord(found[-1][-1]) >= 0x2E80):
            found.append("")
        # A word that is as long as an address is cut, too.
        if len(found[-1]) >= 60:
            found.append("")
        found[-1] += letter
    return found


def pdf(sheet: Sheet) -> bytes:
    """Return a sheet as a PDF of A4 pages, the fonts that it uses embedded."""
    page = _Page(sheet.title, sheet.foot)
    page.down(TITLE, 0.6)
    page.draw(MARGIN, sheet.title, TITLE, bold=True)
    page.down(TITLE, 1.3)
    for label, value in sheet.facts:
        page.draw(MARGIN, label)
        for line in page.wrapped(value, WIDTH - 2 * MARGIN - 150):
            page.draw(MARGIN + 150, line)
            page.down()
    for block in sheet.blocks:
        _block(page, block)
    for table in sheet.tables:
        _table(page, table)
    _amounts(page, sheet)
    for note in [*sheet.notes, *([_lacking()] if page.lacks else [])]:
        for line in page.wrapped(note, WIDTH - 2 * MARGIN, SMALL):
            page.draw(MARGIN, line, SMALL)
            page.down(SMALL)
    return page.bytes()


def _amounts(page: _Page, sheet: Sheet) -> None:
    page.down(lines=1.5)
    if not sheet.rows:
        return
    page.rule()
    for label, value in sheet.rows:
        page.draw(MARGIN, label)
        page.right(value)
        page.down(lines=1.3)
    if sheet.total is not None:
        page.rule()
        page.draw(MARGIN, sheet.total[0], bold=True)
        page.right(sheet.total[1], bold=True)
        page.down(lines=2)


def _lacking() -> str:
    return _("Some characters cannot be shown here; the page of this paper on the web shows them.")


def _block(page: _Page, block: Block) -> None:
    lines = [line for line in block.lines if line]
    if not lines:
        return
    page.down(lines=0.8)
    page.draw(MARGIN, block.heading, bold=True)
    page.down()
    for line in lines:
        for part in page.wrapped(line, WIDTH - 2 * MARGIN):
            page.draw(MARGIN, part)
            page.down()


def _table(page: _Page, table: Table) -> None:
    page.down(lines=1.2)
    if page.y < MARGIN + 5 * SIZE * LEADING:  # no heading alone at a page's foot
        page.turn()
    page.draw(MARGIN, table.heading, bold=True)
    page.down()
    for line in page.wrapped(table.text, WIDTH - 2 * MARGIN, SMALL) if table.text else []:
        page.draw(MARGIN, line, SMALL)
        page.down(SMALL)
    for number, row in enumerate([table.head, *table.rows] if table.rows else []):
        _row(page, table, row, bold=number == 0)


def _row(page: _Page, table: Table, cells: Sequence[str], *, bold: bool = False) -> None:
    lefts = [MARGIN + sum(table.widths[:n]) for n in range(len(cells))]
    rights = [*lefts[1:], WIDTH - MARGIN + COLUMN_GAP]
    columns = [
        page.wrapped(cell, right - left - COLUMN_GAP, SMALL)
        for cell, left, right in zip(cells, lefts, rights, strict=True)
    ]
    for n in range(max(len(column) for column in columns)):
        for left, column in zip(lefts, columns, strict=True):
            if n < len(column):
                page.draw(left, column[n], SMALL, bold=bold)
        page.down(SMALL)


# A program that opens a CSV must not take a text for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Iterable[Sequence[str | int]]) -> str:
    """Return rows as CSV with CRLF; texts that spreadsheets would compute are quoted by `'`."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([_harmless(cell) for cell in row])
    return out.getvalue()


def _harmless(cell: str | int) -> str:
    text = str(cell)
    is_number = text.replace(".", "", 1).removeprefix("-").isdigit()
    return f"'{text}" if text.startswith(FORMULA) and not is_number else text
