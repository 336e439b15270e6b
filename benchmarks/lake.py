"""How fast answers become a lake, and in how much memory: `python benchmarks/lake.py [ROWS]`.

A process for each size stages STUDY answers in batches of 20,000 and commits every 100,000, as a sweep does, then
sweeps the same again. Making the answers is not counted.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler import columns
from crawler.lake.query import open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Coverage, Level, Window, WindowState

BATCH, COMMIT = 20_000, 100_000


def answers(first: int, length: int) -> pa.Table:
    """Make STUDY answers that look like a department's."""
    draw = np.random.default_rng(first)
    numbers = pa.array(np.arange(first, first + length))
    text = numbers.cast(pa.string())

    def one_of(*choices: str) -> pa.Array:
        return pa.array(choices).take(pa.array(draw.integers(0, len(choices), length)))

    def listed(values: pa.Array) -> pa.Array:
        return pa.ListArray.from_arrays(pa.array(np.arange(length + 1, dtype=np.int32)), values)

    family, given = one_of("MUELLER", "SCHMIDT", "DOE", "GARCIA"), one_of("ANNA", "JOHN", "MARIA")
    scattered = pa.array(((np.arange(first, first + length) * 7919) % 100_000_007).astype(str))
    made = {
        "SpecificCharacterSet": listed(pa.repeat(pa.scalar("ISO_IR 100"), length)),
        "StudyDate": pa.array(18262 + draw.integers(0, 730, length).astype(np.int32)).cast(pa.date32()),
        "StudyTime": pa.array(draw.integers(0, 86_400, length) * 1_000_000).cast(pa.time64("us")),
        "AccessionNumber": pc.binary_join_element_wise("A", text, ""),
        "ModalitiesInStudy": listed(one_of("CT", "MR", "US", "CR")),
        "InstitutionName": one_of("Hospital A", "Hospital B"),
        "StudyDescription": one_of("CT Thorax", "MR Kopf", "US Abdomen", "CT Abdomen"),
        "PatientName": pc.binary_join_element_wise(family, given, "^"),
        "patient_family_name": family,
        "patient_given_name": given,
        "PatientID": pc.binary_join_element_wise("P", pc.divide(numbers, 3).cast(pa.string()), ""),
        "PatientSex": one_of("M", "F", "O"),
        "StudyInstanceUID": pc.binary_join_element_wise("1.2.826.0.1.3680043.10.474", scattered, text, "."),
        "StudyID": text,
        "NumberOfStudyRelatedSeries": pa.array(draw.integers(1, 9, length)),
        "NumberOfStudyRelatedInstances": pa.array(draw.integers(1, 900, length)),
    }
    schema = columns.schema(Level.STUDY)
    return pa.table([made.get(field.name, pa.nulls(length, field.type)) for field in schema], schema=schema)


def sweep(writer: LakeWriter, rows: int) -> tuple[float, float]:
    """Stage and commit; gives the seconds for all of it, and for the commits."""
    staging = committing = 0.0
    for first in range(0, rows, BATCH):
        table = answers(first, BATCH)
        started = time.perf_counter()
        writer.stage(Level.STUDY, "main", "s1", table)
        staged = time.perf_counter()
        if (first + BATCH) % COMMIT == 0:
            window = Window(date(2024, 1, 1), date(2024, 1, 31))
            writer.commit(
                [Coverage("main", Level.STUDY, window, WindowState.COMPLETE, COMMIT, "s1", datetime.now(UTC), 1)]
            )
        staging += staged - started
        committing += time.perf_counter() - staged
    return staging + committing, committing


def peak() -> int:
    """Give the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(rows: int) -> None:
    """Measure one size in this process."""
    with tempfile.TemporaryDirectory() as folder:
        answers(0, BATCH)
        with LakeWriter.open(folder) as writer:
            before = peak()
            first, first_commits = sweep(writer, rows)
            again, _ = sweep(writer, rows)
        after = peak()
        with open_lake(folder) as lake:
            started = time.perf_counter()
            assert lake.sql("SELECT count(DISTINCT StudyInstanceUID) FROM studies").fetchall() == [(rows,)]
            query = time.perf_counter() - started
        print(
            f"{rows:>10,} rows: first sweep {first:.2f} s ({rows / first:,.0f} rows/s, commits {first_commits:.2f} s), "
            f"again {again:.2f} s, count distinct {query:.2f} s, memory +{after - before} to {after} MiB"
        )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(int(sys.argv[2]))
    else:
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
        for size in (wanted // 10, wanted):
            subprocess.run([sys.executable, __file__, "one", str(size)], check=True)
