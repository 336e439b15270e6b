"""`pacslake cohort` as a user types it, over a lake that was swept from two simulated PACS, one of them in part."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from jobs.cli import main
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import ask, configure, said, sweep

FIRST, LAST = date(2024, 2, 1), date(2024, 2, 20)
MAIN = Archive(50, FIRST, LAST, seed=11, series_per_study=2)
BRANCH = Archive(20, FIRST, LAST, seed=12, series_per_study=2)
BY_KIND = (
    "select r.SeriesInstanceUID, pacs from studies s join series r using (pacs, StudyInstanceUID)"
    " where r.Modality = $kind and s.StudyDate >= $since"
)
CT = ("--sql", BY_KIND, "--param", "kind=CT", "--param", "since=2024-02-05", "--pacs", "main")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    with running(Simulator(MAIN)) as main, running(Simulator(BRANCH)) as branch:
        configure(folder, {"main": main.port, "branch": branch.port})
        for days in (("main", "--from", str(FIRST), "--to", str(LAST)), ("branch", "--to", "2024-02-10")):
            done = sweep(folder, *days)
            assert done.returncode == 0, said(done)
    return folder


def values(folder: Path, *words: str) -> Any:
    """Give what a command says as JSON, without a process of its own: most of its time would be imports."""
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        assert main(["cohort", *words, "--format", "json"]) == 0
    return json.loads(out.getvalue())


def exported(folder: Path, name: str, file: str, *words: str) -> bytes:
    done = pacslake(folder, "cohort", "export", name, "--output", file, "--overwrite", *words)
    assert (done.returncode, done.stdout) == (0, b""), said(done)
    return (folder / file).read_bytes()


def counts(folder: Path, condition: str) -> list[int]:
    """Count patients, studies, series and instances by a statement of our own."""
    [row] = ask(
        folder,
        f"""select count(distinct s.PatientID), count(distinct s.StudyInstanceUID), count(*),
        sum(NumberOfSeriesRelatedInstances)::bigint from series r
        join studies s using (pacs, StudyInstanceUID) where pacs = 'main' and {condition}""",
    )
    return list(row)


def test_a_preview_counts_what_each_condition_leaves(folder: Path) -> None:
    preview = values(folder, "preview", *CT)
    [whole, kind, since] = preview["attrition"]
    assert [stage["condition"] for stage in (whole, kind, since)] == [
        "all that FROM gives",
        "r.Modality = $kind",
        "s.StudyDate >= $since",
    ]
    assert list(kind.values())[1:] == counts(folder, "r.Modality = 'CT'")
    both = counts(folder, "r.Modality = 'CT' and s.StudyDate >= '2024-02-05'")
    assert list(since.values())[1:] == both
    assert [preview[name] for name in ("patients", "studies", "series", "instances")] == both
    assert preview["modalities"]["CT"]["series"] == both[2]
    assert preview["estimated_bytes"] == preview["pacs"][0]["estimated_bytes"] == round(both[3] * 530_000)
    assert preview["pacs"][0]["seconds"] == -(-preview["estimated_bytes"] // 10_000_000)
    assert (preview["unproven"], preview["not_found"], preview["ambiguous"]) == ([], [], [])


def test_a_preview_says_to_a_person_what_it_goes_by(folder: Path) -> None:
    done = pacslake(folder, "cohort", "preview", *CT)
    shown = done.stdout.decode()
    assert "Estimated, since C-FIND tells no sizes" in shown
    assert shown.endswith("All days of the cohort are proven complete.\n")
    whole = "select StudyInstanceUID from studies where pacs = 'main' group by all having count(*) = 1"
    done = pacslake(folder, "cohort", "preview", "--sql", whole, "--pacs", "main")
    assert "Conditions are counted one by one where" in done.stdout.decode()


def test_versions_of_one_definition_are_the_same_bytes(folder: Path) -> None:
    frozen = values(folder, "new", "ct", *CT)
    assert (frozen["version"], frozen["kind"], frozen["open_days"]) == (1, "sql", 0)
    assert frozen["definition"]["parameters"] == {"kind": "CT", "since": "2024-02-05"}
    again = values(folder, "new", "ct")
    assert (again["version"], again["definition"]) == (2, frozen["definition"])
    for file in ("a.csv", "a.parquet"):
        assert exported(folder, "ct", file) == exported(folder, "ct", file, "--version", "1")
    rows = list(csv.reader((folder / "a.csv").read_text().splitlines()))
    truth = ask(
        folder,
        """select pacs, s.PatientID, s.StudyDate::varchar, StudyInstanceUID, SeriesInstanceUID, r.Modality,
        NumberOfSeriesRelatedInstances::varchar from series r join studies s using (pacs, StudyInstanceUID)
        where r.Modality = 'CT' and s.StudyDate >= '2024-02-05' and pacs = 'main' order by 1, 4, 5""",
    )
    assert [tuple(row) for row in rows[1:]] == truth
    assert pq.read_table(folder / "a.parquet")["SeriesInstanceUID"].to_pylist() == [row[4] for row in rows[1:]]
    shown = values(folder, "show", "ct", "--version", "1")
    assert (shown["version"], shown["series"], shown["years"]["2024"]["series"]) == (1, len(truth), len(truth))


def test_days_that_are_not_proven_are_said_with_what_mends_them(folder: Path) -> None:
    done = pacslake(folder, "cohort", "new", "all", "--sql", "from studies")
    assert done.returncode == 3
    shown = done.stdout.decode()
    command = "pacslake backfill branch --from 2024-02-01 --to 2024-02-20 --level series"
    assert f"  branch: 10 days, 0 studies of the cohort among them\n      {command}\n" in shown
    assert "main:" not in shown
    assert "10 days of it were not proven complete" in pacslake(folder, "cohort", "show", "all").stdout.decode()
    [listed] = [one for one in values(folder, "list")["cohorts"] if one["cohort"] == "all"]
    assert listed["open_days"] == 10


def test_a_list_is_frozen_with_a_report(folder: Path) -> None:
    [(known, uid, patient)] = ask(
        folder,
        "select AccessionNumber, StudyInstanceUID, PatientID from studies where pacs = 'main' order by 2 limit 1",
    )
    (folder / "list.csv").write_bytes(
        b"\xef\xbb\xbfName;Accession Number\r\n" + f'x;"{known}"\r\ny;00nowhere\r\nx;{known}\r\n'.encode()
    )
    done = pacslake(folder, "cohort", "new", "listed", "--list", "list.csv", "--pacs", "main")
    assert done.returncode == 3
    assert "1 not found in the lake: 00nowhere\n" in done.stdout.decode()
    assert done.stderr == b""
    assert uid in exported(folder, "listed", "a.csv").decode()
    assert ask(folder, "select distinct PatientID from cohort_series where cohort = 'listed'") == [(patient,)]
    assert values(folder, "show", "listed")["not_found"] == ["00nowhere"]


def test_a_plan_says_what_has_changed_since(folder: Path) -> None:
    planned = values(folder, "plan", "ct", "--rate", "1")
    assert (planned["gone"], planned["changed"]) == (0, 0)
    [pacs] = planned["pacs"]
    assert pacs["requests"] == counts(folder, "r.Modality = 'CT' and s.StudyDate >= '2024-02-05'")[2]
    assert pacs["seconds"] == -(-pacs["estimated_bytes"] // 1_000_000)
    assert pacs["begins"] < pacs["ends"]


def test_what_is_dropped_stays_and_its_name_goes_on_counting(folder: Path) -> None:
    values(folder, "new", "short", *CT)
    assert pacslake(folder, "cohort", "drop", "short").returncode == 0
    again = pacslake(folder, "cohort", "drop", "short")
    assert (again.returncode, b"was dropped already" in again.stderr) == (2, True)
    assert "short" not in {one["cohort"] for one in values(folder, "list")["cohorts"]}
    assert values(folder, "new", "short")["version"] == 2
    listed = values(folder, "list", "--all")["cohorts"]
    assert [one["dropped_at"] is None for one in listed if one["cohort"] == "short"] == [False, True]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("new", "x"), "there is no cohort 'x'; `pacslake cohort list` names those that are"),
        (("new", "../x", *CT), "'../x' is no name for a cohort"),
        (("new", "x", "--sql", "from studies", "--list", "pacslake.toml"), "give one of --sql, --sql-file and --list"),
        (("new", "x", "--param", "a=1"), "say what is in the cohort: --sql, --sql-file or --list"),
        (("new", "x", "--sql", BY_KIND, "--param", "kind=CT"), "give it a value: --param since=VALUE"),
        (("new", "x", "--sql", "select pacs from studies"), "must give StudyInstanceUID or SeriesInstanceUID"),
        (("new", "x", "--sql", "from studdies"), "There is no table studdies"),
        (("new", "x", "--sql", "selec"), "syntax error"),
        (("new", "x", "--sql", "drop view studies"), "Only SELECT"),
        (("new", "x", "--sql", "from studies; from series"), "one statement at a time"),
        (("new", "x", "--sql", "from read_csv('/etc/passwd')"), "The function read_csv cannot be used here"),
        (("new", "x", "--sql", "from studies where random() > 0.5"), "random gives something else each time"),
        (("new", "x", "--sql", "copy studies to 'x.csv'"), "Only SELECT"),
        (("new", "x", "--sql", "from studies", "--pacs", "mian"), "did you mean 'main'?"),
        (("new", "x", "--list", "pacslake.toml"), "has none of the headings"),
        (("preview",), "say what to look at"),
        (("show", "ct", "--version", "9"), "the cohort ct has no version 9; its newest is 2"),
        (("export", "ct", "--output", "x.xlsx"), "--output needs a format: --format csv|parquet|jsonl"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_is_kept(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(folder)
    assert main(["cohort", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, sentence in err) == ("", True), err
    assert ask(folder, "select count(*) from cohorts where cohort = 'x'") == [(0,)]


def test_without_a_lake_the_code_is_10(tmp_path: Path) -> None:
    (tmp_path / "pacslake.toml").write_text('[lake]\npath = "none"\n')
    for words in (("list",), ("new", "x", "--sql", "from studies")):
        assert pacslake(tmp_path, "cohort", *words).returncode == 10
