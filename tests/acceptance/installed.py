"""How tests call the command: the one beside this Python, without colours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

SECRET = "wJalrXUtnFEMI-of-the-tests"
"""Of who asks an object store: to be told nowhere."""
ENVIRONMENT = {
    **os.environ,
    "AWS_ACCESS_KEY_ID": "pacslake-tests",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    "COLUMNS": "100",
    "NO_COLOR": "1",
}


_FREE = threading.Lock()


def pacslake(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the command in a folder and wait for its end: in a fork, or as it is installed while that one is busy."""
    if not _FREE.acquire(blocking=False):
        command = ["pacslake", *arguments]
        return subprocess.run(
            command, cwd=folder, env=ENVIRONMENT, input=stdin.encode(), capture_output=True, timeout=60
        )
    try:
        with tempfile.TemporaryDirectory() as name:
            files = {stream: Path(name, stream) for stream in ("stdin", "stdout", "stderr")}
            for stream, file in files.items():
                file.write_bytes(stdin.encode() if stream == "stdin" else b"")
            order = {"folder": str(folder), "arguments": arguments, **{key: str(file) for key, file in files.items()}}
            server = _forking()
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps(order).encode() + b"\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, *(files[one].read_bytes() for one in list(files)[1:]))
    finally:
        _FREE.release()


@cache
def _forking() -> subprocess.Popen[bytes]:
    """Have a process that runs commands; it ends with this one, which holds its standard input."""
    command, pipe = [sys.executable, "-m", "tests.acceptance.forking"], subprocess.PIPE
    environment = {**ENVIRONMENT, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], env=environment, stdin=pipe, stdout=pipe)
