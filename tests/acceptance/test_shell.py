"""What a shell and a terminal get: completion of what is typed, and colours unless NO_COLOR is set."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.installed import ENVIRONMENT, pacslake

SETTINGS = """\
[lake]
path = "lake"
[pacs.main]
host = "192.0.2.1"
port = 104
ae_title = "MAIN"
[pacs.mirror]
host = "192.0.2.2"
port = 104
ae_title = "MIRROR"
[jobs.nightly]
kind = "sweep"
cron = "0 22 * * *"
[cohorts.chest]
sql = "select StudyInstanceUID from studies"
"""
TYPED = [
    ("pacslake sw", {"sweep", "sweeps"}),
    ("pacslake sweep --recon", {"--reconcile"}),
    ("pacslake sweep main m", {"mirror"}),
    ("pacslake sweep --job n", {"nightly"}),
    ("pacslake plan ", {"nightly", "main", "mirror"}),
    ("pacslake pacs pa", {"pause"}),
    ("pacslake cohort status c", {"chest"}),
    ("pacslake sql --live ma", {"main"}),
    ("pacslake status --config none.toml --format j", {"json"}),
    ("pacslake sweep --config none.toml m", set()),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pacslake.toml").write_text(SETTINGS)
    return tmp_path


def test_bash_completes_what_is_typed(folder: Path) -> None:
    script = pacslake(folder, "completion", "bash").stdout.decode()
    asking = [
        f"COMP_WORDS=({shlex.join(line.split(' '))}) COMP_CWORD={line.count(' ')} COMPREPLY=()\n"
        "_pacslake_completion pacslake; echo ${COMPREPLY[*]}"
        for line, _ in TYPED
    ]
    (folder / "asking").write_text("\n".join([script, *asking]))
    command = ["bash", "--norc", "asking"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, timeout=60, check=True)
    answers = done.stdout.decode().split("\n")[:-1]
    assert {line: set(answer.split()) for (line, _), answer in zip(TYPED, answers, strict=True)} == dict(TYPED)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_another_shell_asks_for_words_that_come(folder: Path, shell: str) -> None:
    done = pacslake(folder, "completion", shell)
    assert f"_PACSLAKE_COMPLETE={shell}_complete" in done.stdout.decode()
    assert 'string split ","' not in done.stdout.decode(), "what a command does has commas too"
    asked = {"_PACSLAKE_COMPLETE": f"{shell}_complete", "COMP_WORDS": "pacslake sw", "COMP_CWORD": "1"}
    if shell == "fish":
        asked["COMP_CWORD"] = "sw"
    environment = {**ENVIRONMENT, **asked}
    found = subprocess.run(["pacslake"], cwd=folder, env=environment, capture_output=True, timeout=60, check=True)
    assert "sweep" in found.stdout.decode()
    assert "Crawl PACS into the lake." in found.stdout.decode()


def colored(folder: Path, *arguments: str, **environment: str) -> bool:
    """Run the command on a terminal; tell whether it set a colour."""
    master, slave = pty.openpty()
    known = {name: value for name, value in ENVIRONMENT.items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    with subprocess.Popen(
        ["pacslake", *arguments], cwd=folder, env=known | environment, stdin=slave, stdout=slave, stderr=slave
    ):
        os.close(slave)
        written = b""
        with suppress(OSError):  # how a terminal says that everybody has left
            while piece := os.read(master, 65536):
                written += piece
    os.close(master)
    assert written
    return re.search(rb"\x1b\[(?:\d+;)*[349]\d(?:;\d+)*m", written) is not None


def test_no_color_is_heeded(folder: Path) -> None:
    asked = ("check", "main", "--day", "2024-01-01")
    settings = (folder / "pacslake.toml").read_text().replace("192.0.2.1", "127.0.0.1").replace("104", "1")
    (folder / "pacslake.toml").write_text(settings)
    assert colored(folder, *asked)
    assert not colored(folder, *asked, NO_COLOR="1")
