"""The order machine: what to ask a PACS for, in which way, and when each series is settled. Pure.

Events in (`looked`, `arrived`, `fetched`, `checked`), tasks and states out. It owns no clock, no socket and no table:
whoever drives it does the tasks, and says what came, and when (in seconds of any clock that does not jump).

What a PACS counts proves nothing. A series is complete when all instances that the PACS lists have arrived, and their
files read back. What did not come is asked for by name; a series of which nothing came again after a while.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from crawler.retrieve.reconcile import Ended, Judgement, Listing, judge
from crawler.retrieve.state import State
from crawler.retrieve.status import Ending, describe
from crawler.retrieve.track import Check, Fetch, Item, Look, Stage, Task, Track
from crawler.words import many

GIVE_UP_AFTER = 5
"""So many requests in a row without a final response, none of which brought anything, and the PACS is left alone."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds."""

    settle: float = 5.0
    """After the last arrival: instances may come though the PACS said that all was sent."""
    look_again: tuple[float, ...] = (60.0, 300.0, 900.0)
    """Before each further look at a series that grows; without any, it is asked for as it is."""
    ask_again: tuple[float, ...] = (5.0, 60.0, 300.0)
    """Before each new request for a series of which the last one brought nothing."""

    def times(self, factor: float) -> Patience:
        """Wait so many times as long for everything."""
        waits = (tuple(wait * factor for wait in waits) for waits in (self.look_again, self.ask_again))
        return Patience(self.settle * factor, *waits)


class Order:
    """What one PACS is asked for, for some cohorts: those of a higher priority first, equal ones by turns."""

    def __init__(self, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self.abandoned: str | None = None
        """Why nothing more is asked of this PACS, None while all is well."""
        self.tracks: dict[str, Track] = {}
        """By Series Instance UID; a study whose series are not known yet by its own."""
        self._queues: dict[str, deque[Track]] = {}
        self._priorities: dict[str, int] = {}
        self._served: dict[str, int] = {}
        self._waiting: list[tuple[float, int, Track]] = []
        self._waited = 0
        self._in_hand = 0
        self._lost = 0
        self._changed: dict[str, Track] = {}

    def add(self, cohort: str, items: Iterable[Item], here: Mapping[str, Collection[str]], priority: int = 0) -> None:
        """Take in what a cohort wants; `here` are the instances of each series that are here already."""
        self._queues.setdefault(cohort, deque())
        self._served.setdefault(cohort, 0)
        self._priorities[cohort] = priority
        for item in items:
            if item.uid not in self.tracks:
                track = self.tracks[item.uid] = Track(item, cohort, set(here.get(item.uid, ())))
                self._changed[item.uid] = track
                self._queues[cohort].append(track)

    @property
    def finished(self) -> bool:
        """Whether nothing is in hand, and nothing will be."""
        return not (self._in_hand or self._waiting or any(self._queues.values()))

    def next(self, now: float) -> Task | None:
        """Hand out what is to be done next; None when there is nothing now: see `next_at`."""
        while self._waiting and self._waiting[0][0] <= now:
            track = heapq.heappop(self._waiting)[2]
            self._queues[track.cohort].appendleft(track)
        for cohort in sorted(self._queues, key=lambda name: (-self._priorities[name], self._served[name])):
            while self._queues[cohort]:
                task = self._task(self._queues[cohort].popleft(), now)
                if task is not None:
                    self._served[cohort] += 1
                    self._in_hand += 1
                    return task
        return None

    def next_at(self) -> float | None:
        """Give when `next` has something again if nothing else happens, None when it will not."""
        return self._waiting[0][0] if self._waiting else None

    def pause(self, now: float) -> float:
        """Give the seconds for which there is nothing to do but to wait; 0 while something is in hand."""
        at = None if self._in_hand or any(self._queues.values()) else self.next_at()
        return 0.0 if at is None else max(at - now, 0.0)

    def looked(self, look: Look, listing: Listing, now: float) -> None:
        """Tell what is known of a series after the PACS was asked."""
        track = self._returned(look)
        before = Listing(count=track.item.instances) if track.looks == 0 else track.listing
        track.listing = listing
        track.looks += 1
        if listing.size == 0:
            self._settle(track)
            return
        same = listing == before if before.instances is not None else listing.size == before.size
        waits = self.patience.look_again
        if track.missing == 0:
            self._put(track, Stage.CHECK)
        elif same or listing.size is None or not waits:
            self._put(track, Stage.FETCH)
        elif track.looks <= len(waits):
            self._judged(
                track, Judgement(State.PLANNED, f"{many(listing.size, 'instance')}; asked for when their number stays")
            )
            self._put(track, Stage.LOOK, now + waits[track.looks - 1])
        else:
            self._judged(track, Judgement(State.PLANNED, f"it still grew, to {many(listing.size, 'instance')}"))
            track.stage = Stage.DONE

    def found(self, look: Look, series: Collection[Item], trouble: str | None = None) -> None:
        """Tell which series a study has; they take its place."""
        track = self._returned(look)
        if trouble is not None or not series:
            track.stage = Stage.DONE
            self._judged(track, Judgement(State.FAILED, trouble or "the PACS lists no series of this study any more"))
            return
        self._changed.pop(track.item.uid, None)
        del self.tracks[track.item.uid]
        self.add(track.cohort, series, {}, self._priorities[track.cohort])

    def arrived(self, series_uid: str, instances: Iterable[str], now: float) -> None:
        """Tell of instances that are here now, whoever sent them."""
        if track := self.tracks.get(series_uid):
            before = len(track.here)
            track.here.update(instances)
            if len(track.here) == before:
                return
            track.moved_at = now
            self._lost = 0
            if track.stage is Stage.DONE and track.missing == 0:  # it was given up too early
                self._put(track, Stage.CHECK)

    def fetched(self, fetch: Fetch, ended: Ended, now: float) -> None:
        """Tell how a request ended. The series is judged when nothing of it comes any more."""
        track = self._returned(fetch)
        track.last, track.moved_at = ended, now
        self._changed[track.item.uid] = track
        self._lost = self._lost + 1 if ended.said is None else 0
        if ended.said is not None and ended.said.ending is Ending.UNKNOWN_DESTINATION:
            self.abandon(f"a request ended with {describe(ended.said.status)}")
        elif self._lost >= GIVE_UP_AFTER:
            self.abandon(ended.trouble or "no request comes to its end")
        if self.abandoned is None:
            self._put(track, Stage.SETTLE)
        else:
            self._close(track)

    def checked(self, check: Check, broken: Collection[str]) -> None:
        """Tell which files of a series do not read back as they were received."""
        track = self._returned(check)
        if broken:
            text = f"{len(broken)} files do not read back as they were received; `pacslake cohort verify` names them"
            self._judged(track, Judgement(State.FAILED, text))
            track.stage = Stage.DONE
        else:
            self._settle(track)

    def put_back(self, task: Task) -> None:
        """Give a task back that was not done; it is handed out again."""
        track = self._returned(task)
        if isinstance(task, Fetch):
            track.requests -= 1
        self._queues[track.cohort].appendleft(track)

    def abandon(self, reason: str) -> None:
        """Ask the PACS for nothing more. What was asked for is judged by what is here."""
        self.abandoned = self.abandoned or reason
        left = [track for _, _, track in self._waiting] + [track for queue in self._queues.values() for track in queue]
        self._waiting = []
        for queue in self._queues.values():
            queue.clear()
        for track in left:
            self._close(track)

    def take_changes(self) -> list[Track]:
        """Give the series of which something has changed since this was called last."""
        changed, self._changed = list(self._changed.values()), {}
        return changed

    def _task(self, track: Track, now: float) -> Task | None:
        """Make the task that a series is due for; None when it has to wait, or is settled by now."""
        if self.abandoned is not None and track.stage is not Stage.CHECK:
            self._close(track)
            return None
        match track.stage:
            case Stage.LOOK:
                return Look(track.item)
            case Stage.CHECK:
                return Check(track.item)
            case Stage.FETCH:
                self._judged(track, Judgement(State.REQUESTED))
                return track.request()
            case Stage.SETTLE:
                self._weigh(track, now)
        return None

    def _close(self, track: Track) -> None:
        """Leave a series as it is, now that the PACS is not asked any more."""
        if track.missing == 0 and track.stage is not Stage.LOOK:
            self._put(track, Stage.CHECK)
        elif track.requests:
            self._settle(track)
        else:
            track.stage = Stage.DONE

    def _weigh(self, track: Track, now: float) -> None:
        """Decide what follows a request that has ended, once nothing of it comes any more."""
        settled_at = now if track.all_came else track.moved_at + self.patience.settle
        if settled_at > now:
            self._put(track, Stage.SETTLE, settled_at)
            return
        track.weigh_request()
        waits, said = self.patience.ask_again, track.last.said
        if track.missing == 0:
            self._put(track, Stage.CHECK)
        elif track.fruitless and said is not None and said.ending is Ending.REFUSED:
            if track.refuse_level():
                self._put(track, Stage.FETCH)
            else:
                self._settle(track)
        elif track.fruitless > len(waits) or (track.missing is None and not track.fruitless):
            self._settle(track)
        else:
            self._put(track, Stage.FETCH, now + waits[track.fruitless - 1] if track.fruitless else 0.0)

    def _put(self, track: Track, stage: Stage, at: float = 0.0) -> None:
        """Have a series come up again, next or at a moment."""
        track.stage = stage
        if at:
            self._waited += 1
            heapq.heappush(self._waiting, (at, self._waited, track))
        else:
            self._queues[track.cohort].appendleft(track)

    def _settle(self, track: Track) -> None:
        """Judge a series by what is here; it is not asked for again."""
        track.stage = Stage.DONE
        last = Ended(trouble=self.abandoned) if self.abandoned else track.last
        self._judged(track, judge(track.listing, track.here, last))

    def _judged(self, track: Track, judgement: Judgement) -> None:
        track.state, track.reason = judgement.state, judgement.reason
        self._changed[track.item.uid] = track

    def _returned(self, task: Task) -> Track:
        self._in_hand -= 1
        return self.tracks[task.item.uid]
