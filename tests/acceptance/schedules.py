"""Whole sweeps of a simulated PACS under drawn quirks: what a schedule is, how it is drawn, run and judged.

To replay a schedule that failed, paste what was printed of it:
    python -c "from tests.acceptance.schedules import *; print(judge(Schedule(...)))"
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import strategies as st

from crawler.lake.catalog import open_catalog
from crawler.model import Level
from crawler.settings import Settings, load
from crawler.testing.archive import Archive
from crawler.testing.quirks import Failure, OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from jobs.proof import Proof, Question, proofs
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.sweeping import TABLES, configure

SILENCE = 0.15
"""Seconds without a byte before a sweep takes an answer for broken off."""
PATIENCE = 120
"""Seconds that no sweep of so small an archive may take."""


@dataclass(frozen=True, repr=False)
class Schedule:
    """What a PACS holds, how it misbehaves, and what is asked of it how often. Its repr makes it again."""

    archive: Archive = field(default_factory=Archive)
    quirks: Quirks = field(default_factory=Quirks)
    levels: tuple[str, ...] = ("study",)
    days: tuple[date | None, date | None] = (None, None)
    associations: int = 1
    sweeps: int = 1
    model: str = "study"

    def __repr__(self) -> str:
        return source(self)


def source(value: Any) -> str:
    """Write a value as Python, without the fields that have their default."""
    if isinstance(value, StrEnum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, date):
        return f"date({value.year}, {value.month}, {value.day})"
    if isinstance(value, tuple):
        return f"({', '.join(map(source, value))},)"
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    blank = type(value)()
    given = [(one.name, getattr(value, one.name)) for one in fields(value) if one.compare]
    said = [f"{name}={source(what)}" for name, what in given if what != getattr(blank, name)]
    return f"{type(value).__name__}({', '.join(said)})"


@dataclass(frozen=True)
class Judgement:
    """What a schedule came to."""

    lost: list[str]
    """What is wrong in silence; nothing is right."""
    missing: int
    """Rows that the lake lacks, on record or not."""
    code: int
    """Exit code of the last sweep."""
    queries: int


def judge(schedule: Schedule, truth: Archive | None = None) -> Judgement:
    """Sweep, and compare the lake and its ledger with what the PACS holds, or with another truth."""
    with tempfile.TemporaryDirectory() as folder, running(Simulator(schedule.archive, quirks=schedule.quirks)) as pacs:
        levels = [f'"{level}"' for level in schedule.levels]
        configure(
            Path(folder),
            {"main": pacs.port},
            levels=f"[{', '.join(levels)}]",
            max_associations=schedule.associations,
            idle_timeout=SILENCE,
            model=f'"{schedule.model}"',
        )
        settings = load(Path(folder) / "pacslake.toml")
        with in_time(pacs):
            for _ in range(schedule.sweeps):
                code = run_sweep(settings, SweepRequest((), *schedule.days))
        lost, missing = losses(settings, replace(schedule, archive=truth or schedule.archive))
        if code == 0 and missing:
            lost.append(f"{missing} rows are missing, and the exit code is 0")
        return Judgement(lost, missing, code, pacs.counts.queries.total())


def losses(settings: Settings, schedule: Schedule) -> tuple[list[str], int]:
    """Say what is missing or wrong without being on record, and how many rows are missing in all."""
    lost: list[str] = []
    missing = 0
    for level in map(Level, schedule.levels):
        truth = schedule.archive.table(level, *schedule.days)
        held = _held(settings, level).cast(truth.schema)
        lost.extend(_wrong(held, schedule.archive.table(level), level, schedule.quirks))
        gone = pc.invert(pc.is_in(truth[level.unique_key], value_set=held[level.unique_key].combine_chunks()))
        days = _days(schedule, level).filter(gone).to_pylist()
        if not days:
            continue
        missing += len(days)
        proof = proofs(settings, Question((), *schedule.days, level), date.today())[0]
        for uid, day in zip(truth[level.unique_key].filter(gone).to_pylist(), days, strict=True):
            if proven(proof, day):
                lost.append(f"{level.value} {uid} of {day or 'no day'} is missing")
    return lost, missing


def _held(settings: Settings, level: Level) -> pa.Table:
    """Give the rows of the lake, in the columns of the truth."""
    names = ", ".join(f'"{name}"' for name in Archive(0).table(level).column_names)
    with open_catalog(settings.lake.path) as lake:
        rows: pa.Table = lake.sql(f"select {names} from {TABLES[level]}").to_arrow_table()
        return rows


def proven(proof: Proof, day: date | None) -> bool:
    if day is None:
        return proof.undated is not None and proof.undated.proven
    return any(run.verdict.proven for run in proof.runs if run.days.first <= day.toordinal() <= run.days.last)


def _days(schedule: Schedule, level: Level) -> pa.ChunkedArray:
    """Give the StudyDate of each row of the truth."""
    studies = schedule.archive.table(Level.STUDY, *schedule.days)
    if level is Level.STUDY:
        return studies["StudyDate"]
    rows = schedule.archive.table(level, *schedule.days)["StudyInstanceUID"]
    return studies["StudyDate"].take(pc.index_in(rows, studies["StudyInstanceUID"].combine_chunks()))


def _wrong(held: pa.Table, truth: pa.Table, level: Level, quirks: Quirks) -> Iterator[str]:
    """Name the columns in which rows of the lake are not those of the whole archive."""
    places = pc.index_in(held[level.unique_key], truth[level.unique_key].combine_chunks())
    if places.null_count:
        yield f"{level.value}: {places.null_count} rows that the archive does not have"
        return
    truth = truth.take(places)
    for name in truth.column_names:
        right = pa.chunked_array([pa.nulls(len(held), held[name].type)]) if name in quirks.omits else truth[name]
        if not held[name].equals(right) and held[name].to_pylist() != right.to_pylist():
            yield f"{level.value} column {name}"


@contextmanager
def impatient() -> Iterator[None]:
    """Have sweeps ask again at once: a simulated PACS does not recover by waiting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crawler.plan.sweep.RETRY_AFTER", (0.0, 0.0, 0.0))
        patch.setattr("crawler.plan.polite.BACK_OFF", 0.0)
        patch.setattr("crawler.plan.polite.SLOWEST", 1.0)
        yield


@contextmanager
def in_time(pacs: Simulator, seconds: int = PATIENCE) -> Iterator[None]:
    """Stop a sweep or retrieval that does not end, by Ctrl-C twice as a person would; AssertionError then."""
    stopped = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert not stopped, f"it did not end within {seconds} s and {pacs.counts.queries.total()} queries"


FIRST = date(2024, 1, 1)
_DAYS = st.integers(-20, 90).map(lambda days: FIRST + timedelta(days))


@st.composite
def archives(draw: st.DrawFn) -> Archive:
    """Draw a small archive: dense or with empty stretches, undated and untimed studies, a busy day anywhere."""
    length = draw(st.sampled_from((1, 2, 7, 30, 60, 500)))
    busy = draw(st.sampled_from((0, 0, 3, 40, 110)))
    return Archive(
        studies=draw(st.integers(0, 100)),
        first=FIRST,
        last=FIRST + timedelta(length - 1),
        seed=draw(st.integers(1, 9)),
        series_per_study=2.0,
        undated=draw(st.sampled_from((0, 0, 1, 8, 40))),
        untimed=draw(st.sampled_from((0.0, 0.0, 0.02, 0.3, 1.0))),
        busy_day=draw(st.one_of(_DAYS, st.dates(date(1985, 1, 1), date(2026, 1, 1)))) if busy else None,
        busy=busy,
    )


_CAPS = st.one_of(st.sampled_from((10, 20, 50, 100)), st.integers(10, 100))
"""A sweep takes answers of up to nine rows for whole: PACS with so small a cap are not known."""
_KINDS: dict[str, st.SearchStrategy[dict[str, object]]] = {
    "cap": st.fixed_dictionaries({"cap": _CAPS}),
    "over_cap": st.fixed_dictionaries({"cap": _CAPS, "over_cap": st.sampled_from(OverCap)}),
    "ignores": st.fixed_dictionaries(
        {
            "ignores": st.sampled_from(
                ("StudyTime", "ModalitiesInStudy", "PatientID", "StudyDate", "StudyTime ModalitiesInStudy", "*")
            ).map(lambda words: frozenset(words.split()))
        }
    ),
    "ignores_ranges": st.just({"ignores_ranges": True}),
    "exclusive_ends": st.just({"exclusive_ends": True}),
    "undated_always": st.just({"undated_always": True}),
    "untimed_always": st.just({"untimed_always": True}),
    "duplicate_every": st.fixed_dictionaries({"duplicate_every": st.sampled_from((1, 2, 7, 30))}),
    "says_unsupported": st.just({"says_unsupported": True}),
    "omits": st.fixed_dictionaries(
        {
            "omits": st.sampled_from(
                (frozenset({"NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries"}), frozenset({"StudyTime"}))
            )
        }
    ),
    "unsolicited": st.just({"unsolicited": True}),
    "fails": st.fixed_dictionaries(
        {"fails_after": st.integers(0, 120), "failure": st.sampled_from((*[Failure.ABORT] * 4, *Failure))}
    ),
    "max_associations": st.just({"max_associations": 1}),
    "one_query": st.just({"one_query": True}),
    "max_pdu": st.fixed_dictionaries({"max_pdu": st.integers(16, 200)}),
    "explicit_vr": st.just({"explicit_vr": True}),
    "jitter": st.just({"jitter": 0.002}),
}


@st.composite
def quirk_mixtures(draw: st.DrawFn) -> Quirks:
    """Draw up to four quirks; a cap half of the time, because that is what loses studies."""
    kinds = draw(st.lists(st.sampled_from(["cap", "over_cap", *sorted(_KINDS)]), max_size=4))
    found: dict[str, object] = {}
    for kind in kinds:
        found.update(draw(_KINDS[kind]))
    return Quirks(**found)  # type: ignore[arg-type]  # each value was drawn for its field


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Draw a schedule. Most ask for everything at STUDY level, which is where a sweep must decide what to believe."""
    first = draw(_DAYS)
    span = (first, first + timedelta(draw(st.integers(0, 70))))
    return Schedule(
        draw(archives()),
        draw(quirk_mixtures()),
        draw(st.sampled_from((*[("study",)] * 7, ("study", "series")))),
        draw(st.sampled_from(((None, None), (None, None), span, (first, None), (None, first)))),
        draw(st.integers(1, 3)),
        draw(st.sampled_from((1, 1, 1, 1, 2))),
    )
