"""Days that were answered without a study, and how that is proven: by their neighbours. Pure.

Some PACS answer nothing where there is too much to answer. So nothing is believed to be all there is only when days
that are known to have studies, asked for together with the empty ones, bring those studies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.plan.spans import BEGINNING, END, Span


@dataclass
class Empties:
    """Spans of whole days whose answers had no study with a date, and the neighbours that had."""

    merging: bool = True
    """Whether adjacent spans are proven together; not once a PACS was seen to answer nothing for too much."""
    failed: int = 0
    _empty: list[Span] = field(default_factory=list)
    _busy: list[Span] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._empty)

    def busy(self, span: Span) -> None:
        """Note a span whose answer was whole and had studies."""
        self._busy.append(span)

    def empty(self, span: Span) -> None:
        """Note a span whose answer had none; it is not proven yet."""
        self._empty.append(span)

    def proven(self, span: Span) -> None:
        """Note that a span is empty indeed: its neighbour reaches further now."""
        near = [one for one in self._busy if one.first == span.last + 1 or one.last == span.first - 1]
        self._busy.extend(Span(min(one.first, span.first), max(one.last, span.last)) for one in near[:1])

    def take(self) -> tuple[Span, Span | None]:
        """Give the newest span to be proven, with its nearest neighbour that has studies, and forget it."""
        span = max(self._empty)
        self._empty.remove(span)
        while self.merging and (older := [one for one in self._empty if one.last == span.first - 1]):
            self._empty.remove(older[0])
            span = Span(older[0].first, span.last)
        return span, min(self._busy, key=lambda one: _between(span, one), default=None)


def joined(span: Span, neighbour: Span) -> Span:
    """Give the shortest span that holds both."""
    return Span(min(span.first, neighbour.first), max(span.last, neighbour.last))


def _between(span: Span, neighbour: Span) -> tuple[int, int]:
    """Rank neighbours: the fewer seconds between, the better, and the shorter among those."""
    apart = max(neighbour.first - span.last, span.first - neighbour.last)
    return apart, neighbour.length if BEGINNING not in neighbour and END not in neighbour else END
