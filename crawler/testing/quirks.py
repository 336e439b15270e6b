"""How a simulated PACS misbehaves, each way as real ones do; all of it is off unless asked for. Pure.

docs/simulator.md describes them for users. A quirk changes what is understood (`misread`), what is answered
(`shaped`), how it is sent (see simulator.py), or which instances come and what is said of them (see retrieval.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pyarrow as pa

from crawler.testing.matching import as_date, date_bounds, time_bounds
from crawler.testing.question import Question, known

_PARENTS = frozenset(("PatientID", "StudyInstanceUID", "SeriesInstanceUID"))


class OverCap(StrEnum):
    """What happens when a query has more rows than the cap."""

    TRUNCATE = "truncate"
    """As many rows as the cap allows, then success: a silent cap."""
    NOTHING = "nothing"
    """No rows, then success."""
    REFUSE_A700 = "a700"
    """No rows, then 0xA700, out of resources."""
    REFUSE_C001 = "c001"
    """No rows, then 0xC001, unable to process."""
    WARN_B000 = "b000"
    """As many rows as the cap allows, then the warning 0xB000."""


FINAL_STATUS = {OverCap.REFUSE_A700: 0xA700, OverCap.REFUSE_C001: 0xC001, OverCap.WARN_B000: 0xB000}


class Failure(StrEnum):
    """How an answer breaks off."""

    ABORT = "abort"
    RESET = "reset"
    HANG = "hang"


class Claims(StrEnum):
    """What the responses of a C-MOVE or C-GET say of it."""

    TRUTH = "truth"
    SUCCESS = "success"
    """Success, whatever the counters say."""
    COMPLETED = "completed"
    """Success, and all sub-operations completed."""
    NOTHING = "nothing"
    """Success, and there were no sub-operations."""
    UNCOUNTED = "uncounted"
    """The true status, without counters."""


class Offline(StrEnum):
    """What becomes of a series that is offline, once it was asked for."""

    COMES = "comes"
    """It is sent by itself, some time later."""
    AGAIN = "again"
    """It is sent when asked for again, some time later."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Quirks:
    """One field for each way of misbehaving."""

    cap: int = 0
    """Rows that a query may have, 0 for any number."""
    over_cap: OverCap = OverCap.TRUNCATE
    ignores: frozenset[str] = frozenset()
    """Keys that are not matched on although they have a value; `*` for all but the unique keys."""
    ignores_ranges: bool = False
    """A range of days or times matches everything."""
    exclusive_ends: bool = False
    """The ends of a range do not belong to it."""
    undated_always: bool = False
    """Studies without StudyDate match every day and every range of days."""
    untimed_always: bool = False
    """Studies without StudyTime match every time and every range of times."""
    duplicate_every: int = 0
    """Each n-th row of a batch is sent twice, 0 for none."""
    says_unsupported: bool = False
    """Pending responses say 0xFF01 whatever was asked."""
    omits: frozenset[str] = frozenset()
    """Attributes that are never returned: NumberOfStudyRelatedInstances, say, or SpecificCharacterSet."""
    refuses: frozenset[str] = frozenset()
    """Attributes for which the whole query is refused."""
    misdeclares: str = ""
    """Text is in UTF-8, and every answer declares this character set instead."""
    unsolicited: bool = False
    """Every attribute of the level is returned, and a private one, asked for or not."""
    fails_after: int = -1
    """The answer breaks off after so many rows when there are more; -1 for never."""
    fails_one_in: int = 1
    """So many answers come for each that breaks off, by chance; 1 for all that can."""
    failure: Failure = Failure.ABORT
    max_associations: int = 25
    """More at the same time are rejected for now."""
    one_query: bool = False
    """The association is aborted after its first C-FIND."""
    latency: float = 0.0
    """Seconds before each answer begins."""
    jitter: float = 0.0
    """Up to so many seconds more, by chance."""
    max_pdu: int = 0
    """Largest P-DATA-TF that is sent, 0 for what the client takes."""
    explicit_vr: bool = False
    """Only Explicit VR Little Endian is accepted."""
    ignores_cancel: bool = False
    """C-CANCEL has no effect."""
    no_image_queries: bool = False
    """A C-FIND at IMAGE level is refused."""
    relational: bool = False
    """Relational queries are granted to who asks for them: no quirk, but few PACS do."""
    lies_relational: bool = False
    """They are granted, and answered with the rows of one study alone."""
    skips_every: int = 0
    """Each n-th instance of a C-MOVE or C-GET is not sent, 0 for none: a sub-operation that failed."""
    claims: Claims = Claims.TRUTH
    late: float = 0.0
    """A C-MOVE is answered at once, and its instances come so many seconds later."""
    twice: bool = False
    """Each instance is sent twice."""
    alters_again: bool = False
    """An instance that was sent before has another last pixel."""
    sends_as: str = ""
    """The AE title that calls the destination of a C-MOVE; empty for that of this PACS."""
    never_ends: bool = False
    """Pending responses go on when all is sent."""
    offline_every: int = 0
    """Each n-th series of a study is offline, 0 for none: success at once, no sub-operations."""
    offline_for: float = 1.0
    """Seconds that it stays so from when it was first asked for."""
    offline: Offline = Offline.COMES
    phantom_every: int = 0
    """Each n-th instance of a series is listed and counted but does not exist, 0 for none."""
    no_series_level: bool = False
    """A C-MOVE or C-GET at SERIES level is refused."""
    no_image_level: bool = False
    """One at IMAGE level is."""
    max_retrievals: int = 0
    """More at the same time are answered by 0xA702; 0 for any number."""
    a702_every: int = 0
    """Each n-th C-MOVE or C-GET is answered by 0xA702, 0 for none."""
    sends_per_second: int = 0
    """Instances a second, over all requests; 0 for as many as can be."""
    breaks_after: int = -1
    """A C-MOVE or C-GET breaks off after so many instances when there are more, as `failure` says; -1 for never."""

    @property
    def always(self) -> frozenset[str]:
        """The attributes without which a study matches whatever is asked of them."""
        asked = {"StudyDate": self.undated_always, "StudyTime": self.untimed_always}
        return frozenset(keyword for keyword, matches in asked.items() if matches)


_NONE = Quirks()


def is_refused(question: Question, quirks: Quirks) -> bool:
    """Whether a question asks for an attribute that a PACS with these quirks cannot bear."""
    asked = (key.keyword for tag, key in known(question.level).items() if tag in question.tags)
    return bool(quirks.refuses) and not quirks.refuses.isdisjoint(asked)


def misread(question: Question, quirks: Quirks) -> Question:
    """Give the question as a PACS with these quirks understands it."""
    if quirks == _NONE:
        return question
    keys = {keyword: value for keyword, value in question.keys.items() if not _is_ignored(keyword, value, quirks)}
    if quirks.exclusive_ends:
        keys = {keyword: _narrowed(keyword, value) for keyword, value in keys.items()}
    table = known(question.level)
    tags = tuple(table) if quirks.unsolicited else question.tags
    kept = tuple(tag for tag in sorted(tags) if tag not in table or table[tag].keyword not in quirks.omits)
    unsupported = question.is_partly_unsupported or quirks.says_unsupported
    return replace(question, keys=keys, tags=kept, is_partly_unsupported=unsupported)


def _is_ignored(keyword: str, value: str, quirks: Quirks) -> bool:
    if keyword in _PARENTS:
        return keyword in quirks.ignores
    is_range = keyword.endswith(("Date", "Time")) and "-" in value
    return keyword in quirks.ignores or "*" in quirks.ignores or (quirks.ignores_ranges and is_range)


def _narrowed(keyword: str, value: str) -> str:
    """Take the ends from a range."""
    low, dash, high = value.partition("-")
    if not dash or not keyword.endswith(("Date", "Time")):
        return value
    if keyword.endswith("Date"):
        first, last = date_bounds(value).low, date_bounds(value).high
        ends = (as_date(None if first is None else first + 1), as_date(None if last is None else last - 1))
        return "-".join("" if end is None else f"{end:%Y%m%d}" for end in ends)
    first, last = time_bounds(f"{low}-").low if low else None, time_bounds(f"{high}-").low if high else None
    return f"{_time(first, 1)}-{_time(last, -1)}"


def _time(ticks: int | None, step: int) -> str:
    if ticks is None:
        return ""
    seconds, fraction = divmod(min(max(ticks + step, 0), 86_400_000_000 - 1), 1_000_000)
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{fraction:06}"


def shaped(batches: Iterator[pa.Array], quirks: Quirks) -> tuple[Iterator[pa.Array], int]:
    """Give the rows that are sent, and the final status."""
    if quirks.duplicate_every:
        batches = (_doubled(batch, quirks.duplicate_every) for batch in batches)
    if not quirks.cap:
        return batches, 0
    first, rows = [], 0
    for batch in batches:
        first.append(batch.slice(0, quirks.cap - rows))
        rows += len(batch)
        if rows > quirks.cap:
            partial = quirks.over_cap in (OverCap.TRUNCATE, OverCap.WARN_B000)
            return iter(first if partial else ()), FINAL_STATUS.get(quirks.over_cap, 0)
    return iter(first), 0


def _doubled(batch: pa.Array, every: int) -> pa.Array:
    numbers = np.arange(len(batch))
    return batch.take(pa.array(np.repeat(numbers, np.where(numbers % every == every - 1, 2, 1))))
