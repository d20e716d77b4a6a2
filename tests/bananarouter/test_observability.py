"""Log lines carry constant messages and fields; never content, keys, emails or values."""

import asyncio
import io
import json
import logging
import resource
import subprocess
import sys
import threading

import pytest
import structlog
from django.conf import settings

from bananarouter import env, observability

CANARY = "canary-7f3a"


@pytest.fixture
def lines():
    """Everything logged, as dictionaries, through a handler like the real one."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(observability.Formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)


def test_our_line_is_a_constant_and_its_fields(lines):
    with structlog.contextvars.bound_contextvars(request_id="0192"):
        logging.getLogger("routing.relay").warning("vendor failed", extra={"channel": "openai"})
    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "vendor failed",
        "channel": "openai",
        "logger": "routing.relay",
        "level": "warning",
        "request_id": "0192",
    }


def test_structlog_and_logging_give_the_same_line(lines):
    structlog.get_logger("routing.relay").warning("vendor failed", channel="openai")
    (line,) = lines()
    assert line["event"] == "vendor failed"
    assert line["channel"] == "openai"
    assert line["logger"] == "routing.relay"


def test_a_line_holds_no_line_break(lines):
    logging.getLogger("routing.x").error("broken", extra={"field": "a\nb"})
    assert len(lines()) == 1


@pytest.mark.parametrize(
    "secret",
    [
        "bnr_live_" + "a" * 36,
        "sk-proj-" + "Ab1_" * 10,
        "sk-ant-api03-" + "x" * 40,
        "AIza" + "B" * 35,
        "gsk_" + "c" * 40,
        "xai-" + "d" * 40,
        "ya29.a0AfH6SM" + "e" * 20,
        "Authorization: Bearer zzzzsecretzzzz",
        "{'x-api-key': 'zzzzsecretzzzz'}",
        "https://host/v1beta/models?key=zzzzsecretzzzz&alt=sse",
        "alice@example.com",
    ],
)
def test_redacts_wherever_it_stands(lines, secret):
    ours = logging.getLogger("routing.x")
    ours.warning("in a field", extra={"field": f"<{secret}>", "deep": {"list": [secret]}})
    ours.warning(f"in the message {secret}")
    logging.getLogger("other").warning(f"of another package {secret}")  # noqa: G004
    text = json.dumps(lines())
    assert observability.REDACTED in text
    for part in (secret, "zzzzsecretzzzz", "alice"):
        if part in secret:
            assert part not in text


def test_redaction_keeps_what_is_harmless():
    text = (
        "openai/gpt-5 sk-short key id 9 2001:db8::1 0192f3a4-0000-7000-8000-000000000000 task-list"
    )
    assert observability.redact(text) == text


@pytest.mark.clause("3.2-noncontent")
def test_an_exception_is_told_by_type_and_place_only(lines):
    prompt = CANARY
    try:
        try:
            raise ValueError(f"bad value {prompt}")
        except ValueError as error:
            raise RuntimeError(f"while reading {prompt}") from error
    except RuntimeError:
        logging.getLogger("billing.batcher").exception("flush failed")
    (line,) = lines()
    assert line["error"] == "RuntimeError"
    assert line["cause"] == "ValueError"
    assert line["place"][0].startswith("test_observability.py:")
    assert CANARY not in json.dumps(line)


def test_other_packages_lose_their_arguments_and_extras(lines):
    request = object()
    logging.getLogger("django.request").warning(
        "%s: %s", "Not Found", f"/v1/{CANARY}?q={CANARY}",
        extra={"status_code": 404, "request": request, "body": CANARY},
    )  # fmt: skip
    (line,) = lines()
    assert CANARY not in json.dumps(line)
    assert line["event"] == "%s: %s"
    assert line["status"] == 404
    assert "request" not in line


@pytest.mark.parametrize("name", ["asyncio", "aiohttp.client", "redis"])
def test_packages_that_format_values_themselves_are_cut_to_their_name(lines, name):
    logging.getLogger(name).error(f"Task exception was never retrieved: {CANARY}")  # noqa: G004
    (line,) = lines()
    assert line["logger"] == name
    assert CANARY not in json.dumps(line)


def test_asyncio_tells_type_and_place_of_what_no_task_caught(lines):
    async def fails():
        raise ValueError(CANARY)

    async def main():
        observability.guard_loop(asyncio.get_running_loop())
        task = asyncio.get_running_loop().create_task(fails())
        await asyncio.sleep(0.01)
        del task  # its exception is never retrieved: asyncio tells the loop's handler

    asyncio.run(main())
    (line,) = [line for line in lines() if line["event"] == "event loop error"]
    assert line["error"] == "ValueError"
    assert CANARY not in json.dumps(line)


def test_a_failed_request_prints_no_body_query_or_values(lines, client):
    """Django's own error log of a crash in a view, through the real handlers."""
    logger = logging.getLogger("django.request")
    try:
        local = CANARY
        raise KeyError(local)
    except KeyError as error:
        logger.error(
            "Internal Server Error: %s", f"/keys?{CANARY}",
            exc_info=(type(error), error, error.__traceback__), extra={"status_code": 500},
        )  # fmt: skip
    (line,) = lines()
    assert CANARY not in json.dumps(line)
    assert line["error"] == "KeyError"


def test_every_handler_of_the_process_redacts():
    """In a fresh process, as settings leave it: pytest adds handlers of its own here."""
    program = (
        "import django, logging; django.setup();"
        "names = [None, *logging.Logger.manager.loggerDict];"
        "found = [h for n in names for h in getattr(logging.getLogger(n), 'handlers', [])"
        " if not isinstance(h, logging.NullHandler)];"
        "print(len(found), {type(h.formatter).__module__ for h in found});"
        "logging.getLogger('django.request').error('x %s', 'secret');"
        "logging.getLogger('uvicorn.access').info('GET /v1/x?key=1');"
        "logging.getLogger('django.server').error('GET /v1/x?key=1')"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=settings.BASE_DIR, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert result.stdout.strip() == "1 {'bananarouter.observability'}"
    (line,) = [json.loads(line) for line in result.stderr.splitlines()]
    assert line["event"] == "x %s"


@pytest.fixture
def guarded():
    hooks = threading.excepthook, sys.unraisablehook, resource.getrlimit(resource.RLIMIT_CORE)
    observability.guard_process()
    yield
    threading.excepthook, sys.unraisablehook = hooks[:2]
    resource.setrlimit(resource.RLIMIT_CORE, hooks[2])


def test_a_guarded_process_writes_no_core_file(guarded):
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0


def test_a_thread_that_dies_is_told_by_type_and_place(guarded, lines, capsys):
    def fails():
        raise ValueError(CANARY)

    # pytest's own hook stands in for the one under test only when it is not replaced.
    thread = threading.Thread(target=fails, name="batcher")
    thread.start()
    thread.join()
    (line,) = lines()
    assert line["event"] == "thread died"
    assert line["of"] == "batcher"
    assert line["error"] == "ValueError"
    assert CANARY not in capsys.readouterr().err


def test_metrics_of_several_workers_are_summed(tmp_path):
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"stale")
    extra = observability.prepare_metrics(folder)
    assert list(folder.iterdir()) == []
    count = (
        "from accounts import metrics; metrics.LOG_ROWS.inc(2); metrics.IN_FLIGHT.inc();"
        "import os; print(os.getpid())"
    )
    show = "from bananarouter import observability; print(observability.exposition().decode())"

    def run(program: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program], env=env.child(extra), cwd=settings.BASE_DIR,
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip

    pids = [int(run(count)) for _ in range(2)]
    assert "bnr_log_rows_total 4.0" in run(show)
    assert "bnr_requests_in_flight 2.0" in run(show)
    observability.forget_worker(pids[0], folder)
    assert "bnr_log_rows_total 4.0" in run(show)
    assert "bnr_requests_in_flight 1.0" in run(show)
