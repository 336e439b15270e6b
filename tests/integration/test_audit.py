"""The audit: every line once, in one chain, whoever writes and whatever is cut off; and what was changed shows."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

import crawler
from crawler.errors import LakeError
from crawler.lake.audit import FIRST, AuditLog
from crawler.lake.writer import LakeWriter
from crawler.serve.access import Person, Role
from crawler.serve.audit import Action, Audit
from tests.acceptance.installed import pacslake

WRITER = """
import sys
from pathlib import Path
from crawler.lake.audit import AuditLog
for number in range(50):
    AuditLog(Path(sys.argv[1])).append({"person": sys.argv[2], "number": number})
"""
ALICE = Person("alice", Role.ANALYST, "192.0.2.7")


def month(lake: Path) -> Path:
    [file] = (lake / "audit").glob("*.jsonl")
    return file


def filled(lake: Path) -> AuditLog:
    for number in range(5):
        Audit(lake).note(ALICE, Action.SQL, what=f"select {number}\nfrom studies -- \u2028 Müller \ud800", rows=number)
    return AuditLog(lake)


def test_a_line_says_who_did_what_and_follows_the_one_before(tmp_path: Path) -> None:
    log = filled(tmp_path)
    first, *_, last = log.entries()
    assert first["previous"] == FIRST
    told = {name: last[name] for name in ("person", "role", "address", "action", "rows")}
    assert told == {"person": "alice", "role": "analyst", "address": "192.0.2.7", "action": "sql", "rows": 4}
    assert "Müller" in last["what"]
    assert log.broken()[:2] == ([], 5)


def test_who_may_read_the_lake_s_files_may_ask_in_sql(tmp_path: Path) -> None:
    LakeWriter.open(tmp_path).close()
    with crawler.open_lake(tmp_path) as lake:
        assert lake.sql("from audit").fetchall() == []
    filled(tmp_path)
    with month(tmp_path).open("ab") as file:
        file.write(b"no line\n")
    with crawler.open_lake(tmp_path) as lake:
        found = lake.sql('select person, action, "rows", "at" < now() from audit order by "rows"').fetchall()
    assert found == [("alice", "sql", number, True) for number in range(5)]


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    filled(tmp_path)
    for path, mode in ((tmp_path / "audit", 0o700), (month(tmp_path), 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_processes_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], env=os.environ) for name in ("one", "two", "three")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert AuditLog(tmp_path).broken()[:2] == ([], 150)
    for name in ("one", "two", "three"):
        assert [one["number"] for one in AuditLog(tmp_path).entries() if one["person"] == name] == list(range(50))


def test_what_a_power_cut_left_half_written_is_dropped_by_the_next_line(tmp_path: Path) -> None:
    log = filled(tmp_path)
    whole = month(tmp_path).read_bytes()
    month(tmp_path).write_bytes(whole[:-1])
    log.append({"person": "bob"})
    assert log.broken()[:2] == ([], 5)
    month(tmp_path).write_bytes(b"")
    log.append({"person": "bob"})
    assert log.broken()[:2] == ([], 1)


def test_the_chain_goes_on_over_months_and_clocks_that_are_set_back(tmp_path: Path) -> None:
    log = filled(tmp_path)
    month(tmp_path).rename(tmp_path / "audit/2020-01.jsonl")
    log.append({"person": "bob"})
    today = f"{date.today():%Y-%m}"
    (tmp_path / f"audit/{today}.jsonl").rename(tmp_path / "audit/2999-01.jsonl")
    log.append({"person": "carol"})
    assert sorted(file.name for file in (tmp_path / "audit").iterdir()) == ["2020-01.jsonl", "2999-01.jsonl"]
    assert log.broken()[:2] == ([], 7)
    (tmp_path / "audit/2020-01.jsonl").unlink()
    assert [one.line for one in log.broken()[0]] == [1]
    assert log.broken("2999-01")[0] == []


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    with pytest.raises(LakeError, match="cannot be written"):
        AuditLog(tmp_path).append({})


def _changed(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"alice", b"bob"), *lines[2:]]


@pytest.mark.parametrize(
    "tampered",
    [
        _changed,
        lambda lines: [*lines[:2], *lines[3:]],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines[:2], lines[1], *lines[2:]],
        lambda lines: [*lines[:2], b"nothing\n", *lines[2:]],
        lambda lines: lines[1:],
    ],
    ids=["changed", "taken out", "exchanged", "twice", "put in", "the first taken out"],
)
def test_every_line_that_was_tampered_with_is_found(
    tmp_path: Path, tampered: Callable[[list[bytes]], list[bytes]]
) -> None:
    log = filled(tmp_path)
    file = month(tmp_path)
    file.write_bytes(b"".join(tampered(file.read_bytes().splitlines(keepends=True))))
    assert log.broken()[0]


def test_the_command_says_whether_the_chain_holds(tmp_path: Path) -> None:
    filled(tmp_path / "lake")
    (tmp_path / "pacslake.toml").write_text('[lake]\npath = "lake"\n')
    whole = pacslake(tmp_path, "audit", "--verify")
    assert (whole.returncode, whole.stdout) == (0, b"")
    assert b"The chain holds: 5 lines, the last one's hash is " in whole.stderr
    file = month(tmp_path / "lake")
    file.write_bytes(file.read_bytes().replace(b"select 2", b"select 9"))
    done = pacslake(tmp_path, "audit", "--verify")
    assert done.returncode == 1
    assert done.stdout.decode() == f"{file.name} line 4: does not follow the line before it\n"
    assert b"The chain is broken" in done.stderr


def test_the_command_shows_the_lines_that_are_wanted(tmp_path: Path) -> None:
    filled(tmp_path / "lake")
    Audit(tmp_path / "lake").note(Person("bob", Role.OPERATOR), Action.EXPORT, phi_columns=["PatientName", "PatientID"])
    (tmp_path / "pacslake.toml").write_text('[lake]\npath = "lake"\n')
    told = [json.loads(line) for line in pacslake(tmp_path, "audit", "--format", "jsonl").stdout.splitlines()]
    assert told == list(AuditLog(tmp_path / "lake").entries())
    [bob] = json.loads(pacslake(tmp_path, "audit", "--person", "bob", "--format", "json").stdout)
    assert bob["phi_columns"] == ["PatientName", "PatientID"]
    table = pacslake(tmp_path, "audit", "--person", "bob").stdout.decode()
    assert "PatientName PatientID" in table
    assert pacslake(tmp_path, "audit", "--person", "bob", "--format", "csv").stdout.startswith(b"at,person,role,")
    assert pacslake(tmp_path, "audit", "--to", "2020-01-01").stdout == b"Nobody did anything of this kind.\n"
    assert len(pacslake(tmp_path, "audit", "--from", str(date.today())).stdout.splitlines()) >= 8
