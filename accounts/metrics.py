"""Every metric of the gateway, defined once; the lowest app holds it so that all may count.

Hot paths bind a child once (`IN_FLIGHT`, `REQUESTS.labels(...)` kept in a dict): binding costs
more than counting. With several workers PROMETHEUS_MULTIPROC_DIR is set before the first import.
"""

from prometheus_client import Counter, Gauge, Histogram

_LATENCY_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_ANSWER_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

# The proxy: `surface` is routing.surfaces.Surface, `status_class` is 2xx, 4xx or 5xx.
REQUESTS = Counter("bnr_requests", "Answered requests.", ["surface", "status_class"])
BLOCKED = Gauge(
    "bnr_blocked_addresses",
    "Addresses shut out for guessing keys; each worker counts its own.",
    multiprocess_mode="livesum",
)
IN_FLIGHT = Gauge("bnr_requests_in_flight", "Requests being served.", multiprocess_mode="livesum")
FIRST_BYTE = Histogram(
    "bnr_first_byte_seconds", "From a request's arrival to its first byte.", buckets=_ANSWER_S
)
ATTEMPTS = Counter("bnr_upstream_attempts", "Vendors dialled.", ["channel", "outcome"])
# `direction`: prompt, completion.
TOKENS = Counter("bnr_tokens", "Metered tokens.", ["direction"])

# Money, in nano-USD.
SETTLED_NUSD = Counter("bnr_settled_nusd", "Money settled, in nano-USD.")
LEASES = Counter("bnr_lease_operations", "Credit leases by what was done.", ["operation"])
BATCH_ROWS = Histogram("bnr_batch_rows", "Rows in a group commit.", ["kind"], buckets=_BATCH)
BATCH_SECONDS = Histogram(
    "bnr_batch_seconds", "Duration of a group commit.", ["kind"], buckets=_LATENCY_S
)

# Payments: `outcome` is a code of billing.hooks.
WEBHOOKS = Counter("bnr_payment_webhooks", "Notices of processors.", ["processor", "outcome"])

# Request logs.
LOG_QUEUE = Gauge("bnr_log_queue", "Request log rows that wait.", multiprocess_mode="livesum")
LOG_ROWS = Counter("bnr_log_rows", "Request log rows written.")
# `cause`: full (the queue), refused (the database took no such row), stopped (at exit).
LOG_DROPS = Counter("bnr_log_drops", "Request log rows lost.", ["cause"])
LOG_FAILURES = Counter("bnr_log_write_failures", "Failed writes of request logs, retried.")

# Debug mode. `cause`: full (the queue), ended (its session), too_many (for it), twice,
# failed, stopped.
DEBUG_CAPTURES = Counter("bnr_debug_captures", "Requests kept in debug mode, encrypted.")
DEBUG_DROPS = Counter("bnr_debug_drops", "Requests of debug mode that were not kept.", ["cause"])

# The archive of request logs, read from the database at each scrape.
ARCHIVE_LAG = Gauge(
    "bnr_archive_lag_seconds",
    "How long the oldest hour that the archive lacks could have been there.",
    multiprocess_mode="mostrecent",
)
ARCHIVE_REFUSED = Gauge(
    "bnr_archive_refused_hours",
    "Hours that the archive refuses as a whole.",
    multiprocess_mode="mostrecent",
)
ARCHIVE_REJECTED = Gauge(
    "bnr_archive_rejected_rows",
    "Requests of the window that the archive did not take.",
    multiprocess_mode="mostrecent",
)
ARCHIVE_MISSED = Gauge(
    "bnr_archive_missed_rows",
    "Requests that the archive never got, and never will: it only grows.",
    multiprocess_mode="mostrecent",
)

# The process.
LOOP_LAG = Gauge(
    "bnr_event_loop_lag_seconds",
    "How late the event loop runs; the worst worker.",
    multiprocess_mode="livemax",
)
CHANGE_FAILURES = Counter("bnr_change_push_failures", "Changes that Redis did not carry.")
CHANGE_POLL_FAILURES = Counter(
    "bnr_change_poll_failures", "Polls for changes that the database did not answer."
)
