"""Standing cohorts of `pacslake.toml`: what newly matches is frozen and brought after each sweep, within limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crawler.cohort.frozen import kept
from crawler.model import Level
from crawler.settings import Settings, load
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.simulator import Simulator, running
from jobs.exits import Exit
from jobs.standing import missing_of, run_standing
from jobs.sweep import SweepRequest, run_sweep
from jobs.work import work
from jobs.worker import Order
from tests.acceptance.cohorts import cohort
from tests.acceptance.sweeping import ask
from tests.integration.real_pacs import free_port

HELD = Archive(6, date(2024, 2, 1), date(2024, 2, 4), seed=11, series_per_study=2, rows=8, columns=6, most_images=4)
LATER = Archive(2, date(2024, 2, 5), date(2024, 2, 6), seed=12, series_per_study=2, rows=8, columns=6, most_images=4)
SLOT = datetime(2026, 1, 1, tzinfo=UTC)
CT = """
[cohorts.ct]
sql = "select SeriesInstanceUID from series where Modality <> $not"
parameters = { not = "SR" }
retrieve = "auto"
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, Simulator, ChangingArchive]]:
    """Give a folder whose PACS may change."""
    archive = ChangingArchive(HELD)
    with running(Simulator(archive)) as pacs:
        port = free_port()
        pacs.destinations["PACSLAKE"] = ("127.0.0.1", port)
        (tmp_path / "base.toml").write_text(
            f'[lake]\npath = "lake"\n[local]\nport = {port}\n'
            f'[pacs.main]\nhost = "127.0.0.1"\nport = {pacs.port}\nae_title = "SIMPACS"\n'
        )
        yield tmp_path, pacs, archive


def settings_of(folder: Path, more: str) -> Settings:
    (folder / "pacslake.toml").write_text((folder / "base.toml").read_text() + more)
    return load(folder / "pacslake.toml")


def wanted(held: Archive = HELD) -> int:
    """Count the instances of an archive that `ct` wants."""
    series = held.table(Level.SERIES)
    kinds = dict(zip(series["SeriesInstanceUID"].to_pylist(), series["Modality"].to_pylist(), strict=True))
    return sum(kinds[uid] != "SR" for uid in held.table(Level.IMAGE)["SeriesInstanceUID"].to_pylist())


def here(folder: Path) -> int:
    return int(ask(folder, "select count(*) from files")[0][0])


def test_a_sweep_of_the_service_brings_what_newly_matches(site: tuple[Path, Simulator, ChangingArchive]) -> None:
    folder, pacs, archive = site
    settings = settings_of(folder, CT + '[jobs.night]\nkind = "sweep"\ninterval = "1h"\nlookback_days = 3000\n')
    assert work(Order(settings, SLOT, "night")) == Exit.OK
    assert here(folder) == wanted()
    assert [one.version for one in kept(folder / "lake", "ct")] == [1]
    moves = pacs.counts.moves.total()

    assert work(Order(settings, SLOT, "night")) == Exit.OK
    assert [one.version for one in kept(folder / "lake", "ct")] == [1], "nothing new matches, and nothing is frozen"
    assert pacs.counts.moves.total() == moves

    archive.receive(LATER)
    assert work(Order(settings, SLOT, "night")) == Exit.OK
    assert [one.version for one in kept(folder / "lake", "ct")] == [1, 2]
    assert here(folder) == wanted(HELD) + wanted(LATER)
    assert cohort(folder, "status", "ct")[0] == 0


def test_a_job_of_its_own_brings_the_cohorts_that_it_names(site: tuple[Path, Simulator, ChangingArchive]) -> None:
    folder, _, _ = site
    manual = CT.replace('"auto"', '"no"')
    job = '[jobs.images]\nkind = "retrieve"\ncohorts = ["ct"]\ninterval = "1h"\n'
    settings = settings_of(folder, manual + job)
    run_sweep(settings, SweepRequest())
    assert work(Order(settings, SLOT, "images")) == Exit.OK
    assert here(folder) == wanted()
    assert ask(folder, "select kind, state from job_runs where job = 'images'") == [("retrieve", "complete")]


def test_what_there_is_no_room_for_is_left_out_and_said(
    site: tuple[Path, Simulator, ChangingArchive], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, pacs, _ = site
    settings = settings_of(folder, CT + "max_gb = 0.000001\n")
    run_sweep(settings, SweepRequest())
    assert run_standing(settings) == Exit.PARTIAL
    assert "series are left out: its max_gb is reached" in capsys.readouterr().err
    assert pacs.counts.moves.total() == 0


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_where_nothing_is_to_be_brought_a_program_is_told_so_too(tmp_path: Path, more: tuple[str, ...]) -> None:
    (tmp_path / "pacslake.toml").write_text('[lake]\npath = "lake"\n')
    code, told = cohort(tmp_path, "retrieve", "--standing", "--format", "json", *more)
    assert (code, json.loads(told)["pacs"], json.loads(told)["left_out"]) == (0, {}, {})


def test_a_cohort_that_was_dropped_is_left_alone(site: tuple[Path, Simulator, ChangingArchive]) -> None:
    folder, pacs, _ = site
    settings = settings_of(folder, CT)
    run_sweep(settings, SweepRequest())
    assert missing_of(settings) == []
    assert cohort(folder, "retrieve", "--standing", "--dry-run")[0] == 0
    [left] = missing_of(settings)
    assert (left.cohort, left.pacs, left.instances) == ("ct", "main", wanted())
    assert cohort(folder, "drop", "ct")[0] == 0
    assert missing_of(settings) == []
    assert run_standing(settings) == Exit.OK
    assert pacs.counts.moves.total() == 0
    assert [one.version for one in kept(folder / "lake", "ct")] == [1]


def test_outside_the_allowed_hours_nothing_is_brought_and_the_job_waits(
    site: tuple[Path, Simulator, ChangingArchive],
) -> None:
    folder, pacs, _ = site
    job = '[jobs.images]\nkind = "retrieve"\ninterval = "1h"\n'
    run_sweep(settings_of(folder, CT), SweepRequest())
    (folder / "STOP").touch()
    closed = (folder / "base.toml").read_text().replace("[local]\n", '[local]\nkill_switch = "STOP"\n')
    (folder / "base.toml").write_text(closed)
    assert work(Order(settings_of(folder, CT + job), SLOT, "images")) == Exit.INTERRUPTED
    assert pacs.counts.moves.total() == 0
