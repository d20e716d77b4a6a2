<<<<<<< 10683bb38a8e9aff65347d8f72d4501f5e75ad9d
"""Reads what an operator sets about privacy."""

from pathlib import Path
=======
"""Reads what an operator sets about people's data."""
>>>>>>> bb1016babca70d9a801167aad9a59c8083de480e

from bananarouter import env


<<<<<<< 10683bb38a8e9aff65347d8f72d4501f5e75ad9d
def debug_key_dir(data_dir: Path) -> Path:
    """Return the folder of debug mode's data keys, which belongs in no backup (ADR 33)."""
    return Path(env.text("DEBUG_KEY_DIR", str(data_dir / "debug-keys"))).expanduser().resolve()
=======
def policy_notice_days() -> int:
    """Return for how many days a material change of a policy is known before it holds."""
    return env.number("POLICY_NOTICE_DAYS", 14, high=365)
>>>>>>> bb1016babca70d9a801167aad9a59c8083de480e
