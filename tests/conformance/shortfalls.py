"""Cases that do not pass, by client dialect and id, each with its reason; at most 2 % of all."""

from tests.conformance.replay import FAILED, Outcome

SHARE_MAX = 0.02
# (client dialect, case id): reason
SHORTFALLS: dict[tuple[str, str], str] = {}


def unknown(outcomes: list[Outcome]) -> list[str]:
    """Return what failed without a reason above."""
    return [
        f"{o.dialect} {o.case.id} ({o.cut}): {'; '.join(o.verdict.failures)}"[:900]
        for o in outcomes
        if o.state == FAILED and (o.dialect, o.case.id) not in SHORTFALLS
    ]


def mended(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    """Return listed cases that pass by now, or that are no more."""
    failed = {(o.dialect, o.case.id) for o in outcomes if o.state == FAILED}
    return sorted(set(SHORTFALLS) - failed)
