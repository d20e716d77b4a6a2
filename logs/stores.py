"""Personal data in logs: requests, and their sums by hour and day."""

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from accounts.personal_data import Ending, Retention, Store, apart, names
from logs.archive import pseudonyms
from logs.models import (
    ArchiveBatch,
    ArchiveFeed,
    ArchiveKey,
    ArchiveRejection,
    LabelHour,
    LatencyDay,
    RequestLog,
    ServiceHour,
    UsageHour,
)

SUMS_WHY = "Sums of one account are about its people; those over all accounts stay."

STORES = (
    Store(
        name="requests",
        title=_("Requests"),
        model=RequestLog,
        rows=lambda subject: RequestLog.objects.filter(
            subject.made(account="account_id", key="api_key_id")
        ).order_by("account_id", "-request_id"),
        fields=names(
            "request_id created_at account_id api_key_id source_ip surface model endpoint "
            "vendor channel jurisdiction is_stream input_tokens cache_read_tokens "
            "cache_write_tokens output_tokens reasoning_tokens is_estimated cost_nusd sent_ms "
            "first_byte_ms total_ms status finish_reason error_code tag end_user"
        ),
        retention=Retention.REQUESTS,
        ending=Ending.ERASED,
        why="What was called, from where and when is about the user alone.",
    ),
    Store(
        name="archive_names",
        title=_("Days in the archive of requests"),
        model=ArchiveKey,
        rows=lambda subject: ArchiveKey.objects.filter(account_id__in=subject.alone).exclude(
            secret=pseudonyms.GONE
        ),
        fields=names("account_id day"),
        withheld=apart(inner="id", sealed="secret"),
        retention=Retention.REQUESTS,
        ending=Ending.ERASED,
        why="Without its key, what the archive holds is nobody's (logs.archive.erasure).",
    ),
    Store(
        name="archive_rejections",
        title=_("Requests that the archive did not take"),
        model=ArchiveRejection,
        rows=lambda subject: ArchiveRejection.objects.filter(account_id__in=subject.alone),
        fields=names("account_id request_id found_at"),
        withheld=apart(inner="id batch"),
        retention=Retention.REQUESTS,
        ending=Ending.ERASED,
        why="What was called and when is about the user alone.",
    ),
    Store(
        name="usage_by_hour",
        title=_("Usage by hour"),
        model=UsageHour,
        rows=lambda subject: UsageHour.objects.filter(
            subject.made(account="account_id", key="api_key_id", unknown=0)
        ),
        fields=names(
            "account_id hour api_key_id model vendor requests errors input_tokens "
            "cache_read_tokens cache_write_tokens output_tokens reasoning_tokens cost_nusd"
        ),
        withheld=apart(inner="id"),
        retention=Retention.SUMS,
        ending=Ending.ERASED,
        why=SUMS_WHY,
    ),
    Store(
        name="labels_by_hour",
        title=_("Usage by your own labels"),
        model=LabelHour,
        rows=lambda subject: LabelHour.objects.filter(account_id__in=subject.alone),
        fields=names("account_id hour kind label requests cost_nusd"),
        withheld=apart(inner="id"),
        retention=Retention.SUMS,
        ending=Ending.ERASED,
        why=SUMS_WHY,
    ),
    Store(
        name="latency_by_day",
        title=_("Waiting times by day"),
        model=LatencyDay,
        rows=lambda subject: LatencyDay.objects.filter(account_id__in=subject.alone),
        fields=names("account_id day model step requests"),
        withheld=apart(inner="id"),
        retention=Retention.SUMS,
        ending=Ending.ERASED,
        why=SUMS_WHY,
    ),
)
IMPERSONAL: dict[type[Model], str] = {
    ArchiveBatch: "How many requests of everybody an hour had.",
    ArchiveFeed: "How far an archive was fed.",
    ServiceHour: "Sums over all accounts that name none.",
}
