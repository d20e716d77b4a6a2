"""All settings, in the order of Django's documentation. Each variable: docs/settings.md."""

from typing import Any

from csp.constants import NONCE, NONE, SELF

from bananarouter import archive_settings, env, payment_settings, privacy_settings, schedule
from bananarouter.sign_in_settings import *  # noqa: F403  settings are named by their place
from routing.translators.effort import EFFORT_SHARES as DEFAULT_SHARES

# Core
BASE_DIR = env.ROOT
DATA_DIR = env.data_dir()
SECRETS_DIR = DATA_DIR / "secrets"
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY", file=SECRETS_DIR / "secret_key") or "unset-run-makes-one"
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
INSTALLED_APPS = [
    "bananarouter.apps.StaffConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "allauth.usersessions",
    "django_htmx",
    "csp",
    "accounts",
    "billing",
    "routing",
    "logs",
    "bananarouter.apps.RootConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "bananarouter.permissions.PermissionsPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.sessions.Activity",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "bananarouter.urls"
ASGI_APPLICATION = "bananarouter.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True

# Databases
_database: dict[str, Any] = env.database("DATABASE_URL", sqlite=DATA_DIR / "bananarouter.sqlite3")
IS_SQLITE = str(_database["ENGINE"]).endswith("sqlite3")
if IS_SQLITE:
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": privacy_settings.SQLITE,
    }
elif str(_database["ENGINE"]).endswith("postgresql"):
    _database["OPTIONS"] = {
        **_database.get("OPTIONS", {}),
        "options": "-c synchronous_commit=on -c lock_timeout=500ms -c statement_timeout=30s",
    }
    _database["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": {**_database, "ATOMIC_REQUESTS": False}}
DATABASE_POOL_MAX = env.number("DATABASE_POOL_MAX", 16, low=0, high=1_000)

# Cache
REDIS_URL = env.text("REDIS_URL")
CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

# Email
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "BananaRouter <contact@bananarouter.com>")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.number("EMAIL_PORT", 587, low=1, high=65_535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=True)
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL", default=False)
EMAIL_TIMEOUT = 10
INBOUND_MAIL_SECRET = env.secret("INBOUND_MAIL_SECRET")

# Text messages
SMS_BACKEND = env.text("SMS_BACKEND", "accounts.sms_backends.Console")
TWILIO_ACCOUNT_SID = env.text("TWILIO_ACCOUNT_SID")
TWILIO_AUTH_TOKEN = env.secret("TWILIO_AUTH_TOKEN")
TWILIO_FROM = env.text("TWILIO_FROM")
TWILIO_URL = env.text("TWILIO_URL", "https://api.twilio.com").rstrip("/")
ALIYUN_SMS_ACCESS_KEY_ID = env.text("ALIYUN_SMS_ACCESS_KEY_ID")
ALIYUN_SMS_ACCESS_KEY_SECRET = env.secret("ALIYUN_SMS_ACCESS_KEY_SECRET")
ALIYUN_SMS_SIGN_NAME = env.text("ALIYUN_SMS_SIGN_NAME")
ALIYUN_SMS_TEMPLATE = env.text("ALIYUN_SMS_TEMPLATE")
ALIYUN_SMS_NOTICE_TEMPLATE = env.text("ALIYUN_SMS_NOTICE_TEMPLATE")
ALIYUN_SMS_URL = env.text("ALIYUN_SMS_URL", "https://dysmsapi.aliyuncs.com").rstrip("/")

# Files
STATIC_URL = "static/"
STATIC_ROOT = None  # whitenoise serves the files where they stand: nothing is collected
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# A page's body stays in memory, too: a prompt sent to a wrong path must not reach a disk.
FILE_UPLOAD_MAX_MEMORY_SIZE = 64 << 20

# Globalization
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
# One catalog for each area of pages: locale/<area>/zh_Hans/LC_MESSAGES/django.po
LOCALE_PATHS = sorted(path for path in (BASE_DIR / "locale").iterdir() if path.is_dir())
TIME_ZONE = "UTC"
USE_TZ = True

# HTTP, security. TLS ends at a proxy in front; HTTPS says that there is one.
HTTPS = env.flag("HTTPS", default=False)
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|metrics)$"]  # asked from inside, without TLS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = 7 * 24 * 3600  # from log-in, however much it is used
SESSION_IDLE_S = 12 * 3600
STAFF_SESSION_AGE_S, STAFF_SESSION_IDLE_S = 8 * 3600, 30 * 60
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
# What a page may ask the browser for: nothing but passkeys, on this very site.
PERMISSIONS_POLICY = {
    **dict.fromkeys(
        (
            "accelerometer",
            "autoplay",
            "browsing-topics",
            "camera",
            "display-capture",
            "encrypted-media",
            "geolocation",
            "gyroscope",
            "hid",
            "idle-detection",
            "local-fonts",
            "magnetometer",
            "microphone",
            "midi",
            "payment",
            "screen-wake-lock",
            "serial",
            "usb",
            "xr-spatial-tracking",
        ),
        (),
    ),
    "publickey-credentials-create": ("self",),
    "publickey-credentials-get": ("self",),
}

# Logging and metrics
LOG_LEVEL = env.text("LOG_LEVEL", "INFO")
LOGGING_CONFIG = "bananarouter.observability.configure"
LOGGING = {"level": LOG_LEVEL, "reports_to": env.secret("SENTRY_DSN")}
METRICS_TOKEN = env.secret("METRICS_TOKEN")

# Templates
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "bananarouter.pages.shell.context",
            ]
        },
    }
]

FORM_RENDERER = "bananarouter.pages.widgets.Renderer"

# Auth: what is the same everywhere stands in sign_in_settings; here, what an operator sets
USERSESSIONS_TRACK_ACTIVITY = True
SOCIALACCOUNT_ADAPTER = "accounts.adapters.SocialAdapter"
SOCIALACCOUNT_AUTO_SIGNUP = False  # the form asks for the acceptance of our policies
SOCIALACCOUNT_FORMS = {"signup": "accounts.forms.SocialSignUp"}
GITHUB_URL = env.text("GITHUB_URL", "https://github.com").rstrip("/")
SOCIAL_APPS = {
    provider: {"client_id": client_id, "secret": secret}
    for provider, client_id, secret in (
        ("github", env.text("GITHUB_CLIENT_ID"), env.secret("GITHUB_CLIENT_SECRET")),
        ("google", env.text("GOOGLE_CLIENT_ID"), env.secret("GOOGLE_CLIENT_SECRET")),
    )
    if client_id or secret
}
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {
    provider: {"APPS": [app], "OAUTH_PKCE_ENABLED": True} for provider, app in SOCIAL_APPS.items()
}
if "google" in SOCIAL_APPS:
    SOCIALACCOUNT_PROVIDERS["google"]["SCOPE"] = ["profile", "email"]
if "github" in SOCIAL_APPS and GITHUB_URL != "https://github.com":
    SOCIALACCOUNT_PROVIDERS["github"]["GITHUB_URL"] = GITHUB_URL
# A browser follows a form's redirect only to where forms may lead.
CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] = [
    SELF,
    *(
        origin
        for provider, origin in (("github", GITHUB_URL), ("google", "https://accounts.google.com"))
        if provider in SOCIAL_APPS
    ),
]

# REST framework: the control plane's defaults; the proxy API's views say their own.
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}

# Celery
CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Who sends a task never waits for a broker that is away (6 s, measured): a sweep finds the work.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2, "socket_timeout": 10, "max_retries": 0,
}  # fmt: skip
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = schedule.BEAT

# API keys: peppers by version, the highest mints. Key-encryption keys likewise, by id.
KEY_PEPPERS = env.versions("KEY_PEPPER", folder=SECRETS_DIR)
CREDENTIAL_KEYS = {
    str(version): key for version, key in env.versions("CREDENTIAL_KEY", folder=SECRETS_DIR).items()
}

# Money: amounts in nUSD, times in seconds
LEASE_TTL_S = env.number("LEASE_TTL_S", 30, low=1, high=600)
LEASE_ROTATION_S = env.number("LEASE_ROTATION_S", 15, low=1, high=600)
LEASE_SLICE_NUSD_MAX = env.number("LEASE_SLICE_NUSD_MAX", 2_000_000_000)
SPOOL_BYTES_MAX = env.number("SPOOL_BYTES_MAX", 64 << 20)
ABANDONED_NUSD_PER_DAY = env.number("ABANDONED_NUSD_PER_DAY", 1_000_000_000)
GOODWILL_NUSD_PER_DAY = env.number("GOODWILL_NUSD_PER_DAY", 1_000_000_000)
MARKUP_PPM = env.number("MARKUP_PPM", 50_000, high=10_000_000)

# Money coming in
PAYMENTS = payment_settings.read(SECRETS_DIR)

# Who runs this installation: shown on the legal pages and at the foot of each page
OPERATOR_NAME = env.text("OPERATOR_NAME", "BananaRouter")
OPERATOR_ADDRESS = env.text("OPERATOR_ADDRESS")
POLICY_NOTICE_DAYS = privacy_settings.policy_notice_days()
ERASURE = privacy_settings.read_erasure(DATA_DIR)
CONTACT_EMAIL = env.text("CONTACT_EMAIL", "contact@bananarouter.com")
HOSTING_PROVIDER = env.text("HOSTING_PROVIDER")
ICP_NUMBER = env.text("ICP_NUMBER")
PUBLIC_SECURITY_NUMBER = env.text("PUBLIC_SECURITY_NUMBER")
GENERATIVE_AI_NUMBER = env.text("GENERATIVE_AI_NUMBER")

# Money for new people: off when TRIAL_NUSD is 0
TRIAL_NUSD = env.number("TRIAL_NUSD", 500_000_000)
TRIAL_DAYS = env.number("TRIAL_DAYS", 14, low=1, high=3_650)
TRIAL_PRICE_NUSD_PER_MTOK_MAX = env.number("TRIAL_PRICE_NUSD_PER_MTOK_MAX", 4_000_000_000)
TRIAL_PER_NETWORK_PER_DAY = env.number("TRIAL_PER_NETWORK_PER_DAY", 3)
TRIAL_WORK_BITS = env.number("TRIAL_WORK_BITS", 20, high=30)
TRIAL_BLOCKED_DOMAINS = env.file("TRIAL_BLOCKED_DOMAINS")

# Logs and people's data
LOG_RETENTION_DAYS, JURISDICTION, IP_TRUNCATE = privacy_settings.logs()
DEBUG_KEY_DIR = privacy_settings.debug_key_dir(DATA_DIR)
EXPORT_DIR, EXPORT_FREE_BYTES_MIN = privacy_settings.exports(DATA_DIR)
ERASURE = privacy_settings.read_erasure(DATA_DIR)
GEOIP_DB = privacy_settings.geoip_db()
LEAK_KEYS_URL = privacy_settings.leak_keys_url()
ARCHIVE = archive_settings.read()

# The proxy (routing)
PUBLIC_URL = env.text("PUBLIC_URL", "http://localhost:8000").rstrip("/")
BODY_BYTES_MAX = env.number("BODY_BYTES_MAX", 32 << 20)
CONNECT_TIMEOUT_S = env.number("CONNECT_TIMEOUT_S", 5, low=1)
FIRST_BYTE_TIMEOUT_S = env.number("FIRST_BYTE_TIMEOUT_S", 600, low=1)
GAP_TIMEOUT_S = env.number("GAP_TIMEOUT_S", 60, low=1)
STREAM_TIMEOUT_S = env.number("STREAM_TIMEOUT_S", 1_800, low=1)
WHOLE_TIMEOUT_S = env.number("WHOLE_TIMEOUT_S", 600, low=1)
FETCH_NETWORKS = env.networks("FETCH_NETWORKS")
EFFORT_SHARES = env.percents("EFFORT_SHARES", DEFAULT_SHARES)
DRAIN_TIMEOUT_S = env.number("DRAIN_TIMEOUT_S", 300)
KEY_REQUESTS_PER_MINUTE = env.number("KEY_REQUESTS_PER_MINUTE", 600, low=1)
KEY_CONCURRENCY = env.number("KEY_CONCURRENCY", 64, low=1)
ACCOUNT_CONCURRENCY = env.number("ACCOUNT_CONCURRENCY", 256, low=1)
IP_REQUESTS_PER_MINUTE = env.number("IP_REQUESTS_PER_MINUTE", 1_200, low=1)
IP_CONCURRENCY = env.number("IP_CONCURRENCY", 256, low=1)
IP_AUTH_FAILURES_PER_MINUTE = env.number("IP_AUTH_FAILURES_PER_MINUTE", 30, low=1)
TRUSTED_PROXY_HOPS = ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_HOPS", 0, high=10)
