"""The same definition on the same contents gives the same bytes, however the lake came to have them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crawler.cohort.definition import Definition, Listed
from crawler.cohort.found import CHOSEN, find
from crawler.cohort.manifest import FORMATS, write_rows
from crawler.cohort.totals import ORDER
from crawler.lake.query import open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import answers

SQL = Definition("select * from series join studies using (pacs, StudyInstanceUID) where Modality in ('CT', 'MR')")
SOME = Definition("select StudyInstanceUID from studies limit 3", pacs="main")
LISTED = Definition(listed=Listed.of(("PatientID",), [("1",), ("2",), ("3",)]), take_ambiguous=True)


@st.composite
def archives(draw: st.DrawFn) -> list[tuple[Level, str, dict[str, Any]]]:
    """Draw studies and their series in two PACS."""
    rows = []
    for number in range(draw(st.integers(0, 8))):
        uid, pacs = f"1.{number}", draw(st.sampled_from(["main", "other"]))
        day = date(2024, 1, 1) + timedelta(days=draw(st.integers(0, 3)))
        patient = draw(st.sampled_from(["1", "2", "003", "ä'\"", None]))
        rows.append((Level.STUDY, pacs, {"StudyInstanceUID": uid, "PatientID": patient, "StudyDate": day}))
        for series in range(draw(st.integers(0, 3))):
            row: dict[str, Any] = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.{series}"}
            row["NumberOfSeriesRelatedInstances"] = draw(st.one_of(st.none(), st.integers(0, 9)))
            row["Modality"] = draw(st.sampled_from(["CT", "MR", "SR", None]))
            rows.append((Level.SERIES, pacs, row))
    return rows


def fill(lake: Path, rows: list[tuple[Level, str, dict[str, Any]]], commits: int) -> None:
    """Make a lake of these rows in so many commits."""
    with LakeWriter.open(lake) as writer:
        for number in range(commits):
            for level, pacs, row in rows[number::commits]:
                writer.stage(level, pacs, "s", answers(level, [row]))
            writer.commit()


def bytes_of(lake: Path, definition: Definition) -> list[bytes]:
    """Give what a definition names, as files of each format."""
    found = []
    with open_lake(lake) as opened:
        find(opened, definition)
        for kind in FORMATS:
            write_rows(opened.sql(f"FROM {CHOSEN} {ORDER}"), kind, lake / f"found.{kind}")
            found.append((lake / f"found.{kind}").read_bytes())
    return found


@given(archives(), st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=2, phases=[Phase.explicit, Phase.generate])
def test_the_order_of_rows_and_commits_makes_no_difference(rows: Any, random: Any, commits: int) -> None:
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        fill(Path(first), rows, 1)
        fill(Path(second), random.sample(rows, len(rows)), commits)
        for definition in (SQL, LISTED):
            assert bytes_of(Path(first), definition) == bytes_of(Path(second), definition)
        assert bytes_of(Path(second), SOME) == bytes_of(Path(second), SOME), "what LIMIT leaves open stays the same"
