"""What the final status of a C-MOVE or C-GET means, and what a person can do about it."""

from __future__ import annotations

import pytest

from crawler.model import AETitle
from crawler.retrieve.status import Destination, Ending, advice, describe, ending_of

OURS = Destination(AETitle("PACSLAKE"), "lake.example", 11112)


@pytest.mark.parametrize(
    ("status", "ending", "words"),
    [
        (0x0000, Ending.SUCCESS, "0x0000 (success)"),
        (0xB000, Ending.PARTIAL, "0xB000 (sub-operations ended, some of them in failures or warnings)"),
        (0xB007, Ending.PARTIAL, "0xB007 (warning)"),
        (0xFE00, Ending.CANCELLED, "0xFE00 (cancelled)"),
        (0xA701, Ending.BUSY, "0xA701 (out of resources: cannot count the matches)"),
        (0xA702, Ending.BUSY, "0xA702 (out of resources: cannot send)"),
        (0xA70F, Ending.BUSY, "0xA70F (out of resources)"),
        (0xA801, Ending.UNKNOWN_DESTINATION, "0xA801 (move destination unknown)"),
        (0xA900, Ending.REFUSED, "0xA900 (identifier does not match the SOP class)"),
        (0x0124, Ending.REFUSED, "0x0124 (not authorised)"),
        (0xC000, Ending.FAILED, "0xC000 (unable to process)"),
        (0xC0FF, Ending.FAILED, "0xC0FF (unable to process)"),
        (0x0110, Ending.FAILED, "0x0110 (processing failure)"),
        (0x8000, Ending.UNKNOWN, "0x8000 (not defined by DICOM)"),
    ],
)
def test_each_status_has_a_meaning_and_words(status: int, ending: Ending, words: str) -> None:
    assert (ending_of(status), describe(status)) == (ending, words)


@pytest.mark.parametrize("status", [0xA702, 0xA801, 0xC000])
def test_what_a_registration_may_mend_names_what_to_register(status: int) -> None:
    assert "AE title PACSLAKE at host lake.example, port 11112" in (advice(status, "main", OURS) or "")


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xFE00, 0xA701, 0xA900])
def test_other_statuses_ask_nothing_of_a_person(status: int) -> None:
    assert advice(status, "main", OURS) is None
