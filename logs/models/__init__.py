"""What is remembered of requests: metadata, never free text from outside."""

from logs.models.aggregates import ModelDay
from logs.models.requests import HeldRequest, RequestFields, RequestLog
from logs.models.retention import LegalHold, RetentionRun, SecurityEntry
from logs.models.sums import LabelHour, LatencyDay, RebuildTurn, ServiceHour, UsageHour

__all__ = [
    "HeldRequest",
    "LabelHour",
    "LatencyDay",
    "LegalHold",
    "ModelDay",
    "RebuildTurn",
    "RequestFields",
    "RequestLog",
    "RetentionRun",
    "SecurityEntry",
    "ServiceHour",
    "UsageHour",
]
