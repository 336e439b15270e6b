"""`pacslake cohort` in this process: most of a process of its own would be imports."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from jobs import cli


def cohort(folder: Path, *words: str) -> tuple[int, str]:
    """Give the exit code of `pacslake cohort` and what it says."""
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        code = cli.main(["cohort", *words])
    return code, out.getvalue()
