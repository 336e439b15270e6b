"""Which files are rewritten: by upkeep, and by a sweep that makes too many."""

from __future__ import annotations

from crawler.lake.log import LogFile
from crawler.lake.tidy import CROWD, crowded, due


def file(number: int, rows: int, entity: str = "study", standing: str = "") -> LogFile:
    return LogFile(entity, f"entity={entity}/v{number:012d}-00000000-{number:032x}{standing}.parquet", rows, 0)


def test_one_new_file_is_left_alone_unless_it_is_a_fair_part() -> None:
    now = file(1, 1000, standing="-now")
    assert due([]) == []
    assert due([now]) == []
    assert due([now, file(2, 249)]) == []
    assert [(one.apart, len(one.files)) for one in due([now, file(2, 250)])] == [(True, 2)]
    assert [(one.apart, len(one.files)) for one in due([file(1, 5)])] == [(True, 1)]
    assert [(one.apart, len(one.files)) for one in due([now], whole=["study"])] == [(True, 1)]


def test_new_files_are_merged_with_each_other_while_they_are_few() -> None:
    files = [file(1, 1000, standing="-now"), file(2, 100, standing="-past"), file(3, 10), file(4, 20)]
    assert [(one.apart, one.rows) for one in due(files)] == [(False, 30)]


def test_files_of_the_ledger_are_merged_until_they_are_large() -> None:
    files = [file(1, 2_000_000, "window"), file(2, 10, "window"), file(3, 20, "window"), file(4, 20, "sweep")]
    assert [(one.entity, one.rows) for one in due(files)] == [("window", 30)]


def test_a_sweep_merges_each_row_a_few_times_only() -> None:
    files: list[LogFile] = []
    merged = 0
    for number in range(20_000):
        files.append(file(number, 1))
        for one in crowded(files):
            assert len(one.files) >= CROWD // 2
            merged += one.rows
            files = [other for other in files if other not in one.files]
            files.append(file(number, one.rows))
        assert len(files) <= CROWD + 1
    assert merged < 10 * 20_000
    assert sum(one.rows for one in files) == 20_000


def test_what_upkeep_wrote_is_no_crowd() -> None:
    assert crowded([file(number, 1, standing="-now") for number in range(300)]) == []
