"""`[pacs.NAME.allowed_hours]`: the hours in which a PACS may be asked, by weekday. Pure."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

Spans = tuple[tuple[int, int], ...]
"""Minutes since midnight, the second ones not included; beyond those of a day they lie on the next."""

DAY = 24 * 60
_WORDS: dict[str, Spans] = {"all": ((0, DAY),), "none": ()}
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _spans(text: object) -> Spans:
    """Read `18:00-07:00, 12:00-13:00`, `all` or `none`; a span that ends before it begins ends the next day."""
    if not isinstance(text, str):
        raise ValueError("must be text in quotes, as '18:00-07:00'")
    return _WORDS[text] if text in _WORDS else tuple(_span(part.strip()) for part in text.split(","))


def _span(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])", text)
    if found is None:
        raise ValueError("must be hours as '18:00-07:00', several with commas between them, 'all' or 'none'")
    from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
    first, last = 60 * from_hour + from_minute, 60 * to_hour + to_minute
    if first >= DAY or last > DAY:
        raise ValueError("must be hours from 00:00 to 24:00")
    if first == last:
        raise ValueError("must not begin and end at the same time: 'all' is the whole day")
    return first, last if last > first else last + DAY


def _holiday(day: object) -> date:
    """Read a day, written as text or as a date of TOML's own."""
    if type(day) is date:
        return day
    try:
        return date.fromisoformat(str(day))
    except ValueError:
        raise ValueError("must be a day, as '2026-12-25'") from None


HoursText = Annotated[Spans, BeforeValidator(_spans)]
Holiday = Annotated[date, BeforeValidator(_holiday)]


class AllowedHours(BaseModel):
    """The hours of each weekday: its own, or those of `weekdays` (Monday to Friday); without either, none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    weekdays: HoursText | None = None
    monday: HoursText | None = None
    tuesday: HoursText | None = None
    wednesday: HoursText | None = None
    thursday: HoursText | None = None
    friday: HoursText | None = None
    saturday: HoursText | None = None
    sunday: HoursText | None = None
    holidays: HoursText | None = None
    """Instead of the weekday's on a holiday of the site; None where holidays are days like others."""

    @property
    def week(self) -> tuple[Spans, ...]:
        """The hours of Monday to Sunday."""
        fallback = (self.weekdays or (),) * 5 + ((), ())
        own = (getattr(self, day) for day in _WEEK)
        return tuple(spans if spans is not None else other for spans, other in zip(own, fallback, strict=True))

    @model_validator(mode="after")
    def _has_some(self) -> AllowedHours:
        if not any(self.week) and not self.holidays:
            raise ValueError("must name hours of some day, as weekdays = '18:00-07:00'")
        return self
