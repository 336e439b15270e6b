"""`pacslake coverage` on a small lake: what a person reads, what scripts read, and the exit codes.

To write golden/coverage/ anew after an intended change, set PACSLAKE_WRITE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from crawler.lake.writer import LakeWriter
from crawler.model import UNDATED, Coverage, Level, Window, WindowState
from tests.acceptance.installed import pacslake

GOLDEN = Path(__file__).parent / "golden" / "coverage"
ASKED_AT = datetime(2024, 6, 1, 12, tzinfo=UTC)
BOTH = (Level.STUDY, Level.SERIES)
CAPPED, INTERRUPTED, REFUSED = WindowState.CAPPED, WindowState.INTERRUPTED, WindowState.REFUSED

SETTINGS = """\
[lake]
path = "lake"
[pacs.main]
host = "192.0.2.1"
port = 104
ae_title = "MAIN"
[pacs.never]
host = "192.0.2.1"
port = 104
ae_title = "NEVER"
"""


def proven(pacs: str, first: date | None, last: date | None, rows: int = 9) -> list[Coverage]:
    window = Window(first, last)
    return [Coverage(pacs, level, window, WindowState.COMPLETE, rows, "s", ASKED_AT, 9) for level in BOTH]


def doubted(pacs: str, level: Level, window: Window, state: WindowState, reason: str) -> Coverage:
    later = ASKED_AT + timedelta(minutes=1)
    return Coverage(pacs, level, window, state, 9, "s", later, 9, reason=reason)


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a lake of four PACS: two with gaps, one capped only, one proven; a fifth was never asked."""
    folder = tmp_path_factory.mktemp("coverage")
    (folder / "pacslake.toml").write_text(SETTINGS)
    february, cut_off = Window(day("2024-02-09"), day("2024-02-09")), Window(day("2024-03-09"), day("2024-03-15"))
    refused, hours = (
        Window(day("2024-04-09"), day("2024-04-09")),
        Window(day("2024-04-12"), day("2024-04-12"), "093000"),
    )
    rows = [
        *proven("main", None, day("2023-12-31"), rows=0),
        *proven("main", day("2024-01-01"), day("2024-01-07"), rows=0),
        *proven("main", day("2024-01-08"), day("2024-04-20")),
        *proven("main", day("2024-05-01"), day("2024-05-31")),
        doubted("main", Level.STUDY, february, CAPPED, "500 rows, as often before"),
        doubted("main", Level.SERIES, cut_off, INTERRUPTED, "a SERIES query ended with no status, the line was dead"),
        doubted("main", Level.STUDY, refused, REFUSED, "too many"),
        doubted("main", Level.STUDY, hours, WindowState.SUSPICIOUS_ZERO, "no row on a day that had 40"),
        doubted("main", Level.STUDY, UNDATED, CAPPED, "500 rows for all studies, 2300 for their days"),
        *proven("old", None, day("1999-12-31")),
        *proven("old", day("2000-01-01"), day("2024-05-31")),
        doubted("old", Level.SERIES, Window(day("2012-07-09"), day("2012-08-10")), WindowState.FILTER_IGNORED, "odd"),
        *proven("capped", day("2024-05-01"), day("2024-05-31")),
        doubted("capped", Level.STUDY, Window(day("2024-05-09"), day("2024-05-09")), CAPPED, "100 rows"),
        *proven("whole", day("2024-05-01"), day("2024-05-31")),
    ]
    with LakeWriter.open(folder / "lake") as writer:
        writer.commit(rows, [])
    return folder


@pytest.mark.parametrize("pacs", ["main", "old", "capped", "whole", "never"])
def test_a_person_sees_a_calendar_and_what_to_type(folder: Path, pacs: str) -> None:
    done = pacslake(folder, "coverage", pacs)
    shown, golden = done.stdout.decode(), GOLDEN / f"{pacs}.txt"
    if os.environ.get("PACSLAKE_WRITE_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert done.stderr == b""


def test_status_says_where_not_every_day_is_proven(folder: Path, tmp_path: Path) -> None:
    last = pacslake(folder, "status").stdout.decode().splitlines()[-1]
    assert last == "Not every day is proven complete at capped, main, old; `pacslake coverage` says which."
    (tmp_path / "pacslake.toml").write_text(SETTINGS)
    with LakeWriter.open(tmp_path / "lake") as writer:
        writer.commit(proven("main", day("2024-05-01"), day("2024-05-31")), [])
    assert "proven" not in pacslake(tmp_path, "status").stdout.decode()


def test_of_days_that_a_job_asks_for_by_itself_that_is_said(tmp_path: Path) -> None:
    """Within its lookback alone: what lies before waits for a backfill."""
    job = '[jobs.nightly]\nkind = "sweep"\npacs = ["main"]\ninterval = "1d"\n'
    (tmp_path / "pacslake.toml").write_text(f"{SETTINGS}{job}")
    now = datetime.now(UTC)
    before, lately, yesterday = (date.today() - timedelta(days) for days in (12, 3, 1))
    rows = [*proven("main", before - timedelta(30), yesterday), *proven("never", before, yesterday)]
    with LakeWriter.open(tmp_path / "lake") as writer:
        writer.commit([replace(row, asked_at=now) for row in rows], [])
        doubts = [doubted("main", Level.STUDY, Window(one, one), INTERRUPTED, "cut") for one in (before, lately)]
        doubts.append(doubted("never", Level.STUDY, Window(lately, lately), INTERRUPTED, "cut"))
        writer.commit([replace(row, asked_at=now + timedelta(seconds=1)) for row in doubts], [])
    lines = pacslake(tmp_path, "coverage").stdout.decode().splitlines()
    said = [after for line, after in pairwise(lines) if "pacslake backfill main --from" in line]
    assert said[0].startswith(f"  {lately}")
    assert said[1] == "      or the job nightly does, at its next turn"
    assert "\n".join(lines).count("the job nightly") == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 3),
        (["main"], 3),
        (["never"], 3),
        (["capped"], 4),
        (["capped", "--to", "2024-05-08"], 0),
        (["capped", "whole"], 4),
        (["whole"], 0),
        (["whole", "--level", "image"], 3),
        (["whole", "--from", "2024-04-30"], 3),
        (["nobody"], 2),
    ],
)
def test_the_exit_code_says_whether_all_is_proven(folder: Path, arguments: list[str], code: int) -> None:
    assert pacslake(folder, "coverage", *arguments).returncode == code


def test_scripts_read_each_range_with_its_state(folder: Path) -> None:
    answer = json.loads(pacslake(folder, "coverage", "main", "never", "--format", "json").stdout)
    main, never = answer["pacs"]
    assert answer["proven"] is main["proven"] is never["proven"] is False
    assert main["undated"]["state"] == "capped"
    assert (main["date_from"], main["date_to"]) == (None, "2024-05-31")
    assert (never["ranges"], never["date_to"]) == ([], None)
    assert [(one["date_from"], one["state"]) for one in main["ranges"]] == [
        (None, "complete"),
        ("2024-02-09", "capped"),
        ("2024-02-10", "complete"),
        ("2024-03-09", "interrupted"),
        ("2024-03-16", "complete"),
        ("2024-04-09", "refused"),
        ("2024-04-10", "complete"),
        ("2024-04-12", "suspicious_zero"),
        ("2024-04-13", "complete"),
        ("2024-04-21", "never_asked"),
        ("2024-05-01", "complete"),
    ]
    assert main["ranges"][3] == {
        "date_from": "2024-03-09",
        "date_to": "2024-03-15",
        "days": 7,
        "state": "interrupted",
        "level": "series",
        "reason": "a SERIES query ended with no status, the line was dead",
        "command": "pacslake backfill main --from 2024-03-09 --to 2024-03-15",
    }


def test_csv_and_json_lines_say_the_same(folder: Path) -> None:
    table = list(csv.DictReader(io.StringIO(pacslake(folder, "coverage", "main", "--format", "csv").stdout.decode())))
    lines = [json.loads(line) for line in pacslake(folder, "coverage", "main", "--format", "jsonl").stdout.splitlines()]
    assert [row["state"] for row in table] == [line["state"] for line in lines]
    assert (table[-1]["undated"], lines[-1]["undated"]) == ("true", True)
    assert table[1]["command"] == lines[1]["command"] == "pacslake backfill main --from 2024-02-09 --to 2024-02-09"


def test_a_pacs_that_was_never_asked_has_a_line_too(folder: Path) -> None:
    lines = pacslake(folder, "coverage", "whole", "never", "--format", "csv").stdout.decode().splitlines()
    assert lines[1:] == [
        "whole,false,2024-05-01,2024-05-31,31,complete,,,",
        "never,false,,,,never_asked,study,,pacslake sweep never",
    ]


def test_days_that_were_asked_for_too_early_are_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pacslake.toml").write_text(SETTINGS)
    with LakeWriter.open(tmp_path / "lake") as writer:
        writer.commit(proven("main", day("2024-05-01"), None), [])
    done = pacslake(tmp_path, "coverage", "main")
    assert done.returncode == 0
    assert "Asked for too early, or not since (2024-06-01 to " in done.stdout.decode()
    assert pacslake(tmp_path, "coverage", "main", "--to", "2024-06-01").returncode == 3


def test_the_dry_run_of_a_backfill_lists_the_days_and_their_cost(folder: Path) -> None:
    done = pacslake(folder, "backfill", "main", "--dry-run", "--from", "2024-02-01", "--to", "2024-04-30")
    assert done.stdout.decode().splitlines() == [
        "pacs  from        to          days  queries  studies  time",
        "----  ----------  ----------  ----  -------  -------  -------",
        "main  2024-04-21  2024-04-30    10        1        3  0:00:01",
        "main  2024-04-12  2024-04-12     1        1        0  0:00:01",
        "main  2024-04-09  2024-04-09     1        1        0  0:00:01",
        "main  2024-03-09  2024-03-15     7        1        2  0:00:01",
        "main  2024-02-09  2024-02-09     1        1        0  0:00:01",
        "",
        "About 5 queries, 5 studies and 0:00:01 (h:mm:ss), going by earlier answers.",
        "Nothing was asked yet. The same command without --dry-run does.",
    ]
