import os

import pytest

from accounts.timeids import uuid7
from billing import spool
from billing.batch import AttemptRow
from tests.billing.conftest import settlement


def _settle(cost=5, **changed):
    return spool.SpooledSettle(request_id=uuid7(), settlement=settlement(cost, **changed))


def _read(folder):
    with spool.leftovers(folder) as found:
        return [settle for leftover in found for settle in leftover.settles]


def test_reads_back_what_it_wrote(tmp_path):
    rows = (AttemptRow(n=1, endpoint="é/a\n", outcome="delivered", vendor_cost_nusd=3),)
    written = [_settle(attempts=rows, endpoint=None), _settle(usage_raw=None)]
    one = spool.Spool(tmp_path / "new", boot=uuid7(), bytes_max=1 << 20)
    one.write(written)
    assert _read(tmp_path / "new") == []  # its owner lives
    one.release()
    assert _read(tmp_path / "new") == written


def test_a_part_of_a_line_was_never_acknowledged(tmp_path):
    one = spool.Spool(tmp_path, boot=uuid7(), bytes_max=1 << 20)
    kept = _settle()
    one.write([kept])
    one.release()
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"request_id"')
    assert _read(tmp_path) == [kept]


def test_is_bounded(tmp_path):
    one = spool.Spool(tmp_path, boot=uuid7(), bytes_max=600)
    one.write([_settle()])
    with pytest.raises(spool.SpoolFull):
        one.write([_settle(usage_raw="1" * 600)])
    one.write([_settle()])
    one.clear()
    assert list(tmp_path.iterdir()) == []
    one.write([_settle()])
    one.release()
    assert len(_read(tmp_path)) == 1


def test_a_disk_that_refuses_acknowledges_nothing(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    one = spool.Spool(blocked, boot=uuid7(), bytes_max=600)
    with pytest.raises(spool.SpoolFull):
        one.write([_settle()])


def test_is_readable_by_its_owner_only(tmp_path):
    one = spool.Spool(tmp_path, boot=uuid7(), bytes_max=1 << 20)
    one.write([_settle()])
    (path,) = tmp_path.glob("*.jsonl")
    assert os.stat(path).st_mode & 0o777 == 0o600  # noqa: PTH116
    one.clear()
