"""`pacslake sql --as-of` and `pacslake changes` as a person and a script use them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.acceptance.installed import pacslake
from tests.property.lake.answers import answers

COUNT = "select count(*) as n from studies"
MARCH = datetime(2026, 3, 1, 22, tzinfo=UTC)
SAID = """\
2026-03-01 22:00:00  main  study  appeared    1.1
2026-03-01 22:00:00  main  study  appeared    1.2
2026-03-02 22:00:00  main  study  changed     1.1
    StudyDate: 2026-02-28 -> 2026-02-27
    ModalitiesInStudy: [CT] -> [CT, SR]
2026-03-03 22:00:00  main  study  vanished    1.2
2026-03-04 22:00:00  main  study  reappeared  1.2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("history")
    (place / "pacslake.toml").write_text(
        '[lake]\npath = "lake"\n[pacs.main]\nhost = "127.0.0.1"\nport = 1\nae_title = "MAIN"\n'
    )
    today = [MARCH]
    first = {"StudyInstanceUID": "1.1", "StudyDate": date(2026, 2, 28), "ModalitiesInStudy": ["CT"]}
    changed = first | {"StudyDate": date(2026, 2, 27), "ModalitiesInStudy": ["CT", "SR"]}
    with LakeWriter.open(place / "lake", now=lambda: today[0]) as writer:
        writer.stage(Level.STUDY, "main", "s1", answers(Level.STUDY, [first, {"StudyInstanceUID": "1.2"}]))
        today[0] = MARCH.replace(day=2)
        writer.stage(Level.STUDY, "main", "s2", answers(Level.STUDY, [changed]))
        today[0] = MARCH.replace(day=3)
        writer.remove(Level.STUDY, "main", "s3", ["1.2"])
        today[0] = MARCH.replace(day=4)
        writer.stage(Level.STUDY, "main", "s4", answers(Level.STUDY, [{"StudyInstanceUID": "1.2"}]))
        writer.commit()
    return place


@pytest.mark.parametrize(
    ("when", "count"),
    [("2026-02-28", 0), ("2026-03-01", 2), ("2026-03-01T21:59", 0), ("2026-03-03", 1), ("2026-03-05T00:00+02:00", 2)],
)
def test_a_count_as_of_a_day_or_moment(folder: Path, when: str, count: int) -> None:
    done = pacslake(folder, "sql", "--as-of", when, COUNT, "--format", "json")
    assert json.loads(done.stdout) == [{"n": count}]


def test_a_moment_that_is_none_is_a_wrong_request(folder: Path) -> None:
    done = pacslake(folder, "sql", "--as-of", "last week", COUNT)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"'last week' is neither a day, as 2026-03-01, nor a moment" in done.stderr


def test_what_changed_is_told_to_a_person(folder: Path) -> None:
    done = pacslake(folder, "changes", "--since", "2026-03-01")
    assert (done.stdout.decode(), done.returncode) == (SAID, 0)
    assert done.stderr == b"pacslake: 2 appeared, 1 changed, 1 vanished, 1 reappeared\n"
    nothing = pacslake(folder, "changes", "other", "--since", "2026-03-01")
    assert (nothing.stdout, nothing.returncode) == (b"", 0)


def test_what_changed_is_told_to_a_script(folder: Path) -> None:
    done = pacslake(folder, "changes", "--since", "2026-03-02", "--until", "2026-03-02", "--format", "json")
    assert json.loads(done.stdout) == [
        {
            "at": "2026-03-02T22:00:00",
            "pacs": "main",
            "level": "study",
            "change": "changed",
            "key": "1.1",
            "sweep_id": "s2",
            "columns": {
                "StudyDate": {"old": "2026-02-28", "new": "2026-02-27"},
                "ModalitiesInStudy": {"old": ["CT"], "new": ["CT", "SR"]},
            },
        }
    ]
    lines = pacslake(folder, "changes", "--since", "2026-03-03T00:00", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["change"] for line in lines] == ["vanished", "reappeared"]
    none = pacslake(folder, "changes", "--since", "2026-04-01", "--format", "json")
    assert json.loads(none.stdout) == []
