import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

DEPLOY = Path(settings.BASE_DIR) / "deploy"


def test_nginx_understands_its_example(tmp_path):
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=x",
         "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    text = (DEPLOY / "nginx.conf").read_text()
    for found, ours in (
        ("/etc/ssl/bananarouter/fullchain.pem", certificate),
        ("/etc/ssl/bananarouter/privkey.pem", key),
        ("/var/log/nginx/bananarouter.error.log", tmp_path / "error.log"),
    ):
        assert found in text
        text = text.replace(found, str(ours))
    if _version(nginx) < (1, 25, 1):  # older ones say it on the listen line
        text = text.replace("listen 443 ssl;\n    http2 on;", "listen 443 ssl http2;")
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid;\nerror_log {tmp_path}/e;\nevents {{}}\nhttp {{\n{text}\n}}\n"
    )
    result = subprocess.run(
        [nginx, "-t", "-c", config], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def _version(nginx: str) -> tuple[int, ...]:
    told = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
    return tuple(map(int, re.search(r"nginx/([0-9.]+)", told)[1].split(".")))


def test_nginx_keeps_no_prompt_on_disk_and_outlasts_slow_models():
    text = (DEPLOY / "nginx.conf").read_text()
    for line in ("proxy_buffering off;", "proxy_request_buffering off;",
                 "proxy_max_temp_file_size 0;", "access_log off;",
                 "proxy_http_version 1.1;"):  # fmt: skip
        assert line in text
    read_timeout_s = int(re.search(r"proxy_read_timeout (\d+)s", text)[1])
    assert read_timeout_s > settings.FIRST_BYTE_TIMEOUT_S
    assert int(re.search(r"client_max_body_size (\d+)m", text)[1]) << 20 > settings.BODY_BYTES_MAX


def test_systemd_waits_for_the_drain_and_signals_the_supervisor_alone():
    text = (DEPLOY / "bananarouter.service").read_text()
    assert "KillMode=mixed" in text
    assert int(re.search(r"TimeoutStopSec=(\d+)", text)[1]) > settings.DRAIN_TIMEOUT_S
