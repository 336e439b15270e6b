"""HTML and man pages of this folder, made by Sphinx in docs/made: `make docs`, and whatever builds an sdist or a wheel.

Beside them lies the digest of all that they were made of. As long as it holds they are taken as they are, so that an
sdist, which brings them, needs no Sphinx; once it does not they are made anew, so that no wheel has older ones.
Touches: disk, processes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MADE = HERE / "made"
KINDS = ("html", "man")
ABOVE = ("README", "ARCHITECTURE", "SECURITY", "CHANGELOG", "CONTRIBUTING")
"""Pages that lie in the folder above."""
WITNESS = "sources.sha256"
"""The digest, beside the pages."""
WARNINGS = "warnings.txt"
"""What Sphinx said, beside them: nothing, says a test. A release of it that says something new stops no build."""
SOURCES = (
    "docs",
    "crawler",
    "jobs",
    "config",
    "pyproject.toml",
    "requirements.build.lock",
    *(f"{one}.md" for one in ABOVE),
)
"""What pages say comes from here: of folders what ends in SUFFIXES. The lock names the Sphinx that makes them."""
SUFFIXES = (".md", ".py", ".toml", ".png")


class NotMadeError(Exception):
    """Sphinx did not make the pages; says why, and what to type."""


def are_made() -> bool:
    """Say whether the pages are there, made of the files that are here now."""
    witness = MADE / WITNESS
    return witness.exists() and witness.read_text() == digest()


def made() -> Path:
    """Give the folder with the folders of all KINDS, and have Sphinx make them where that is due."""
    with _alone():
        if not are_made():
            of = digest()
            with tempfile.TemporaryDirectory(prefix="pacslake-docs-") as folder:
                said = "".join(_sphinx(Path(folder), kind) for kind in KINDS)
                shutil.rmtree(MADE, ignore_errors=True)
                for kind in KINDS:
                    shutil.copytree(Path(folder, kind), MADE / kind, ignore=shutil.ignore_patterns(".*", "*.map"))
            (MADE / WARNINGS).write_text(said)
            (MADE / WITNESS).write_text(of)
    return MADE


def digest() -> str:
    """Give one number for the names and the bytes of all that pages are made of."""
    found = sha256()
    for path in sorted(_sources()):
        content = path.read_bytes()
        found.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _sources() -> Iterator[Path]:
    for name in SOURCES:
        if (ROOT / name).is_file():
            yield ROOT / name
        for path in (ROOT / name).rglob("*"):
            if path.suffix in SUFFIXES and not {HERE / "generated", MADE} & set(path.parents):
                yield path


@contextmanager
def _alone() -> Iterator[None]:
    """Wait while another process makes them: both would write the same pages into the same folders."""
    folder = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _sphinx(folder: Path, kind: str) -> str:
    words = f"-m sphinx -q -b {kind} -d".split()
    command = [sys.executable, *words, str(folder / "pages"), str(HERE), str(folder / kind)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NotMadeError(
            "Sphinx could not make the HTML and man pages that belong to every wheel. It needs what "
            "requirements.build.lock and requirements.run.lock name: `make setup` installs both, and so does a build "
            f"with build isolation. It said:\n{done.stderr.strip()}"
        )
    return done.stderr


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{made()}\n")
    except NotMadeError as error:
        sys.exit(str(error))
    sys.exit((MADE / WARNINGS).read_text() or 0)
