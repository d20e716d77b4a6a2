"""What is remembered of requests: metadata, never free text from outside but in DebugCapture."""

from logs.models.aggregates import ModelDay
from logs.models.archive import ArchiveBatch, ArchiveFeed, ArchiveKey, ArchiveRejection
from logs.models.debug import DebugCapture, DebugGrant, DebugSession, DebugView
from logs.models.requests import HeldRequest, RequestFields, RequestLog
from logs.models.retention import LegalHold, RetentionRun, SecurityEntry
from logs.models.sums import LabelHour, LatencyDay, RebuildTurn, ServiceHour, UsageHour

__all__ = [
    "ArchiveBatch",
    "ArchiveFeed",
    "ArchiveKey",
    "ArchiveRejection",
    "DebugCapture",
    "DebugGrant",
    "DebugSession",
    "DebugView",
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
