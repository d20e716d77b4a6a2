"""Personal data in logs: requests, and their sums by hour and day."""

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from accounts.personal_data import Ending, Retention, Store, apart, names
from logs import debug
from logs.archive import pseudonyms
from logs.models import (
    ArchiveBatch,
    ArchiveFeed,
    ArchiveKey,
    ArchiveRejection,
    DebugCapture,
    DebugGrant,
    DebugSession,
    DebugView,
    HeldRequest,
    LabelHour,
    LatencyDay,
    LegalHold,
    ModelDay,
    RebuildTurn,
    RequestLog,
    RetentionRun,
    SecurityEntry,
    ServiceHour,
    UsageHour,
)

SUMS_WHY = "Sums of one account are about its people; those over all accounts stay."

REQUEST_FIELDS = names(
    "request_id created_at account_id api_key_id source_ip surface model endpoint "
    "vendor channel jurisdiction is_stream input_tokens cache_read_tokens "
    "cache_write_tokens output_tokens reasoning_tokens is_estimated cost_nusd sent_ms "
    "first_byte_ms total_ms status finish_reason error_code tag end_user"
)
HOLD_WHY = (
    "A legal hold keeps it (GDPR Art. 17(3)(b) and (e)); it goes by itself when the hold ends."
)

STORES = (
    Store(
        name="requests",
        title=_("Requests"),
        model=RequestLog,
        rows=lambda subject: RequestLog.objects.filter(
            subject.made(account="account_id", key="api_key_id")
        ).order_by("account_id", "-request_id"),
        fields=REQUEST_FIELDS,
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
    Store(
        name="debug_sessions",
        title=_("Debug mode"),
        model=DebugSession,
        rows=lambda subject: DebugSession.objects.filter(user_id=subject.user_id),
        fields=names(
            "id api_key_id consent_version consent_sha256 started_at minutes ended_at end "
            "kept kept_bytes missed"
        ),
        withheld=apart(inner="user_id is_told"),
        retention=Retention.STAFF_LOG,
        ending=Ending.ERASED,
        why="When a user had traffic captured concerns that user alone; the data key goes first.",
        erase=lambda subject: debug.forget(subject.user_id),
    ),
    Store(
        name="debug_captures",
        title=_("Requests kept in debug mode"),
        model=DebugCapture,
        rows=lambda subject: DebugCapture.objects.filter(session__user_id=subject.user_id),
        fields=names("request_id session_id created_at request_bytes response_bytes"),
        # Read and downloaded on the requests' pages, by who had them captured, while they last.
        withheld=apart(sealed="request response"),
        retention=Retention.REQUESTS,
        ending=Ending.ERASED,
        why="They end with their session, a day after its start at the latest.",
    ),
    Store(
        name="debug_grants",
        title=_("Staff allowed to read in debug mode"),
        model=DebugGrant,
        rows=lambda subject: DebugGrant.objects.filter(session__user_id=subject.user_id),
        fields=names("id session_id given_at minutes revoked_at"),
        retention=Retention.STAFF_LOG,
        ending=Ending.ERASED,
        why="They end with their session.",
    ),
    Store(
        name="debug_views",
        title=_("Readings of staff in debug mode"),
        model=DebugView,
        rows=lambda subject: DebugView.objects.filter(grant__session__user_id=subject.user_id),
        fields=names("grant_id request_id viewed_at"),
        withheld=apart(inner="id is_told", others="staff_id"),
        retention=Retention.STAFF_LOG,
        ending=Ending.ERASED,
        why="They end with their session.",
    ),
    Store(
        name="held_requests",
        title=_("Requests kept by a legal hold"),
        model=HeldRequest,
        rows=lambda subject: HeldRequest.objects.filter(
            subject.made(account="account_id", key="api_key_id")
        ).order_by("account_id", "-request_id"),
        fields=REQUEST_FIELDS,
        retention=Retention.REQUESTS,
        ending=Ending.KEPT,
        why=HOLD_WHY,
    ),
    Store(
        name="security_log",
        title=_("Security log"),
        model=SecurityEntry,
        rows=lambda subject: SecurityEntry.objects.filter(account_id__in=subject.alone),
        fields=names("at source_ip account_id endpoint"),
        withheld=apart(inner="id"),
        retention=Retention.REQUESTS,
        ending=Ending.KEPT,
        why="Written only where a law asks for it (Cybersecurity Law of the PRC, Art. 23).",
    ),
)
IMPERSONAL: dict[type[Model], str] = {
    ArchiveBatch: "How many requests of everybody an hour had.",
    ArchiveFeed: "How far an archive was fed.",
    LegalHold: "What a court or authority asked of us: the register of disclosures tells of it.",
    ModelDay: "Sums of at least twenty accounts that name none.",
    RebuildTurn: "A number that tells rebuilders of sums apart.",
    RetentionRun: "How many rows of each class a run removed.",
    ServiceHour: "Sums over all accounts that name none.",
}
