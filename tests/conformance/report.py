"""Write docs/conformance.md: `python -m tests.conformance.report` replays all and tells."""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")  # noqa: TID251 - as pytest does

from tests.conformance import page, replay, shortfalls


def main() -> int:
    """Replay everything and write the page; tell failures that are not known."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        site = replay.Site(Path(folder))
        try:
            outcomes = replay.run(site.start())
        finally:
            site.stop()
    page.PAGE.write_text(page.text(outcomes))
    unknown = shortfalls.unknown(outcomes)
    print("\n".join(unknown), file=sys.stderr)  # noqa: T201
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
