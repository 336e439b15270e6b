"""An archive that changes between the questions: studies arrive, grow, are corrected, moved and deleted. Pure.

Starts as the first state of a synthetic archive, small enough to be held as tables, and answers as that archive would.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crawler import columns
from crawler.model import Level
from crawler.pacs.encoding import Constant
from crawler.testing.archive import Archive
from crawler.testing.encoding import encode
from crawler.testing.matching import criterion
from crawler.testing.question import QUERY_LEVEL, RETRIEVE_AE, BadQuestionError, Question, known

STUDY = "StudyInstanceUID"
_LEVELS = (Level.STUDY, Level.SERIES, Level.IMAGE)


class ChangingArchive:
    """Studies, series and images as tables that a test edits. Counts and modalities of studies follow their series.

    `counted` False: this PACS never says how many series or instances there are.
    """

    def __init__(self, first: Archive, *, counted: bool = True) -> None:
        """Begin with what an archive holds."""
        self.seed, self.retrieve_ae = first.seed, first.retrieve_ae
        self._counted = counted
        self._tables = {level: self._shown(first.table(level), level) for level in _LEVELS}

    @property
    def total(self) -> int:
        """Number of studies."""
        return len(self.studies())

    def table(self, level: Level, date_from: date | None = None, date_to: date | None = None) -> pa.Table:
        """Give the truth as it is now, as `Archive.table` does."""
        studies = self._tables[Level.STUDY]
        for keep, day in ((pc.greater_equal, date_from), (pc.less_equal, date_to)):
            studies = studies if day is None else studies.filter(keep(studies["StudyDate"], pa.scalar(day)))
        table = self._tables[level]
        return table.filter(pc.is_in(table[STUDY], value_set=studies[STUDY].combine_chunks()))

    def studies(self) -> list[str]:
        """Give the StudyInstanceUIDs, those without a date first and the newest study last."""
        table = self._tables[Level.STUDY]
        days = zip(table["StudyDate"].to_pylist(), table[STUDY].to_pylist(), strict=True)
        return [uid for _, uid in sorted((day or date.min, uid) for day, uid in days)]

    def series(self, study: str) -> list[str]:
        """Give the SeriesInstanceUIDs of a study."""
        table = self._tables[Level.SERIES]
        uids: list[str] = table.filter(pc.equal(table[STUDY], study))["SeriesInstanceUID"].to_pylist()
        return uids

    def receive(self, other: Archive, studies: Collection[str] | None = None) -> None:
        """Take studies of another archive in, all of them or those named."""
        for level in _LEVELS:
            new = self._shown(other.table(level), level)
            if studies is not None:
                new = new.filter(pc.is_in(new[STUDY], value_set=pa.array(list(studies), pa.string())))
            self._tables[level] = pa.concat_tables([self._tables[level], new])

    def alter(self, study: str, **values: Any) -> None:
        """Give attributes of a study other values, at every level that has them."""
        for level in _LEVELS:
            at = pc.equal(self._tables[level][STUDY], study)
            for name in set(values) & set(self._tables[level].column_names):
                self._set(level, at, name, values[name])

    def grow(self, study: str, uid: str) -> None:
        """Add a series with this UID and one image to a study: copies of its first ones."""
        for level in (Level.SERIES, Level.IMAGE):
            table = self._tables[level]
            new = table.filter(pc.equal(table[STUDY], study)).slice(0, 1)
            values = {"SeriesInstanceUID": uid, "SOPInstanceUID": f"{uid}.1", "NumberOfSeriesRelatedInstances": 1}
            for name in set(values) & set(new.column_names):
                given = pa.array([values[name]], new.schema.field(name).type)
                if name != "NumberOfSeriesRelatedInstances" or self._counted:
                    new = new.set_column(new.schema.get_field_index(name), new.schema.field(name), given)
            self._tables[level] = pa.concat_tables([table, new])
        self._recount(study)

    def delete_series(self, study: str, uid: str) -> None:
        """Delete a series of a study."""
        for level in (Level.SERIES, Level.IMAGE):
            table = self._tables[level]
            self._tables[level] = table.filter(pc.not_equal(table["SeriesInstanceUID"], uid))
        self._recount(study)

    def delete(self, study: str) -> None:
        """Delete a study and all below it."""
        for level in _LEVELS:
            table = self._tables[level]
            self._tables[level] = table.filter(pc.not_equal(table[STUDY], study))

    def _shown(self, table: pa.Table, level: Level) -> pa.Table:
        """Leave counts out where this PACS does not give them."""
        hidden = [] if self._counted else [name for name in table.column_names if name.startswith("NumberOf")]
        for name in hidden if level is not Level.IMAGE else []:
            field = table.schema.field(name)
            table = table.set_column(table.schema.get_field_index(name), field, pa.nulls(table.num_rows, field.type))
        return table.combine_chunks()

    def _set(self, level: Level, at: pa.ChunkedArray, name: str, value: Any) -> None:
        table = self._tables[level]
        field = table.schema.field(name)
        old = zip(at.to_pylist(), table[name].to_pylist(), strict=True)
        given = pa.array([value if here else before for here, before in old], field.type)
        self._tables[level] = table.set_column(table.schema.get_field_index(name), field, given)

    def _recount(self, study: str) -> None:
        """Have a study say what its series are."""
        series, images = (self._tables[level] for level in (Level.SERIES, Level.IMAGE))
        mine = series.filter(pc.equal(series[STUDY], study))
        at = pc.equal(self._tables[Level.STUDY][STUDY], study)
        self._set(Level.STUDY, at, "ModalitiesInStudy", sorted(set(mine["Modality"].to_pylist())))
        if self._counted:
            count = images.filter(pc.equal(images[STUDY], study)).num_rows
            self._set(Level.STUDY, at, "NumberOfStudyRelatedSeries", mine.num_rows)
            self._set(Level.STUDY, at, "NumberOfStudyRelatedInstances", count)


class TableAnswers:
    """Answers questions from the tables of a changing archive, as they are when the question comes."""

    def __init__(self, archive: ChangingArchive, extras: Sequence[Constant] = (), always: Collection[str] = ()) -> None:
        """Add `extras` to every answer; of `always`, a study without the attribute matches whatever is asked of it."""
        self._archive = archive
        self._extras, self._always = tuple(extras), frozenset(always)

    def find(self, question: Question, explicit_vr: bool = False) -> Iterator[pa.Array]:
        """Give the encoded identifiers that match. Raises BadKeyError, and BadQuestionError at PATIENT level."""
        if question.level is Level.PATIENT:
            raise BadQuestionError("a changing archive knows no PATIENT level")
        rows = self._archive.table(question.level).combine_chunks()
        table = known(question.level)
        by_keyword = {attribute.keyword: attribute for attribute in table.values()}
        for keyword, value in question.keys.items():
            matches = criterion(by_keyword[keyword], value)
            if matches is not None and keyword in rows.column_names:
                column = rows[keyword].combine_chunks()
                hits = matches(column)
                rows = rows.filter(pc.or_(pc.is_null(column), hits) if keyword in self._always else hits)
        attributes = [table[tag] for tag in question.tags if tag != RETRIEVE_AE]
        constants = [
            Constant(QUERY_LEVEL, "CS", question.level.query_retrieve_level),
            Constant(RETRIEVE_AE, "AE", self._archive.retrieve_ae),
            *self._extras,
        ]
        names = [*(attribute.keyword for attribute in attributes), "SpecificCharacterSet"]
        made = {name: _column(rows, name, question.level) for name in names}
        if rows.num_rows:
            yield encode(made, [*attributes, *constants], explicit_vr)


def _column(rows: pa.Table, name: str, level: Level) -> pa.Array:
    if name in rows.column_names:
        return rows[name].combine_chunks()
    return pa.nulls(rows.num_rows, columns.schema(level).field(name).type)
