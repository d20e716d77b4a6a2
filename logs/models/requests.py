"""One row for each request, and the same row where a law wants it longer."""

from django.db import models


class RequestFields(models.Model):
    """What is known of one request, answered or refused."""

    request_id = models.UUIDField(primary_key=True)
    created_at = models.DateTimeField()
    account_id = models.BigIntegerField(null=True)
    api_key_id = models.BigIntegerField(null=True)
    source_ip = models.GenericIPAddressField(null=True)
    surface = models.CharField(max_length=24)  # logs.recorder.Surface
    # Catalogue ids; NULL when the caller's name is not in the catalogue.
    model = models.CharField(max_length=160, null=True)  # noqa: DJ001
    endpoint = models.CharField(max_length=250, null=True)  # noqa: DJ001
    vendor = models.CharField(max_length=40, null=True)  # noqa: DJ001
    channel = models.CharField(max_length=80, null=True)  # noqa: DJ001
    jurisdiction = models.CharField(max_length=8, null=True)  # noqa: DJ001
    is_stream = models.BooleanField(default=False)
    # Disjoint classes, summed for reading: input + cache_read + cache_write = prompt tokens.
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    is_estimated = models.BooleanField(default=False)
    cost_nusd = models.BigIntegerField(default=0)
    # From the arrival until the vendor that answered was dialled, until its first byte was ready,
    # and until the end.
    sent_ms = models.IntegerField(null=True)
    first_byte_ms = models.IntegerField(null=True)
    total_ms = models.IntegerField()
    status = models.PositiveSmallIntegerField()
    # Our own enums (logs.recorder); an unknown value is NULL.
    finish_reason = models.CharField(max_length=16, null=True)  # noqa: DJ001
    error_code = models.CharField(max_length=32, null=True)  # noqa: DJ001
    # The caller's own label for the request; a keyed hash of the caller's end user.
    tag = models.CharField(max_length=64, null=True)  # noqa: DJ001
    end_user = models.CharField(max_length=32, null=True)  # noqa: DJ001

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.request_id)


class RequestLog(RequestFields):
    """One request. Daily partitions on PostgreSQL; kept as long as the table of retention says."""

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "-request_id"], name="request_log_by_account"),
            # For the list of requests (ADR 23); all but the first hold few rows.
            models.Index(fields=["api_key_id", "-request_id"], name="request_log_by_key"),
            models.Index(
                fields=["account_id", "tag", "-request_id"],
                name="request_log_by_tag",
                condition=models.Q(tag__isnull=False),
            ),
            models.Index(
                fields=["account_id", "end_user", "-request_id"],
                name="request_log_by_end_user",
                condition=models.Q(end_user__isnull=False),
            ),
            models.Index(
                fields=["account_id", "-request_id", "status"],
                name="request_log_failed",
                condition=models.Q(status__gte=400),
            ),
        ]


class HeldRequest(RequestFields):
    """A request whose day is over, kept because a legal hold names its account."""

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "-request_id"], name="held_request_by_account"),
        ]
