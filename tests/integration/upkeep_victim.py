"""Maintains a lake and is killed while it does, at the points that lake_victim.py explains.

    python upkeep_victim.py FOLDER POINT ...

For each POINT there is a lake FOLDER/POINT already.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.writer import LakeWriter
from jobs.wiring import begin
from tests.integration import lake_victim


def tidy_up(lake: Path) -> None:
    """Do all that upkeep can do."""
    with LakeWriter.open(lake) as writer:
        maintain(writer, Wanted(datetime.now(UTC).replace(tzinfo=None), timedelta(0), whole=True))


if __name__ == "__main__":
    begin()
    lake_victim.main(Path(sys.argv[1]), sys.argv[2:], tidy_up)
