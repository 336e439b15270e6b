"""Rows of the lake as encoded identifiers, batch by batch. Touches: disk, through the lake."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from crawler.columns import CATALOGUE, Attribute, added_attributes
from crawler.dicom import UTF_8
from crawler.lake.asking import Asked
from crawler.lake.by_day import TABLE, StudiesByDay
from crawler.lake.elsewhere import Elsewhere, elsewhere
from crawler.lake.here import Holding, holding, kinds_here
from crawler.lake.query import Lake
from crawler.lake.schema import LEVELS
from crawler.model import Level
from crawler.pacs.charsets import CharsetError, encodings_of, writer
from crawler.pacs.encoding import Constant, encode
from crawler.serve.find.question import CHARSET, QUERY_LEVEL, RETRIEVE_AE, Question
from crawler.serve.find.statement import Shown, statement

_TITLE = next(one for one in CATALOGUE[Level.STUDY] if one.tag == RETRIEVE_AE)
_MODESTY = "SET memory_limit = '1GB'; SET threads = 2"
_SHOWN = "SELECT DISTINCT pacs FROM studies"
_NEWEST = "SELECT max(asked_at) FROM windows WHERE state = 'complete'"


@dataclass(frozen=True, slots=True)
class Known:
    """What the lake is at a moment."""

    version: int
    as_of: datetime | None
    """When the newest complete answer of a PACS was asked for, in UTC; None where there is none."""
    added: Mapping[Level, tuple[Attribute, ...]]
    several: bool
    """Whether rows of more than one PACS are shown."""


class LakeAnswers:
    """Answers over one lake, which follows its commits by `refresh`. Its methods may be called from any thread."""

    def __init__(self, path: Path, titles: Mapping[str, str], charset: str = UTF_8) -> None:
        """`titles` are the AE titles of the PACS that are shown, by name. NoLakeError where there is no lake yet."""
        self._lake = Lake(path, pulls=False)
        self._lake.connection.execute(_MODESTY)
        self._by_day = StudiesByDay(self._lake)
        self._tried = -1
        self._titles = dict(titles)
        self._charset = charset
        self._lock = threading.Lock()
        self.known = self._look()

    def refresh(self) -> bool:
        """Follow the newest commit; give whether there was more to show. LakeError where the copy by days fails."""
        with self._lock:
            if self._lake.refresh() != self.known.version:
                self.known = self._look()
            if self._tried == self.known.version:  # what fails is tried again with the next commit
                return False
            self._tried = self.known.version
            self._by_day.follow()
            return True

    def close(self) -> None:
        """Let go of the lake."""
        self._by_day.close()
        self._lake.close()

    def holding(self, store: Path, wanted: Mapping[str, Sequence[str]]) -> Holding:
        """Look up which files of what is wanted are here, of the PACS that are shown. LakeError."""
        return holding(self._lake, store, wanted, self._titles)

    def elsewhere(self, wanted: Mapping[str, Sequence[str]], pacs: Collection[str]) -> list[Elsewhere]:
        """Look up what of it is not here and which of these PACS has it, of those that are shown. LakeError."""
        return elsewhere(self._lake, wanted, set(pacs) & self._titles.keys(), self._titles)

    def kinds(self) -> Mapping[str, Sequence[str]]:
        """Give the transfer syntaxes of each SOP class in the store."""
        return kinds_here(self._lake)

    def ask(self, question: Question, explicit_vr: bool) -> Answer:
        """Give what a question finds. BadQuestionError where a key's value cannot be matched."""
        studies = TABLE if self._by_day.is_ready else "studies"
        wanted = statement(question, Shown(tuple(self._titles), self.known.several, studies))
        rows = Asked(self._lake, wanted.sql, wanted.parameters)
        return Answer(rows, question, Form(self._titles, self._charset, explicit_vr))

    def _look(self) -> Known:
        with self._lake.connection.cursor() as cursor:
            [(as_of,)] = cursor.execute(_NEWEST).fetchall()
            shown = {pacs for (pacs,) in cursor.execute(_SHOWN).fetchall() if pacs in self._titles}
        added = {LEVELS[entity]: added_attributes(fields) for entity, fields in self._lake.added.items()}
        return Known(self._lake.version, as_of, added, len(shown) > 1)


@dataclass(frozen=True, slots=True)
class Form:
    """How answers are written."""

    titles: Mapping[str, str]
    """AE titles of PACS by name."""
    charset: str
    explicit_vr: bool


class Answer:
    """The identifiers that one question finds."""

    def __init__(self, rows: Asked, question: Question, form: Form) -> None:
        self._rows = rows
        self._question = question
        self._form = form

    def batches(self) -> Iterator[pa.Array]:
        """Give them encoded, as they are found. LakeError where the lake cannot be read."""
        for batch in self._rows.batches():
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            columns[_TITLE.keyword] = self._retrieve_titles(columns.pop("pacs"))
            yield self._encoded(columns)

    def interrupt(self) -> None:
        """Have whoever waits for a batch told that there is none."""
        self._rows.interrupt()

    def close(self) -> None:
        """Let go of it; nobody may be waiting."""
        self._rows.close()

    def _encoded(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Encode in the character set that was asked for, or in ours; in UTF-8 where that lacks a character."""
        for charset in dict.fromkeys((self._asked_charset(), self._form.charset, UTF_8)):
            wanted: list[Attribute | Constant] = [Constant(CHARSET, "CS", charset), *self._question.constants]
            wanted += [place.attribute for place in self._question.returned]
            if self._question.level is not Level.WORKLIST:
                wanted += [Constant(QUERY_LEVEL, "CS", self._question.level.query_retrieve_level), _TITLE]
            try:
                return encode(columns, wanted, explicit_vr=self._form.explicit_vr, write=writer(charset))
            except CharsetError:
                continue
        raise AssertionError("UTF-8 has every character")

    def _asked_charset(self) -> str:
        asked = self._question.charset
        try:
            encodings_of(asked)
        except CharsetError:
            return self._form.charset
        return asked or self._form.charset

    def _retrieve_titles(self, pacs: pa.Array) -> pa.Array:
        """Give the AE titles of the PACS that have each row: a name, or a list of names."""
        distinct = pacs.dictionary_encode() if pa.types.is_string(pacs.type) else None
        if distinct is not None:
            titles = [[self._titles_of(name)] for name in distinct.dictionary.to_pylist()]
            return pa.array(titles, pa.list_(pa.string())).take(distinct.indices)
        rows = [sorted({self._titles_of(name) for name in names}) for names in pacs.to_pylist()]
        return pa.array(rows, pa.list_(pa.string()))

    def _titles_of(self, name: str) -> str:
        return self._form.titles.get(name, "")
