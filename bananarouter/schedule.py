"""When tasks are due: names of the apps' tasks, and the seconds between two runs."""

from typing import Final

_EVERY_S: Final = {
    "accounts.sweep_alerts": 10.0,
    "accounts.build_exports": 5.0,
    "accounts.sweep_notices": 10.0,
    "accounts.announce_policies": 60.0,
    "accounts.tell_disclosures": 60.0,
    "logs.watch_spending": 300.0,
    "routing.announce": 3_600.0,
    "routing.keep_up": 60.0,
    "bananarouter.carry_out_closures": 10.0,
    "bananarouter.clear_erased": 60.0,
    "billing.sweep_events": 10.0,
    "billing.ask_processors": 10.0,
    "billing.top_up_automatically": 10.0,
    "billing.remind_of_balances": 60.0,
    "billing.write_papers": 600.0,
    "billing.issue_statements": 3_600.0,
    "billing.read_statements": 1_800.0,
    "logs.sweep_debug": 60.0,
    "logs.tell_debug": 10.0,
    "logs.end_records": 300.0,
    "logs.feed_archive": 60.0,
}
# As Celery's beat reads it.
BEAT: Final = {name: {"task": name, "schedule": every} for name, every in _EVERY_S.items()}
