"""A question as one SQL statement over the lake's tables; values are parameters. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.columns import AS_OF_STUDIES
from crawler.errors import UserError
from crawler.lake.schema import TABLES, quoted
from crawler.model import Level
from crawler.serve.find.question import NOT_PROCESSED, BadQuestionError, Place, Question
from crawler.serve.matching import Condition, combined, condition, joined

_DAYS = {
    level: (AS_OF_STUDIES["StudyDate"], AS_OF_STUDIES["StudyTime"])
    if level is Level.WORKLIST
    else ("StudyDate", "StudyTime")
    for level in Level
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What of the lake is shown."""

    pacs: tuple[str, ...]
    """Their studies; () for all."""
    several: bool = False
    """Whether the same study may come from more than one of them."""
    studies: str = "studies"
    """The table of studies to ask."""


def statement(question: Question, shown: Shown) -> Condition:
    """Write it. The column `pacs` comes first: the name of the PACS, or where there are several, a list of names.

    BadQuestionError where a key's value is not one that its VR allows.
    """
    where = joined([_whose(shown), *_wanted(question)])
    names = list(dict.fromkeys(place.attribute.keyword for place in question.returned))
    unique = question.level.unique_key
    several = shown.several and question.level is not Level.WORKLIST
    pacs = f"list(pacs) OVER (PARTITION BY {unique})" if several else "pacs"
    columns = ", ".join([f"{pacs} AS pacs", *(quoted(name) for name in names)])
    once = f" QUALIFY row_number() OVER (PARTITION BY {unique} ORDER BY pacs) = 1" if several else ""
    return Condition(f"SELECT {columns} FROM {_source(question, shown)} WHERE {where.sql}{once}", where.parameters)


def _whose(shown: Shown) -> Condition | None:
    if not shown.pacs:
        return None
    return Condition(f"pacs IN ({', '.join('?' * len(shown.pacs))})", shown.pacs)


def _wanted(question: Question) -> list[Condition | None]:
    """Give a condition for each key; days and times may be one."""
    try:
        day, time = _DAYS[question.level]
        named = {place.attribute.keyword: (place, value) for place, value in question.keys}
        found: list[Condition | None] = []
        if question.granted.combined and day in named and time in named:
            (days, day_value), (times, time_value) = named.pop(day), named.pop(time)
            found.append(combined(days.attribute, times.attribute, day_value, time_value))
        return found + [condition(place.attribute, value) for place, value in named.values()]
    except UserError as error:
        raise BadQuestionError(NOT_PROCESSED, str(error)) from None


def _source(question: Question, shown: Shown) -> str:
    """Give the table to ask, or a join in which every name stands once."""
    tables = {level: shown.studies if level is Level.STUDY else TABLES[level.entity] for level in question.levels}
    own, *above = question.levels
    if not above:
        return tables[own]
    places = [*question.returned, *(place for place, _ in question.keys)]
    names = [f"own.{quoted(own.unique_key)}", *dict.fromkeys(_column(place, own) for place in places)]
    unique = dict.fromkeys(["own.pacs", *names])
    joins = "".join(
        f" JOIN {tables[level]} AS {level.entity} ON own.pacs = {level.entity}.pacs"
        f" AND own.{level.unique_key} = {level.entity}.{level.unique_key}"
        for level in above
    )
    return f"(SELECT {', '.join(unique)} FROM {tables[own]} AS own{joins})"


def _column(place: Place, own: Level) -> str:
    table = "own" if place.level is own else place.level.entity
    return f"{table}.{quoted(place.attribute.keyword)}"
