"""What is remembered of requests: metadata, never free text from outside."""

from logs.models.archive import ArchiveBatch, ArchiveFeed, ArchiveKey, ArchiveRejection
from logs.models.requests import RequestLog
from logs.models.sums import LabelHour, LatencyDay, ServiceHour, UsageHour

__all__ = [
    "ArchiveBatch",
    "ArchiveFeed",
    "ArchiveKey",
    "ArchiveRejection",
    "LabelHour",
    "LatencyDay",
    "RequestLog",
    "ServiceHour",
    "UsageHour",
]
