"""What of some patients, studies, series or instances is not in the store, and which PACS has it. Touches: disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from crawler.errors import LakeError
from crawler.lake.catalog import OWN_PLACE
from crawler.lake.here import condition_of
from crawler.lake.query import Lake

_HERE = f"SELECT SeriesInstanceUID, SOPInstanceUID FROM files WHERE {OWN_PLACE} AND"
_NAMES = "SELECT pacs, StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID FROM instances WHERE"
_SERIES = "SELECT pacs, StudyInstanceUID, SeriesInstanceUID, NumberOfSeriesRelatedInstances FROM series WHERE"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Instances that one PACS has and the store does not, of one study."""

    pacs: str
    study: str
    series: str | None
    """None is all of the study."""
    names: tuple[str, ...]
    """Their SOP Instance UIDs, as far as they are known."""
    count: int
    """How many there are at least."""
    by_name: bool = False
    """Whether only those that are named are meant."""
    here: frozenset[str] = frozenset()
    """Those of the series that are here, and come once more where it is sent as a whole."""


@dataclass(slots=True)
class _Series:
    pacs: str
    study: str
    count: int = 0
    names: set[str] = field(default_factory=set)


def elsewhere(
    lake: Lake, wanted: Mapping[str, Sequence[str]], pacs: Collection[str], shown: Collection[str]
) -> list[Elsewhere]:
    """Look it up for these values of unique keys, as far as these PACS have it, each series at one.

    What is here of those that are `shown`, these among them, is not missing. LakeError.
    """
    try:
        with lake.connection.cursor() as cursor:
            here, found = _looked_up(cursor, condition_of(wanted, shown), pacs, "SOPInstanceUID" in wanted)
    except duckdb.Error as error:
        raise LakeError("the lake cannot answer now") from error
    by_study: dict[str, dict[str, _Series]] = defaultdict(dict)
    for uid, series in found.items():
        by_study[series.study][uid] = series
    parts: list[Elsewhere] = []
    for study in by_study.values():
        by_series = [part for uid, one in study.items() for part in _missing(uid, one, here[uid], wanted)]
        nothing_here = not any(here[uid] for uid in study) and len({one.pacs for one in study.values()}) == 1
        whole = nothing_here and wanted.keys() <= {"PatientID", "StudyInstanceUID"}
        parts += [_as_study(by_series)] if whole else by_series
    return parts


def _looked_up(
    cursor: duckdb.DuckDBPyConnection, wanted: tuple[str, list[str]], pacs: Collection[str], by_name: bool
) -> tuple[dict[str, set[str]], dict[str, _Series]]:
    """Give what is here of each series, and what is known of it at the first of the PACS that have it."""
    where, parameters = wanted
    here: dict[str, set[str]] = defaultdict(set)
    for series, uid in cursor.execute(f"{_HERE} {where}", parameters).fetchall():
        here[series].add(uid)
    found: dict[str, _Series] = {}
    if not by_name:
        for name, study, series, count in cursor.execute(f"{_SERIES} {where} ORDER BY pacs", parameters).fetchall():
            if name in pacs:
                found.setdefault(series, _Series(name, study, count or 0))
    for name, study, series, uid in cursor.execute(f"{_NAMES} {where} ORDER BY pacs", parameters).fetchall():
        if name in pacs and found.setdefault(series, _Series(name, study)).pacs == name:
            found[series].names.add(uid)
    return here, found


def _missing(uid: str, series: _Series, here: set[str], wanted: Mapping[str, Sequence[str]]) -> Iterator[Elsewhere]:
    """Give what is missing of a series: by name where that says all of it and some is here, or some only is wanted."""
    names = tuple(sorted(series.names - here))
    count = max(len(names), series.count - len(here))
    if "SOPInstanceUID" in wanted or (here and count == len(names)):
        if names:
            yield Elsewhere(series.pacs, series.study, uid, names, len(names), by_name=True)
    else:
        yield Elsewhere(series.pacs, series.study, uid, names, count, here=frozenset(here))


def _as_study(parts: Sequence[Elsewhere]) -> Elsewhere:
    names = tuple(name for part in parts for name in part.names)
    return Elsewhere(parts[0].pacs, parts[0].study, None, names, sum(part.count for part in parts))
