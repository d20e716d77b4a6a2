import pytest

from accounts import keys, owners
from accounts.models import Account, User


@pytest.fixture(autouse=True)
def cold_cache():
    """Every test begins and ends without a cached key or an open look-up connection."""
    keys.close()
    yield
    keys.close()


@pytest.fixture
def alice(request) -> User:
    """A user who owns an account."""
    request.getfixturevalue(
        "transactional_db" if "transactional_db" in request.fixturenames else "db"
    )
    return owners.register(email="alice@example.com")


@pytest.fixture
def account(alice) -> Account:
    return owners.own_account(alice)
