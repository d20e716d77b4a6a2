"""BigQuery: a load job replaces a partition in one step; nothing is ever streamed.

A load job with WRITE_TRUNCATE into `table$20261126` takes effect at once or not at all, and a
job's id can be used once (BigQuery documentation, "Introduction to loading data" and "Managing
partitioned table data", 2026-11). Rows in the streaming buffer could not be deleted for a while.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions
from google.auth import credentials as google_credentials
from google.auth import exceptions as auth_exceptions
from google.cloud import bigquery
from google.oauth2 import service_account

from logs.archive.base import (
    SPARE_DAYS,
    TABLES,
    Away,
    Column,
    Config,
    Kind,
    Packed,
    Part,
    Refused,
    Sink,
    Table,
)

_DAY_MS = 86_400_000
# We try again ourselves, later; the client's types do not know that None is allowed.
_ONCE: Any = None
_TYPES = {
    Kind.HOUR: "TIMESTAMP",
    Kind.MOMENT: "TIMESTAMP",
    Kind.DAY: "DATE",
    Kind.WORD: "STRING",
    Kind.TEXT: "STRING",
    Kind.NUMBER: "INT64",
    Kind.FLAG: "BOOL",
}


class BigQuery(Sink):
    """A dataset, which stands already: where it lies is the operator's choice."""

    def __init__(self, config: Config) -> None:
        self._timeout_s, self._patience_s = float(config.timeout_s), float(config.patience_s)
        self._dataset = f"{config.host}.{config.database}"
        with _said():
            self._client = bigquery.Client(
                project=config.host,
                credentials=_credentials(config),
                client_options={"api_endpoint": config.url} if config.url else None,
            )

    def prepare(self, *, kept_days: int) -> None:
        for table in TABLES:
            made = bigquery.Table(self._place(table), schema=[_field(c) for c in table.columns])
            made.time_partitioning = bigquery.TimePartitioning(
                type_="HOUR" if table.part == "hour" else "DAY", field=table.part
            )
            made.clustering_fields = list(table.order)
            if not table.is_kept:
                made.time_partitioning.expiration_ms = (kept_days + SPARE_DAYS) * _DAY_MS
            with _said():
                found = self._client.create_table(
                    made, exists_ok=True, retry=_ONCE, timeout=self._timeout_s
                )
                if found.time_partitioning.expiration_ms != made.time_partitioning.expiration_ms:
                    found.time_partitioning = made.time_partitioning
                    self._client.update_table(
                        found, ["time_partitioning"], retry=_ONCE, timeout=self._timeout_s
                    )

    def replace(self, *, table: Table, part: Part, packed: Packed, attempt: int) -> None:
        content = hashlib.sha256(packed.body).hexdigest()[:16]
        job_id = f"bananarouter_{table.name}_{_suffix(table, part)}_{attempt}_{content}"
        with _said():
            try:
                job: Any = self._client.load_table_from_file(
                    io.BytesIO(packed.body),
                    f"{self._place(table)}${_suffix(table, part)}",
                    size=len(packed.body),
                    num_retries=0,
                    job_id=job_id,
                    job_config=bigquery.LoadJobConfig(
                        source_format="NEWLINE_DELIMITED_JSON",
                        write_disposition="WRITE_TRUNCATE",
                        create_disposition="CREATE_NEVER",
                        max_bad_records=packed.rejected_max,
                    ),
                    timeout=self._timeout_s,
                )
            except exceptions.Conflict:  # the job's first submission arrived, its answer did not
                job = self._client.get_job(job_id, retry=_ONCE, timeout=self._timeout_s)
            job.result(retry=_ONCE, timeout=self._patience_s)

    def drop(self, *, table: Table, part: Part) -> None:
        place = f"{self._place(table)}${_suffix(table, part)}"
        with _said():
            self._client.delete_table(
                place, not_found_ok=True, retry=_ONCE, timeout=self._timeout_s
            )

    def ask(self, sql: str) -> list[dict[str, Any]]:
        places = {table.name: f"`{self._place(table)}`" for table in TABLES}
        return self._query(sql.format(**places))

    def erase(self, *, table: Table, column: str, values: Sequence[str]) -> None:
        """Run DELETE as a job and wait for it. Time travel ends after the dataset's own days."""
        quoted = ", ".join(f"'{value}'" for value in values)
        self._query(f"DELETE FROM `{self._place(table)}` WHERE {column} IN ({quoted})")

    def _query(self, sql: str) -> list[dict[str, Any]]:
        with _said():
            job = self._client.query(sql, retry=_ONCE, job_retry=_ONCE, timeout=self._timeout_s)
            rows = job.result(retry=_ONCE, job_retry=_ONCE, timeout=self._patience_s)
            return [dict(row.items()) for row in rows]

    def _place(self, table: Table) -> str:
        return f"{self._dataset}.{table.name}"


@contextmanager
def _said() -> Iterator[None]:
    """Turn the client's errors into ours; their texts may quote rows and go no further."""
    try:
        yield
    except exceptions.BadRequest:
        raise Refused("bigquery_400") from None
    except exceptions.GoogleAPICallError as error:
        raise Away(f"bigquery_{error.code or 'error'}") from None
    except (exceptions.RetryError, auth_exceptions.GoogleAuthError, OSError, TimeoutError):
        raise Away("no_answer") from None


def _credentials(config: Config) -> Any:
    """Return the service account's, or none: then the machine's own are found."""
    if config.credentials:
        told = json.loads(config.credentials)
        return service_account.Credentials.from_service_account_info(told)  # type: ignore[no-untyped-call, unused-ignore]
    if not config.url:
        return None
    return google_credentials.AnonymousCredentials()  # type: ignore[no-untyped-call, unused-ignore]


def _field(column: Column) -> bigquery.SchemaField:
    mode = "NULLABLE" if column.is_nullable else "REQUIRED"
    return bigquery.SchemaField(column.name, _TYPES[column.kind], mode=mode)


def _suffix(table: Table, part: Part) -> str:
    return f"{part:%Y%m%d%H}" if table.part == "hour" else f"{part:%Y%m%d}"
