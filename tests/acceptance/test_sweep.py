"""`pacslake sweep` as a person uses it, against simulated PACS whose truth is known row by row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.sweeping import ask, configure, differences, said, states, sweep

FIRST, LAST = date(2024, 1, 1), date(2024, 3, 31)
MAIN = Archive(240, FIRST, LAST, seed=3, series_per_study=3, undated=7)
OTHER = Archive(90, FIRST, LAST, seed=4, series_per_study=2)
LEVELS = (Level.STUDY, Level.SERIES, Level.IMAGE)
CHANGES = "select count(*) from studies_history union all select count(*) from series_history"


@pytest.fixture(scope="module")
def pacs() -> Iterator[dict[str, Simulator]]:
    with running(Simulator(MAIN)) as main, running(Simulator(OTHER)) as other:
        yield {"main": main, "other": other}


@pytest.fixture
def folder(tmp_path: Path, pacs: dict[str, Simulator]) -> Path:
    configure(tmp_path, {name: one.port for name, one in pacs.items()})
    return tmp_path


def asked(simulator: Simulator) -> int:
    return sum(simulator.counts.queries.values())


@pytest.mark.parametrize("deepest", [Level.STUDY, Level.SERIES])
def test_two_pacs_at_once_come_whole(folder: Path, deepest: Level) -> None:
    done = sweep(folder, "--level", deepest)
    assert (done.returncode, done.stdout) == (0, b""), said(done)
    for name, archive in (("main", MAIN), ("other", OTHER)):
        for level in LEVELS[: LEVELS.index(deepest) + 1]:
            assert differences(folder, name, level, archive) == []
        assert states(folder, name).keys() == {"complete"}
    assert ask(folder, "select count(*) from series") > [(0,)] or deepest is Level.STUDY


def test_images_of_a_few_days_come_whole(folder: Path) -> None:
    days = (date(2024, 2, 1), date(2024, 2, 2))
    done = sweep(folder, "main", "--level", "image", "--from", str(days[0]), "--to", str(days[1]))
    assert done.returncode == 0, said(done)
    for level in LEVELS:
        assert differences(folder, "main", level, MAIN, days) == []
    assert ask(folder, "select count(*) > 100 from instances where pacs = 'main'") == [(True,)]
    assert ask(folder, "select count(*) from studies where pacs = 'other'") == [(0,)]


@pytest.mark.parametrize(
    ("days", "first", "last"),
    [
        (["--from", "2024-02-03", "--to", "2024-02-05"], date(2024, 2, 3), date(2024, 2, 5)),
        (["--from", "2024-02-29", "--to", "2024-02-29"], date(2024, 2, 29), date(2024, 2, 29)),
        (["--to", "2024-01-15"], FIRST, date(2024, 1, 15)),
        (["--from", "2024-03-20"], date(2024, 3, 20), LAST),
        (["--from", "2031-01-01"], date(2031, 1, 1), date(2031, 12, 31)),
    ],
)
def test_both_days_belong_to_the_range(folder: Path, days: list[str], first: date, last: date) -> None:
    done = sweep(folder, "main", "--level", "study", *days)
    assert done.returncode == 0, said(done)
    assert differences(folder, "main", Level.STUDY, MAIN, (first, last)) == []


def test_a_second_sweep_asks_for_studies_alone_and_writes_no_row(folder: Path, pacs: dict[str, Simulator]) -> None:
    assert sweep(folder, "main").returncode == 0
    before, queries = ask(folder, CHANGES), asked(pacs["main"])
    again = sweep(folder, "main")
    assert again.returncode == 0
    assert "(0 new, 0 changed)" in said(again)
    assert asked(pacs["main"]) - queries <= 30
    assert ask(folder, CHANGES) == before
    assert differences(folder, "main", Level.SERIES, MAIN) == []


def test_an_overlapping_sweep_adds_what_is_missing_alone(folder: Path) -> None:
    assert sweep(folder, "main", "--level", "study", "--to", "2024-02-15").returncode == 0
    done = sweep(folder, "main", "--level", "study", "--from", "2024-02-10")
    new = MAIN.table(Level.STUDY, date(2024, 2, 16), LAST).num_rows
    assert f"({new:,} new, 0 changed)" in said(done)
    dated = ask(folder, "select count(*), count(distinct StudyInstanceUID) from studies")
    assert dated == [(240, 240)]
    assert sweep(folder, "main", "--level", "study").returncode == 0
    assert differences(folder, "main", Level.STUDY, MAIN) == []


def test_a_corrected_study_is_one_row_and_two_versions(tmp_path: Path) -> None:
    """Another seed of the same size gives other values under other keys; a retrieve AE title changes every row."""
    moved = Archive(60, FIRST, LAST, seed=3, series_per_study=1, retrieve_ae="NEWHOME")
    for archive in (Archive(60, FIRST, LAST, seed=3, series_per_study=1), moved):
        with running(Simulator(archive)) as simulator:
            configure(tmp_path, {"main": simulator.port})
            done = sweep(tmp_path, "--level", "study")
            assert done.returncode == 0
    assert "(0 new, 60 changed)" in said(done)
    assert differences(tmp_path, "main", Level.STUDY, moved) == []
    assert ask(tmp_path, "select change, count(*) from studies_history group by all order by all") == [
        ("insert", 60),
        ("update", 60),
    ]
