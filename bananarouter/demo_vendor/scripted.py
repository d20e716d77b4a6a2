"""Tool calls that a message scripts: `demo: call=Read {"path": "a"}` (see the package's docstring).

Agents answer a call and ask again, with pages of their own words beside the user's; so the script
stands in the conversation, and the results that followed it tell how far it has come.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

START = re.compile(r"\bdemo:\s*(?=call=)", re.IGNORECASE)
CALL = re.compile(r"[\s,]*call=([\w.:-]+)\s*(?=\{)", re.IGNORECASE)
DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What came from the caller's side: words, or what a tool answered."""

    text: str
    is_result: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that the script wants."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The latest message that scripts calls, what it wants now, and the latest result since."""

    text: str
    due: tuple[Wanted, ...]
    result: str | None


def read(turns: Iterable[Turn]) -> Script | None:
    """Find the script in force; each `demo:` is a step, the calls of one step are made at once."""
    text, steps, results = "", [], list[str]()
    for turn in turns:
        if turn.is_result:
            results.append(turn.text)
        elif found := _steps(turn.text):
            text, steps, results = turn.text, found, []
    if not steps:
        return None
    answered = len(results)
    result = results[-1] if results else None
    for step in steps:
        if answered < len(step):
            return Script(text=text, due=step, result=result)
        answered -= len(step)
    return Script(text=text, due=(), result=result)


def _steps(text: str) -> list[tuple[Wanted, ...]]:
    return [step for match in START.finditer(text) if (step := _step(text, match.end()))]


def _step(text: str, at: int) -> tuple[Wanted, ...]:
    """Read the calls that stand one after another; what is no JSON object ends them."""
    found = []
    while match := CALL.match(text, at):
        try:
            arguments, at = DECODER.raw_decode(text, match.end())
        except ValueError:
            break
        found.append(Wanted(name=match[1], arguments=arguments))
    return tuple(found)
