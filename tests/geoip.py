"""Files of countries in MaxMind's format, written as their makers write them."""

from collections.abc import Mapping
from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write(path: Path, networks: Mapping[str, object], *, version: int = 6) -> Path:
    """A file with a record for each network; a code stands for a record of MaxMind's form."""
    writer = MMDBWriter(
        version, "Test-Country", languages=["en"], ipv4_compatible=version == 6
    )  # fmt: skip
    for network, told in networks.items():
        record = {"country": {"iso_code": told}} if isinstance(told, str) else told
        writer.insert_network(IPSet([network]), record)
    draft = path.with_suffix(".draft")
    writer.to_db_file(str(draft))
    return draft.replace(path)
