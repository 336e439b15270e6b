"""`pacslake serve --find-scp` as whoever runs it, and whoever queries it, sees it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.testing.archive import Archive
from tests.acceptance.installed import pacslake
from tests.acceptance.serving import serving, wait_until
from tests.acceptance.sweeping import configure, said
from tests.integration.finding import archived, decoded, lake_of
from tests.integration.real_pacs import free_port

DAY = date(2024, 3, 1)


def configure_find(folder: Path, port: int, more: str = "") -> None:
    """Write pacslake.toml without a job and without pages."""
    configure(folder, {"main": 1})
    file = folder / "pacslake.toml"
    section = f'[find_scp]\nlisten = "127.0.0.1:{port}"\nae_title = "LAKE"\n{more}'
    file.write_text(f'{file.read_text()}[serve]\nlisten = ""\n{section}')


def test_findscu_asks_the_lake_beside_the_service_which_follows_new_commits(
    tmp_path: Path, dcmtk_tool: Callable[[str], Path]
) -> None:
    port = free_port()
    configure_find(tmp_path, port, 'allow = ["FINDSCU@127.0.0.1"]\n')
    command = [str(dcmtk_tool("findscu")), "-S", "-aec", "LAKE", "127.0.0.1", str(port)]

    def found(*options: str) -> list[str]:
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyDate=20240301", "-k", "StudyInstanceUID", *options]
        done = subprocess.run([*command, *keys], capture_output=True, text=True, check=False)
        return re.findall(r"\(0020,000d\) UI \[([0-9.]+)", done.stdout + done.stderr)

    with serving(tmp_path, "--find-scp") as service:
        service.wait_for("answering queries", ae_title="LAKE")
        assert found() == []
        assert service.wait_for("query answered")["reason"] == "nothing has been swept yet"
        lake_of(tmp_path, {"main": archived(Archive(12, DAY, DAY))})
        wait_until(lambda: len(found()) == 12)
        with LakeWriter.open(tmp_path / "lake") as writer:
            late = Archive(3, DAY, DAY, seed=9).table(Level.STUDY)
            writer.stage(Level.STUDY, "main", "s2", decoded(Level.STUDY, late))
            writer.commit()
        wait_until(lambda: len(found()) == 15)
        refused = subprocess.run([*command, "-aet", "STRANGER", "-k", "PatientID"], capture_output=True, check=False)
        assert b"Calling AE Title Not Recognized" in refused.stdout + refused.stderr
        service.wait_for("answering queries", 2)  # as a lake has come, in which only another one may write
        assert not service.events("answering queries ended, begins again")
        os.kill(answering_of(service.process.pid), signal.SIGKILL)
        service.wait_for("answering queries", 3)
        assert len(found()) == 15
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=30) == 0
    assert not service.events("unexpected")


def answering_of(service: int) -> int:
    """Give the process that answers, which is confined."""
    children = Path(f"/proc/{service}/task/{service}/children").read_text().split()
    [child] = [one for one in children if b"jobs.find_process" in Path(f"/proc/{one}/cmdline").read_bytes()]
    for thread in Path(f"/proc/{child}/task").iterdir():
        assert "NoNewPrivs:\t1" in (thread / "status").read_text()
    limits = Path(f"/proc/{child}/limits").read_text()
    assert re.search(r"Max open files +4096 +4096", limits)
    assert not re.search(r"Max data size +unlimited", limits)
    return int(child)


def test_an_address_that_is_taken_and_one_for_everybody_are_said(tmp_path: Path) -> None:
    configure_find(tmp_path, 1)
    with_port = (tmp_path / "pacslake.toml").read_text()
    (tmp_path / "pacslake.toml").write_text(with_port.replace("127.0.0.1:1", "192.0.2.1:1"))
    done = pacslake(tmp_path, "serve", "--find-scp")
    assert done.returncode == 2
    assert "listens at 192.0.2.1:1, which other machines reach: say who may ask, as allow = ['AE']" in said(done)
    (tmp_path / "pacslake.toml").write_text(with_port.replace("127.0.0.1:1", "127.0.0.1:x"))
    assert "find_scp.listen must be an address and a port" in said(pacslake(tmp_path, "serve", "--find-scp"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "pacslake.toml").write_text(with_port.replace("127.0.0.1:1", f"127.0.0.1:{port}"))
        done = pacslake(tmp_path, "serve", "--find-scp")
        assert done.returncode == 2
        assert f"find_scp.listen: 127.0.0.1:{port} cannot be had: Address already in use" in said(done)
