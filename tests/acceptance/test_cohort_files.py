"""What of a cohort is here: `pacslake cohort status` as a user types it, with files of a simulated PACS."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crawler.columns import schema
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.retrieve.layout import place_of
from crawler.retrieve.rows import retrieval_rows
from crawler.retrieve.state import Retrieval, State
from crawler.testing.archive import Archive
from crawler.testing.objects import Objects
from tests.acceptance.bringing import MOMENT, bring, swept
from tests.acceptance.cohorts import cohort
from tests.acceptance.sweeping import ask

DAYS = (date(2024, 2, 1), date(2024, 2, 4))
MAIN = Archive(6, *DAYS, seed=11, series_per_study=2, rows=8, columns=6, most_images=3)
BRANCH = Archive(3, *DAYS, seed=12, series_per_study=2, rows=8, columns=6, most_images=3)
LATE = Archive(3, *DAYS, seed=13, series_per_study=2, rows=8, columns=6, most_images=3)
"""The first is swept down to images, so that what it lists is known, the second to series and their counts, the last to
studies alone."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    swept(folder, {"main": (MAIN, Level.IMAGE), "branch": (BRANCH, Level.SERIES), "late": (LATE, Level.STUDY)}, DAYS)
    assert cohort(folder, "new", "all", "--sql", "from series")[0] == 3  # days of `late` are not proven
    return folder


def status(folder: Path, *words: str) -> tuple[int, Any]:
    code, out = cohort(folder, "status", "all", *words, "--format", "json")
    return code, json.loads(out)


def uids_of(archive: Archive) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in archive.table(Level.IMAGE).to_pylist():
        found.setdefault(row["SeriesInstanceUID"], []).append(row["SOPInstanceUID"])
    return found


def test_a_cohort_is_whole_when_every_instance_is_here(folder: Path) -> None:
    code, found = status(folder)
    listed, counted = uids_of(MAIN), uids_of(BRANCH)
    everything = sum(map(len, (*listed.values(), *counted.values())))
    assert (code, found["complete"], found["instances"], found["missing_instances"]) == (3, False, 0, everything)
    assert found["states"] == {"planned": {"series": len(listed) + len(counted), "instances": 0}}
    assert {one["reason"] for one in found["missing"]} == {"not asked for yet"}

    series = min(uid for uid, instances in listed.items() if len(instances) == 3)
    asked = dict.fromkeys(listed, "main") | dict.fromkeys(counted, "branch")
    truth = Objects(MAIN)
    bring(folder, [truth.truth(uid) for uid in listed[series][:2]], asked)
    _, found = status(folder)
    [partly] = [one for one in found["missing"] if one["SeriesInstanceUID"] == series]
    assert (partly["here"], partly["expected_instances"], partly["missing"]) == (2, 3, 1)
    assert partly["missing_instances"] == [listed[series][2]]

    bring(folder, [truth.truth(uid) for uids in listed.values() for uid in uids], asked)
    others = Objects(BRANCH)
    [last, *before] = [uid for uids in counted.values() for uid in uids]
    bring(folder, [others.truth(uid) for uid in before], asked)
    code, found = status(folder)
    [only] = found["missing"]
    assert (code, only["pacs"], only["missing"], only["missing_instances"]) == (3, "branch", 1, [])
    say_retrieved(folder, only, State.FAILED, "the PACS refused")
    code, said_so = cohort(folder, "status", "all")
    assert code == 3
    line = (
        f"  branch  {only['SeriesInstanceUID']}  failed, {only['here']} of {only['here'] + 1} here: the PACS refused\n"
    )
    assert said_so.endswith(line)
    say_retrieved(folder, only, State.COMPLETE, None)
    assert status(folder)[1]["missing"][0]["state"] == "partial"

    bring(folder, [others.truth(last)], asked)
    code, found = status(folder)
    assert (code, found["complete"], found["instances"], found["missing"]) == (0, True, everything, [])
    size = sum(path.stat().st_size for path in (folder / "store").rglob("*.dcm"))
    assert (found["bytes"], found["states"]["complete"]["instances"]) == (size, everything)
    assert cohort(folder, "status", "all")[1].endswith("All of it is here.\n")


def test_a_file_that_is_lost_or_cut_is_missing_when_files_are_looked_at(folder: Path) -> None:
    listed = uids_of(MAIN)
    series = next(uid for uid, instances in listed.items() if len(instances) == 3)
    lost, cut, _ = (folder / "store" / place_of(uid) for uid in listed[series])
    kept = [lost.read_bytes(), cut.read_bytes()]
    lost.unlink()
    cut.write_bytes(kept[1][:-1])
    assert status(folder)[0] == 0
    code, found = status(folder, "--check-files")
    [only] = found["missing"]
    assert (code, only["SeriesInstanceUID"], only["here"], only["missing"]) == (3, series, 1, 2)
    assert set(only["missing_instances"]) == set(listed[series][:2])
    for path, data in zip((lost, cut), kept, strict=True):
        path.write_bytes(data)
    assert status(folder, "--check-files")[0] == 0


def test_a_study_whose_series_are_not_known_is_missing(folder: Path) -> None:
    assert cohort(folder, "new", "bare", "--sql", "from studies where pacs = 'late'")[0] == 3
    whole: dict[str, list[str]] = {}
    for row in LATE.table(Level.SERIES).to_pylist():
        whole.setdefault(row["StudyInstanceUID"], []).append(row["SeriesInstanceUID"])
    code, out = cohort(folder, "status", "bare", "--format", "json")
    missing = json.loads(out)["missing"]
    assert (code, {one["StudyInstanceUID"] for one in missing}) == (3, set(whole))
    assert {(one["SeriesInstanceUID"], one["reason"]) for one in missing} == {(None, "its series are not known")}

    study, [first, *others] = max(whole.items(), key=lambda item: len(item[1]))
    for count, found in ((1, [first]), (0, others)):
        for uid in found:
            say_retrieved(folder, {"pacs": "late", "StudyInstanceUID": study, "SeriesInstanceUID": uid}, State.PLANNED)
        missing = json.loads(cohort(folder, "status", "bare", "--format", "json")[1])["missing"]
        of_study = [one["SeriesInstanceUID"] for one in missing if one["StudyInstanceUID"] == study]
        assert (of_study.count(None), first in of_study) == (count, True)


def test_what_the_pacs_listed_at_retrieval_counts_until_it_lists_anew(folder: Path) -> None:
    series = next(uid for uid, uids in uids_of(MAIN).items() if len(uids) == 3)
    [(study,)] = ask(folder, f"select StudyInstanceUID from series where SeriesInstanceUID = '{series}'")
    key = {"pacs": "main", "StudyInstanceUID": study, "SeriesInstanceUID": series}
    row = {**key, "SOPInstanceUID": f"{series}.9", "faults": [], "raw": []}
    more = pa.Table.from_pylist([row], schema(Level.IMAGE))
    with LakeWriter.open(folder / "lake") as writer:
        writer.stage(Level.IMAGE, "main", "s", more)
        writer.commit()
    assert [one["missing_instances"] for one in status(folder)[1]["missing"]] == [[f"{series}.9"]]
    say_retrieved(folder, key, State.COMPLETE, received_instances=3, changed_at=datetime(2200, 1, 1))
    assert status(folder)[0] == 0


def say_retrieved(folder: Path, series: dict[str, Any], state: State, reason: str | None = None, **more: Any) -> None:
    key = (series["pacs"], series["StudyInstanceUID"], series["SeriesInstanceUID"])
    with LakeWriter.open(folder / "lake") as writer:
        writer.append("retrieval", retrieval_rows([Retrieval(*key, "all", 1, state, reason, **more)], MOMENT))
        writer.commit()
