"""Gateways for the end-to-end tests: as a newcomer runs it, and as an operator does."""

import pytest

from tests import gateways, sdk_contract, servers


@pytest.fixture(scope="module", params=["embedded", "production"])
def served(request, running, postgresql, tmp_path_factory):
    """A gateway: SQLite and one worker; PostgreSQL and two."""
    if request.param == "embedded":
        yield running
        return
    folder = tmp_path_factory.mktemp("production")
    with servers.fresh_database(postgresql.url) as url:
        gateway = gateways.Gateway(folder, "--demo", "--workers", "2", DATABASE_URL=url).start()
        yield gateway
        assert gateway.stop() == 0


@pytest.fixture(scope="module")
def place(served):
    return sdk_contract.Place(
        url=served.url, key=served.key, fast="demo/fast", reasoner="demo/reasoner",
        embed="demo/embed",
    )  # fmt: skip
