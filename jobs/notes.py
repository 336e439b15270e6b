"""What comes out about windows later, held back while rows that it corrects are being written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from crawler.model import Window
from crawler.plan.answers import Accept

Note = tuple[Window, Accept]


class Notes:
    """Notes in their order. The newest row of a ledger counts, so that none may come before its window's own."""

    def __init__(self) -> None:
        self._writing: list[Window] = []
        self._held: list[Note] = []

    @contextmanager
    def writing(self, window: Window) -> Iterator[None]:
        """Hold back what is said of days of this window."""
        self._writing.append(window)
        try:
            yield
        finally:
            self._writing.remove(window)

    def due(self, notes: Iterable[Note]) -> list[Note]:
        """Take notes, and give those that may be written now, of earlier ones too."""
        coming = [*self._held, *notes]
        self._held = [note for note in coming if any(note[0].meets(window) for window in self._writing)]
        return [note for note in coming if note not in self._held]
