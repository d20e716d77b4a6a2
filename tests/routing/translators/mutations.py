"""Broken variants of recorded JSON and streams, each from the dice that it is given."""

import json
import random
import re
from typing import Any

# Values that stand where another was expected; a text of the form @name@ becomes RAW[name].
ODDITIES = [
    None, True, False, 0, -1, 10**18, 10**30, 1.5, -1e300, "", "x", "\0", "a\0b", "é漢🍌",
    "br1.AAAA", [], [None], [[]], [1, "x"], {}, {"a": 1}, {"type": "text"}, {"type": 3},
    [{"type": "text"}], "@half@", "@endless@", "@infinite@", "@nested@", "@long@", "@deep@",
]  # fmt: skip
RAW = {
    "half": b'"\\ud800"',
    "endless": b"1" * 400,
    "infinite": b"1e999",
    "nested": b"[" * 70 + b"]" * 70,
    "deep": b"[" * 5_000,
    "long": b'"' + b"long " * 300 + b'"',
}
# Bytes that stand amid others.
JUNK = [
    b"\0", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\r", b"\n", b"\r\n", b"\n\n", b'"', b"{", b"}",
    b"[", b",", b":", b"\\", b"data: ", b"data: {}\n\n", b": comment\n\n", b"event: x\n",
    b"\xef\xbb\xbf",
    b"[DONE]", b"data: [DONE]\n\n", b"data:\n\n", b"id: 1\nretry: 5\n",
]  # fmt: skip
_RAW = re.compile(rb'"@(\w+)@"')
_BLANK = re.compile(rb"\r?\n\r?\n")


def written(value: Any, *, indent: int | None = None) -> bytes:
    """Write JSON, with the raw oddities in their places."""
    text = json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "replace")
    return _RAW.sub(lambda found: RAW.get(found[1].decode(), found[0]), text)


def odd_json(value: Any, dice: random.Random, others: list[Any]) -> Any:
    """Put something odd somewhere into a JSON value, or take something out, or twice in."""
    if not isinstance(value, dict | list) or not value or dice.random() < 0.08:
        return dice.choice(others) if others and dice.random() < 0.3 else dice.choice(ODDITIES)
    if isinstance(value, list):
        return _odd_list(value, dice, others)
    name = dice.choice(list(value))
    chance = dice.random()
    if chance < 0.12:
        return {other: item for other, item in value.items() if other != name}
    if chance < 0.16:
        return {**value, dice.choice(["x", "type", "id", "index", "role", "name"]): value[name]}
    return {**value, name: odd_json(value[name], dice, others)}


def _odd_list(value: list[Any], dice: random.Random, others: list[Any]) -> list[Any]:
    at = dice.randrange(len(value))
    chance = dice.random()
    if chance < 0.1:
        return [*value[:at], *value[at + 1 :]]
    if chance < 0.2:
        return [*value, value[at]]
    if chance < 0.25:
        return dice.sample(value, len(value))
    return [*value[:at], odd_json(value[at], dice, others), *value[at + 1 :]]


def odd_bytes(body: bytes, dice: random.Random) -> bytes:
    """Break a few bytes: flip, cut, take out, put in."""
    for _ in range(dice.choice([1, 1, 2, 5])):
        at = dice.randrange(len(body) + 1)
        kind = dice.randrange(5)
        if kind == 0:
            body = body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
        elif kind == 1:
            body = body[:at] + body[at + dice.choice([1, 2, 9, 200]) :]
        elif kind == 2:
            body = body[:at] + dice.choice(JUNK) + body[at:]
        elif kind == 3:
            body = body[:at]
        else:
            body = body[:at] + body[at : at + 60] + body[at:]
    return body


def events_of(body: bytes) -> list[tuple[bytes, Any]]:
    """Read a recorded stream: names of events with their JSON, or the text that is none."""
    found: list[tuple[bytes, Any]] = []
    for block in _BLANK.split(body):
        rows = block.splitlines()
        name = next((row[6:].strip() for row in rows if row.startswith(b"event:")), b"")
        data = b"\n".join(row[5:].strip() for row in rows if row.startswith(b"data:"))
        if not data:
            continue
        try:
            found.append((name, json.loads(data)))
        except ValueError:
            found.append((name, data))
    return found


def odd_stream(
    events: list[tuple[bytes, Any]], dice: random.Random, others: list[tuple[bytes, Any]]
) -> bytes:
    """Break a stream, and frame it in one of the legal ways."""
    events = odd_order(events, dice, others)
    return framed(events, dice)


def odd_array(
    events: list[tuple[bytes, Any]], dice: random.Random, others: list[tuple[bytes, Any]]
) -> bytes:
    """Do the same to Gemini's stream without alt=sse: one JSON array."""
    indent = dice.choice([None, 2])
    documents = [value for _, value in odd_order(events, dice, others)]
    texts = [one if isinstance(one, bytes) else written(one, indent=indent) for one in documents]
    return b"[" + dice.choice([b",\r\n", b"\n,\n", b","]).join(texts) + b"]"


def odd_order(
    events: list[tuple[bytes, Any]], dice: random.Random, others: list[tuple[bytes, Any]]
) -> list[tuple[bytes, Any]]:
    """Drop, double, reorder and break a few events."""
    events = list(events)
    for _ in range(dice.choice([0, 1, 1, 2, 3])):
        if events:
            _odd_events(events, dice, others)
    return events


def _odd_events(
    events: list[tuple[bytes, Any]], dice: random.Random, others: list[tuple[bytes, Any]]
) -> None:
    at = dice.randrange(len(events))
    kind = dice.randrange(8)
    if kind == 0:
        del events[at]
    elif kind == 1:
        events.insert(dice.randrange(len(events) + 1), events[at])
    elif kind == 2:
        other = dice.randrange(len(events))
        events[at], events[other] = events[other], events[at]
    elif kind == 3:
        events.insert(at, dice.choice(others))
    elif kind == 4:
        del events[at:]
    else:
        name, value = events[at]
        if not isinstance(value, bytes):
            docs = [other for _, other in others[:20] if not isinstance(other, bytes)]
            events[at] = name, odd_json(value, dice, docs)


def framed(events: list[tuple[bytes, Any]], dice: random.Random) -> bytes:
    """Write events as a stream; every variant of the framing means the same."""
    end = dice.choice([b"\n", b"\n", b"\r\n", b"\r"])
    space = dice.choice([b" ", b" ", b""])
    blocks = [dice.choice([b"", b"", b"\xef\xbb\xbf", b": hello" + end + end])]
    for name, value in events:
        indent = 1 if dice.random() < 0.03 else None
        data = value if isinstance(value, bytes) else written(value, indent=indent)
        if name:
            blocks.append(b"event:" + space + name + end)
        blocks += [b"data:" + space + row + end for row in data.split(b"\n")]
        blocks.append(end)
        if dice.random() < 0.03:
            blocks.append(
                dice.choice([b": OPENROUTER PROCESSING" + end + end, end, b"id: 7" + end])
            )
    return b"".join(blocks)


def cut(body: bytes, dice: random.Random) -> list[bytes]:
    """Cut bytes as a network might: whole, in single bytes, or anywhere."""
    kind = dice.randrange(4)
    if kind == 0:
        return [body]
    if kind == 1 and len(body) < 4_000:
        return [body[at : at + 1] for at in range(len(body))]
    sizes = [1, 2, 13, 100, 1_000] if kind == 2 else [400, 3_000]
    found, at = [], 0
    while at < len(body):
        size = dice.choice(sizes)
        found.append(body[at : at + size])
        at += size
    return found
