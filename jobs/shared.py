"""What is known of the manners at one PACS, by all processes that ask it. Touches: disk, clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crawler.lake.standing import StandingFile
from crawler.plan.polite import Politeness, Standing


class Shared:
    """One machine, and the file by which processes tell each other; without a file, this process is the only one."""

    def __init__(self, polite: Politeness, kept: StandingFile | None = None) -> None:
        self.polite = polite
        self._kept = kept
        self._changed = False
        self._rest_kept = 0.0
        self.refresh()

    @property
    def is_alone(self) -> bool:
        """Whether there is nobody to be told."""
        return self._kept is None

    def refresh(self) -> None:
        """Take up what another process has written. What is no standing is as good as none."""
        news = self._kept.news() if self._kept else None
        if news is not None:
            try:
                self.polite.take_up(Standing.of(news))
            except (TypeError, ValueError):
                return

    @contextmanager
    def told(self) -> Iterator[Politeness]:
        """Change something in full knowledge of other processes, and have them know."""
        if self._kept is None:
            yield self.polite
            return
        with self._kept.held():
            self.refresh()
            yield self.polite
            self._kept.write(self.polite.standing.as_values())
            self._rest_kept = self.polite.standing.rest_until

    def note(self) -> None:
        """Remember that something was learned, and tell at once that a rest is due."""
        self._changed = True
        if self.polite.standing.rest_until > self._rest_kept and self.polite.manners.duty_cycle < 1.0:
            self.save()

    def save(self) -> None:
        """Keep what was learned since it was last kept."""
        if self._changed:
            with self.told():
                self._changed = False

    def forget_failures(self) -> None:
        """Have a PACS that gave no answer tried again at once."""
        with self.told() as polite:
            polite.standing.forgive()
