"""Reads what an operator sets about people's data."""

from pathlib import Path

from bananarouter import env


def exports(data_dir: Path) -> tuple[Path, int]:
    """Return where copies of users' data lie for a day, and what of that disk stays free."""
    folder = Path(env.text("EXPORT_DIR", str(data_dir / "exports"))).expanduser().resolve()
    return folder, env.number("EXPORT_FREE_BYTES_MIN", 512 << 20)


def policy_notice_days() -> int:
    """Return for how many days a material change of a policy is known before it holds."""
    return env.number("POLICY_NOTICE_DAYS", 14, high=365)
