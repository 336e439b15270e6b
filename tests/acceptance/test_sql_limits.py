"""What SQL may take at a running service is what `[serve]` says."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from crawler.lake.writer import LakeWriter
from crawler.serve.sql.process import BEYOND_DUCKDB
from tests.acceptance.serving import configure_jobs, serving, wait_until

LIMITS = 'sql_memory = "150MB"\nsql_seconds = 4\nsql_rows = 3\n'


def ask(port: int, sql: str) -> tuple[int, Any]:
    body = json.dumps({"sql": sql}).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}/api/v1/sql", body, headers), timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def address_spaces(process: int) -> set[str]:
    """Give the limits on what the processes below one may take."""
    found = set[str]()
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            with suppress(OSError):  # it may end meanwhile
                found |= set(re.findall(r"Max address space +(\w+)", Path(f"/proc/{child}/limits").read_text()))
    return found


def test_questions_end_at_the_limits_of_the_settings(tmp_path: Path) -> None:
    configure_jobs(tmp_path, {}, LIMITS)
    with LakeWriter.open(tmp_path / "lake"):
        pass
    with serving(tmp_path) as service:
        port = service.wait_for("listening")["port"]
        wait_until(lambda: ask(port, "SELECT 1")[0] == 200)  # the first one takes longer: a process begins
        status, answer = ask(port, "FROM range(10)")
        assert status == 200
        assert (len(answer["rows"]), answer["truncated"]) == (3, True)
        status, answer = ask(
            port, "SELECT count(*) FROM range(1000000000000) a, range(1000) b WHERE a.range % 7 = b.range"
        )
        assert status == 400
        assert "took longer than it may" in answer
        wait_until(lambda: ask(port, "SELECT 1")[0] == 200)
        assert address_spaces(service.process.pid) == {str(150_000_000 + BEYOND_DUCKDB)}
