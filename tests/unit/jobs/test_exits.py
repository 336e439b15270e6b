from __future__ import annotations

import signal
import time
from typing import NoReturn

import duckdb
import pytest

from jobs.exits import is_interruption


def test_ctrl_c_that_duckdb_takes_in_is_an_interruption() -> None:
    connection = duckdb.connect()
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises((KeyboardInterrupt, RuntimeError)) as ended:
                _work(connection)
            if ended.type is RuntimeError:
                break  # else it came between two statements
        assert is_interruption(ended.value)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _work(connection: duckdb.DuckDBPyConnection) -> NoReturn:
    while True:
        connection.execute("CREATE OR REPLACE TABLE numbers AS SELECT i FROM range(200000) t(i)")
