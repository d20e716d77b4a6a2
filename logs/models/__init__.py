"""What is remembered of requests: metadata, never free text from outside."""

from logs.models.requests import RequestLog
from logs.models.sums import LabelHour, LatencyDay, ServiceHour, UsageHour

__all__ = ["LabelHour", "LatencyDay", "RequestLog", "ServiceHour", "UsageHour"]
