"""Reads of the request log."""

import pytest

from logs import queries, recorder
from tests.logs.test_recorder import entry


@pytest.mark.django_db
def test_one_is_the_accounts_own_request_only():
    row = entry(account_id=7)
    recorder.write([row, entry(account_id=7)])
    found = queries.one(account_id=7, request_id=row.request_id)
    assert found is not None
    assert found.request_id == row.request_id
    assert queries.one(account_id=8, request_id=row.request_id) is None
    assert queries.one(account_id=7, request_id=entry().request_id) is None
