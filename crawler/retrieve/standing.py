"""What of a cohort is here, and what is missing and why. Touches: disk.

An instance is here when `files` has it. A series is whole when every instance that its PACS lists is here, or, where
none is listed, as many as it counts; what C-MOVE or C-GET said of success does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crawler.lake.catalog import OWN_PLACE, literal
from crawler.retrieve.state import State

if TYPE_CHECKING:
    import duckdb

UNKNOWN_SERIES = "its series are not known"
UNKNOWN_NUMBER = "how many instances it should have is not known"
NOT_ASKED = "not asked for yet"
ON_ITS_WAY = "asked for"
LACKS = "instances did not come"

_WANTED = """CREATE OR REPLACE TEMP TABLE wanted AS
    WITH frozen AS (SELECT pacs, StudyInstanceUID, SeriesInstanceUID, expected_instances FROM {rows}),
    whole AS (FROM frozen WHERE SeriesInstanceUID IS NULL),
    found AS (
        SELECT pacs, StudyInstanceUID, SeriesInstanceUID FROM series SEMI JOIN whole USING (pacs, StudyInstanceUID)
        UNION SELECT pacs, StudyInstanceUID, SeriesInstanceUID FROM retrievals
            SEMI JOIN whole USING (pacs, StudyInstanceUID)),
    known AS (
        SELECT pacs, StudyInstanceUID FROM found LEFT JOIN studies USING (pacs, StudyInstanceUID)
        GROUP BY ALL HAVING count(*) >= coalesce(max(NumberOfStudyRelatedSeries), 1))
    FROM frozen WHERE SeriesInstanceUID IS NOT NULL
    UNION ALL SELECT *, NULL FROM found
    UNION ALL FROM whole ANTI JOIN known USING (pacs, StudyInstanceUID)"""
"""Of a study whose series were not known then, those that are known now; itself too, while it should have more."""
_CAME = """CREATE OR REPLACE TEMP TABLE came AS
    SELECT * FROM files SEMI JOIN wanted USING (SeriesInstanceUID) WHERE SeriesInstanceUID {within}"""
_HERE = f"CREATE OR REPLACE TEMP VIEW here AS SELECT * FROM came WHERE {OWN_PLACE}"
_FEW = 5_000
"""So many series are looked up by name, which spares reading the files of others."""
_SERIES = """WITH listed AS (
        SELECT pacs, SeriesInstanceUID, count(*) AS listed, max(changed_at) AS newest,
            coalesce(list(SOPInstanceUID ORDER BY SOPInstanceUID) FILTER (WHERE path IS NULL), []) AS lacking
        FROM (SELECT pacs, SeriesInstanceUID, SOPInstanceUID, changed_at FROM instances SEMI JOIN wanted
            USING (pacs, SeriesInstanceUID)) AS known
        LEFT JOIN (SELECT SeriesInstanceUID, SOPInstanceUID, path FROM here) AS file
            USING (SeriesInstanceUID, SOPInstanceUID) GROUP BY ALL),
    arrived AS (SELECT SeriesInstanceUID, count(*) AS here FROM here GROUP BY ALL)
    SELECT pacs, StudyInstanceUID, SeriesInstanceUID, state, reason, coalesce(here, 0), lacking,
        greatest(listed, asked.expected_instances,
            coalesce(NumberOfSeriesRelatedInstances, wanted.expected_instances)),
        coalesce(state, 'planned') = 'planned' OR coalesce(asked.expected_instances, NumberOfSeriesRelatedInstances,
            wanted.expected_instances) IS NOT NULL,
        coalesce(state = 'complete' AND here >= received_instances
            AND coalesce(newest <= asked.changed_at, true), false)
    FROM wanted LEFT JOIN listed USING (pacs, SeriesInstanceUID) LEFT JOIN arrived USING (SeriesInstanceUID)
    LEFT JOIN (SELECT pacs, StudyInstanceUID, SeriesInstanceUID, state, reason, expected_instances, received_instances,
        changed_at FROM retrievals) AS asked USING (pacs, StudyInstanceUID, SeriesInstanceUID)
    LEFT JOIN (SELECT pacs, SeriesInstanceUID, NumberOfSeriesRelatedInstances FROM series) AS known
        USING (pacs, SeriesInstanceUID)
    ORDER BY pacs, StudyInstanceUID, SeriesInstanceUID NULLS FIRST"""

_TOTALS = """SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT),
    (SELECT count(*) FROM came) - count(*) FROM here"""


@dataclass(frozen=True, slots=True)
class Series:
    """How one series of a cohort stands; a study whose series are not known has no `series_uid`."""

    pacs: str
    study_uid: str
    series_uid: str | None
    state: State
    reason: str | None
    here: int
    expected: int | None
    lacking: tuple[str, ...]
    """SOP Instance UIDs, as far as the PACS lists them; there may be `missing` ones that it did not."""

    @property
    def missing(self) -> int:
        """How many instances are not here, as far as that is known."""
        return max(len(self.lacking), (self.expected or 0) - self.here)

    @property
    def is_whole(self) -> bool:
        """Whether everything that is expected is here."""
        return self.state is State.COMPLETE


@dataclass(frozen=True, slots=True)
class Standing:
    """How a cohort stands."""

    series: list[Series]
    """By PACS, study and series."""
    instances: int
    """That are here; what two PACS have counts once."""
    size: int
    """Their bytes."""
    others: int
    """Files with other bytes of these instances, kept beside."""

    @property
    def missing(self) -> list[Series]:
        """Give the series of which something is missing."""
        return [one for one in self.series if not one.is_whole]


def gather(connection: duckdb.DuckDBPyConnection, rows: str) -> None:
    """Gather the rows of a cohort (`Frozen.rows`) as `wanted`, and those of `files` that belong to it as `came`.

    `here` are those of the instances themselves, without other bytes of them.
    """
    connection.execute(_WANTED.format(rows=rows))
    series = connection.execute(f"SELECT DISTINCT SeriesInstanceUID FROM wanted LIMIT {_FEW + 1}").fetchall()
    named = ", ".join(literal(uid) for (uid,) in series if uid is not None) or "NULL"
    connection.execute(_CAME.format(within=f"IN ({named})" if len(series) <= _FEW else "IS NOT NULL"))
    connection.execute(_HERE)


def forget(connection: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> None:
    """Take files out of what was gathered: they are not what `files` says."""
    if paths:
        connection.execute("DELETE FROM came WHERE path IN (SELECT unnest($paths))", {"paths": list(paths)})


def standing(connection: duckdb.DuckDBPyConnection) -> Standing:
    """Compare what was gathered."""
    found = []
    for *key, state, reason, here, lacking, expected, told, settled in connection.execute(_SERIES).fetchall():
        series = Series(
            key[0], key[1], key[2], State(state or State.PLANNED), reason, here, expected, tuple(lacking or ())
        )
        found.append(_judged(series, settled=settled, told=told))
    [(instances, size, others)] = connection.execute(_TOTALS).fetchall()
    return Standing(found, instances, size, others)


def _judged(one: Series, *, settled: bool, told: bool) -> Series:
    """Judge one series: whole where a retrieval has found it so, or all that is known of it is here.

    What the lake lists may be the rows of an answer that broke off. So it is believed only where a count agrees with
    it, or nobody has tried to bring the series: that is `told`. A series of no instances is never whole.
    """
    if settled:
        return replace(one, state=State.COMPLETE, reason=None, expected=one.here, lacking=())
    if told and not one.lacking and one.expected and one.here >= one.expected:
        return replace(one, state=State.COMPLETE, reason=None)
    state, reason = one.state, one.reason
    if state is State.COMPLETE:
        state, reason = State.PARTIAL, None
    return replace(one, state=state, reason=reason or _why(one.series_uid, state, one.expected))


def _why(series: str | None, state: State, expected: int | None) -> str:
    if series is None:
        return UNKNOWN_SERIES
    if state is State.PLANNED:
        return NOT_ASKED
    if expected is None:
        return UNKNOWN_NUMBER
    return ON_ITS_WAY if state is State.REQUESTED else LACKS
