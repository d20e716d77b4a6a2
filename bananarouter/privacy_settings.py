"""Reads what an operator sets about people's data."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, urlsplit

from django.core.exceptions import ImproperlyConfigured

from bananarouter import env
from logs.archive.base import Config

CLICKHOUSE_PORT, CLICKHOUSE_TLS_PORT = 8123, 8443
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}").fullmatch
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]").fullmatch


def policy_notice_days() -> int:
    """Return for how many days a material change of a policy is known before it holds."""
    return env.number("POLICY_NOTICE_DAYS", 14, high=365)


def archive() -> Config:
    """Return where request logs are archived; off without ARCHIVE_URL.

    Raises: ImproperlyConfigured.
    """
    url = env.text("ARCHIVE_URL")
    parts = urlsplit(url)
    if not url:
        return Config()
    if parts.password:
        raise ImproperlyConfigured("ARCHIVE_URL holds a password: use ARCHIVE_CREDENTIALS_FILE")
    if parts.scheme == "clickhouse":
        return _clickhouse(parts)
    if parts.scheme == "bigquery":
        return _bigquery(parts)
    raise ImproperlyConfigured("ARCHIVE_URL must begin with clickhouse:// or bigquery://")


def _clickhouse(parts: SplitResult) -> Config:
    options = dict(parse_qsl(parts.query))
    database = parts.path.strip("/")
    if not parts.hostname or not _NAME(database) or options.keys() - {"tls"}:
        raise ImproperlyConfigured("ARCHIVE_URL must be clickhouse://user@host:port/database")
    is_tls = options.get("tls", "off" if _is_loopback(parts.hostname) else "on") != "off"
    return Config(
        engine="clickhouse",
        host=parts.hostname,
        port=parts.port or (CLICKHOUSE_TLS_PORT if is_tls else CLICKHOUSE_PORT),
        database=database,
        user=parts.username or "",
        is_tls=is_tls,
        credentials=env.secret("ARCHIVE_CREDENTIALS"),
    )


def _bigquery(parts: SplitResult) -> Config:
    project, dataset = parts.netloc, parts.path.strip("/")
    if not _PROJECT(project) or not _NAME(dataset) or parts.query:
        raise ImproperlyConfigured("ARCHIVE_URL must be bigquery://project/dataset")
    url = env.text("ARCHIVE_BIGQUERY_URL").rstrip("/")
    host = urlsplit(url)
    if url and host.scheme != "https" and not _is_loopback(host.hostname or ""):
        raise ImproperlyConfigured("ARCHIVE_BIGQUERY_URL must be https")
    return Config(
        engine="bigquery",
        host=project,
        database=dataset,
        url=url,
        credentials=env.secret("ARCHIVE_CREDENTIALS"),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
