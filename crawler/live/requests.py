"""What a question asks a PACS for: the studies first, then which of them are asked below. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from crawler.live.keys import Between, Keys, Texts, both, day_key, is_impossible, time_key
from crawler.live.question import Mention, Question
from crawler.model import Level

MOST_PRODUCTS = 100
"""Where lists of several columns would make more queries than this, the longest is left to DuckDB."""

MOST_LISTED = 50
"""StudyInstanceUIDs in a list."""

SINGLE = frozenset(("PatientID", "AccessionNumber", "StudyInstanceUID", "StudyID"))
"""Keys of which one value is never too much to answer: no rows are believed."""


COMMON = frozenset(("ModalitiesInStudy", "PatientSex", "InstitutionName", "IssuerOfPatientID"))
"""Keys whose values large parts of an archive may share: with these alone, days say how much is asked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """Studies to ask for. Without days: of any day, and those without one too."""

    matching: tuple[tuple[str, str], ...] = ()
    days: Between = field(default_factory=Between)
    times: str | None = None
    """StudyTime as it stands in a key."""

    @property
    def keys(self) -> dict[str, str]:
        """All keys, as one query has them."""
        dated = {} if self.days == Between() else {"StudyDate": day_key(self.days)}
        return {**dict(self.matching), **dated, **({"StudyTime": self.times} if self.times else {})}

    @property
    def listed(self) -> tuple[Request, ...]:
        """The same asked study by study, where it is a list of StudyInstanceUIDs (PS3.4 C.2.2.2.2); else nothing."""
        uids = dict(self.matching).get("StudyInstanceUID", "").split("\\")
        if len(uids) == 1:
            return ()
        others = [(keyword, value) for keyword, value in self.matching if keyword != "StudyInstanceUID"]
        return tuple(replace(self, matching=(*others, ("StudyInstanceUID", uid))) for uid in uids)

    @property
    def is_everything(self) -> bool:
        """Whether it names all studies."""
        return not self.keys

    @property
    def is_narrow(self) -> bool:
        """Whether it is for some patients, orders or studies of all days."""
        return any(keyword not in COMMON for keyword, _ in self.matching)

    @property
    def wider(self) -> dict[str, str]:
        """Keys of a question that has all that this one has and more: its days, else how one of its texts begins."""
        if self.days != Between():
            return {"StudyDate": day_key(self.days)}
        is_text = COMMON.union({"PatientBirthDate"}).isdisjoint
        begins = ((key, value[0]) for key, value in self.matching if is_text({key}) and value[0] != "*")
        return {key: f"{first}*" for key, first in list(begins)[:1]}

    @property
    def is_single(self) -> bool:
        """Whether it is for one patient, order or study."""
        return any(keyword in SINGLE and "*" not in value for keyword, value in self.matching)


@dataclass(frozen=True, slots=True)
class Below:
    """Which studies, and of them which series, are asked below: conditions in SQL on their rows. None: all."""

    studies: str | None
    series: str | None = None


def deepest(question: Question) -> Level:
    """Give the level down to which is asked."""
    tables = {mention.table for mention in question.mentions}
    if "instances" in tables:
        return Level.IMAGE
    return Level.SERIES if "series" in tables else Level.STUDY


def study_requests(question: Question, unusable: frozenset[str], *, by_lists: bool = False) -> list[Request]:
    """Give what studies to ask for, so that each mention has its rows; keys that are of no use here are left out.

    With `by_lists` many studies are asked for by lists of their UIDs.
    """
    found: dict[Request, None] = {}
    for mention in question.mentions:
        if mention.above is None:
            found.update(dict.fromkeys(_expanded(_of_studies(mention), unusable, by_lists)))
    everything = [one for one in found if one.is_everything]
    return everything or list(found)


def below(question: Question, level: Level) -> list[Below]:
    """Give what to ask for at a level below the studies, one for each mention that wants it."""
    wanted = ("series", "instances") if level is Level.SERIES else ("instances",)
    found = (_below(mention) for mention in question.mentions if mention.table in wanted)
    return list(dict.fromkeys(found))


def _of_studies(mention: Mention) -> Keys:
    if mention.table == "studies":
        return mention.keys
    kept = "PatientID" if mention.table == "patients" else "StudyInstanceUID"
    return {kept: mention.keys[kept]} if kept in mention.keys else {}


def _expanded(keys: Keys, unusable: frozenset[str], by_lists: bool) -> Iterator[Request]:
    """Give a request for each combination of values."""
    if is_impossible(keys):
        return
    usable = {keyword: value for keyword, value in keys.items() if keyword not in unusable}
    texts = {keyword: sorted(value.values) for keyword, value in usable.items() if isinstance(value, Texts)}
    uids = texts.get("StudyInstanceUID", [])
    if by_lists and uids:
        lists = ("\\".join(uids[at : at + MOST_LISTED]) for at in range(0, len(uids), MOST_LISTED))
        texts["StudyInstanceUID"] = list(lists)
    kept: dict[str, list[str]] = {}
    count = 1
    for keyword in sorted(texts, key=lambda one: (one not in SINGLE, len(texts[one]))):
        count *= len(texts[keyword])
        if count <= MOST_PRODUCTS or not kept:
            kept[keyword] = texts[keyword]
    days, times = usable.get("StudyDate"), usable.get("StudyTime")
    for values in product(*kept.values()):
        yield Request(
            tuple(sorted(zip(kept, values, strict=True))),
            days if isinstance(days, Between) else Between(),
            time_key(times) if isinstance(times, Between) else None,
        )


def _below(mention: Mention) -> Below:
    """Say which studies, and series, a mention's rows lie in."""
    above = mention.above
    own_series = _within(mention.keys, "SeriesInstanceUID")
    if mention.table == "series":
        return Below(_all(_within(mention.keys, "StudyInstanceUID"), *(above.where if above else ())))
    if above is None or above.table == "studies":
        return Below(_all(_within(mention.keys, "StudyInstanceUID"), *(above.where if above else ())), own_series)
    shared = both(mention.keys, {key: value for key, value in above.keys.items() if key == "StudyInstanceUID"})
    studies = above.above.where if above.above else []
    return Below(_all(_within(shared, "StudyInstanceUID"), *studies), _all(own_series, *above.where))


def _within(keys: Mapping[str, object], column: str) -> str | None:
    """Give the condition that a column has one of the values that are wanted."""
    values = keys.get(column)
    if not isinstance(values, Texts):
        return None
    listed = ", ".join(f"'{value}'" for value in sorted(values.values))
    return f"{column} IN ({listed or 'NULL'})"


def _all(*conditions: str | None) -> str | None:
    return " AND ".join(f"({one})" for one in conditions if one) or None
