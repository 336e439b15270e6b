"""How tests call the installed command: the one beside this Python, without colours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    "COLUMNS": "100",
    "NO_COLOR": "1",
}


def pacslake(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the installed command in a folder and wait for its end."""
    return subprocess.run(
        ["pacslake", *arguments], cwd=folder, env=ENVIRONMENT, input=stdin.encode(), capture_output=True, timeout=60
    )
