"""What was sent to the archive, and the keys of the names that it knows accounts by."""

from django.db import models


class ArchiveFeed(models.Model):
    """How far one archive was fed, and who feeds it now."""

    # logs.archive.base.Config.name: no secret.
    archive = models.CharField(max_length=400, unique=True)
    # Every hour before has its batch.
    fed_until = models.DateTimeField(null=True)
    # The sums of every day before stand; the rows of every day before are gone.
    summed_until = models.DateField(null=True)
    aged_until = models.DateField(null=True)
    # What holds keep of days before is still to be put into it; null: nothing is.
    holds_unfilled_before = models.DateField(null=True)
    # One process feeds at a time: the lock ends by itself when its holder died.
    holder = models.CharField(max_length=32, blank=True, default="")
    locked_until = models.DateTimeField(null=True)
    # While the archive is away.
    away_since = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=64, blank=True, default="")
    worked_at = models.DateTimeField(null=True)
    # Requests that it never got and never will; when the latest of them was found.
    missed_rows = models.BigIntegerField(default=0)
    missed_at = models.DateTimeField(null=True)
    # Keys were destroyed then: what they named goes from the rows that holds keep.
    release_asked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(missed_rows=0, missed_at__isnull=True)
                | models.Q(missed_rows__gt=0, missed_at__isnull=False),
                name="archive_feed_missed_at_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(failures__gte=0), name="archive_feed_failures_gte_0"
            ),
            models.CheckConstraint(
                condition=models.Q(summed_until__gte=models.F("aged_until")),
                name="archive_feed_sums_before_aging",
            ),
        ]

    def __str__(self) -> str:
        return self.archive


class ArchiveBatch(models.Model):
    """An hour of requests in the archive: the watermark. Goes with the log's own rows."""

    class State(models.TextChoices):
        SENDING = "sending"  # its fate is unknown until it is sent again
        SENT = "sent"
        REFUSED = "refused"

    feed = models.ForeignKey(ArchiveFeed, on_delete=models.CASCADE, related_name="batches")
    hour = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.SENDING)
    # What the log held when it was read; of it the archive rejected so many.
    rows = models.BigIntegerField(default=0)
    cost_nusd = models.BigIntegerField(default=0)
    rejected = models.IntegerField(default=0)
    attempts = models.IntegerField(default=0)
    checks = models.IntegerField(default=0)
    error = models.CharField(max_length=64, blank=True, default="")
    sent_at = models.DateTimeField(null=True)
    # When it is compared with the log again, or sent again after a refusal. NULL: never.
    due_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        verbose_name_plural = "archive batches"
        constraints = [
            models.UniqueConstraint(fields=["feed", "hour"], name="archive_batch_unique"),
            models.CheckConstraint(
                condition=models.Q(rejected__gte=0, rejected__lte=models.F("rows")),
                name="archive_batch_rejected_of_rows",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}:00"


class ArchiveRejection(models.Model):
    """A request that the archive refused to take; goes with the log's own rows."""

    batch = models.ForeignKey(ArchiveBatch, on_delete=models.CASCADE, related_name="rejections")
    request_id = models.UUIDField()
    account_id = models.BigIntegerField(null=True)
    found_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "request_id"], name="archive_rejection_unique"
            ),
        ]

    def __str__(self) -> str:
        return str(self.request_id)


class ArchiveKey(models.Model):
    """The key of an account's name in the archive on one day (logs.archive.pseudonyms)."""

    account_id = models.BigIntegerField()  # 0: nobody's requests
    day = models.DateField()
    secret = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "account_id"], name="archive_key_unique"),
        ]
        indexes = [models.Index(fields=["account_id"], name="archive_key_by_account")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}"
