"""Queries on a lake of many series against DuckDB on one sorted Parquet file of the same rows.

Usage: python -m benchmarks.queries [series]    (10,000,000 unless said; prints seconds and ratios)
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler import columns
from crawler.lake.engine import connect
from crawler.lake.query import open_lake
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.writer import LakeWriter
from crawler.model import Level

PER_STUDY = 5
BATCH = 20_000
"""Studies staged at once; a commit is a batch of studies and their series, about what a sweep commits."""
DAYS = 3652
ROUNDS = 5
CHANGED = 100
"""One study in so many is swept a second time, changed."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of both, how the peer's files are sorted, and how many times its time we may take."""

    name: str
    sql: str
    sorted_by: dict[str, str]
    aim: float


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of the fastest run: ours and DuckDB's on one file."""

    question: Question
    ours: float
    theirs: float


BY_DAY = {"studies": "pacs, StudyDate, StudyInstanceUID", "series": "pacs, SeriesDate, StudyInstanceUID"}
BY_PATIENT = {"studies": "pacs, PatientID, StudyInstanceUID", "series": "pacs, StudyInstanceUID"}
QUESTIONS = (
    Question(
        "count by modality and month",
        "SELECT Modality, date_trunc('month', SeriesDate) AS m, count(*) FROM series GROUP BY ALL ORDER BY ALL",
        BY_DAY,
        1.3,
    ),
    Question(
        "studies joined with series by description",
        "SELECT StudyDescription, SeriesDescription, count(*) FROM studies JOIN series USING (pacs, StudyInstanceUID)"
        " WHERE SeriesDescription = 'axial 5.0' GROUP BY ALL ORDER BY ALL",
        BY_DAY,
        1.3,
    ),
    Question(
        "one patient's studies and series",
        "SELECT * EXCLUDE (raw, faults) FROM studies JOIN (SELECT * EXCLUDE (raw, faults) FROM series)"
        " USING (pacs, StudyInstanceUID) WHERE PatientID = 'P{patient}' ORDER BY ALL",
        BY_PATIENT,
        4.0,
    ),
)


def one_of(draw: np.random.Generator, length: int, *choices: str) -> pa.Array:
    return pa.array(choices).take(pa.array(draw.integers(0, len(choices), length)))


def decoded(level: Level, made: dict[str, pa.Array]) -> pa.Table:
    """Fill the columns that are not made with nulls."""
    length = len(made["StudyInstanceUID"])
    schema = columns.schema(level)
    return pa.table([made.get(field.name, pa.nulls(length, field.type)) for field in schema], schema=schema)


def uids(numbers: pa.Array, suffix: pa.Array | str = "") -> pa.Array:
    scattered = pa.array((numbers.to_numpy() * 7919 % 100_000_007).astype(str))
    return pc.binary_join_element_wise(
        "1.2.826.0.1.3680043.10.474.", scattered, ".", numbers.cast(pa.string()), suffix, ""
    )


def answers(
    first: int, total: int, description: str = "", *, batch: int = BATCH, per_study: int = PER_STUDY
) -> tuple[pa.Table, pa.Table]:
    """Make a batch of studies, newest days first as a sweep brings them, and their series."""
    draw = np.random.default_rng(first)
    numbers = np.arange(first, first + batch)
    days = (20_000 - numbers * DAYS // total).astype(np.int32)
    studies = decoded(
        Level.STUDY,
        {
            "StudyDate": pa.array(days).cast(pa.date32()),
            "StudyTime": pa.array(draw.integers(0, 86_400, batch) * 1_000_000).cast(pa.time64("us")),
            "AccessionNumber": pc.binary_join_element_wise("A", pa.array(numbers).cast(pa.string()), ""),
            "InstitutionName": one_of(draw, batch, "Hospital A", "Hospital B"),
            "StudyDescription": pc.binary_join_element_wise(
                one_of(draw, batch, "CT Thorax", "MR Kopf", "US Abdomen", "CT Abdomen", "MR Knie"), description, ""
            ),
            "PatientName": one_of(draw, batch, "MUELLER^ANNA", "SCHMIDT^JOHN", "DOE^MARIA", "GARCIA^JOSE"),
            "PatientID": pc.binary_join_element_wise(
                "P", pa.array(draw.integers(0, total // 3, batch).astype(str)), ""
            ),
            "StudyInstanceUID": uids(pa.array(numbers)),
            "NumberOfStudyRelatedSeries": pa.repeat(per_study, batch),
            "NumberOfStudyRelatedInstances": pa.array(draw.integers(1, 900, batch)),
        },
    )
    length = batch * per_study
    of_study = pa.array(np.repeat(numbers, per_study))
    place = pa.array(np.tile(np.arange(1, per_study + 1), batch))
    series = decoded(
        Level.SERIES,
        {
            "SeriesDate": pa.array(np.repeat(days, per_study)).cast(pa.date32()),
            "SeriesTime": pa.array(draw.integers(0, 86_400, length) * 1_000_000).cast(pa.time64("us")),
            "Modality": one_of(draw, length, "CT", "MR", "US", "CR", "SR"),
            "Manufacturer": one_of(draw, length, "SIEMENS", "GE", "Philips"),
            "StationName": one_of(draw, length, *(f"ST{number}" for number in range(40))),
            "SeriesDescription": one_of(draw, length, "axial 5.0", "axial 1.0", "cor", "sag", "scout", "t2 tse"),
            "BodyPartExamined": one_of(draw, length, "CHEST", "HEAD", "KNEE"),
            "StudyInstanceUID": uids(of_study),
            "SeriesInstanceUID": uids(of_study, pc.binary_join_element_wise(".", place.cast(pa.string()), "")),
            "SeriesNumber": place,
            "NumberOfSeriesRelatedInstances": pa.array(draw.integers(1, 300, length)),
        },
    )
    return studies, series


def build(lake: Path, series: int) -> None:
    """Sweep everything into a lake, then a few studies again that have changed."""
    total = series // PER_STUDY
    with LakeWriter.open(lake) as writer:
        for first in range(0, total, BATCH):
            studies, below = answers(first, total)
            writer.stage(Level.STUDY, "main", "s1", studies)
            writer.stage(Level.SERIES, "main", "s1", below)
            writer.commit()
        for first in range(0, total, BATCH):
            changed = answers(first, total, description=" *")[0].take(pa.array(np.arange(0, BATCH, CHANGED)))
            writer.stage(Level.STUDY, "main", "s2", changed)
        writer.commit()


def measure(folder: Path, series: int) -> Iterator[Taken]:
    """Ask a lake after its upkeep and one file of each table, in turn; the rows must be the same."""
    build(folder / "lake", series)
    with LakeWriter.open(folder / "lake") as writer:
        maintain(writer, Wanted())
    with open_lake(folder / "lake") as lake:
        [(patient,)] = lake.sql("SELECT min(PatientID)[2:] FROM studies").fetchall()
        for question in QUESTIONS:
            with connect() as plain:
                for table, order in question.sorted_by.items():
                    file = str(folder / f"{table}.parquet")
                    lake.connection.execute(
                        f"COPY (FROM {table} ORDER BY {order}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
                    )
                    plain.execute(f"CREATE OR REPLACE VIEW {table} AS FROM read_parquet('{file}')")
                sql = question.sql.format(patient=patient)
                assert plain.sql(sql).fetchall() == lake.sql(sql).fetchall(), question.name
                runs = [(seconds(lake.connection, sql), seconds(plain, sql)) for _ in range(ROUNDS)]
            yield Taken(question, min(ours for ours, _ in runs), min(theirs for _, theirs in runs))


def seconds(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    began = time.perf_counter()
    connection.sql(sql).fetchall()
    return time.perf_counter() - began


def main(series: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        for taken in measure(Path(name), series):
            ratio = taken.ours / taken.theirs
            print(
                f"{series:,} series, {taken.question.name}: {taken.ours:.3f} s against {taken.theirs:.3f} s: "
                f"{ratio:.2f} times (aim: {taken.question.aim} or less)",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
