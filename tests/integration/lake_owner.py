"""An owner of a lake for test_lake_owners: says that it is, and commits a study when a line comes. By `python -m`."""

from __future__ import annotations

import sys
from pathlib import Path

from crawler.errors import LakeError
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import studies

if __name__ == "__main__":
    writer = LakeWriter.open(Path(sys.argv[1]))
    print("owner", flush=True)
    sys.stdin.readline()
    writer.stage(Level.STUDY, "main", "s1", studies([("1.2.1", "ours")]))
    try:
        print(writer.commit())
    except LakeError as error:
        print(type(error).__name__, error)
