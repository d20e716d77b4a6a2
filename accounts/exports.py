"""Exports: asked for, built, downloaded for a day, removed. At most one of a user's is under way.

Whoever builds one claims it and says every second that it lives; what a dead worker left is taken
up by the next one. A file belongs to the session that asked for it.
"""

import datetime as dt
import hmac
import logging
import threading
import uuid
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import IntegrityError, close_old_connections, connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import downloads, notifications, personal_data
from accounts.models import ContactRequest, Export, User
from accounts.personal_data import Subject

logger = logging.getLogger(__name__)
State = Export.State
RUNNING: Final = (State.WAITING, State.BUILDING)
LIFETIME: Final = dt.timedelta(hours=24)
BEAT_S: Final = 1.0
# A builder that is silent for so long is dead.
SILENCE: Final = dt.timedelta(seconds=60)
ATTEMPTS_MAX: Final = 3
ASKED_PER_DAY_MAX: Final = 10
CRASHED, DISK_FULL, ERROR = "crashed", "disk_full", "error"
PATH: Final = "/settings/privacy/export"


class AlreadyRunning(Exception):
    """An export of this user is under way."""


class TooMany(Exception):
    """The user asked for many exports within a day."""


class NotProven(Exception):
    """The sender of a request has not proved to hold the account."""


class Gone(Exception):
    """The export has no file: not yet, or no more."""


class OtherSession(Exception):
    """The export was asked for in another session."""


def ask(*, user: User, session_key: str, now: dt.datetime) -> Export:
    """Record that a user wants a copy; a worker builds it within seconds.

    Earlier copies of the user's are removed. Raises: AlreadyRunning; TooMany.
    """
    return _ask(user, Export(session_digest=_digest(session_key)), now=now)


def start_for(asked: ContactRequest, *, staff: User, now: dt.datetime) -> Export:
    """Let staff start the export that a proven request asks for; only its user can download it.

    Raises: NotProven; AlreadyRunning; TooMany.
    """
    if asked.user is None or asked.proven_at is None or asked.kind != ContactRequest.Kind.ACCESS:
        raise NotProven
    return _ask(asked.user, Export(started_by=staff, request=asked), now=now)


def _ask(user: User, made: Export, *, now: dt.datetime) -> Export:
    mine = Export.objects.filter(user=user)
    if mine.filter(asked_at__gt=now - dt.timedelta(days=1)).count() >= ASKED_PER_DAY_MAX:
        raise TooMany
    made.user, made.asked_at = user, now
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError as error:
        raise AlreadyRunning from error
    for old in mine.filter(state=State.READY):
        _expire(old)
    return made


def cancel(export: Export, *, now: dt.datetime) -> bool:
    """Stop an export that is under way; its builder hears of it within a second."""
    running = Export.objects.filter(pk=export.pk, state__in=RUNNING)
    return bool(running.update(state=State.CANCELED, ended_at=now))


def open_file(export: Export, *, session_key: str, now: dt.datetime) -> Path:
    """Return the file of an export, and count the download. Raises: Gone; OtherSession."""
    if export.state != State.READY or export.expires_at is None or export.expires_at <= now:
        raise Gone
    digest = bytes(export.session_digest)
    if digest and not hmac.compare_digest(digest, _digest(session_key)):
        raise OtherSession
    path = _file(export)
    if not path.is_file():
        raise Gone
    Export.objects.filter(pk=export.pk).update(downloads=F("downloads") + 1, downloaded_at=now)
    return path


def forget(subject: Subject) -> int:
    """Remove a user's files and rows, stopping what is under way; return how many rows."""
    rows = list(Export.objects.filter(user_id=subject.user_id))
    for row in rows:
        row.delete()
        _file(row).unlink(missing_ok=True)
    return len(rows)


def sweep(*, now: dt.datetime) -> int:
    """Remove the files that are over, and those that no row knows; return how many."""
    over = list(Export.objects.filter(state=State.READY, expires_at__lte=now))
    return sum(_expire(export) for export in over) + _remove_strays()


def _expire(export: Export) -> int:
    _file(export).unlink(missing_ok=True)
    return Export.objects.filter(pk=export.pk, state=State.READY).update(state=State.EXPIRED)


def _remove_strays() -> int:
    """Remove what dead builders and erased users left."""
    names = sorted(path.name for path in _folder().iterdir())
    live = Export.objects.filter(state__in=(State.BUILDING, State.READY))
    known = set[str]()
    for public_id, builder in live.values_list("public_id", "builder"):
        known |= {f"{public_id}.zip", _part_name(public_id, builder)}
    strays = [name for name in names if name not in known]
    for name in strays:
        (_folder() / name).unlink(missing_ok=True)
    return len(strays)


def build_next(*, now: dt.datetime) -> bool:
    """Claim and build the export that waits longest; False when none waits."""
    export = _claim(now)
    if export is not None:
        _build(export)
    return export is not None


def _due(now: dt.datetime) -> Q:
    return Q(state=State.WAITING) | Q(state=State.BUILDING, beat_at__lt=now - SILENCE)


def _claim(now: dt.datetime) -> Export | None:
    for found in Export.objects.filter(_due(now)).select_related("user").order_by("pk"):
        rows = Export.objects.filter(_due(now), pk=found.pk, attempts=found.attempts)
        if found.attempts >= ATTEMPTS_MAX:
            rows.update(state=State.FAILED, failure=CRASHED, ended_at=now)
            continue
        found.builder = uuid.uuid4()
        changed = rows.update(
            state=State.BUILDING,
            builder=found.builder,
            beat_at=now,
            attempts=F("attempts") + 1,
            rows_done=0,
        )
        if changed:
            return found
    return None


def _build(export: Export) -> None:
    progress = downloads.Progress()
    part = _folder() / _part_name(export.public_id, export.builder)
    head = {
        "export": str(export.public_id),
        "site": settings.PUBLIC_URL,
        "user": export.user.username,
        "made_at": timezone.now().isoformat(timespec="seconds"),
    }
    subject = personal_data.subject_of(export.user)
    try:
        with _Heart(export, progress):
            written = downloads.write(part, downloads.of(subject, head=head), progress)
        _finish(export, part, written)
    except downloads.Stopped:  # canceled, erased, or taken up by somebody else
        pass
    except downloads.DiskFull:
        logger.exception("no room for an export")
        _end(export, now=timezone.now(), state=State.FAILED, failure=DISK_FULL)
    except Exception:
        _end(export, now=timezone.now(), state=State.FAILED, failure=ERROR)
        raise
    finally:
        part.unlink(missing_ok=True)


@transaction.atomic
def _finish(export: Export, part: Path, written: downloads.Written) -> None:
    """Give a written file its name, and tell the user; nothing if it was canceled meanwhile."""
    now = timezone.now()
    if not _end(
        export,
        now=now,
        state=State.READY,
        rows=written.rows,
        bytes=written.bytes,
        sha256=written.sha256,
        rows_done=2 * written.rows,
        expires_at=now + LIFETIME,
    ):
        return
    part.rename(_file(export))
    notice = notifications.Notice(
        kind="security",
        key=f"export:{export.public_id}",
        name="export_ready" if export.session_digest else "export_answer",
        path=PATH,
    )
    notifications.tell(user=export.user, notice=notice, now=now)


def _end(export: Export, *, now: dt.datetime, **values: object) -> int:
    mine = Export.objects.filter(pk=export.pk, state=State.BUILDING, builder=export.builder)
    return mine.update(ended_at=now, **values)


class _Heart(threading.Thread):
    """Says every second that a builder lives and how far it is; stops it when it is not wanted."""

    def __init__(self, export: Export, progress: downloads.Progress) -> None:
        super().__init__(name="export-heart", daemon=True)
        self._export, self._progress = export, progress
        self._over = threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Beat until the builder is over, on a connection of its own."""
        mine = Export.objects.filter(
            pk=self._export.pk, state=State.BUILDING, builder=self._export.builder
        )
        try:
            while not self._over.wait(BEAT_S):
                if not mine.update(
                    beat_at=timezone.now(),
                    rows_done=self._progress.done,
                    rows_total=self._progress.total,
                ):
                    self._progress.stop.set()
                    return
        except Exception:
            # Without a beat somebody else takes the export up: two writers would be one too many.
            self._progress.stop.set()
            raise
        finally:
            connection.close()


_builder_lock = threading.Lock()
_builders: list[threading.Thread] = []


def build_in_background() -> None:
    """Let one thread of this process build all that waits, so that other tasks go on."""
    with _builder_lock:
        _builders[:] = [thread for thread in _builders if thread.is_alive()]
        if _builders or not Export.objects.filter(_due(timezone.now())).exists():
            return
        thread = threading.Thread(target=_build_all, name="exports", daemon=True)
        _builders.append(thread)
        thread.start()


def _build_all() -> None:
    try:
        while build_next(now=timezone.now()):
            close_old_connections()
    finally:
        connection.close()


def _digest(session_key: str) -> bytes:
    return salted_hmac("accounts.exports", session_key, algorithm="sha256").digest()


def _folder() -> Path:
    folder: Path = settings.EXPORT_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _file(export: Export) -> Path:
    return _folder() / f"{export.public_id}.zip"


def _part_name(public_id: uuid.UUID, builder: uuid.UUID | None) -> str:
    return f"{public_id}.{builder.hex if builder else 'none'}.part"
