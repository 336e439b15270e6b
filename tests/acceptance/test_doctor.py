"""`pacslake doctor`: a fit installation passes, and whatever is wrong is named with what to type."""

from __future__ import annotations

import json
import socket
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crawler.pacs.check.verdict import Grade
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from jobs.installed import of_packages
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import configure, said, sweep
from tests.integration.authority import Authority

FEW = Archive(4, date(2024, 2, 1), date(2024, 2, 2))


def examined(folder: Path, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = pacslake(folder, "doctor", "--format", "json", *options)
    return done.returncode, {one["check"]: one for one in json.loads(done.stdout)}


def graded(found: dict[str, dict[str, Any]], grade: Grade) -> set[str]:
    return {check for check, one in found.items() if one["grade"] == grade}


def moments(folder: Path) -> dict[Path, int]:
    """Say when each file was changed, but for what is kept of how PACS answer."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if "pacs" not in path.parts[-2:]}


def add(folder: Path, text: str) -> None:
    with (folder / "pacslake.toml").open("a") as file:
        file.write(text)


def test_a_fit_installation_passes(tmp_path: Path) -> None:
    with running(Simulator(FEW, ae_title="SIMPACS")) as pacs, socket.create_server(("127.0.0.1", 0)) as service:
        configure(tmp_path, {"main": pacs.port})
        add(tmp_path, f'[serve]\nlisten = "127.0.0.1:{service.getsockname()[1]}"\n')
        assert sweep(tmp_path).returncode == 0
        before = moments(tmp_path)
        code, found = examined(tmp_path, "--peers")
        assert moments(tmp_path) == before
    assert (code, graded(found, Grade.PROBLEM)) == (0, set())
    right = {"python", "settings", "lake", "store", "tables", "serve.listen", "main"}
    assert graded(found, Grade.OK) >= right
    assert "so can lake.duckdb" in found["tables"]["text"]
    assert "is taken by a process of" in found["serve.listen"]["text"]
    assert "answers, in" in found["main"]["text"]


def test_a_mistake_in_the_settings_is_placed_and_the_rest_said_to_be_unseen(tmp_path: Path) -> None:
    (tmp_path / "pacslake.toml").write_text('[lake]\npath = "lake"\n[local]\nprot = 104\n')
    done = pacslake(tmp_path, "doctor")
    shown = " ".join(done.stdout.decode().split())
    assert done.returncode == 3, said(done)
    assert "problem settings pacslake.toml:4:1: local.prot is not a known key; did you mean 'port'?" in shown
    assert "what follows from it was not looked at" in shown
    assert "Disk" not in shown


def test_whatever_is_wrong_is_named(tmp_path: Path) -> None:
    issued = Authority(tmp_path, "hospital").issue("ours", lasts=timedelta(days=-1))
    configure(tmp_path, {"main": 1})
    add(tmp_path, '[pacs.later]\nhost = "127.0.0.1"\nport = 1\nae_title = "LATER"\n')
    add(tmp_path, '[local]\ntime_zone = "Pacific/Kiritimati"\nstore_path = "pacslake.toml/store"\n')
    add(tmp_path, f'[find_scp]\nlisten = "192.0.2.1:11113"\nallow = ["A"]\ntls_certificate = "{issued.certificate}"\n')
    add(tmp_path, f'tls_key = "{issued.key}"\ntls_client_ca = "gone.pem"\n')
    add(tmp_path, '[alerts.team]\nwebhook_file = "credential:team"\n')
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / "lake.duckdb").write_bytes(b"no database")
    assert pacslake(tmp_path, "pacs", "pause", "later").returncode == 0
    code, found = examined(tmp_path, "--peers")
    assert code == 3
    assert graded(found, Grade.PROBLEM) == {
        "alerts.team.webhook_file",
        "find_scp.listen",
        "find_scp.tls_certificate",
        "find_scp.tls_client_ca",
        "main",
        "store",
        "tables",
    }
    assert graded(found, Grade.NOTE) >= {"later", "time zone"}
    assert "has expired" in found["find_scp.tls_certificate"]["text"]
    assert "nothing listens at PACS main (127.0.0.1:1)" in found["main"]["text"]
    assert "paused" in found["later"]["text"]
    assert all(found[check]["remedy"] for check in graded(found, Grade.PROBLEM))


def test_a_folder_that_others_reach_is_named(tmp_path: Path) -> None:
    with TemporaryDirectory() as folder:  # pytest's own folders are closed to others above it
        Path(folder).chmod(0o755)
        (tmp_path / "pacslake.toml").write_text(f"[lake]\npath = '{folder}'\n")
        code, found = examined(tmp_path)
        assert (code, found["lake"]["grade"], found["lake"]["remedy"]) == (3, "problem", f"chmod go= {folder}")


def test_packages_are_compared_with_the_lock() -> None:
    here = "click==0.0.1 \\\n    --hash=sha256:0\nno-such-one==1 \\\nno-such-other==1 ; sys_platform == 'win32' \\\n"
    missing, others = of_packages(here)
    assert (missing.grade, missing.text) == (Grade.PROBLEM, "not installed: no-such-one")
    assert others.grade is Grade.NOTE
    assert "(tested: 0.0.1)" in others.text
