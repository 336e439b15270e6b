"""Nothing that is known of a patient escapes: 10,000 identifiers, hidden in every form and place that is promised."""

from __future__ import annotations

from random import Random

import pytest

from crawler.deid.identifiers import Identifiers
from crawler.deid.leaks import search
from tests.property.deid.hiding import BIG, CLEAN, DEFLATED, EXPLICIT, IMPLICIT, dicom, hide
from tests.property.deid.planting import hidden, patient

PATIENTS, EACH = 100, 100


@pytest.mark.parametrize("share", range(4))
def test_no_planted_identifier_escapes(share: int) -> None:
    escaped = []
    for number in range(share, PATIENTS, 4):
        random = Random(number)
        row = patient(random)
        identifiers = Identifiers.of([row], shift=-100)
        for _ in range(EACH):
            text, scattered = hidden(random, row)
            data, how = hide(random, text, scattered)
            if not search(data, identifiers):
                escaped.append(f"{text!r} of {row['PatientName']!r}: {how}")
    assert not escaped, f"{len(escaped)} escaped\n" + "\n".join(escaped[:40])


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG])
def test_in_a_clean_file_nothing_is_found(syntax: str) -> None:
    data = dicom([*CLEAN, (0x7FE00010, "OW", Random(1).randbytes(2000))], syntax)
    for number in range(PATIENTS):
        assert search(data, Identifiers.of([patient(Random(number))], shift=-100)) == []
