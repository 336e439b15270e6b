"""The installed command, compared with transcripts: what was typed, both outputs and the exit code.

Each file of golden/ is a list of commands, run by a shell in an empty folder one after the other. To write the
transcripts anew after an intended change, set PACSLAKE_WRITE_GOLDEN=1 and read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.acceptance.installed import ENVIRONMENT

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.txt"))


def run(command: str, folder: Path) -> str:
    """Run one command line; give it and what came of it as it stands in a transcript."""
    done = subprocess.run(
        command, shell=True, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    out, err = (
        text.decode().replace(str(folder), "<folder>").replace(version("pacslake"), "<version>")
        for text in (done.stdout, done.stderr)
    )
    parts = [f"$ {command}\n", out]
    parts += ["[standard error]\n", err] if err else []
    parts += [f"[exit {done.returncode}]\n"] if done.returncode else []
    return "".join(parts)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_the_command_answers_as_the_transcript_says(golden: Path, tmp_path: Path) -> None:
    commands = re.findall(r"^\$ (.*)$", golden.read_text(), re.MULTILINE)
    transcript = "\n".join(run(command, tmp_path) for command in commands)
    if os.environ.get("PACSLAKE_WRITE_GOLDEN"):
        golden.write_text(transcript)
    assert transcript == golden.read_text()
