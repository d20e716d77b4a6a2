"""The list of who was erased, apart from the database: a backup that is restored forgets it.

One line of JSON for each: numbers of rows and a mark, no name. A number alone would not do: after
a restore the database may give it to somebody else.
"""

import datetime as dt
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Somebody who was erased."""

    closure: str  # its certificate's number
    user_id: int
    mark: str
    account_ids: tuple[int, ...]
    at: str


def mark(user: User) -> str:
    """Tell a row from another one that got its number later."""
    said = f"{user.pk} {user.date_joined.astimezone(dt.UTC).isoformat()}"
    return hashlib.sha256(said.encode()).hexdigest()


def note(path: Path, entry: Entry) -> bool:
    """Add a line, on the disk when this returns; False if it stands there. Raises: OSError."""
    if any(found.closure == entry.closure for found in read(path)):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(entry), sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def read(path: Path) -> Sequence[Entry]:
    """Return all entries; a last line that a crash cut off is no entry yet."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            continue
        found.append(Entry(**{**said, "account_ids": tuple(said["account_ids"])}))
    return found
