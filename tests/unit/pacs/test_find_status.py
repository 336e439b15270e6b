"""Every final status has one meaning."""

from __future__ import annotations

import pytest

from crawler.model import Outcome
from crawler.pacs.command import PENDING
from crawler.pacs.status import describe, outcome_of


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (None, Outcome.INTERRUPTED),
        (0x0000, Outcome.SUCCESS),
        (0xFE00, Outcome.CANCELLED),
        (0xA700, Outcome.TOO_MANY),
        (0xA701, Outcome.TOO_MANY),
        (0x0213, Outcome.TOO_MANY),
        (0xA900, Outcome.REFUSED),
        (0x0122, Outcome.REFUSED),
        (0x0124, Outcome.REFUSED),
        (0xB000, Outcome.FAILED),
        (0xB001, Outcome.FAILED),
        (0xC000, Outcome.FAILED),
        (0xCFFF, Outcome.FAILED),
        (0x0110, Outcome.FAILED),
        (0x0001, Outcome.FAILED),
        (0x4242, Outcome.UNKNOWN),
        (0xFFFF, Outcome.UNKNOWN),
    ],
)
def test_meaning_of_a_final_status(status: int | None, meaning: Outcome) -> None:
    assert outcome_of(status) is meaning


def test_only_zero_is_success() -> None:
    assert [status for status in range(0x10000) if outcome_of(status) is Outcome.SUCCESS] == [0]


def test_a_pending_status_is_never_a_good_end() -> None:
    assert {outcome_of(status) for status in PENDING} == {Outcome.UNKNOWN}


def test_statuses_are_said_in_words() -> None:
    assert describe(0xA700) == "0xA700 (out of resources)"
    assert describe(0xC0DE) == "0xC0DE (unable to process)"
    assert describe(0x4242) == "0x4242 (not defined by DICOM)"
    assert describe(None) == "no final status"
