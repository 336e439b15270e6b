"""What the process that answers C-FIND may do, whatever bytes have made of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from jobs.find_process import there
from tests.integration.finding import archived, lake_of

DAY = date(2024, 3, 1)

TRIED = """
import resource, socket, subprocess, sys
from pathlib import Path
from jobs.find_process import confined
lake, port, calls = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "calls"
confined(lake, 10**8, calls=calls)
def tried(work):
    try:
        work()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"
def called():
    socket.create_connection(("127.0.0.1", port)).close()
file = next((lake / "log").rglob("*.parquet"))
print(
    tried(lambda: file.read_bytes()),
    tried(lambda: (lake / "audit" / "own").write_text("x")),
    tried(lambda: (lake / "by-day" / "own").write_text("x")),
    tried(lambda: (lake / "pacs" / "own").write_text("x")),
    tried(called),
    tried(lambda: file.write_bytes(b"")),
    tried(lambda: file.unlink()),
    tried(lambda: file.rename(lake / "audit" / file.name)),
    tried(lambda: (lake / "log" / "new").write_text("x")),
    tried(lambda: (lake / "lake.duckdb").write_bytes(b"")),
    tried(lambda: (lake.parent / "elsewhere").write_text("x")),
    tried(lambda: subprocess.run(["/bin/true"], check=True)),
    tried(lambda: socket.create_server(("127.0.0.1", 0))),
    tried(lambda: bytes(8 << 30)),
)
"""


@pytest.mark.parametrize("calls", ["calls", "answers"])
def test_it_cannot_change_a_table_start_a_program_or_take_all_memory(tmp_path: Path, calls: str) -> None:
    rows = archived(Archive(3, DAY, DAY))
    lake = lake_of(tmp_path, {"main": {Level.STUDY: rows[Level.STUDY]}})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = [str(lake), str(server.getsockname()[1]), calls]
        command = [sys.executable, "-c", TRIED, *told]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    no = "PermissionError"
    may_call = "done" if calls == "calls" else no
    expected = ["done"] * 4 + [may_call, *[no] * 8, "MemoryError"]
    assert done.stdout.split() == expected, done.stderr


def test_it_makes_no_folder_where_there_is_no_lake_and_sees_when_one_comes(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    begin = "import sys; from pathlib import Path; from jobs.find_process import confined"
    begin += "; confined(Path(sys.argv[1]), 10**8, calls=False)"
    lake = tmp_path / "lake"
    lake.mkdir()
    subprocess.run([sys.executable, "-c", begin, str(lake)], env=environment, check=True)
    assert not list(lake.iterdir())
    assert not there(lake)
    (lake / "log").mkdir()
    subprocess.run([sys.executable, "-c", begin, str(lake)], env=environment, check=True)
    before = there(lake)
    assert [folder.name for folder in before] == ["log", "audit", "by-day", "pacs"]
    (lake / "audit").rename(lake / "old")
    (lake / "audit").mkdir()
    assert there(lake) != before
