"""System checks of settings that are wrong together, each fine alone."""

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004

from logs.archive import sinks

SECRET_CHARACTERS_MIN = 32
TOKEN_CHARACTERS_MIN = 16


def _told(check: Callable[[], Iterator[CheckMessage]]) -> Callable[..., list[CheckMessage]]:
    def run(**_kwargs: Any) -> list[CheckMessage]:
        return list(check())

    run.__doc__ = check.__doc__
    return run


def _secrets() -> dict[str, str]:
    return {
        "SECRET_KEY": settings.SECRET_KEY,
        **{f"KEY_PEPPER (version {n})": text for n, text in settings.KEY_PEPPERS.items()},
        **{f"CREDENTIAL_KEY (id {n})": text for n, text in settings.CREDENTIAL_KEYS.items()},
    }


def secrets() -> Iterator[CheckMessage]:
    """A secret serves one purpose and is long enough."""
    given = {name: text for name, text in _secrets().items() if text}
    if len(set(given.values())) < len(given):
        names = ", ".join(given)
        yield Error(
            "Two secrets are the same.", hint=f"Draw each of {names} by itself.", id="root.E001"
        )
    for name, text in given.items():
        if name != "SECRET_KEY" and len(text) < SECRET_CHARACTERS_MIN:
            hint = f"At least {SECRET_CHARACTERS_MIN} random characters."
            yield Error(f"{name} is too short.", hint=hint, id="root.E002")
    if 0 < len(settings.METRICS_TOKEN) < TOKEN_CHARACTERS_MIN:
        hint = f"At least {TOKEN_CHARACTERS_MIN} random characters, or none at all."
        yield Error("METRICS_TOKEN is too short.", hint=hint, id="root.E003")


def deadlines() -> Iterator[CheckMessage]:
    """What must happen before something else has the shorter time."""
    for shorter, longer, code in (
        # A lease that is older than its worker's renewal could be spent after its reclaim.
        ("LEASE_ROTATION_S", "LEASE_TTL_S", "root.E010"),
        ("CONNECT_TIMEOUT_S", "FIRST_BYTE_TIMEOUT_S", "root.E011"),
        ("GAP_TIMEOUT_S", "STREAM_TIMEOUT_S", "root.E012"),
    ):
        if getattr(settings, shorter) >= getattr(settings, longer):
            yield Error(f"{shorter} must be less than {longer}.", id=code)


def web() -> Iterator[CheckMessage]:
    """TLS, its proxy and the public address agree."""
    if settings.HTTPS and settings.DEBUG:
        hint = "DEBUG shows settings and requests to whoever causes an error."
        yield Error("DEBUG is on behind a public address.", hint=hint, id="root.E020")
    if settings.HTTPS and not settings.PUBLIC_URL.startswith("https://"):
        hint = "Set PUBLIC_URL to the address that callers use."
        yield Error("HTTPS is on, but PUBLIC_URL is not https.", hint=hint, id="root.E021")


PROCESSORS = ("stripe", "alipay", "wechatpay")
# What each carrier of text messages needs to be told.
CARRIERS = {
    "Twilio": ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM"),
    "Aliyun": (
        "ALIYUN_SMS_ACCESS_KEY_ID",
        "ALIYUN_SMS_ACCESS_KEY_SECRET",
        "ALIYUN_SMS_SIGN_NAME",
        "ALIYUN_SMS_TEMPLATE",
        "ALIYUN_SMS_NOTICE_TEMPLATE",
    ),
}


def accounts() -> Iterator[CheckMessage]:
    """Whoever carries messages and knows users has all that it needs."""
    for name in CARRIERS.get(settings.SMS_BACKEND.rpartition(".")[2], ()):
        if not getattr(settings, name):
            yield Error(f"{name} is missing.", hint="SMS_BACKEND needs it.", id="root.E040")
    for provider, app in settings.SOCIAL_APPS.items():
        if not all(app.values()):
            names = f"{provider.upper()}_CLIENT_ID and {provider.upper()}_CLIENT_SECRET"
            yield Error(f"Set both {names}.", hint="Or neither of them.", id="root.E041")
    if settings.EMAIL_USE_TLS and settings.EMAIL_USE_SSL:
        hint = "TLS from the first byte (SSL), or after STARTTLS (TLS): one of them."
        yield Error("EMAIL_USE_TLS and EMAIL_USE_SSL are both on.", hint=hint, id="root.E042")


def payments() -> Iterator[CheckMessage]:
    """A processor has all its keys, or none; real money and the sandbox never meet."""
    found = settings.PAYMENTS
    for name, key in (
        ("stripe", found.stripe.secret_key),
        ("alipay", found.alipay.private_key),
        ("wechatpay", found.wechatpay.private_key),
    ):
        if key and not getattr(found, name).is_set:
            hint = f"Set every {name.upper()}_ variable of docs/settings.md, or none of them."
            yield Error(f"Keys of {name} are incomplete.", hint=hint, id="root.E050")
    if found.is_sandbox and settings.HTTPS:
        hint = "PAYMENT_SANDBOX gives credit for nothing."
        yield Error("The payment sandbox is on behind a public address.", hint=hint, id="root.E051")
    if found.usd_minor_min > found.usd_minor_max:
        yield Error("TOPUP_CENTS_MIN is above TOPUP_CENTS_MAX.", id="root.E052")


def archive() -> Iterator[CheckMessage]:
    """The archive's client is installed."""
    config = sinks.config()
    if config.is_on and not sinks.is_installed(config.engine):
        hint = "pip install 'bananarouter[archive]'"
        yield Error("ARCHIVE_URL needs a client that is not here.", hint=hint, id="root.E060")


def production() -> Iterator[CheckMessage]:
    """What a machine of one's own may lack, but an operator must not (check --deploy)."""
    for name, text in _secrets().items():
        if not text:
            yield Error(f"{name} is missing.", hint="See docs/settings.md.", id="root.E030")
    if settings.HTTPS and settings.TRUSTED_PROXY_HOPS == 0:
        hint = "Set TRUSTED_PROXY_HOPS: without it all callers have the proxy's address."
        yield Warning("TLS ends at a proxy that is not trusted.", hint=hint, id="root.W031")
    if not settings.IS_SQLITE and not settings.REDIS_URL:
        hint = "Set REDIS_URL: without it each process counts log-in attempts for itself."
        yield Warning("Several workers share no cache.", hint=hint, id="root.W032")
    if not any(getattr(settings.PAYMENTS, name).is_set for name in PROCESSORS):
        hint = "Set the keys of Stripe, Alipay or WeChat Pay: docs/payments.md."
        yield Warning("Nobody can top up.", hint=hint, id="root.W034")
    if settings.HTTPS and settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        hint = "Set EMAIL_BACKEND and EMAIL_HOST: nobody else can read the codes that log in."
        yield Warning("Mail is printed on the terminal.", hint=hint, id="root.W033")
    if not settings.STAFF_SECOND_FACTOR:
        hint = "Take STAFF_SECOND_FACTOR away: a stolen password then opens no staff page."
        yield Warning("Staff need no second factor.", hint=hint, id="root.W035")


def install() -> None:
    """Register the checks; called once, when the app is ready."""
    register(_told(secrets), Tags.security)
    register(_told(deadlines))
    register(_told(web), Tags.security)
    register(_told(accounts))
    register(_told(payments))
    register(_told(archive))
    register(_told(production), Tags.security, deploy=True)
