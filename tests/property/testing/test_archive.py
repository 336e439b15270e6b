"""A synthetic archive is deterministic, of the size asked for, and consistent from level to level."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.columns import schema
from crawler.model import HIERARCHY, Level
from crawler.testing.archive import Archive

FIRST = date(2023, 12, 20)
archives = st.builds(
    Archive,
    studies=st.integers(0, 400),
    first=st.just(FIRST),
    last=st.integers(0, 40).map(lambda days: FIRST + timedelta(days=days)),
    seed=st.integers(0, 2**40),
    undated=st.integers(0, 5),
)


@settings(max_examples=25)
@given(archives)
def test_it_has_the_size_asked_for_and_the_schema_of_the_catalogue(archive: Archive) -> None:
    table = archive.table(Level.STUDY)
    assert table.num_rows == archive.studies + archive.undated
    assert table["StudyDate"].null_count == archive.undated
    for level in HIERARCHY:
        wanted = [field for field in schema(level) if field.name not in ("faults", "raw")]
        assert list(archive.table(level, FIRST, FIRST).schema) == wanted


@settings(max_examples=15)
@given(archives, st.integers(-3, 43), st.integers(-3, 43))
def test_a_range_of_days_is_the_same_rows_of_the_whole(archive: Archive, low: int, high: int) -> None:
    date_from, date_to = FIRST + timedelta(days=low), FIRST + timedelta(days=high)
    fresh = Archive(archive.studies, archive.first, archive.last, archive.seed, undated=archive.undated)
    whole = archive.table(Level.STUDY)
    inside = pc.and_(pc.greater_equal(whole["StudyDate"], date_from), pc.less_equal(whole["StudyDate"], date_to))
    assert fresh.table(Level.STUDY, date_from, date_to).equals(whole.filter(inside))


@settings(max_examples=10)
@given(archives)
def test_levels_agree_with_each_other(archive: Archive) -> None:
    series = archive.table(Level.SERIES)
    studies = archive.table(Level.STUDY).sort_by("StudyInstanceUID")
    by_study = series.group_by("StudyInstanceUID", use_threads=False).aggregate(
        [("Modality", "list"), ("NumberOfSeriesRelatedInstances", "sum"), ("SeriesInstanceUID", "count_distinct")]
    )
    by_study = by_study.sort_by("StudyInstanceUID")
    assert by_study["StudyInstanceUID"].to_pylist() == studies["StudyInstanceUID"].to_pylist()
    assert by_study["SeriesInstanceUID_count_distinct"].equals(studies["NumberOfStudyRelatedSeries"])
    assert by_study["NumberOfSeriesRelatedInstances_sum"].equals(studies["NumberOfStudyRelatedInstances"])
    stated = studies["ModalitiesInStudy"].to_pylist()
    assert [set(found) for found in by_study["Modality_list"].to_pylist()] == [set(one) for one in stated]


@settings(max_examples=8)
@given(archives)
def test_images_are_as_many_as_the_series_say(archive: Archive) -> None:
    series = archive.table(Level.SERIES, FIRST, FIRST)
    images = archive.table(Level.IMAGE, FIRST, FIRST)
    counted = Counter(images["SeriesInstanceUID"].to_pylist())
    assert [counted[uid] for uid in series["SeriesInstanceUID"].to_pylist()] == series[
        "NumberOfSeriesRelatedInstances"
    ].to_pylist()
    assert len(set(images["SOPInstanceUID"].to_pylist())) == images.num_rows


@settings(max_examples=10)
@given(archives)
def test_patients_count_their_studies(archive: Archive) -> None:
    patients, studies = archive.table(Level.PATIENT), archive.table(Level.STUDY)
    counted = Counter(studies["PatientID"].to_pylist())
    ids = patients["PatientID"].to_pylist()
    assert dict(zip(ids, patients["NumberOfPatientRelatedStudies"].to_pylist(), strict=True)) == counted
    names = dict(zip(ids, patients["PatientName"].to_pylist(), strict=True))
    assert [names[one] for one in studies["PatientID"].to_pylist()] == studies["PatientName"].to_pylist()


@settings(max_examples=10)
@given(archives)
def test_a_uid_says_where_its_study_is(archive: Archive) -> None:
    for number, uid in enumerate(archive.table(Level.STUDY)["StudyInstanceUID"].to_pylist()):
        assert len(uid) <= 64
        assert int(uid.removeprefix("2.25.")) < 2**128
        piece = archive.find_study(uid)
        assert piece is not None
        assert piece.stop - piece.start == 1
        assert archive.block(piece.block).number[piece.start] == int(uid[-6:]), number
        assert archive.find_study(uid[:-1]) is None
    assert archive.find_study("1.2.3") is None


def test_seeds_differ_and_equal_seeds_do_not() -> None:
    one, same, other = (Archive(200, seed=seed).table(Level.STUDY) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not set(one["StudyInstanceUID"].to_pylist()) & set(other["StudyInstanceUID"].to_pylist())


def test_it_looks_like_a_hospital() -> None:
    archive = Archive(20_000, date(2024, 1, 1), date(2024, 12, 31))
    studies, series = archive.table(Level.STUDY), archive.table(Level.SERIES)
    assert series.num_rows / studies.num_rows == pytest.approx(6.2, rel=0.03)
    hours = np.bincount(pc.hour(studies["StudyTime"]).to_numpy(), minlength=24)
    assert 8 <= hours.argmax() <= 11
    assert 0 < hours[2:5].sum() < hours[9]
    weekday, sunday = (pc.equal(pc.day_of_week(studies["StudyDate"]), number) for number in (1, 6))
    assert pc.sum(sunday).as_py() < pc.sum(weekday).as_py() / 3
    shares = Counter(modality for row in studies["ModalitiesInStudy"].to_pylist() for modality in row)
    assert set(shares) >= {"CT", "MR", "CR", "DX", "US", "MG", "NM", "PT", "XA", "RF", "SR"}
    charsets = Counter(tuple(row) for row in studies["SpecificCharacterSet"].to_pylist())
    assert set(charsets) == {(), ("ISO_IR 100",), ("ISO_IR 192",)}


def test_a_busy_day_and_a_large_archive_start_at_once() -> None:
    busy = Archive(100, busy_day=date(2024, 3, 4), busy=5000)
    assert busy.table(Level.STUDY, date(2024, 3, 4), date(2024, 3, 4)).num_rows >= 5000
    large = Archive(1_000_000)
    assert large.total == 1_000_000
    assert large.table(Level.STUDY, date(2024, 3, 4), date(2024, 3, 4)).num_rows > 1000
