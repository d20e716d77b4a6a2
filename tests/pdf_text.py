"""Reads the text of a PDF of ours back: no reader of PDF is among the packages."""

import base64
import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"/Length (\d+).*?stream\r?\n", re.DOTALL)
_SHOWN = re.compile(
    rb"/(F\d+(?:\+\d+)?) [\d.]+ Tf|1 0 0 1 ([\d.]+) ([\d.]+) Tm|\(((?:[^()\\]|\\.)*)\) Tj"
)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_CHAR = re.compile(r"<([0-9A-F]{2})> <([0-9A-F]{4})>")


def pages(file: bytes) -> list[str]:
    """Return the text of each page, a line for each height on it, from left to right."""
    assert file.startswith(b"%PDF-")
    objects = dict(_OBJECT.findall(file))
    fonts = {
        name: _letters(_unpacked(objects[re.search(rb"/ToUnicode (\d+)", objects[number])[1]]))
        for body in objects.values()
        for name, number in re.findall(rb"/(F\d+(?:\+\d+)?) (\d+) 0 R", body)
        if b"/ToUnicode" in objects[number]
    }
    kids = re.search(rb"/Kids \[ (.*?) \]", file, re.DOTALL)[1]
    found = []
    for number in re.findall(rb"(\d+) 0 R", kids):
        content = re.search(rb"/Contents (\d+)", objects[number])[1]
        found.append(_text(_unpacked(objects[content]), fonts))
    return found


def _unpacked(body: bytes) -> bytes:
    head = _STREAM.search(body)
    data = body[head.end() : head.end() + int(head[1])]
    if b"/ASCII85Decode" in body:
        data = base64.a85decode(data.strip().removesuffix(b"~>"))
    return zlib.decompress(data) if b"/FlateDecode" in body else data


def _letters(table: bytes) -> dict[int, str]:
    """Read which letter each code of a font's subset stands for."""
    return {int(code, 16): chr(int(letter, 16)) for code, letter in _CHAR.findall(table.decode())}


def _text(content: bytes, fonts: dict[bytes, dict[int, str]]) -> str:
    lines: dict[float, list[tuple[float, str]]] = {}
    letters, x, y = {}, 0.0, 0.0
    for font, left, height, shown in _SHOWN.findall(content):
        if font:
            letters = fonts.get(font, {})
        elif left:
            x, y = float(left), float(height)
        else:
            plain = _ESCAPE.sub(_byte, shown)
            lines.setdefault(y, []).append((x, "".join(letters.get(c, chr(c)) for c in plain)))
    return "\n".join(
        " ".join(text for _, text in sorted(lines[height], key=lambda part: part[0]))
        for height in sorted(lines, reverse=True)
    )


def _byte(match: re.Match) -> bytes:
    said = match[1]
    if len(said) == 3:
        return bytes([int(said, 8)])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(said, said)
