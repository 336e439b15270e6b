"""What a crawl need not ask again because it did not change, and what has gone from the PACS. Touches: network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from crawler.errors import RefusedError
from crawler.lake.memory import Memory, Remembered
from crawler.model import Identifiers, Level, Model, Outcome, Window, WindowState
from crawler.pacs.identifier import Query
from crawler.pacs.profile import attributes
from crawler.plan.answers import Ask
from crawler.plan.settled import Settled, deepest
from jobs.caller import Caller
from jobs.ledger import Ledger, Tally
from jobs.publish import PARENT_KEYS, Child, Publisher, Source

Key = tuple[str, ...]

BELOW = {Level.STUDY: (Level.SERIES, Level.IMAGE), Level.SERIES: (Level.IMAGE,), Level.IMAGE: ()}
ANYWHERE = Window()


@dataclass
class Revisit:
    """Compares the answers of one crawl with what the lake knew of the PACS when it began."""

    model: Model
    source: Source
    publisher: Publisher
    tally: Tally
    memory: Memory | None = None
    settled: dict[Level, Settled] = field(default_factory=dict)
    """Since when what lies below studies is known, by level. Empty where everything is to be asked for again."""
    _finds_uids: bool | None = None
    """Whether the PACS was seen to find a study by its UID, and nothing else; None as long as that is open."""

    async def known(self, window: Window) -> dict[str, Remembered]:
        """Give the studies of a window that were in the lake when the crawl began."""
        memory = self.memory
        if memory is None or memory.is_empty:
            return {}
        return await self.publisher.read(lambda: memory.studies(window))

    async def due(self, level: Level, keys: Sequence[Key], known: dict[str, Remembered]) -> list[Key]:
        """Give what of an answer must be asked at the level below: all but what has not changed since it last was.

        Something whose instances the PACS does not count can grow unseen, and is asked below each time.
        """
        levels, before, above = self.settled, known, Level.STUDY
        if level is Level.IMAGE:
            levels, above = {at: one for at, one in levels.items() if at is level}, Level.SERIES
            before = await self._below(above, dict.fromkeys(study for study, _ in keys if study in known))
        same = set()
        for one in (before[key[-1]] for key in keys if key[-1] in before):
            study = known[one.keys[0]]
            since = deepest(levels.values(), study.day, study.clock)
            if one.counted and since is not None and one.changed_at <= since:
                same.add(one.keys)
        same -= await self._changed(above, same)
        due = [key for key in keys if key not in same]
        self.tally.parents_due += len(keys) - len(due)
        self.tally.parents_asked += len(keys) - len(due)
        return due

    async def miss_studies(self, caller: Caller, ledger: Ledger, window: Window, known: dict[str, Remembered]) -> None:
        """Ask by their UIDs for the studies of a window that its complete answer lacked."""
        answered = {uid for (uid,) in ledger.keys}
        missing = [one.keys for uid, one in known.items() if uid not in answered]
        witnesses = [uid for (uid,) in ledger.keys[-3:]]
        if missing and not witnesses and self.memory is not None:
            memory = self.memory
            witnesses = await self.publisher.read(lambda: memory.witnesses(window))
        await self._miss(caller, ledger, missing, witnesses)

    async def miss_where_empty(self, caller: Caller, ledger: Ledger, window: Window) -> None:
        """Ask by their UIDs for the studies of a window whose answer had none, proven to be all there is or not.

        A PACS that answers nothing for too much still answers a question for one UID, as others show.
        """
        if window.key is None and ledger.verdict.state in (WindowState.COMPLETE, WindowState.SUSPICIOUS_ZERO):
            with suppress(RefusedError):
                await self.miss_studies(caller, ledger, window, await self.known(window))

    async def miss_below(
        self, caller: Caller, ledger: Ledger, parents: Iterable[Key], known: dict[str, Remembered]
    ) -> None:
        """Ask by their UIDs for the series or instances that the complete answers about their parents lacked."""
        asked = {parent for parent in parents if parent[0] in known}
        before = await self._below(ledger.level, dict.fromkeys(study for study, *_ in asked))
        answered = {key[-1] for key in ledger.keys}
        missing = [one.keys for uid, one in before.items() if one.keys[:-1] in asked and uid not in answered]
        await self._miss(caller, ledger, missing, [key[0] for key in ledger.keys[-1:]])

    async def _miss(self, caller: Caller, ledger: Ledger, missing: list[Key], witnesses: list[str]) -> None:
        """Have removed what is not found by its own UID either, if the PACS finds others in this way."""
        level = ledger.level
        moved = await self._changed(level, missing)
        for key in sorted(set(missing) - moved):
            if not await self._finds_by_uid(caller, ledger, witnesses):
                return
            rows = await self._ask_by_uid(caller, ledger, level, key)
            if rows is None:
                return
            if not rows:
                self.tally.removed += await self.publisher.read(partial(self._remove, level, key))

    async def _below(self, level: Level, studies: Iterable[str]) -> dict[str, Remembered]:
        """Give the series or instances of studies that were in the lake when the crawl began."""
        memory, wanted = self.memory, list(studies)
        if memory is None or not wanted:
            return {}
        return await self.publisher.read(lambda: memory.below(level, wanted))

    async def _changed(self, level: Level, keys: Iterable[Key]) -> set[Key]:
        """Say which of these have a version of this crawl."""
        by_uid = {key[-1]: key for key in keys}
        if not by_uid:
            return set()
        return {by_uid[uid] for uid in await self.publisher.read(lambda: self._new(level, list(by_uid)))}

    async def _finds_by_uid(self, caller: Caller, ledger: Ledger, witnesses: list[str]) -> bool:
        """Whether the PACS finds a study that it has by its UID, and nothing else."""
        for uid in witnesses if self._finds_uids is None else ():
            if rows := await self._ask_by_uid(caller, ledger, Level.STUDY, (uid,)):
                self._finds_uids = rows == 1
                break
        return bool(self._finds_uids)

    async def _ask_by_uid(self, caller: Caller, ledger: Ledger, level: Level, key: Key) -> int | None:
        """Keep what the PACS has under these keys; give the number of rows, None where it does not say."""
        asked, batches = Ledger(level), list[Identifiers]()

        async def hold(batch: Identifiers) -> None:
            batches.append(batch)

        keys = dict(zip((*PARENT_KEYS[level], level.unique_key), key, strict=True))
        query = Query(self.model, level, keys, attributes(self.source.profile, level))
        ended = await caller.ask(query, asked, hold)
        ledger.queries += asked.queries
        for batch in batches:
            if level is Level.STUDY:
                kept = await self.publisher.keep(self.source, batch, Ask(ANYWHERE, ANYWHERE))
            else:
                kept = await self.publisher.keep_children(self.source, level, [Child(key[:-1], batch)])
            self.tally.count(kept)
        return sum(map(len, batches)) if ended is Outcome.SUCCESS else None

    def _new(self, level: Level, uids: Sequence[str]) -> set[str]:
        """Say which of these have a version of this crawl; in the publisher's thread."""
        first = self.memory.first_new if self.memory else 0
        return self.publisher.writer.changed_from(first, level, self.source.pacs, uids)

    def _remove(self, level: Level, key: Key) -> int:
        """Have the lake say that something has vanished, and all below it that did not move elsewhere."""
        source, memory, writer = self.source, self.memory, self.publisher.writer
        if memory is None:
            return 0
        for lower in BELOW[level]:
            below = memory.below(lower, key[:1])
            gone = [uid for uid, one in below.items() if one.keys[: len(key)] == key]
            kept = self._new(lower, gone)
            writer.remove(lower, source.pacs, source.sweep_id, [uid for uid in gone if uid not in kept])
        return writer.remove(level, source.pacs, source.sweep_id, [key[-1]])
