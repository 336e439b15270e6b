"""`pacslake echo`: who answers is shown with times, who does not is named with the reason."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import configure, said

FEW = Archive(4, date(2024, 2, 1), date(2024, 2, 2))


def test_each_pacs_is_called_by_name_or_address(tmp_path: Path) -> None:
    with running(Simulator(FEW, ae_title="SIMPACS")) as pacs:
        configure(tmp_path, {"main": pacs.port})
        address = f"SIMPACS@localhost:{pacs.port}"
        done = pacslake(tmp_path, "echo", "main", address, "--count", "3", "--format", "json")
    assert done.returncode == 0, said(done)
    main, other = json.loads(done.stdout)
    assert (main["pacs"], other["pacs"], other["host"]) == ("main", address, "localhost")
    assert [(one["answered"], one["status"], one["trouble"]) for one in (main, other)] == [
        (3, "0x0000 (success)", None),
        (3, "0x0000 (success)", None),
    ]
    assert main["fastest_ms"] <= main["mean_ms"] <= main["slowest_ms"]


def test_who_does_not_answer_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    with running(Simulator(FEW, ae_title="SIMPACS")) as pacs:
        good, bad = (f"{title}@127.0.0.1:{pacs.port}" for title in ("SIMPACS", "OTHER"))
        done = pacslake(tmp_path, "echo", good, bad, "NOBODY@127.0.0.1:1")
    assert done.returncode == 1
    _, _, first, second, third = done.stdout.decode().splitlines()
    assert first.split()[:4] == [good, "0x0000", "(success)", "1"]
    assert second.split()[:3] == [bad, "-", "0"]
    assert third.split()[:3] == ["NOBODY@127.0.0.1:1", "-", "0"]
    assert "is not called OTHER" in said(done)
    assert "nothing listens at" in said(done)


def test_a_name_needs_settings(tmp_path: Path) -> None:
    done = pacslake(tmp_path, "echo", "main")
    assert done.returncode == 2
    assert "name the PACS by its address" in said(done)
