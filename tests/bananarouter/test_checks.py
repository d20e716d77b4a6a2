"""Settings that are wrong together are refused before anything starts."""

import subprocess
import sys

import pytest
from django.conf import settings as real

from bananarouter import checks, env
from billing.processors import config

GOOD = "0123456789abcdefghijklmnopqrstuvwxyz"
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "bananarouter.settings",
    "DATABASE_URL": "postgresql://gateway@127.0.0.1:1/gateway",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "8Qm" + GOOD + "+ZrT-x_uVbNwKpLs",
    "KEY_PEPPER": GOOD + "1",
    "CREDENTIAL_KEY": GOOD + "2",
    "HTTPS": "true",
    "ALLOWED_HOSTS": "gateway.example",
    "PUBLIC_URL": "https://gateway.example",
    "TRUSTED_PROXY_HOPS": "1",
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "STRIPE_ACCOUNT_ID": "acct_1",
    "STRIPE_SECRET_KEY": GOOD + "3",
    "STRIPE_WEBHOOK_SECRETS": GOOD + "4",
}


HALF = config.WeChatPay(url="https://x", private_key="k")


def payments(**changed) -> config.Payments:
    none = {
        "stripe": config.Stripe(url="https://x"),
        "alipay": config.Alipay(url="https://x"),
        "wechatpay": config.WeChatPay(url="https://x"),
    }
    return config.Payments(**(none | changed))


def ids(check) -> set[str]:
    return {message.id for message in check()}


def test_the_tests_own_settings_are_clean():
    for check in (
        checks.secrets,
        checks.deadlines,
        checks.web,
        checks.accounts,
        checks.payments,
    ):
        assert ids(check) == set()


@pytest.mark.parametrize(
    ("check", "changes", "code"),
    [
        (checks.secrets, {"KEY_PEPPERS": {1: GOOD}, "CREDENTIAL_KEYS": {"1": GOOD}}, "root.E001"),
        (checks.secrets, {"KEY_PEPPERS": {1: "short"}}, "root.E002"),
        (checks.secrets, {"CREDENTIAL_KEYS": {"1": GOOD, "2": "short"}}, "root.E002"),
        (checks.secrets, {"METRICS_TOKEN": "short"}, "root.E003"),
        (checks.deadlines, {"LEASE_ROTATION_S": 30, "LEASE_TTL_S": 30}, "root.E010"),
        (checks.deadlines, {"CONNECT_TIMEOUT_S": 700}, "root.E011"),
        (checks.deadlines, {"GAP_TIMEOUT_S": 1_800}, "root.E012"),
        (checks.web, {"HTTPS": True, "DEBUG": True, "PUBLIC_URL": "https://x"}, "root.E020"),
        (checks.web, {"HTTPS": True, "PUBLIC_URL": "http://x"}, "root.E021"),
        (checks.accounts, {"SMS_BACKEND": "accounts.sms_backends.Twilio"}, "root.E040"),
        (checks.accounts, {"SMS_BACKEND": "accounts.sms_backends.Aliyun"}, "root.E040"),
        (
            checks.accounts,
            {"SOCIAL_APPS": {"github": {"client_id": "x", "secret": ""}}},
            "root.E041",
        ),
        (checks.accounts, {"EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True}, "root.E042"),
        (
            checks.production,
            {"HTTPS": True, "EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"},
            "root.W033",
        ),
        (checks.payments, {"PAYMENTS": payments(wechatpay=HALF)}, "root.E050"),
        (checks.payments, {"PAYMENTS": payments(is_sandbox=True), "HTTPS": True}, "root.E051"),
        (checks.payments, {"PAYMENTS": payments(usd_minor_min=9, usd_minor_max=8)}, "root.E052"),
        (checks.production, {"KEY_PEPPERS": {1: ""}}, "root.E030"),
        (checks.production, {"HTTPS": True, "TRUSTED_PROXY_HOPS": 0}, "root.W031"),
        (checks.production, {"IS_SQLITE": False, "REDIS_URL": ""}, "root.W032"),
    ],
)
def test_tells(settings, check, changes, code):
    assert code not in ids(check)
    for name, value in changes.items():
        setattr(settings, name, value)
    assert code in ids(check)


@pytest.mark.parametrize("is_needed", [True, False])
def test_tells_where_staff_need_no_second_factor(settings, is_needed):
    settings.STAFF_SECOND_FACTOR = is_needed
    assert ("root.W035" not in ids(checks.production)) is is_needed


@pytest.mark.clause("4.2-tls")
@pytest.mark.parametrize("changes", [{}, {"METRICS_TOKEN": GOOD}])
def test_check_deploy_has_no_warning_in_production(tmp_path, changes):
    result = deploy_check(tmp_path, changes)
    assert result.returncode == 0, result.stderr
    assert "no issues (0 silenced)" in result.stdout


def test_check_deploy_tells_that_nobody_can_top_up(tmp_path):
    result = deploy_check(tmp_path, {"STRIPE_ACCOUNT_ID": "", "STRIPE_SECRET_KEY": ""})
    assert result.returncode != 0
    assert "root.W034" in result.stderr


def test_check_deploy_refuses_a_missing_pepper(tmp_path):
    result = deploy_check(tmp_path, {"KEY_PEPPER": ""})
    assert result.returncode != 0
    assert "root.E030" in result.stderr


def deploy_check(folder, changes):
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=real.BASE_DIR, capture_output=True, text=True, timeout=120, check=False,
        env=env.child({**PRODUCTION, "DATA_DIR": str(folder), **changes}),
    )  # fmt: skip
