"""Reads what an operator sets about people's data."""

from pathlib import Path

from bananarouter import env


def policy_notice_days() -> int:
    """Return for how many days a material change of a policy is known before it holds."""
    return env.number("POLICY_NOTICE_DAYS", 14, high=365)


def debug_key_dir(data_dir: Path) -> Path:
    """Return the folder of debug mode's data keys, which belongs in no backup (ADR 33)."""
    return Path(env.text("DEBUG_KEY_DIR", str(data_dir / "debug-keys"))).expanduser().resolve()
