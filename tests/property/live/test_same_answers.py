"""Whatever is asked in SQL, a PACS gives the answer that a complete lake of it gives, or is said not to have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.lake.query import Lake, open_lake
from crawler.model import Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from jobs.live import Wish, answer_live
from jobs.query import Form, write
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.sweeping import configure
from tests.property.live.statements import statements

ARCHIVE = Archive(100, date(2024, 1, 1), date(2024, 3, 31), 8, 1.5, undated=4, untimed=0.1, most_images=2)
ROWS: list[dict[str, Any]] = ARCHIVE.table(Level.STUDY).to_pylist()

QUIRKS = {
    "plain": Quirks(),
    "ignores": Quirks(ignores=frozenset({"PatientName", "StudyDescription", "ModalitiesInStudy"})),
    "ignores_all": Quirks(ignores=frozenset("*"), duplicate_every=3),
    "cap": Quirks(cap=60, exclusive_ends=True),
    "nothing": Quirks(cap=60, over_cap=OverCap.NOTHING, undated_always=True),
    "refuses": Quirks(cap=60, over_cap=OverCap.REFUSE_A700, untimed_always=True),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Path]]:
    """Give a complete lake of the archive, and the folder of one that knows nothing of PACS that have the same."""
    folder = tmp_path_factory.mktemp("live")
    complete = folder / "complete"
    complete.mkdir()
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(running(Simulator(ARCHIVE, quirks=quirks))).port
            for name, quirks in QUIRKS.items()
        }
        configure(folder, ports)
        configure(complete, {"plain": ports["plain"]})
        assert run_sweep(load(complete / "pacslake.toml"), SweepRequest(deepest=Level.IMAGE)) == 0
        yield stack.enter_context(open_lake(complete / "lake")), folder


def compare(world: tuple[Lake, Path], pacs: str, statement: str) -> int:
    """Ask both, and compare where the answer is said to be whole; give the exit code."""
    lake, folder = world
    target = folder / "answer.parquet"
    code = answer_live(folder / "pacslake.toml", Wish(pacs, statement, yes=True), Form("parquet", target))
    assert code in (0, 3)
    if code == 0:
        truth = lake.sql(statement).to_arrow_table()
        mine = pq.read_table(target)
        assert rows_of(mine.to_pylist()) == rows_of(truth.to_pylist())
        assert mine.schema.names == truth.schema.names
    return code


def rows_of(rows: list[dict[str, Any]]) -> list[str]:
    """Give rows in an order in which they compare; `pacs` is another one."""
    return sorted(repr([value for name, value in row.items() if name != "pacs"]) for row in rows)


@settings(max_examples=15)
@given(statement=statements(ROWS))
def test_a_pacs_without_quirks_answers_as_a_lake_does(world: tuple[Lake, Path], statement: str) -> None:
    assert compare(world, "plain", statement) == 0


@settings(max_examples=10)
@given(statement=statements(ROWS), pacs=st.sampled_from(sorted(QUIRKS.keys() - {"plain"})))
def test_whatever_a_pacs_does_the_answer_is_right_or_said_not_to_be(
    world: tuple[Lake, Path], statement: str, pacs: str
) -> None:
    compare(world, pacs, statement)


@pytest.mark.parametrize("table", ["studies", "series", "instances", "patients"])
def test_columns_and_types_are_those_of_a_lake(world: tuple[Lake, Path], table: str) -> None:
    lake, folder = world
    key = "PatientID" if table == "patients" else "StudyInstanceUID"
    statement = f"select * from {table} where {key} = '{ROWS[0][key]}'"
    files = [folder / "live.parquet", folder / "lake.parquet"]
    assert answer_live(folder / "pacslake.toml", Wish("plain", statement), Form("parquet", files[0])) == 0
    write(lake, statement, Form("parquet", files[1]))
    live, known = map(pq.read_table, files)
    assert [(one.name, one.type) for one in live.schema] == [(one.name, one.type) for one in known.schema]
    watched = ["first_seen_at", "changed_at", "sweep_id"]
    assert rows_of(live.drop_columns(watched).to_pylist()) == rows_of(known.drop_columns(watched).to_pylist())
    assert {live[name].null_count for name in watched} == {live.num_rows}
