"""Days and hours that were answered without a study, and how that is proven: by their neighbours. Pure.

Some PACS answer nothing where there is too much to answer. So nothing is believed to be all there is only when days
that are known to have studies, asked for together with the empty ones, bring those studies. The neighbours of hours
are other hours of their day, since no window reaches from the hours of one day into the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.plan.spans import BEGINNING, DAY, END, Span


@dataclass
class Empties:
    """Spans whose answers had no study with a date, and the neighbours that had."""

    merging: bool = True
    """Whether adjacent spans are proven together; not once a PACS was seen to answer nothing for too much."""
    failed: int = 0
    _empty: list[Span] = field(default_factory=list)
    _busy: list[Span] = field(default_factory=list)
    _busy_hours: dict[int, list[Span]] = field(default_factory=dict)
    """By day."""

    def __bool__(self) -> bool:
        return bool(self._empty)

    def busy(self, span: Span) -> None:
        """Note a span whose answer was whole and had studies."""
        self._among(span).append(span)

    def empty(self, span: Span) -> None:
        """Note a span whose answer had none; it is not proven yet."""
        self._empty.append(span)

    def proven(self, span: Span) -> None:
        """Note that a span is empty indeed: its neighbour reaches further now."""
        busy = self._among(span)
        near = [one for one in busy if one.first == span.last + 1 or one.last == span.first - 1]
        busy.extend(Span(min(one.first, span.first), max(one.last, span.last)) for one in near[:1])

    def take(self) -> tuple[Span, Span | None]:
        """Give a span to be proven, with its nearest neighbour that has studies, and forget it.

        It is the newest, of hours that of its day which lies nearest to its neighbour.
        """
        span = max(self._empty)
        if not span.is_whole_days:
            hours = [one for one in self._empty if not one.is_whole_days and one.first // DAY == span.first // DAY]
            span = min(
                hours, key=lambda one: min((_between(one, busy) for busy in self._among(one)), default=(END, END))
            )
        self._empty.remove(span)
        while self.merging and (older := [one for one in self._empty if one.last == span.first - 1]):
            self._empty.remove(older[0])
            span = Span(older[0].first, span.last)
        return span, min(self._among(span), key=lambda one: _between(span, one), default=None)

    def _among(self, span: Span) -> list[Span]:
        """Give the busy spans that a span may be a neighbour of."""
        return self._busy if span.is_whole_days else self._busy_hours.setdefault(span.first // DAY, [])


def joined(span: Span, neighbour: Span) -> Span:
    """Give the shortest span that holds both."""
    return Span(min(span.first, neighbour.first), max(span.last, neighbour.last))


def _between(span: Span, neighbour: Span) -> tuple[int, int]:
    """Rank neighbours: the fewer seconds between, the better, and the shorter among those."""
    apart = max(neighbour.first - span.last, span.first - neighbour.last)
    return apart, neighbour.length if BEGINNING not in neighbour and END not in neighbour else END
