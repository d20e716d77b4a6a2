"""Reads what an operator sets about people's data."""

from bananarouter import env


def policy_notice_days() -> int:
    """Return for how many days a material change of a policy is known before it holds."""
    return env.number("POLICY_NOTICE_DAYS", 14, high=365)
