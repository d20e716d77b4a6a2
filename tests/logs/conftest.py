"""Alice's key, and a folder for data keys of debug mode."""

import pytest

from accounts import keys
from tests import factories


@pytest.fixture
def debug_folder(settings, tmp_path):
    settings.DEBUG_KEY_DIR = tmp_path / "debug-keys"
    return settings.DEBUG_KEY_DIR


@pytest.fixture
def alice(db):
    return factories.user("alice")


@pytest.fixture
def key(alice):
    made, _ = keys.mint(account=factories.account_of(alice), created_by=alice, name="laptop")
    return made
