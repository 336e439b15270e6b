"""A lake's tables as the process shows them: whole, or without what identifies a person. Touches: disk, by DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb

from crawler.columns import Phi
from crawler.lake.dictionary import dictionary
from crawler.lake.engine import NO_EXTENSIONS
from crawler.lake.query import Lake
from crawler.lake.schema import literal, quoted
from crawler.serve.sql.statement import Known, known_to

_WHOLE = "whole"
"""The schema behind `main` where the whole tables lie when `main` shows less."""
_PIPES = [f"/dev/fd/{number}" for number in range(3, 64)]
"""Through which answers leave as CSV and the like: DuckDB opens a pipe of ours by such a name."""


class Tables:
    """What may be asked in one role, in a DuckDB of its own that reads the log and writes in one folder."""

    def __init__(self, lake: Path, phi: bool, memory: int, spill: Path) -> None:
        self._phi = phi
        self._maker = duckdb.connect(config=NO_EXTENSIONS | _settings(memory, spill))
        if not phi:
            self._maker.execute(f"CREATE SCHEMA {_WHOLE}; USE {_WHOLE}")
        self._lake = Lake(lake, connection=self._maker, pulls=False)
        self._lock_up(self._lake.path)
        self._show()

    def refresh(self) -> int:
        """Move on to the newest commit; gives its version."""
        before = self._lake.version
        if self._lake.refresh() != before:
            self._show()
        return self._lake.version

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Give a connection for one question; it sees `main`."""
        return self._maker.cursor()

    def _lock_up(self, lake: Path) -> None:
        pipes = ", ".join(map(literal, _PIPES))
        self._maker.execute(f"SET allowed_directories = [{literal(f'{lake}/log/')}]")
        self._maker.execute(f"SET allowed_paths = [{pipes}]")
        self._maker.execute("SET enable_external_access = false")
        self._maker.execute("SET lock_configuration = true")

    def _show(self) -> None:
        if not self._phi:
            self._show_less()
        self.known: Known = known_to(self._maker)

    def _show_less(self) -> None:
        """Make views in `main` of the columns that say of themselves that they identify nobody.

        A column or table that the dictionary does not know is left out.
        """
        shown: dict[str, list[str]] = {}
        for entry in dictionary(self._lake.added):
            if entry.phi == Phi.NONE:
                shown.setdefault(entry.table, []).append(quoted(entry.column))
        for table, names in shown.items():
            self._maker.execute(
                f"CREATE OR REPLACE VIEW main.{table} AS SELECT {', '.join(names)} FROM {_WHOLE}.{table}"
            )


def _settings(memory: int, spill: Path) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": f"{memory}B",
        "threads": 2,
        "async_threads": 2,
        "temp_directory": str(spill),
        "max_temp_directory_size": f"{4 * memory}B",
        "python_enable_replacements": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
    }
