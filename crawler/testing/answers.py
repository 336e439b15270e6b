"""From a question to encoded identifiers: which blocks can hold answers, which rows match, their bytes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial, reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.model import Level
from crawler.pacs.encoding import Constant
from crawler.pacs.numerals import Ints
from crawler.testing import rows
from crawler.testing.archive import Archive, Piece
from crawler.testing.block import SERIES_UID_LENGTH, STUDY_UID_LENGTH, Block
from crawler.testing.cache import BoundedCache
from crawler.testing.encoding import encode
from crawler.testing.matching import Criterion, as_date, criterion, date_bounds
from crawler.testing.patients import patient_columns
from crawler.testing.people import patient_number
from crawler.testing.question import QUERY_LEVEL, RETRIEVE_AE, Question, known

_BYTES_KEPT = 96 * 1024 * 1024
_PATIENTS_AT_ONCE = 4096

Columns = Callable[[Sequence[str]], dict[str, pa.Array]]
"""Gives columns by their names."""

Criteria = Mapping[str, Criterion]
"""What the rows must match, by column."""


class Answers:
    """Answers questions from one archive, and remembers encoded blocks for the next question of the same shape.

    `extras` are added to every answer; `always` names the attributes, of StudyDate and StudyTime, without which a
    study matches whatever is asked of them.
    """

    def __init__(self, archive: Archive, extras: Sequence[Constant] = (), always: Collection[str] = ()) -> None:
        self.archive = archive
        self._extras, self._always = tuple(extras), frozenset(always)
        self._encoded = BoundedCache(_BYTES_KEPT)

    def find(self, question: Question, explicit_vr: bool = False) -> Iterator[pa.Array]:
        """Give the encoded identifiers that match, a batch at a time, in the archive's order. Raises BadKeyError."""
        criteria = _criteria(question, self._always)
        if question.level is Level.PATIENT:
            yield from self._patients(question, criteria, explicit_vr)
            return
        answer = {Level.STUDY: self._studies, Level.SERIES: self._series, Level.IMAGE: self._images}[question.level]
        for piece in self._pieces(question):
            yield _matching(*answer(question, piece, explicit_vr), criteria)

    def _pieces(self, question: Question) -> list[Piece]:
        """Say where studies that may match are, by the most selective key."""
        uids = question.uids("StudyInstanceUID")
        if uids:
            found = {self.archive.find_study(uid) for uid in uids if len(uid) == STUDY_UID_LENGTH}
            return sorted(piece for piece in found if piece is not None)
        dates = question.keys.get("StudyDate")
        if dates is not None:
            bounds = date_bounds(dates)
            dated = self.archive.pieces(as_date(bounds.low), as_date(bounds.high))
            return [*(self.archive.undated_pieces() if "StudyDate" in self._always else []), *dated]
        number = patient_number(question.keys.get("PatientID", ""))
        if number is not None:
            return self.archive.pieces_of(self.archive.patients.keys_of(number))
        return self.archive.pieces()

    def _studies(self, question: Question, piece: Piece, explicit_vr: bool) -> tuple[pa.Array, Columns]:
        block = self.archive.block(piece.block)
        encoded = self._whole(question, piece.block, explicit_vr, partial(rows.study_columns, block))
        part = partial(_part_columns, rows.study_columns, block, piece)
        return encoded.slice(piece.start, piece.stop - piece.start), part

    def _series(self, question: Question, piece: Piece, explicit_vr: bool) -> tuple[pa.Array, Columns]:
        block = self.archive.block(piece.block)
        encoded = self._whole(question, piece.block, explicit_vr, partial(rows.series_columns, block))
        start, stop = block.first_series[piece.start], block.first_series[piece.stop]
        part = partial(_part_columns, rows.series_columns, block, piece)
        return encoded.slice(start, stop - start), part

    def _images(self, question: Question, piece: Piece, explicit_vr: bool) -> tuple[pa.Array, Columns]:
        """Encode a study's images at once, because a client that asks for one series asks for the others next."""
        block = self.archive.block(piece.block).part(piece.start, piece.stop)
        every = partial(rows.image_columns, rows.Images(block, np.arange(len(block.series_study))))
        key = (piece, question.level, question.tags, explicit_vr)
        encoded = self._encoded.get(key, lambda: self._encode(question, explicit_vr, every))
        bounds = np.concatenate(([0], np.cumsum(block.series_images)))
        series = self._series_numbers(question, piece, len(block.series_images))
        parts = [encoded.slice(bounds[n], bounds[n + 1] - bounds[n]) for n in series.tolist()]
        wanted = pa.concat_arrays(parts) if parts else encoded.slice(0, 0)
        return wanted, partial(rows.image_columns, rows.Images(block, series))

    def _series_numbers(self, question: Question, piece: Piece, count: int) -> Ints:
        """Give which series of a study are asked for."""
        uids = [uid for uid in question.uids("SeriesInstanceUID") if self.archive.find_study(uid) == piece]
        ends = [uid[STUDY_UID_LENGTH:] for uid in uids if len(uid) == SERIES_UID_LENGTH]
        numbers = {int(end) - 1 for end in ends if end.isdecimal()}
        return np.array(sorted(number for number in numbers if 0 <= number < count), np.int64)

    def _patients(self, question: Question, criteria: Criteria, explicit_vr: bool) -> Iterator[pa.Array]:
        patients = self.archive.patients
        number = patient_number(question.keys.get("PatientID", ""))
        numbers = patients.numbers if number is None else patients.numbers[patients.numbers == number]
        for start in range(0, len(numbers), _PATIENTS_AT_ONCE):
            columns = partial(patient_columns, patients, numbers[start : start + _PATIENTS_AT_ONCE])
            yield _matching(self._encode(question, explicit_vr, columns), columns, criteria)

    def _whole(self, question: Question, block: int, explicit_vr: bool, columns: Columns) -> pa.Array:
        """Encode a whole block, or remember it."""
        key = (block, question.level, question.tags, explicit_vr)
        return self._encoded.get(key, lambda: self._encode(question, explicit_vr, columns))

    def _encode(self, question: Question, explicit_vr: bool, columns: Columns) -> pa.Array:
        table = known(question.level)
        attributes = [table[tag] for tag in question.tags if tag != RETRIEVE_AE]
        constants = [
            Constant(QUERY_LEVEL, "CS", question.level.query_retrieve_level),
            Constant(RETRIEVE_AE, "AE", self.archive.retrieve_ae),
            *self._extras,
        ]
        made = columns([*(attribute.keyword for attribute in attributes), "SpecificCharacterSet"])
        return encode(made, [*attributes, *constants], explicit_vr)


def _part_columns(
    make: Callable[[Block, Sequence[str]], dict[str, pa.Array]], block: Block, piece: Piece, names: Sequence[str]
) -> dict[str, pa.Array]:
    return make(block.part(piece.start, piece.stop), names)


def _criteria(question: Question, always: Collection[str]) -> Criteria:
    """Give what rows must match beside the keys that find them exactly; a null matches where it `always` does."""
    exact = {"StudyInstanceUID"} if question.uids("StudyInstanceUID") else {"StudyDate"}
    if question.level is Level.IMAGE:
        exact.add("SeriesInstanceUID")
    table = {attribute.keyword: attribute for attribute in known(question.level).values()}
    wanted = {
        keyword: criterion(table[keyword], value) for keyword, value in question.keys.items() if keyword not in exact
    }
    return {
        keyword: _or_null(matches) if keyword in always else matches
        for keyword, matches in wanted.items()
        if matches is not None
    }


def _or_null(matches: Criterion) -> Criterion:
    return lambda column: pc.or_(pc.is_null(column), matches(column))


def _matching(encoded: pa.Array, columns: Columns, criteria: Criteria) -> pa.Array:
    """Keep the rows that match every criterion."""
    if not criteria or not len(encoded):
        return encoded
    made = columns(list(criteria))
    return encoded.filter(reduce(pc.and_, (matches(made[keyword]) for keyword, matches in criteria.items())))
