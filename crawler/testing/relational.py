"""Relational queries (PS3.4 C.4.1.2.2.1): series and images by what their studies are, without the UIDs above. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.matching import as_date, criterion, date_bounds
from crawler.testing.question import Question, known

NOBODY = "0"
"""A UID that nothing has."""


def hierarchical(question: Question, archive: Archive | ChangingArchive, *, lies: bool) -> Question:
    """Give the question with lists of the UIDs above that a relational one means; `lies` for those of one study."""
    if question.level not in (Level.SERIES, Level.IMAGE) or question.uids("StudyInstanceUID"):
        return question
    named = {key.keyword: key for key in known(Level.STUDY).values()}
    of_studies = {keyword: value for keyword, value in question.keys.items() if keyword in named}
    of_studies = {keyword: value for keyword, value in of_studies.items() if keyword not in _own(question.level)}
    bounds = date_bounds(of_studies.get("StudyDate", ""))
    days = (as_date(bounds.low), as_date(bounds.high)) if "StudyDate" in of_studies else (None, None)
    studies = archive.table(Level.STUDY, *days)
    for keyword, value in of_studies.items():
        matches = criterion(named[keyword], value)
        studies = studies.filter(matches(studies[keyword])) if matches else studies
    uids = _distinct(studies, "StudyInstanceUID")[: 1 if lies else None]
    keys = {keyword: value for keyword, value in question.keys.items() if keyword not in of_studies}
    keys["StudyInstanceUID"] = "\\".join(uids) or NOBODY
    if question.level is Level.IMAGE and not question.uids("SeriesInstanceUID"):
        series = archive.table(Level.SERIES, *days)
        series = series.filter(pc.is_in(series["StudyInstanceUID"], pa.array(uids, pa.string())))
        keys["SeriesInstanceUID"] = "\\".join(_distinct(series, "SeriesInstanceUID")) or NOBODY
    return replace(question, keys=keys)


def _own(level: Level) -> set[str]:
    return {key.keyword for key in known(level).values()} - {"StudyDate", "StudyTime"}


def _distinct(table: pa.Table, name: str) -> list[str]:
    values: list[Any] = pc.unique(table[name]).to_pylist()
    return [str(value) for value in values]
