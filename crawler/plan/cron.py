"""Cron lines as everybody writes them, in the words of APScheduler, which counts days of the week otherwise. Pure."""

from __future__ import annotations

import re

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
"""As cron counts them, from 0; 7 is Sunday too. APScheduler's 0 is Monday: names mean the same to both."""


def translated(cron: str) -> str:
    """Give the five fields with days of the week by name. ValueError, in words, for what cannot be meant."""
    fields = cron.split()
    if len(fields) != 5:
        raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
    *others, of_week = fields
    if others[2] != "*" and of_week != "*":
        # cron takes either of the two, APScheduler both together.
        raise ValueError("must not name days of the month and of the week at once: write two jobs")
    return " ".join([*others, _named(of_week)])


def _named(field: str) -> str:
    """Write days of the week, ranges and steps out as names."""
    if field == "*":
        return field
    wanted = {day for part in field.lower().split(",") for day in _days(part)}
    return ",".join(name for number, name in enumerate(DAYS) if number in wanted)


def _days(part: str) -> list[int]:
    found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
    if found is None or found[3] == "0":
        raise ValueError(f"must have days of the week as 1-5 or mon-fri, not {part}")
    step = int(found[3] or 1)
    if found[1] is None:
        return list(range(0, 7, step))
    first, last = _number(found[1]), _number(found[2] or ("6" if found[3] else found[1]))
    if last < first:  # sat-mon, and 5-0
        last += 7
    return [day % 7 for day in range(first, last + 1, step)]


def _number(day: str) -> int:
    if day in DAYS:
        return DAYS.index(day)
    if day.isdecimal() and int(day) <= 7:
        return int(day)
    raise ValueError(f"must have days of the week as 1-5 or mon-fri, not {day}")
