"""What the letter to the administrator of a PACS says, by what is set."""

from __future__ import annotations

from pathlib import Path

from crawler.settings import load
from jobs.letter import letter

SETTINGS = """\
[lake]
path = "lake"
[local]
ae_title = "OURS"
port = 11113
time_zone = "Europe/Vienna"
kill_switch = "STOP"
[pacs.main]
host = "127.0.0.1"
port = 104
ae_title = "MAINPACS"
max_associations = 3
max_queries_per_minute = 60
duty_cycle = 0.25
allowed_hours = { weekdays = "18:00-07:00", saturday = "all", holidays = "none" }
[pacs.quiet]
host = "127.0.0.1"
port = 105
ae_title = "QUIET"
retrieve_by = "get"
[pacs.ris]
host = "127.0.0.1"
port = 106
ae_title = "RIS"
model = "worklist"
[pacs.web]
kind = "dicomweb"
url = "https://pacs.example/dicom-web"
"""


def pages(folder: Path) -> dict[str, str]:
    (folder / "pacslake.toml").write_text(SETTINGS)
    settings = load(folder / "pacslake.toml")
    return {name: letter(settings, name) for name in settings.pacs}


def test_the_letter_has_the_limits_that_are_set(tmp_path: Path) -> None:
    main = pages(tmp_path)["main"]
    for line in (
        "# To the administrator of MAINPACS",
        "| your AE title, host, port | MAINPACS, 127.0.0.1, 104 |",
        ", 127.0.0.1 |",
        "| associations at a time | 3 at most |",
        "| queries a minute | 60 at most |",
        "| share of the time | 25%, the rest is silence |",
        "| when | Monday to Friday 18:00-07:00; Saturday 00:00-24:00; holidays never (Europe/Vienna) |",
        "OURS at our host, port 11113, as a destination of C-MOVE",
        f"the file {tmp_path / 'STOP'}: nothing is asked anywhere",
        "`pacslake pacs pause main`",
    ):
        assert line in main


def test_the_letter_wants_nothing_registered_that_is_not_used(tmp_path: Path) -> None:
    found = pages(tmp_path)
    assert "C-MOVE" in found["main"]
    assert "the right to C-GET" in found["quiet"]
    assert "C-MOVE" not in found["quiet"]
    assert "no fixed limit" in found["quiet"]
    assert not any(word in found["ris"] for word in ("C-MOVE", "C-GET", "levels"))
    assert "https://pacs.example/dicom-web" in found["web"]
    assert not any(word in found["web"] for word in ("C-FIND", "C-MOVE", "AE title at", "None"))
