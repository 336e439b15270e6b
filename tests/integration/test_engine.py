"""DuckDB within the limits of its process."""

from __future__ import annotations

import subprocess

import pytest

from tests.acceptance.installed import ENVIRONMENT

CODE = """
from crawler.lake.engine import connect
print(*connect().execute("SELECT current_setting('memory_limit')").fetchone())
"""


@pytest.mark.parametrize(("addressed", "left"), [(2 << 30, "768.0 MiB"), (1300 << 20, "128.0 MiB")])
def test_duckdb_takes_what_the_others_leave(addressed: int, left: str) -> None:
    command = ["prlimit", f"--as={addressed}", "python", "-c", CODE]
    assert subprocess.run(command, env=ENVIRONMENT, capture_output=True).stdout.decode().strip() == left
