"""What `pacslake cohort retrieve` says: as JSON, of series by name, and of whom and what its store turned away."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from crawler.model import Level
from crawler.pacs.acceptor import CALLED_AE_UNKNOWN, CALLING_AE_UNKNOWN, LIMIT_EXCEEDED, Rejection
from crawler.retrieve.instance import CANNOT_UNDERSTAND, NOT_AUTHORIZED, OUT_OF_RESOURCES
from crawler.testing.quirks import Quirks
from jobs.ordering import RetrieveRequest, Wish
from jobs.retrieve import run_retrieve
from jobs.turned_away import refused_lines, rejected_lines
from tests.acceptance.installed import pacslake
from tests.acceptance.retrieving import HELD, PATIENCE, Attempt, files, sited

SERIES = sorted(row["SeriesInstanceUID"] for row in HELD.table(Level.SERIES).to_pylist())
IMAGES = HELD.table(Level.IMAGE).to_pylist()


def images_of(*series: str) -> set[str]:
    return {row["SOPInstanceUID"] for row in IMAGES if row["SeriesInstanceUID"] in series}


def told(folder: Path, *arguments: str) -> tuple[dict[str, Any], str, int]:
    """Run the command with --format json; give what it printed, said and ended with."""
    done = pacslake(folder, "cohort", "retrieve", *arguments, "--format", "json")
    return json.loads(done.stdout), done.stderr.decode(), done.returncode


def test_json_says_what_came_of_each_pacs(tmp_path: Path) -> None:
    with sited(tmp_path, Attempt()) as (settings, _):
        planned, _, _ = told(tmp_path, "all", "--dry-run")
        assert planned == {
            "pacs": {"main": {"series": len(SERIES), "instances": len(IMAGES)}},
            "series_here": 0,
            "left_out": {},
        }
        found, err, code = told(tmp_path, "all")
        size = sum(path.stat().st_size for _, path in files(settings))
        again, _, _ = told(tmp_path, "all")
    main = found["pacs"]["main"]
    assert (code, found["complete"], found["rejected"], found["refused"]) == (0, True, [], [])
    assert main["series"] == {"complete": len(SERIES), "of": len(SERIES)}
    assert main["instances"] == {"here": len(IMAGES), "of": len(IMAGES), "came": len(IMAGES)}
    assert (main["bytes"], main["missing"], main["left_because"], main["advice"]) == (size, [], None, None)
    assert 0 < main["seconds"] < 60
    counted = f"main: {len(SERIES)} of {len(SERIES)} series complete, {len(IMAGES)} of {len(IMAGES)} instances here; "
    assert counted in err
    nothing: dict[str, Any] = {"pacs": {}, "left_out": {}, "rejected": [], "refused": [], "other_bytes": 0}
    assert again == {"complete": True, "series_here_before": len(SERIES), **nothing}


def test_series_come_by_name_whatever_cohort_they_are_in(tmp_path: Path) -> None:
    one, other = SERIES[:2]
    with sited(tmp_path, Attempt()) as (settings, pacs):
        found, _, code = told(tmp_path, "--series", one, "--pacs", "main")
        assert (code, found["pacs"]["main"]["series"]) == (0, {"complete": 1, "of": 1})
        assert {uid for uid, _ in files(settings)} == images_of(one)
        assert run_retrieve(settings, RetrieveRequest(patience=PATIENCE, series=(one, other))) == 0
        assert {uid for uid, _ in files(settings)} == images_of(one, other)
        assert pacs.counts.moves.total() == 2
        nowhere = pacslake(tmp_path, "cohort", "retrieve", "--series", "1.2.3")
        nothing = pacslake(tmp_path, "cohort", "retrieve")
    sentence = "pacslake: there is no series '1.2.3' in the lake; sweep its day with --level series first\n"
    assert (nowhere.stderr.decode(), nowhere.returncode) == (sentence, 2)
    assert "say what to bring: the NAME of a cohort, --series UID, or --standing" in nothing.stderr.decode()


def test_who_is_rejected_is_named_with_the_setting_that_lets_them_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sited(tmp_path, Attempt(Quirks(sends_as="STRANGER"))) as (settings, _):
        capsys.readouterr()  # what the sweep said
        request = RetrieveRequest((Wish("all"),), PATIENCE)
        with capture_logs() as logged:
            assert run_retrieve(settings, request, as_json=True) == 3
        said = capsys.readouterr()
        assert "its AE title may not call from there" in {line.get("reason") for line in logged}
        [rejected] = json.loads(said.out)["rejected"]
        advice = rejected.pop("advice")
        count = rejected.pop("associations")
        assert f"{count} associations were rejected, of STRANGER at 127.0.0.1: {advice}.\n" in said.err
        assert advice == 'add "STRANGER@127.0.0.1" to [local] allowed_senders if that is your PACS'
        assert rejected == {
            "calling_ae": "STRANGER",
            "called_ae": "PACSLAKE",
            "address": "127.0.0.1",
            "reason": "calling AE title or address not allowed",
        }
        toml = tmp_path / "pacslake.toml"
        toml.write_text(toml.read_text().replace("OTHER@127.0.0.1", "STRANGER@127.0.0.1"))
        found, err, code = told(tmp_path, "all")
    assert (code, found["complete"], found["rejected"]) == (0, True, [])
    assert "rejected" not in err


def test_what_was_turned_away_is_said_with_what_changes_that() -> None:
    rejections = Counter(
        {
            Rejection("ARCHIVE", "PACSLAK", "192.0.2.7", CALLED_AE_UNKNOWN): 12,
            Rejection("OTHER", "PACSLAKE", "192.0.2.8", CALLING_AE_UNKNOWN): 3,
            Rejection("ESC\x1b[2J", "PACSLAKE", "192.0.2.9", LIMIT_EXCEEDED): 1,
        }
    )
    assert list(rejected_lines(rejections, "PACSLAKE")) == [
        "12 associations were rejected, of ARCHIVE at 192.0.2.7: it calls us PACSLAK, and we are PACSLAKE; "
        "have that corrected there.",
        '3 associations were rejected, of OTHER at 192.0.2.8: add "OTHER@192.0.2.8" to [local] allowed_senders '
        "if that is your PACS.",
        "1 association was rejected, of ESC\\x1b[2J at 192.0.2.9: too many were open at once.",
    ]
    assert list(refused_lines({NOT_AUTHORIZED: 1, OUT_OF_RESOURCES: 40, CANNOT_UNDERSTAND: 2}, Path("/store"))) == [
        "1 object was refused with 0x0124 (nobody here asked for this series): [local] accept_unsolicited = true would "
        "keep them.",
        "40 objects were refused with 0xA700 (cannot be written to disk, or too much for a day): make room where "
        "/store is, or raise max_gb_per_day, and run the same command again.",
        "2 objects were refused with 0xC000 (command and dataset name different instances): that is for whoever looks "
        "after the PACS.",
    ]
