"""Run a Python program many times in one process, which starting it anew each time would take minutes for.

Reads a JSON list of [folder, arguments] on standard input and writes a list of [exit code, output]. It is run by
whatever Python the program has, and imports nothing else. Touches: processes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys


def call(program: str, folder: str, arguments: list[str]) -> tuple[int, str]:
    """Run a program once in a folder."""
    os.chdir(folder)
    sys.argv = [program, *arguments]
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    code: object = 0
    with contextlib.redirect_stdout(written):
        try:
            runpy.run_path(program, run_name="__main__")
        except SystemExit as ended:
            code = ended.code
    written.seek(0)
    return (code if isinstance(code, int) else int(code is not None)), written.read()


if __name__ == "__main__":
    program = sys.argv[1]
    answers = [call(program, folder, arguments) for folder, arguments in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)
