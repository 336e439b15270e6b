"""Which files are rewritten: by upkeep, and by a sweep that makes too many."""

from __future__ import annotations

from crawler.lake.log import LogFile
from crawler.lake.tidy import AT_ONCE, CROWD, LEAST, crowded, due


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


def swept(commits: int, rows: int, files: list[LogFile]) -> tuple[int, int, int]:
    """Commit so many files of so many rows; give how many there were at most, and rows merged, in all and at once."""
    many = merged = at_once = 0
    for number in range(commits):
        files.append(file(number, rows))
        for one in crowded(files):
            merged, at_once = merged + one.rows, max(at_once, one.rows)
            files = [other for other in files if other not in one.files]
            files.append(file(number, one.rows))
        many = max(many, len(files))
    return many, merged, at_once


def test_a_sweep_merges_each_row_a_few_times_only() -> None:
    many, merged, _ = swept(10_000, 1, [])
    assert many <= CROWD + 1
    assert merged < 10 * 10_000


def test_a_sweep_is_not_held_up_by_large_files() -> None:
    """Commits of 140,000 rows: without a bound all of them were merged at once, in minutes."""
    many, merged, at_once = swept(1_000, 140_000, [])
    assert at_once <= AT_ONCE
    assert merged <= 1_000 * 140_000
    assert many < CROWD + 1_000 // LEAST
    large = [file(number, AT_ONCE) for number in range(CROWD)]
    many, merged, _ = swept(1_000, 1_000, [*large, file(0, AT_ONCE - 100_000)])
    assert merged < 10 * 1_000 * 1_000, "what was merged is left alone until there is as much again"
    assert many < len(large) + 100


def test_what_upkeep_wrote_is_no_crowd() -> None:
    assert crowded([file(number, 1, standing="-now") for number in range(300)]) == []
