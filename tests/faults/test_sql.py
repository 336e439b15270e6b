"""SQL of others, as the service lets it be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.serve.sql.client import Limits
from tests.integration.sandboxes import Asker, planted_lake, statements

HOSTILE = statements("hostile.sql")
COUNT = "SELECT count(*) FROM studies"
ENDLESS = "SELECT count(*) FROM range(1000000000000) a, range(1000000) b WHERE a.range % 7 = b.range % 5"
BOMB = "SELECT list(a.range || b.range || repeat('x', 100)) FROM range(1000000) a, range(1000) b"


def test_hostile_sql(tmp_path: Path, long: bool) -> None:
    planted_lake(tmp_path / "lake")
    before = contents(tmp_path)
    with Asker(tmp_path / "lake", Limits(memory=200_000_000)) as asker:
        for statement in HOSTILE if long else HOSTILE[::7]:
            for phi in (True, False):
                with pytest.raises(UserError):
                    asker.ask(statement, phi=phi)
            with pytest.raises(UserError):
                asker.export(statement, "csv")
        with pytest.raises(UserError, match="took longer than it may"):
            asker.ask(ENDLESS, seconds=1)
        with pytest.raises(UserError):
            asker.ask(BOMB, seconds=60 if long else 3)
        shown = asker.ask("FROM range(1000000000000)", max_rows=1000)
        assert (shown.table.num_rows, shown.truncated) == (1000, True)
        with pytest.raises(UserError, match="too large to be shown"):
            asker.ask("SELECT repeat('x', 1000000) FROM range(100)")
        assert asker.rows(COUNT) == [(3,)]
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
