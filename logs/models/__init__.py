"""What is remembered of requests: metadata, never free text from outside but in DebugCapture."""

from logs.models.debug import DebugCapture, DebugGrant, DebugSession, DebugView
from logs.models.requests import RequestLog
from logs.models.sums import LabelHour, LatencyDay, ServiceHour, UsageHour

__all__ = [
    "DebugCapture",
    "DebugGrant",
    "DebugSession",
    "DebugView",
    "LabelHour",
    "LatencyDay",
    "RequestLog",
    "ServiceHour",
    "UsageHour",
]
