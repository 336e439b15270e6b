"""What a person sees: bars on a terminal, the demo, the README's examples, and nowhere a patient's name."""

from __future__ import annotations

import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from fcntl import ioctl
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.sweeping import ask, configure, said, sweep

ROOT = Path(__file__).parents[2]
DAYS = (date(2024, 1, 1), date(2024, 2, 29))
ARCHIVE = Archive(300, *DAYS, seed=8, series_per_study=2)
WIDTH = 80


@pytest.fixture
def pacs() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.002))) as simulator:
        yield simulator


def on_a_terminal(folder: Path, *arguments: str, stop_at: bytes = b"") -> str:
    """Run the command on a terminal of 80 columns; give what it wrote, control sequences taken out.

    Once it wrote `stop_at` Ctrl-C is pressed.
    """
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "COLUMNS"} | {"TERM": "xterm"}
    command = ["pacslake", *arguments]
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        written = b""
        with suppress(OSError):  # how a terminal says that everybody has left
            while piece := os.read(master, 65536):
                written += piece
                if stop_at and stop_at in written:
                    process.send_signal(signal.SIGINT)
                    stop_at = b""
    os.close(master)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())


def test_bars_fit_a_terminal_and_tell_how_long_it_takes(tmp_path: Path, pacs: Simulator) -> None:
    configure(tmp_path, {"main": pacs.port})
    shown = on_a_terminal(tmp_path, "sweep", "--from", str(DAYS[0]), "--to", str(DAYS[1]))
    frames = [line for line in re.split(r"[\r\n]+", shown) if "rows/s" in line]
    assert max(map(len, frames)) <= WIDTH
    last = r"main ━+ \d+ windows  300 studies  [\d,]+ series  [\d,]+ rows/s \d:\d\d"
    assert re.fullmatch(last, frames[-1].rstrip())
    assert any(frame.rstrip().endswith(" left") for frame in frames)
    assert "…" not in shown
    assert shown.rstrip().endswith("complete.")


def test_ctrl_c_is_answered_on_a_line_of_its_own(tmp_path: Path, pacs: Simulator) -> None:
    configure(tmp_path, {"main": pacs.port})
    shown = on_a_terminal(tmp_path, "sweep", "--from", str(DAYS[0]), "--to", str(DAYS[1]), stop_at=b" left")
    assert "pacslake: stopping after the queries under way; once more to stop now" in re.split(r"[\r\n]+", shown)
    assert shown.rstrip().endswith("stopped. Run the same command again to go on.")


def test_elsewhere_a_sweep_says_one_line_at_its_end(tmp_path: Path, pacs: Simulator) -> None:
    configure(tmp_path, {"main": pacs.port})
    words = said(sweep(tmp_path, "--level", "study", "--from", str(DAYS[0]), "--to", str(DAYS[1])))
    assert re.fullmatch(r"main: \d+ windows, 300 studies \(300 new, 0 changed\) with \d+ queries; complete\.\n", words)


def test_no_patient_is_named_in_anything_that_is_said(tmp_path: Path) -> None:
    """Everything a sweep, a second one after a change, and a failing one say at their most talkative."""
    words = ""
    for quirks in (Quirks(duplicate_every=5, unsolicited=True), Quirks(ignores=frozenset({"StudyDate"}))):
        with running(Simulator(ARCHIVE, quirks=quirks)) as simulator:
            configure(tmp_path, {"main": simulator.port}, idle_timeout=1)
            days = ("--from", "2024-02-10", "--to", "2024-02-20")
            done = sweep(tmp_path, *days, "--log-level", "debug", "--debug")
            words += done.stdout.decode() + said(done) + pacslake(tmp_path, "status").stdout.decode()
    words += on_a_terminal(tmp_path, "status", "--log-level", "debug")
    patients = ask(tmp_path, "select distinct PatientName, PatientID, patient_family_name from studies")
    assert len(patients) > 30
    for name, number, family in patients:
        for value in (name, number, family):
            assert not value or not re.search(rf"\b{re.escape(value)}\b", words)


def test_the_demo_answers_three_questions(demo: Path) -> None:
    shown = (demo.parent / "said").read_text()
    for title in ("Studies by month and modality", "Scanners", "Busiest hours", "█"):
        assert title in shown
    assert max(map(len, shown.splitlines()[:-1])) <= int(ENVIRONMENT["COLUMNS"])
    [command] = re.findall(r"Ask your own:\n +pacslake (.*)", shown)
    assert f'sql --config {demo.name}/pacslake.toml "' in command
    asked = subprocess.run(f"pacslake {command}", shell=True, cwd=demo.parent, env=ENVIRONMENT, capture_output=True)
    assert asked.returncode == 0
    assert len(asked.stdout.splitlines()) == 7


def test_the_settings_of_the_readme_are_enough(tmp_path: Path, pacs: Simulator) -> None:
    toml = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    assert len([line for line in toml.splitlines() if "=" in line]) <= 5
    here = toml.replace("192.0.2.10", "127.0.0.1").replace("= 104", f"= {pacs.port}")
    (tmp_path / "pacslake.toml").write_text(here)
    done = sweep(tmp_path, "main", "--from", "2024-02-01", "--to", "2024-02-10")
    assert done.returncode == 0, said(done)
    truth = ARCHIVE.table(Level.STUDY, date(2024, 2, 1), date(2024, 2, 10))
    assert ask(tmp_path, "select count(*) from studies") == [(truth.num_rows,)]
