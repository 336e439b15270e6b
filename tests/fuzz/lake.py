"""What lies in a lake: commits, the audit. Any bytes are what was written, or are told as broken."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

from crawler.errors import LakeError
from crawler.lake.audit import FIRST, AuditLog
from crawler.lake.commits import commit_file, log_folder
from crawler.lake.log import Log, open_table
from crawler.lake.repair import mend
from crawler.lake.seal import is_whole, sealed
from crawler.lake.verify import flaws_of_log
from tests.fuzz.places import folder

OLD = Path(__file__).parents[1] / "lakes" / "before_checksums"
NEWEST = 3


def commits(data: bytes) -> None:
    """Any newest commit is told as a flaw, or the log can be read; who opens the lake to write can go on after both."""
    lake = folder("lake")
    shutil.rmtree(lake)
    shutil.copytree(OLD, lake)
    log = log_folder(lake)
    content = resealed(data[1:]) if data[0] & 1 else data[1:]
    commit_file(log, NEWEST).write_bytes(content)
    flaws = list(flaws_of_log(log))
    with suppress(LakeError):
        opened = Log(log, open_table(lake))
        assert flaws or opened.version == NEWEST
    with suppress(LakeError):
        mend(lake)
        assert not list(flaws_of_log(log)), "what was mended is whole"
        Log(log, open_table(lake))


def resealed(content: bytes) -> bytes:
    """Give the checksum that belongs to it to what can have one."""
    try:
        lines = [json.loads(line) for line in content.splitlines()]
    except (ValueError, RecursionError):
        return content
    whole = sealed(lines, {})
    assert is_whole(whole)
    return whole


def audit(data: bytes) -> None:
    """Any file can be looked through, and a line that is added to it is found after it."""
    lake = folder("audited")
    (lake / "audit").mkdir(exist_ok=True)
    (lake / "audit" / "9998-01.jsonl").write_bytes(data)
    log = AuditLog(lake)
    found, count, last = log.broken()
    assert count == len(data.splitlines())
    assert len(found) <= count
    assert (last == FIRST) == (not count)
    assert len(list(log.entries())) <= count
    written = log.append({"person": "anna"})
    assert log.broken()[2] == written
    assert list(log.entries())[-1]["person"] == "anna"
