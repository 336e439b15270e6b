"""Files and retrievals in the lake: what is appended comes back, the newest of each."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from crawler.lake.query import open_lake
from crawler.lake.schema import stored_schema
from crawler.lake.writer import LakeWriter
from crawler.retrieve.expectation import Expectation
from crawler.retrieve.files import FILES, rows_of
from crawler.retrieve.header import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID
from crawler.retrieve.instance import SUCCESS, Instance, Kept, Outcome
from crawler.retrieve.kept import instances_here, states_of
from crawler.retrieve.layout import place_beside, place_of
from crawler.retrieve.rows import file_rows, retrieval_rows
from crawler.retrieve.state import Retrieval, State
from tests.unit.retrieve.objects import CT, element, head_of

MOMENT = datetime(2024, 2, 1, 22, 0, 9)


def received(uid: str, series: str, outcome: Outcome = Outcome.STORED, digest: str = "aa") -> Kept:
    head = {STUDY_INSTANCE_UID: b"1.2", SERIES_INSTANCE_UID: series.encode(), 0x0028_0010: b"\0\2"}
    instance = Instance(CT, uid, "1.2.840.10008.1.2", "PACS", head)
    place = place_of(uid) if outcome is not Outcome.OTHER else place_beside(place_of(uid), digest)
    return Kept(instance, place, outcome, 7, digest)


def test_the_log_keeps_what_the_receiver_reports() -> None:
    stored = stored_schema("file")
    assert pa.schema([field for field in stored if field.name not in ("row_id", "pacs")]) == FILES


def test_instances_are_here_once_their_files_are_reported(tmp_path: Path) -> None:
    kept = [
        *(received("1.5.1", "1.5"), received("1.5.2", "1.5"), received("1.6.1", "1.6", Outcome.AGAIN)),
        *(received("1.5.1", "1.5", Outcome.AGAIN), received("1.7.1", "1.7", Outcome.OTHER, "b" * 64)),
    ]
    with LakeWriter.open(tmp_path) as writer:
        writer.append("file", file_rows(rows_of(kept, MOMENT), {"1.5": "main"}))
        writer.commit()
    assert instances_here(tmp_path, ["1.5", "1.6", "1.7", "1.8"]) == {"1.5": {"1.5.1", "1.5.2"}, "1.6": {"1.6.1"}}
    with open_lake(tmp_path) as lake:
        shown = lake.sql("SELECT pacs, SOPInstanceUID, outcome, Rows FROM files ORDER BY 2").fetchall()
        assert lake.as_of("2024-02-01 22:00:08").sql("FROM files").fetchall() == []
    assert shown == [
        ("main", "1.5.1", "again", 512),
        ("main", "1.5.2", "stored", 512),
        (None, "1.6.1", "again", 512),
        (None, "1.7.1", "other", 512),
    ]


def test_the_newest_state_of_a_series_counts(tmp_path: Path) -> None:
    first = Retrieval("main", "1.2", "1.5", "lung", 1, State.REQUESTED, way="move", level="series", requests=1)
    last = Retrieval(
        *("main", "1.2", "1.5", "lung", 1, State.PARTIAL, "1 of 3 did not come", "move", "image", 2, 3, 2),
        *(0xB000, 2, 1, 0, 0, ("1.5.3",), MOMENT + timedelta(seconds=1)),
    )
    elsewhere = Retrieval("other", "1.2", "1.5", None, None, State.PLANNED)
    with LakeWriter.open(tmp_path) as writer:
        for changes in ([first, elsewhere], [last]):
            writer.append("retrieval", retrieval_rows(changes, MOMENT))
            writer.commit()
    found = states_of(tmp_path, ["1.5", "1.6"])
    assert found[("main", "1.5")] == last
    assert (found[("other", "1.5")].state, found[("other", "1.5")].changed_at) == (State.PLANNED, MOMENT)
    with open_lake(tmp_path) as lake:
        history = lake.sql("SELECT state FROM retrieval_history WHERE pacs = 'main' ORDER BY change").fetchall()
    assert history == [("requested",), ("partial",)]


@pytest.mark.parametrize(
    ("tag", "value", "name", "read"),
    [
        (0x0008_0008, b"ORIGINAL\\PRIMARY ", "ImageType", ["ORIGINAL", "PRIMARY"]),
        (0x0018_0050, b"1.25", "SliceThickness", 1.25),
        (0x0018_0050, b"1,25", "SliceThickness", None),
        (0x0020_0013, b" 07 ", "InstanceNumber", 7),
        (0x0020_0013, b"9" * 12, "InstanceNumber", None),
        (0x0020_0032, b"-1\\2e1\\.5 ", "ImagePositionPatient", [-1.0, 20.0, 0.5]),
        (0x0020_0032, b"1\\\\2", "ImagePositionPatient", None),
        (0x0020_0032, b"nan\\0\\0 ", "ImagePositionPatient", None),
        (0x0028_0010, b"\0\2", "Rows", 512),
        (0x0028_0010, b"\0", "Rows", None),
        (0x0028_0030, b"", "PixelSpacing", None),
    ],
)
def test_what_a_file_says_of_itself_has_the_types_of_the_tables(
    tag: int, value: bytes, name: str, read: object
) -> None:
    instance = Instance(CT, "1.5.1", "1.2.840.10008.1.2", "PACS")
    assert instance.judge(head_of("1.5.1", element(tag, value)), Expectation(accept_unsolicited=True)) == SUCCESS
    [row] = rows_of([Kept(instance, "p", Outcome.STORED, 7, "aa")], MOMENT).to_pylist()
    assert row[name] == read
