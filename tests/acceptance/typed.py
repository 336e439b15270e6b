"""What a document has people type, typed: in a folder, with what its names mean there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.serving import serving
from tests.documents import Piece

Meant = Mapping[str, str]
"""What a word of a document is called on this machine: an address, a port, a UID, a program."""

PROMPTED = "select 1\n"
"""What is typed where a command has a prompt."""
_SHELL = re.compile(r"[|&;<>$`\n]")
_READY = {"--find-scp": "answering queries"}
"""What the service logs, beside that its pages can be asked, once more can."""


def walk(folder: Path, pieces: Iterable[Piece], meant: Meant, codes: Mapping[str, int]) -> None:
    """Type each command of a document in a folder. It must end with 0, or as `codes` say, and answer as is shown.

    A service goes on until the end of its block, what is sent to the background until that of the document.
    """
    with ExitStack() as document:
        for _, block in groupby(pieces, attrgetter("block")):
            with ExitStack() as services:
                for piece in block:
                    words = translated(piece.text, meant)
                    if words.startswith("pacslake serve"):
                        services.enter_context(_served(folder, words))
                    elif words.endswith(" &"):
                        document.enter_context(_begun(folder, words))
                    else:
                        code, answer = typed(folder, words)
                        expected = next((one for begins, one in codes.items() if piece.text.startswith(begins)), 0)
                        assert code == expected, f"{words}\n{answer}"
                        assert timeless(piece.shown) in ("", timeless(answer))


def translated(text: str, meant: Meant) -> str:
    """Give a text with the words of this machine; the longest word counts."""
    words = sorted(meant, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, words)), lambda word: meant[word[0]], text) if words else text


def timeless(text: str) -> str:
    """Leave out what the clock says, and how many commits a slow machine makes of a sweep."""
    return re.sub(r"on \S+ \S+ UTC|in \d+:\d\d|version \d+ of the lake", "at some time", text)


def typed(folder: Path, line: str) -> tuple[int, str]:
    """Run a command line to its end; a shell does where it is for one. Give the exit code and what was written."""
    words = shlex.split(line, comments=True)
    bare = re.sub(r"(^|\s)#.*", "", re.sub(r'"[^"$`]*"|\'[^\']*\'', "", line))
    if words[0] == "pacslake" and not _SHELL.search(bare):
        done = pacslake(folder, *words[1:], stdin=PROMPTED)
    else:
        command = ["bash", "-o", "pipefail", "-ec", line]
        done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode, (done.stdout + done.stderr).decode()


@contextmanager
def _served(folder: Path, line: str) -> Iterator[None]:
    options = shlex.split(line, comments=True)[2:]
    with serving(folder, *options) as service:
        for event in ("listening", *(_READY[option] for option in options)):
            service.wait_for(event)
        yield
        service.process.terminate()
        assert service.process.wait(30) == 0, service.said


@contextmanager
def _begun(folder: Path, line: str) -> Iterator[None]:
    command = ["bash", "-c", f"exec {line.removesuffix(' &')}"]
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert "listening on" in process.stdout.readline()
            yield
        finally:
            process.terminate()
