"""What is said of a window later is written after the window's own row, whoever is faster."""

from __future__ import annotations

from datetime import date

from crawler.model import UNDATED, Window, WindowState
from crawler.plan.answers import Accept
from jobs.notes import Notes

DOUBT = Accept(WindowState.CAPPED, "10 rows, as many as any answer had")
DAY, NEXT = Window(date(2024, 1, 4), date(2024, 1, 4)), Window(date(2024, 1, 5), date(2024, 1, 5))


def test_a_note_waits_for_the_row_that_it_corrects_and_no_other_does() -> None:
    notes = Notes()
    with notes.writing(DAY):
        assert notes.due([(DAY, DOUBT), (NEXT, DOUBT)]) == [(NEXT, DOUBT)]
        assert notes.due([]) == []
    assert notes.due([]) == [(DAY, DOUBT)]
    assert notes.due([]) == []


def test_a_note_about_a_day_waits_for_its_hours_and_one_about_all_for_everything() -> None:
    notes = Notes()
    with notes.writing(Window(DAY.date_from, DAY.date_to, "080000", "120000")):
        assert notes.due([(Window(None, DAY.date_to), DOUBT), (UNDATED, DOUBT)]) == []
    assert notes.due([]) == [(Window(None, DAY.date_to), DOUBT), (UNDATED, DOUBT)]


def test_what_could_not_be_written_holds_nothing_back() -> None:
    notes = Notes()
    try:
        with notes.writing(DAY):
            assert notes.due([(DAY, DOUBT)]) == []
            raise ConnectionError
    except ConnectionError:
        assert notes.due([]) == [(DAY, DOUBT)]
