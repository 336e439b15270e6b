"""Commands one after the other in one process, since each would take a second to import everything.

Reads command lines as JSON from standard input, and answers each with its exit code, output and what was said.
"""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from jobs.cli import main
from tests.acceptance.installed import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]


class Typed(NamedTuple):
    """What came of a command."""

    code: int
    output: str
    said: str


def type_all(folder: Path, commands: Sequence[str]) -> list[Typed]:
    """Run commands in a folder; the list ends with the first that fails."""
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.typed"],
        cwd=folder,
        env=environment,
        input="".join(f"{json.dumps(command)}\n" for command in commands),
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    return [Typed(*json.loads(line)) for line in done.stdout.splitlines()]


def _run(command: str) -> Typed:
    output, said = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    with redirect_stdout(output), redirect_stderr(said):
        program, *arguments = shlex.split(command)
        assert program == "pacslake"
        code = main(arguments)
    texts = []
    for stream in (output, said):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Typed(code, *texts)


if __name__ == "__main__":
    for line in sys.stdin:
        typed = _run(json.loads(line))
        print(json.dumps(typed), flush=True)
        if typed.code:
            break
