"""Whatever happens to an archive between sweeps, the tables are the archive afterwards, and the history replays."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crawler.model import Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.simulator import Simulator, running
from jobs.nightly import Night, run_night
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.sweeping import ask, configure, differences

TODAY = date.today()
FIRST = TODAY - timedelta(days=40)
OTHER = Archive(20, FIRST, TODAY, seed=9, series_per_study=2)
LATE = OTHER.table(Level.STUDY)["StudyInstanceUID"].to_pylist()
REPLAYED = """(select StudyInstanceUID from studies_history where valid_to is null and change <> 'remove'
    except select StudyInstanceUID from studies) union all (select StudyInstanceUID from studies
    except select StudyInstanceUID from studies_history where valid_to is null and change <> 'remove')"""

EDITS = st.sampled_from(["receive", "grow", "delete", "delete series", "redate", "undate", "merge", "rename"])
NIGHTS = st.lists(st.lists(st.tuples(EDITS, st.integers(0, 1000)), max_size=4), min_size=1, max_size=3)


def edit(archive: ChangingArchive, kind: str, number: int) -> None:
    """Do one thing to an archive that is not empty."""
    studies = archive.studies()
    study = studies[number % len(studies)]
    match kind:
        case "receive":
            new = LATE[number % len(LATE)]
            archive.receive(OTHER, [] if new in studies else [new])
        case "grow":
            uid = f"2.25.{number}"
            if not any(uid in archive.series(one) for one in studies):
                archive.grow(study, uid)
        case "delete" if len(studies) > 5:
            archive.delete(study)
        case "delete series" if len(archive.series(study)) > 1:
            archive.delete_series(study, archive.series(study)[0])
        case "redate":
            archive.alter(study, StudyDate=FIRST + timedelta(days=number % 40))
        case "undate":
            archive.alter(study, StudyDate=None)
        case "merge":
            archive.alter(study, PatientID="MERGED")
        case "rename":
            archive.alter(study, StudyDescription=f"corrected {number}")


@settings(
    max_examples=3, derandomize=True, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(NIGHTS, st.booleans())
def test_after_a_reconciliation_the_tables_are_what_the_pacs_holds(
    nights: list[list[tuple[str, int]]], counted: bool
) -> None:
    archive = ChangingArchive(Archive(60, FIRST, TODAY, seed=5, series_per_study=2, undated=2), counted=counted)
    with tempfile.TemporaryDirectory() as folder, running(Simulator(archive)) as pacs:
        configure(Path(folder), {"main": pacs.port})
        told = load(Path(folder) / "pacslake.toml")
        run_sweep(told, SweepRequest())
        for edits in nights:
            for kind, number in edits:
                edit(archive, kind, number)
            run_night(told, Night(lookback=3, reconcile=10))
        assert run_sweep(told, SweepRequest()) == 0
        for level in (Level.STUDY, Level.SERIES):
            assert differences(Path(folder), "main", level, archive) == []
        assert ask(Path(folder), REPLAYED) == []
