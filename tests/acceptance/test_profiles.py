"""A sweep obeys what is known of a PACS: a cap, keys never to be sent, one query for each association."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.sweeping import ask, configure, differences, sweep

FIRST, BUSY, LAST = date(2024, 3, 1), date(2024, 3, 10), date(2024, 3, 20)
ARCHIVE = Archive(60, FIRST, LAST, series_per_study=1.2, busy_day=BUSY, busy=60)
DAYS = ("--from", FIRST.isoformat(), "--to", LAST.isoformat())


def test_answers_at_a_known_cap_are_split_and_what_stays_in_doubt_is_said(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(cap=30))) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study"]', cap=30)
        assert sweep(tmp_path, *DAYS).returncode == 4
    assert differences(tmp_path, "main", Level.STUDY, ARCHIVE, (FIRST, LAST)) == []
    capped = "SELECT DISTINCT key, cap FROM windows WHERE state = 'capped'"
    assert ask(tmp_path, capped) == [("StudyTime=", 30)]


def test_what_cannot_be_split_stays_capped_and_is_said(tmp_path: Path) -> None:
    ignoring = frozenset({"StudyTime", "ModalitiesInStudy", "PatientID"})
    with running(Simulator(ARCHIVE, quirks=Quirks(cap=30, ignores=ignoring))) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study"]', cap=30)
        assert sweep(tmp_path, *DAYS).returncode == 3
    capped = "SELECT DISTINCT date_from, date_to FROM windows WHERE state = 'capped'"
    assert ask(tmp_path, capped) == [(BUSY, BUSY)]
    others = ARCHIVE.table(Level.STUDY).num_rows - ARCHIVE.table(Level.STUDY, BUSY, BUSY).num_rows
    found = f"SELECT count(*) FILTER (StudyDate <> '{BUSY}'), count(*) FILTER (StudyDate = '{BUSY}') FROM studies"
    assert ask(tmp_path, found) == [(others, 30)]


def test_keys_that_must_not_be_sent_are_not_asked_for(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study"]', omit_keys='["InstitutionName"]')
        assert sweep(tmp_path, *DAYS).returncode == 0
    assert ask(tmp_path, "SELECT count(InstitutionName), count(StudyDescription) FROM studies") == [(0, 120)]


def test_a_pacs_that_ends_the_association_after_a_query_is_asked_once_for_each(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(one_query=True))) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study", "series"]', one_query_per_association="true")
        assert sweep(tmp_path, *DAYS).returncode == 0
        assert pacs.counts.queries[Level.SERIES] == 120
    assert differences(tmp_path, "main", Level.SERIES, ARCHIVE, (FIRST, LAST)) == []


def test_what_was_doubted_is_asked_again_and_doubted_again(tmp_path: Path) -> None:
    archive = Archive(1, FIRST, FIRST, busy_day=BUSY, busy=40, untimed=0.02)
    with running(Simulator(archive, quirks=Quirks(cap=10))) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study"]')
        assert [sweep(tmp_path, *DAYS).returncode for _ in range(2)] == [4, 4]
    assert len(differences(tmp_path, "main", Level.STUDY, archive)) == 1
