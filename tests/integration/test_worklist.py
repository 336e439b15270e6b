"""A Modality Worklist of DCMTK's wlmscpfs: every item with all that it says, what moved, and what is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import ask, said, sweep
from tests.integration.worklists import AE_TITLE, Entry, Worklist, wlmscpfs

TODAY = date.today()
DAYS = [TODAY + timedelta(days) for days in (-400, -3, -1, 0, 0, 0, 1, 1, 2, 5, 30, 200)]
ENTRIES = [Entry(number, DAYS[number % len(DAYS)], clock=f"{7 + number % 12:02}1500") for number in range(36)]
STANDING = "select worklist_item from worklist order by all"


@pytest.fixture
def worklist(tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> Iterator[Worklist]:
    with wlmscpfs(dcmtk_tool("wlmscpfs"), tmp_path / "database") as running:
        running.put(*ENTRIES)
        (tmp_path / "pacslake.toml").write_text(
            f'[lake]\npath = "lake"\n[pacs.ris]\nhost = "127.0.0.1"\nport = {running.port}\n'
            f'ae_title = "{AE_TITLE}"\nmodel = "worklist"\n'
        )
        yield running


def listed(*entries: Entry) -> list[tuple[str]]:
    return sorted((entry.key,) for entry in entries)


def test_every_item_is_there_with_what_its_sequences_say(tmp_path: Path, worklist: Worklist) -> None:
    done = sweep(tmp_path)
    assert done.returncode == 0, said(done)
    assert "36 items (36 new, 0 changed)" in said(done)
    assert ask(tmp_path, STANDING) == listed(*ENTRIES)
    named = """PatientName, MedicalAlerts, RequestedProcedureCodeSequence_CodeMeaning, Modality,
        ScheduledStationAETitle, ScheduledProcedureStepStartDate, ScheduledProcedureStepStartTime::varchar,
        scheduled_performing_physician_family_name, ScheduledProtocolCodeSequence_CodeValue, ScheduledProcedureStepID"""
    entry = ENTRIES[5]
    found = ask(tmp_path, f"select {named} from worklist where worklist_item = '{entry.key}'")
    assert found == [
        (
            *("Müller^Jörg", ["SCHRITTMACHER", "JODALLERGIE"], ["Schädel"], "CT", ["CT01", "CT02"]),
            *(entry.day, "12:15:00", "Moe", ["P1", "P2"], "SPS5"),
        )
    ]
    [(whole,)] = ask(
        tmp_path, f"select ScheduledProcedureStepSequence from worklist where worklist_item = '{entry.key}'"
    )
    [step] = json.loads(whole)
    asked = entry.dataset().ScheduledProcedureStepSequence[0].to_json_dict()
    assert {tag: step[tag] for tag in asked} == asked
    assert ask(tmp_path, "select distinct level, state from windows") == [("worklist", "complete")]


def test_what_is_done_has_gone_and_what_moved_is_elsewhere(tmp_path: Path, worklist: Worklist) -> None:
    assert sweep(tmp_path).returncode == 0
    [(before,)] = ask(tmp_path, "select max(asked_at)::varchar from windows")
    done_today = [entry for entry in ENTRIES if entry.day == TODAY]
    earlier, later = ENTRIES[1], ENTRIES[10]
    worklist.drop(*done_today)
    worklist.put(replace(earlier, day=TODAY + timedelta(5)), replace(later, day=TODAY - timedelta(1)))
    done = sweep(tmp_path)
    assert done.returncode == 0, said(done)
    assert f"(0 new, 2 changed, {len(done_today)} gone)" in said(done)
    assert ask(tmp_path, STANDING) == listed(*(entry for entry in ENTRIES if entry.day != TODAY))
    changes = "select change, count(*) from worklist_history group by all order by all"
    assert ask(tmp_path, changes) == [("insert", 36), ("remove", len(done_today)), ("update", 2)]
    then = pacslake(tmp_path, "sql", "--as-of", before, "--format", "csv", "select count(*) as n from worklist")
    assert then.stdout.decode().split() == ["n", "36"]
    told = pacslake(tmp_path, "changes", "ris", "--since", before, "--level", "worklist")
    assert told.stdout.decode().count("vanished") == len(done_today)
    assert f"ScheduledProcedureStepStartDate: {later.day} -> {TODAY - timedelta(1)}" in told.stdout.decode()
    whole = pacslake(tmp_path, "verify")
    assert whole.returncode == 0, said(whole)


def test_days_that_were_not_asked_for_keep_their_items(tmp_path: Path, worklist: Worklist) -> None:
    assert sweep(tmp_path).returncode == 0
    worklist.drop(*ENTRIES)
    worklist.put(*(stays := [entry for entry in ENTRIES if entry.day == TODAY]))
    day = f"{TODAY + timedelta(1)}"
    done = sweep(tmp_path, "ris", "--from", f"{TODAY}", "--to", day)
    assert done.returncode == 0, said(done)
    kept = [entry for entry in ENTRIES if entry.day not in (TODAY, TODAY + timedelta(1))]
    assert ask(tmp_path, STANDING) == listed(*kept, *stays)


def test_upkeep_and_the_loss_of_a_file_cost_no_item(tmp_path: Path, worklist: Worklist) -> None:
    assert sweep(tmp_path).returncode == 0
    files = sorted((tmp_path / "lake" / "log" / "entity=worklist").glob("*.parquet"))
    files[0].unlink()
    repaired = pacslake(tmp_path, "repair", "--yes")
    assert repaired.returncode == 3, said(repaired)
    assert b"pacslake backfill ris" in repaired.stdout
    assert b"--level" not in repaired.stdout
    mended = pacslake(tmp_path, "backfill", "ris")
    assert mended.returncode == 0, said(mended)
    assert ask(tmp_path, STANDING) == listed(*ENTRIES)
    tidied = pacslake(tmp_path, "maintain")
    assert tidied.returncode == 0, said(tidied)
    assert ask(tmp_path, STANDING) == listed(*ENTRIES)
    assert pacslake(tmp_path, "verify").returncode == 0


def test_a_check_looks_at_what_is_scheduled(tmp_path: Path, worklist: Worklist) -> None:
    asked = date.today()  # which is not TODAY any more when midnight has come
    done = pacslake(tmp_path, "check", "ris")
    assert done.returncode == 0, said(done)
    report = " ".join(done.stdout.decode().split())
    assert "Modality Worklist C-FIND is offered" in report
    assert "ScheduledProcedureStepStartDate is matched: days without any item bring none" in report
    soon = [sum(day <= entry.day <= day + timedelta(30) for entry in ENTRIES) for day in (asked, date.today())]
    assert any(f"{count} items are scheduled for the next thirty days" in report for count in soon)


def test_a_worklist_has_no_levels(tmp_path: Path, worklist: Worklist) -> None:
    refused = sweep(tmp_path, "ris", "--level", "series")
    assert refused.returncode == 2
    assert said(refused) == "pacslake: ris is a worklist, which has no levels: leave --level out\n"
