"""Tell every gateway worker within a second that something changed, with or without Redis.

A change is a row with a number. The lock on the one row that counts them is held until the
announcing transaction commits, so numbers become visible in order and without holes: a
listener that has seen n misses nothing by asking for what is above n. Redis only wakes
listeners earlier; nothing depends on it.
"""

import datetime as dt
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import redis
from django.conf import settings
from django.db import Error, connection, connections, transaction
from django.db.models import F, Max
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.retry import Retry

from accounts import metrics
from accounts.models import Change, ChangeSequence

logger = logging.getLogger(__name__)

CHANNEL = "changes"
KEPT = dt.timedelta(hours=1)
PRUNE_EVERY_S = 600.0
ROWS_MAX = 1_000
# Pushes that one poll answers; more of them wait in the socket and cost one more poll.
PUSHES_MAX = 1_000
REDIS_TIMEOUT_S = 0.25
# After a failure Redis is left alone for so long: a poll must never wait for it.
REDIS_PAUSE_S = 5.0
RETRY_S = 1.0
# Their callbacks read many rows: they get a thread of their own, so that a revoked key
# never waits for a catalogue.
SLOW_TOPICS = frozenset({Change.Topic.CATALOGUE})

Notify = Callable[[str], None]


def announce(topic: Change.Topic, ref: str = "") -> None:
    """Make every worker call what it subscribed to `topic`, once this transaction commits.

    Call it last in the transaction: it locks a row that all announcements share.
    """
    with transaction.atomic():
        Change.objects.create(seq=_next_seq(), topic=topic, ref=ref)
        if settings.REDIS_URL:
            transaction.on_commit(_pusher.push, robust=True)


def _next_seq() -> int:
    """Count one change. Holds the row's lock until the transaction ends."""
    rows = ChangeSequence.objects.filter(pk=1)
    if not rows.update(seq=F("seq") + 1):
        # The migration's row is gone (a flushed database): go on above what stands.
        highest = Change.objects.aggregate(highest=Max("seq"))["highest"] or 0
        ChangeSequence.objects.get_or_create(pk=1, defaults={"seq": highest})
        rows.update(seq=F("seq") + 1)
    return rows.values_list("seq", flat=True).get()


def prune(*, now: dt.datetime) -> int:
    """Delete rows older than an hour but the newest one; return how many.

    The newest stays, so that a listener which lagged for longer can see that it missed some.
    """
    highest = Change.objects.aggregate(highest=Max("seq"))["highest"] or 0
    old = Change.objects.filter(created_at__lt=now - KEPT, seq__lt=highest)
    return old.delete()[0]


def _connect_redis() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


class _Pusher:
    """Publishes on the channel; silent for a while after a failure."""

    def __init__(self) -> None:
        self._client: redis.Redis | None = None
        self._url = ""
        self._resume_at = 0.0

    def push(self) -> None:
        if time.monotonic() < self._resume_at:
            metrics.CHANGE_FAILURES.inc()
            return
        try:
            if self._client is None or self._url != settings.REDIS_URL:
                self._url, self._client = settings.REDIS_URL, _connect_redis()
            self._client.publish(CHANNEL, b"")
        except (redis.RedisError, OSError, ValueError):
            self._resume_at = time.monotonic() + REDIS_PAUSE_S
            metrics.CHANGE_FAILURES.inc()


_pusher = _Pusher()


class _Subscribers:
    """Who wants to hear of which topic; what failed is told again."""

    def __init__(self) -> None:
        self._callbacks: dict[Change.Topic, list[Notify]] = defaultdict(list)

    def add(self, topic: Change.Topic, callback: Notify) -> None:
        self._callbacks[topic].append(callback)

    def topics(self) -> tuple[Change.Topic, ...]:
        return tuple(self._callbacks)

    def tell(self, topic: Change.Topic, refs: Iterable[str]) -> bool:
        """Call every callback of a topic with every ref; False when one of them failed."""
        told = True
        for ref in refs:
            for callback in self._callbacks.get(topic, ()):
                try:
                    callback(ref)
                except Exception:
                    # The boundary of a thread that must live on: the caller tells it again.
                    logger.exception("change callback failed", extra={"topic": topic.value})
                    told = False
        return told


class _SlowLane(threading.Thread):
    """Calls the callbacks of slow topics, one round for any number of changes meanwhile."""

    def __init__(self, subscribers: _Subscribers) -> None:
        super().__init__(name="changes-slow", daemon=True)
        self._subscribers = subscribers
        self._wake = threading.Condition()
        self._waiting: dict[Change.Topic, set[str]] = defaultdict(set)
        self._is_stopping = False

    def put(self, topic: Change.Topic, refs: Iterable[str]) -> None:
        with self._wake:
            self._waiting[topic].update(refs)
            self._wake.notify()

    def stop(self) -> None:
        with self._wake:
            self._is_stopping = True
            self._wake.notify()

    def run(self) -> None:
        try:
            while (work := self._take()) is not None:
                for topic, refs in work.items():
                    if not self._subscribers.tell(topic, {""} if "" in refs else refs):
                        # Whatever the failure left behind in this thread, begin afresh.
                        connection.close()
                        self._pause()
                        self.put(topic, {""})
        finally:
            connections.close_all()

    def _take(self) -> dict[Change.Topic, set[str]] | None:
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._is_stopping)
            if self._is_stopping:
                return None
            work, self._waiting = self._waiting, defaultdict(set)
            return work

    def _pause(self) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._is_stopping, timeout=RETRY_S)


class Listener:
    """Calls subscribers for each change that other processes announced.

    A ref of "" means everything of that topic: it comes at the start, after a lost database
    connection, and when rows were missed. Callbacks run on the listener's threads and must be
    quick, but those of slow topics; a callback that fails is called again with "".
    """

    def __init__(self, *, poll_s: float = 0.5) -> None:
        self._poll_s = poll_s
        self._subscribers = _Subscribers()
        self._slow = _SlowLane(self._subscribers)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="changes", daemon=True)
        self._ears = _Ears(self._stopping)
        self._seen: int | None = None
        self._retold: set[Change.Topic] = set()
        self._pruned_at = time.monotonic()
        # Monotonic time of the latest poll that the database answered; 0.0 before the first.
        self.heard_at = 0.0

    def subscribe(self, topic: Change.Topic, callback: Notify) -> None:
        """Add a callback, before start()."""
        self._subscribers.add(topic, callback)

    def start(self) -> None:
        """Begin to listen, on threads of its own."""
        self._slow.start()
        self._thread.start()

    def stop(self) -> None:
        """End the threads and their database connections; waits for running callbacks."""
        self._stopping.set()
        self._slow.stop()
        for thread in (self._thread, self._slow):
            if thread.is_alive():
                thread.join(timeout=10)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._poll()
                self._ears.wait(self._poll_s)
        finally:
            self._ears.close()
            connections.close_all()

    def _poll(self) -> None:
        try:
            told = self._read()
            self._prune_sometimes()
        except Error:
            # Away: forget the place, so that everything is told anew when it is back.
            metrics.CHANGE_POLL_FAILURES.inc()
            self._seen = None
            connection.close()
            return
        self.heard_at = time.monotonic()
        for topic in self._retold:
            told[topic] = {"": None}
        self._retold.clear()
        self._deliver(told)

    def _read(self) -> dict[Change.Topic, dict[str, None]]:
        """Return what is new, each ref once and in order; all topics with "" after a gap."""
        if self._seen is None:
            return self._everything()
        rows = list(
            Change.objects.filter(seq__gte=self._seen)
            .order_by("seq")
            .values_list("seq", "topic", "ref")[:ROWS_MAX]
        )
        # Numbers have no holes, and the newest row is never pruned: a hole, or nothing at all,
        # means that rows came and went unseen, or that the database was emptied or restored.
        if not rows and self._seen:
            return self._everything()
        told: dict[Change.Topic, dict[str, None]] = defaultdict(dict)
        for seq, topic, ref in rows:
            if seq > self._seen + 1:
                return self._everything()
            if seq > self._seen:
                told[Change.Topic(topic)][ref] = None
                self._seen = seq
        return told

    def _everything(self) -> dict[Change.Topic, dict[str, None]]:
        self._seen = Change.objects.aggregate(highest=Max("seq"))["highest"] or 0
        return {topic: {"": None} for topic in self._subscribers.topics()}

    def _deliver(self, told: dict[Change.Topic, dict[str, None]]) -> None:
        for topic, refs in told.items():
            if topic in SLOW_TOPICS:
                self._slow.put(topic, refs)
            elif not self._subscribers.tell(topic, refs):
                self._retold.add(topic)

    def _prune_sometimes(self) -> None:
        if time.monotonic() - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = time.monotonic()
            prune(now=timezone.now())


class _Ears:
    """Waits for the next poll: until Redis says so or the time is up."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._pubsub: PubSub | None = None
        self._resume_at = 0.0

    def wait(self, timeout_s: float) -> None:
        if not settings.REDIS_URL or time.monotonic() < self._resume_at:
            self._stopping.wait(timeout_s)
            return
        try:
            if self._pubsub is None:
                client: Any = _connect_redis()  # its pubsub() is not typed
                self._pubsub = client.pubsub(ignore_subscribe_messages=True)
                self._pubsub.subscribe(CHANNEL)
            self._pubsub.get_message(timeout=timeout_s)
            for _ in range(PUSHES_MAX):
                if self._pubsub.get_message(timeout=0) is None:
                    break
        except (redis.RedisError, OSError, ValueError):
            self._resume_at = time.monotonic() + REDIS_PAUSE_S
            self.close()
            self._stopping.wait(timeout_s)

    def close(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub.connection_pool.disconnect()
            self._pubsub = None
