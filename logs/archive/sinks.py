"""The archive that the settings name. Its client is loaded only when there is one."""

import importlib.util
from typing import assert_never

from django.conf import settings

from logs.archive.base import Away, Config, Sink

PACKAGES = {"clickhouse": "clickhouse_connect", "bigquery": "google.cloud.bigquery"}


def config() -> Config:
    """Return what the settings say; `is_on` is False without an archive."""
    found: Config = settings.ARCHIVE
    return found


def is_installed(engine: str) -> bool:
    """Tell whether the client of an engine is there."""
    try:
        return importlib.util.find_spec(PACKAGES[engine]) is not None
    except ModuleNotFoundError:
        return False


def connect(chosen: Config) -> Sink:
    """Connect to an archive. Raises: Away."""
    if not is_installed(chosen.engine):
        raise Away("not_installed")
    match chosen.engine:
        case "clickhouse":
            from logs.archive.clickhouse import ClickHouse  # noqa: PLC0415 - optional

            return ClickHouse(chosen)
        case "bigquery":
            from logs.archive.bigquery import BigQuery  # noqa: PLC0415 - optional

            return BigQuery(chosen)
        case other:
            assert_never(other)  # type: ignore[arg-type]
