"""Reads what an operator sets about privacy."""

from pathlib import Path

from bananarouter import env


def debug_key_dir(data_dir: Path) -> Path:
    """Return the folder of debug mode's data keys, which belongs in no backup (ADR 33)."""
    return Path(env.text("DEBUG_KEY_DIR", str(data_dir / "debug-keys"))).expanduser().resolve()
