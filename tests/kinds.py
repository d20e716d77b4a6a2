"""Which tests run in which pass of `dev.py test`, and in what order. See conftest.py."""

import functools
from pathlib import Path

TESTS = Path(__file__).parent
# Fixtures with real gateway processes.
PROCESS_FIXTURES = {"run_gateway", "running"}
# A file with such tests holds one of these words, or a conftest.py in its folder does.
WORDS = {
    "alone": ("mark.alone",),
    "process": ("mark.process", *sorted(PROCESS_FIXTURES)),
}
# Of the pass with gateways: these take minutes, so they begin first, the longest before all.
LONGEST = (
    "test_run.py", "test_canary.py", "test_conformance.py",
    "test_topup_kill.py", "test_wire.py", "test_debug.py", "test_translation.py",
    "test_node_sdks.py", "test_sdks_across.py", "test_keys.py", "test_key_limits.py",
)  # fmt: skip


def kind_of(item) -> str:
    """Return the pass of a test."""
    if item.get_closest_marker("alone"):
        kind = "alone"
    elif item.get_closest_marker("process") or _fixtures(item) & PROCESS_FIXTURES:
        kind = "process"
    else:
        return "quick"
    assert may_hold(item.path, kind), f"{item.path} would not be looked into: see tests/kinds.py"
    return kind


def _fixtures(item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def may_hold(path: Path, kind: str) -> bool:
    """Tell, without loading a file of tests, whether it may hold tests of a pass."""
    words = WORDS.get(kind)
    return words is None or any(word in text for text in _texts(path) for word in words)


def _texts(path: Path) -> list[str]:
    folders = [folder for folder in path.parents if TESTS in folder.parents]
    return [_text(file) for file in (path, *(folder / "conftest.py" for folder in folders))]


@functools.cache
def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def longest_first(items: list) -> list:
    """Order tests by file: else one process is still busy when the others have ended."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    return sorted(items, key=lambda item: ranks.get(item.path.name, len(ranks)))
