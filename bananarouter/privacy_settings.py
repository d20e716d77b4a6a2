"""Reads what an operator sets about privacy and trust."""

from bananarouter import env


def leak_keys_url() -> str:
    """Return where the public keys of GitHub's secret scanning are published."""
    return env.text(
        "LEAK_KEYS_URL", "https://api.github.com/meta/public_keys/secret_scanning"
    ).rstrip("/")
