"""The real settings, on a folder, secrets and a database of the tests' own.

TEST_BACKEND=postgresql runs the tests on PostgreSQL: the server named by TEST_POSTGRESQL_URL,
else one that conftest.py starts. Nothing else of the caller's environment is obeyed: a test run
must never reach a real database, a real vendor or a real key.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_environ = os.environ  # noqa: TID251 - the one place that makes the tests' environment

if "TEST_DATA_DIR" not in _environ:
    _environ["TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="bananarouter-tests-")
    atexit.register(shutil.rmtree, _environ["TEST_DATA_DIR"], ignore_errors=True)

_OURS = ("TEST_DATA_DIR", "TEST_BACKEND", "TEST_POSTGRESQL_URL", "TEST_POSTGRESQL_PORT",
         "TEST_TABLES_DIR")  # fmt: skip
_KEPT = ("PATH", "HOME", "USER", "LANG", "TZ", "CI", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE")
_PREFIXES = ("PYTEST_", "PYTHON", "LC_", "COV", "TMP", "TEMP", "HYPOTHESIS", "PLAYWRIGHT", "XDG_")
for _name in list(_environ):
    if _name not in _OURS + _KEPT and not _name.startswith(_PREFIXES):
        del _environ[_name]

_environ.update(
    DATA_DIR=_environ["TEST_DATA_DIR"],
    SECRET_KEY="tests-only-secret-key-of-fifty-characters-and-more",
    KEY_PEPPER="tests-only-pepper-of-at-least-thirty-two-characters",
    CREDENTIAL_KEY="tests-only-credential-key-of-thirty-two-and-more",
)
IS_ON_POSTGRESQL = _environ.get("TEST_BACKEND", "sqlite") == "postgresql"
if IS_ON_POSTGRESQL:
    from tests import servers

    _environ["DATABASE_URL"] = servers.shared_postgresql_url()

from bananarouter.settings import *  # noqa: E402, F403
from bananarouter.settings import DATABASES, MIDDLEWARE, PASSWORD_HASHERS  # noqa: E402

DATABASES["default"]["ENGINE"] = "tests.postgresql" if IS_ON_POSTGRESQL else "tests.sqlite3"
if not IS_ON_POSTGRESQL:
    # A file, because threads with connections of their own must see one database.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(_environ["TEST_DATA_DIR"]) / "test.sqlite3")}
# A tenth of a second for each hash and for each client.
CHEAPER = {
    "django.contrib.auth.hashers.Argon2PasswordHasher": "tests.cheaper.Argon2",
    "whitenoise.middleware.WhiteNoiseMiddleware": "tests.cheaper.WhiteNoise",
}
PASSWORD_HASHERS = [CHEAPER.get(name, name) for name in PASSWORD_HASHERS]
MIDDLEWARE = [CHEAPER.get(name, name) for name in MIDDLEWARE]
