import json
import os
import shlex
import signal
import socket
import sqlite3
import stat
import subprocess
import time
import urllib.request

import pytest

from tests import gateways, servers
from tests.gateways import is_alive
from tests.servers import wait_until

pytestmark = pytest.mark.process
SECRETS = ("secret_key", "key_pepper", "credential_key")


def call(gateway, path, body=None, *, key=None, timeout_s=20):
    """Return the status and the body of one request."""
    headers = {"Authorization": f"Bearer {key or gateway.key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(gateway.url + path, data, headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def chat(words="demo: pace=0", **options):
    return {"model": "demo/fast", "messages": [{"role": "user", "content": words}], **options}


def balance(gateway):
    return json.loads(call(gateway, "/api/v1/credits")[1])["data"]


class TestStandardOutput:
    def test_holds_exactly_the_two_lines_that_programs_read(self, running):
        ready, curl = running.lines
        assert ready == f"ready {running.url} key {running.key}"
        assert running.url.startswith("http://127.0.0.1:")
        assert running.key.startswith("bnr_live_")
        assert curl.startswith("curl ")

    def test_the_curl_command_gets_a_paid_streamed_answer(self, running):
        before = balance(running)
        command = shlex.split(running.lines[1])
        answer = subprocess.run([*command, "-s"], capture_output=True, timeout=30, check=True)
        assert answer.stdout.count(b"data: ") > 20
        assert answer.stdout.endswith(b"data: [DONE]\n\n")
        assert b"imulated" in answer.stdout.replace(b'"', b"") or b"Sim" in answer.stdout
        assert float(balance(running)["total_usage"]) > float(before["total_usage"])

    def test_a_person_is_told_the_rest_on_standard_error(self, running):
        told = running.log_text()
        assert "Dashboard: " + running.url in told
        assert "Log in as demo with " in told
        assert "simulated" in told
        assert running.key not in told


class TestData:
    def test_secrets_are_readable_by_their_owner_only(self, running):
        folder = running.folder / "data" / "secrets"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name in SECRETS:
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert sorted(path.name for path in folder.iterdir()) == sorted(SECRETS)

    def test_no_file_holds_a_secret_of_another(self, running):
        database = (running.folder / "data" / "bananarouter.sqlite3").read_bytes()
        assert running.key.encode() not in database
        for name in SECRETS:
            text = (running.folder / "data" / "secrets" / name).read_bytes().strip()
            assert text not in database
            assert text not in running.log.read_bytes()

    def test_listens_on_loopback_only(self, running):
        listening = subprocess.run(
            ["/usr/bin/env", "ss", "-Hltn"], capture_output=True, text=True, check=False
        )
        if listening.returncode:
            pytest.skip("ss is not installed")
        rows = [line.split()[3] for line in listening.stdout.splitlines()]
        ours = [row for row in rows if row.endswith(f":{running.port}")]
        assert ours == [f"127.0.0.1:{running.port}"]

    def test_another_gateway_on_the_same_data_is_refused(self, running):
        second = gateways.Gateway(running.folder, is_new=True).start(waits=False)
        assert second.process.wait(30) == 1
        assert "Another gateway runs on" in second.log_text()
        assert call(running, "/readyz")[0] == 200


def test_a_second_start_keeps_secrets_key_and_balance_and_is_quick(run_gateway):
    first = run_gateway(is_new=True)
    key, folder = first.key, first.folder / "data" / "secrets"
    secrets = {name: (folder / name).read_bytes() for name in SECRETS}
    assert call(first, "/v1/chat/completions", chat())[0] == 200
    spent = balance(first)["total_usage"]
    assert first.stop() == 0
    began = time.monotonic()
    second = first.start()
    took_s = time.monotonic() - began
    assert second.key == key
    assert {name: (folder / name).read_bytes() for name in SECRETS} == secrets
    assert balance(second)["total_usage"] == spent
    assert second.log_text().count("Log in as") == 1
    assert took_s < 15  # 2 s on a quiet machine; a shared one gets its time


@pytest.mark.parametrize("lost", SECRETS)
def test_refuses_a_database_whose_secrets_are_gone(tmp_path, lost):
    data = tmp_path / "data"
    (data / "secrets").mkdir(parents=True)
    for name in SECRETS:
        if name != lost:
            (data / "secrets" / name).write_text("x" * 64)
    with sqlite3.connect(data / "bananarouter.sqlite3") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    gateway = gateways.Gateway(tmp_path, is_new=True).start(waits=False)
    assert gateway.process.wait(30) == 1
    assert lost in gateway.log_text()
    assert "Restore the folder" in gateway.log_text()
    assert not (data / "secrets" / lost).exists()
    assert gateway.lines == []


def test_says_that_the_port_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        gateway = gateways.Gateway(tmp_path, "--port", str(port), is_new=True).start(waits=False)
        assert gateway.process.wait(60) == 1
    assert f"127.0.0.1:{port} is taken" in gateway.log_text()
    assert "Traceback" not in gateway.log_text()
    assert gateway.lines == []


def test_sqlite_refuses_several_workers(tmp_path):
    gateway = gateways.Gateway(tmp_path, "--workers", "2", is_new=True).start(waits=False)
    assert gateway.process.wait(60) == 1
    assert "SQLite serves one worker" in gateway.log_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process_with_code_0(run_gateway, number):
    gateway = run_gateway()
    children = gateway.children()
    assert len(children) == 3  # valkey, demo vendor, one worker
    gateway.signal(number)
    assert gateway.process.wait(20) == 0
    assert not any(is_alive(pid) for pid in children)
    assert gateway.manage("audit_ledger").returncode == 0


def test_sigterm_lets_a_running_stream_finish(run_gateway):
    gateway = run_gateway()
    body = json.dumps(chat("demo: tokens=200", stream=True))
    command = [*shlex.split(gateway.lines[1])[:-1], body, "-s"]
    client = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert client.stdout.read(1)
    gateway.signal(signal.SIGTERM)
    rest, _ = client.communicate(timeout=20)
    assert rest.endswith(b"data: [DONE]\n\n")
    assert gateway.process.wait(20) == 0


def test_a_second_signal_does_not_wait_for_streams(run_gateway):
    gateway = run_gateway()
    children = gateway.children()
    body = json.dumps(chat("demo: tokens=9000", stream=True))
    command = [*shlex.split(gateway.lines[1])[:-1], body, "-s"]
    client = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert client.stdout.read(1)
    gateway.signal(signal.SIGTERM)
    time.sleep(0.5)
    assert gateway.process.poll() is None
    gateway.signal(signal.SIGTERM)
    assert gateway.process.wait(15) == 0
    client.communicate(timeout=10)
    assert not any(is_alive(pid) for pid in children)


@pytest.mark.parametrize("victim", ["bananarouter.serve", "bananarouter.demo_vendor", "valkey"])
def test_a_killed_child_comes_back_and_requests_are_served(run_gateway, victim):
    gateway = run_gateway()
    (pid,) = gateway.children(victim)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: gateway.children(victim) not in ([], [pid]), what=f"a new {victim}")
    # A worker's socket outlives it: the request waits in its queue instead of being refused.
    wait_until(
        lambda: call(gateway, "/v1/chat/completions", chat())[0] == 200,
        timeout_s=40, interval_s=0.5, what="an answer",
    )  # fmt: skip
    assert "child died" in gateway.log_text()


def test_no_connection_is_refused_while_a_worker_is_reborn(run_gateway):
    gateway = run_gateway()
    (pid,) = gateway.workers()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), what="its death")
    assert call(gateway, "/livez", timeout_s=30)[0] == 200


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="Linux only")  # noqa: PTH110
def test_children_end_when_the_supervisor_is_killed(run_gateway):
    gateway = run_gateway()
    children = gateway.children()
    gateway.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in children), timeout_s=15, what="their end")


def test_a_taken_demo_port_moves_the_demo_vendor(run_gateway):
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            stranger.bind(("127.0.0.1", 8100))
            stranger.listen()
        except OSError:
            pass  # another program has it: all the better
        gateway = run_gateway()
        assert call(gateway, "/v1/chat/completions", chat())[0] == 200


def test_a_real_vendor_opens_by_its_key_but_not_for_the_demo(run_gateway):
    gateway = run_gateway(OPENAI_API_KEY="sk-test-this-key-is-not-real-0123456789")
    assert "Channel openai is open" in gateway.log_text()
    status, body = call(gateway, "/v1/chat/completions", {**chat(), "model": "gpt-4o-mini"})
    assert status in {403, 404}
    assert b"sk-test" not in body
    assert "sk-test" not in gateway.log_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_production_runs_on_postgresql_and_redis_without_a_demo(
    run_gateway, postgresql, valkey, workers
):
    with servers.fresh_database(postgresql.url, template="template0") as url:
        options = ("--workers", str(workers))
        gateway = run_gateway(*options, is_new=True, DATABASE_URL=url, REDIS_URL=valkey.url)
        _assert_production(gateway, workers=workers)
        assert gateway.stop() == 0


def _assert_production(gateway, *, workers):
    assert gateway.key == "-"
    assert len(gateway.workers()) == workers
    assert len(gateway.children()) == workers
    for _ in range(4 * workers):
        status, body = call(gateway, "/readyz")
        assert status == 200, body
    assert call(gateway, "/v1/models", key="bnr_live_nothing")[0] == 401
    assert "Log in as" not in gateway.log_text()


def test_two_generations_share_a_port_when_told_to(run_gateway, postgresql_url):
    port = servers.free_port()
    options = ("--port", str(port), "--workers", "1", "--reuse-port")
    shared = {name.upper(): name * 5 for name in SECRETS} | {"DATABASE_URL": postgresql_url}
    old = run_gateway(*options, **shared)
    new = run_gateway(*options, **shared)
    assert old.stop() == 0
    assert call(new, "/readyz")[0] == 200
