"""What is said while tests run, by whichever process, so that it can be searched for patients. Touches: processes."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installed import ENVIRONMENT
from tests.faults.planted import named_in

SHOWING = {"audit", "changes", "cohort", "demo", "explore", "export", "find", "quality", "simulate", "sql", "users"}
"""Commands whose standard output is for the eyes of who typed them: it may name patients."""
GLANCE = 0.2
_READ = ("*.log", "*.prom", "alerts.json")
"""Files that must name nobody, by what they hold; all others by their names alone."""


class Overheard:
    """What processes said, how they were called, and where they worked."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.files: set[Path] = set()
        self.folders: set[Path] = set()
        self._typed: set[str] = set()
        self._found: set[str] = set()

    def hear(self, text: str | bytes | None, whose: str = "a process") -> None:
        """Take what was said; a test that reads a pipe by itself hands it over by this."""
        if text:
            self.texts.append((whose, text.decode(errors="replace") if isinstance(text, bytes) else text))

    def heard_in(self, folder: Path) -> None:
        """Take a folder in which something was done."""
        self.folders.add(folder)

    def typed(self, words: list[str]) -> None:
        """Take what a test typed: the title of that process is its own affair."""
        self._typed.add(" ".join(words))

    def title(self, title: str) -> None:
        """Take how a process is called."""
        if not any(typed in title for typed in self._typed):
            self.hear(title, "the title of a process")

    def naming(self) -> list[str]:
        """Say where patients are named, in all that came since this was last asked."""
        for file in self.files:
            with suppress(FileNotFoundError):
                self.hear(file.read_bytes(), file.name)
        for folder in self.folders:
            self.hear("\n".join(str(path.relative_to(folder)) for path in folder.rglob("*")), "names of files")
            for path in (path for pattern in _READ for path in folder.rglob(pattern)):
                self.hear(path.read_bytes(), path.name)
        found = [f"{whose}: {', '.join(named)}" for whose, text in self.texts if (named := named_in(text))]
        self.texts.clear()
        new = sorted({*found} - self._found)
        self._found.update(new)
        return new


@contextmanager
def overhearing() -> Iterator[Overheard]:
    """Hear all processes that are started meanwhile, at their most talkative."""
    heard, ended = Overheard(), threading.Event()

    class Listened(subprocess.Popen[Any]):
        def __init__(self, args: Any, *more: Any, **named: Any) -> None:
            self._words = [str(args)] if isinstance(args, str | bytes) else [str(word) for word in args]
            self._is_ours = any(_is_ours(word) for word in self._words)
            heard.typed(self._words)
            super().__init__(args, *more, **named)
            for stream in (named.get("stderr"), named.get("stdout")):
                if self._is_ours and isinstance(name := getattr(stream, "name", None), str):
                    heard.files.add(Path(name).absolute())
            if self._is_ours and named.get("cwd"):
                heard.heard_in(Path(named["cwd"]).absolute())

        def communicate(self, *given: Any, **named: Any) -> tuple[Any, Any]:
            said = super().communicate(*given, **named)
            if self._is_ours:
                heard.hear(said[1], " ".join(self._words))
                heard.hear(None if SHOWING.intersection(self._words) else said[0], " ".join(self._words))
            return said

    titles = threading.Thread(target=_read_titles, args=(heard, ended), daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", Listened)
        patch.setitem(ENVIRONMENT, "PACSLAKE_LOG_LEVEL", "debug")
        patch.setenv("PACSLAKE_LOG_LEVEL", "debug")
        titles.start()
        yield heard
    ended.set()
    titles.join()


def _is_ours(word: str) -> bool:
    return word.rpartition("/")[2] == "pacslake" or word.startswith(("jobs.", "crawler."))


def _read_titles(heard: Overheard, ended: threading.Event) -> None:
    """Read again and again how the processes below this one are called."""
    known: set[str] = set()
    while not ended.wait(GLANCE):
        for process in _below("self"):
            with suppress(OSError):
                said = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if said not in known and any(_is_ours(word) for word in said.split()):
                    known.add(said)
                    heard.title(said)


def _below(process: str) -> Iterator[str]:
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in listed.read_text().split():
                yield child
                yield from _below(child)
