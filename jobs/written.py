"""Show how much of a file has been written, on a terminal. Touches: disk, clock, standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text


class _Size(ProgressColumn):
    """The bytes of all files in a folder: drafts, and what is spilled on the way."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def render(self, task: Task) -> Text:
        """Measure anew each time the line is drawn."""
        size = 0
        for path in self._folder.glob("*"):
            try:
                size += path.stat().st_size
            except OSError:  # spilled files come and go
                continue
        return Text(decimal(size))


@contextmanager
def show_written(folder: Path, name: str) -> Iterator[None]:
    """Keep a line on the terminal for as long as the block runs; elsewhere nothing is shown."""
    if not sys.stderr.isatty():
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), _Size(folder), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as line:
        line.add_task(name, total=None)
        yield
