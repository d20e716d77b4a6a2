"""How models are called: canonical names, bare names, dated names (pure)."""

import re

# A vendor's dated snapshot: gpt-5-2025-08-07, claude-sonnet-4-20250514, claude-opus-4@20250514.
DATED = re.compile(r"(?P<name>.+?)[-@](?P<date>20\d{6}|20\d\d-\d\d-\d\d)")
COLLECTION = "models/"


def bare(name: str) -> str:
    """Return a name without the collection that Gemini's names begin with.

    Gemini writes `models/x`, Vertex `publishers/google/models/x`.
    """
    head, collection, tail = name.rpartition(COLLECTION)
    if collection and tail and (not head or head.startswith(("publishers/", "projects/"))):
        return tail
    return name


def respelled(name: str) -> tuple[str, ...]:
    """Return a dated name in the other ways to write its date, then without it."""
    found = DATED.fullmatch(name)
    if not found:
        return ()
    digits = date_of(name)
    dashed = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    head = found["name"]
    return (f"{head}-{digits}", f"{head}-{dashed}", f"{head}@{digits}", head)


def undated(name: str) -> str | None:
    """Return a dated name without its date; None when it has none."""
    found = DATED.fullmatch(name)
    return found["name"] if found else None


def date_of(name: str) -> str:
    """Return the date of a dated name as digits; "" when it has none."""
    found = DATED.fullmatch(name)
    return found["date"].replace("-", "") if found else ""
