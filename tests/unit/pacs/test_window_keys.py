"""A window as matching keys."""

from __future__ import annotations

from datetime import date

import pytest

from crawler.errors import UserError
from crawler.model import Level, Model, Window
from crawler.pacs.identifier import Query, window_keys


@pytest.mark.parametrize(
    ("window", "keys"),
    [
        (Window(), {}),
        (Window(date(2024, 1, 2), date(2024, 1, 31)), {"StudyDate": "20240102-20240131"}),
        (Window(date(2024, 1, 2), date(2024, 1, 2)), {"StudyDate": "20240102"}),
        (Window(date(2024, 1, 2), None), {"StudyDate": "20240102-"}),
        (Window(None, date(876, 1, 2)), {"StudyDate": "-08760102"}),
        (
            Window(date(2024, 1, 2), date(2024, 1, 2), "080000", "085959.999999"),
            {"StudyDate": "20240102", "StudyTime": "080000-085959.999999"},
        ),
        (Window(key="ModalitiesInStudy=CT"), {"ModalitiesInStudy": "CT"}),
        (Window(key="ModalitiesInStudy=CT&PatientID=7*"), {"ModalitiesInStudy": "CT", "PatientID": "7*"}),
        (Window(key="StudyDate=&PatientID=*7"), {"StudyDate": "", "PatientID": "*7"}),
    ],
)
def test_matching_keys_of_a_window(window: Window, keys: dict[str, str]) -> None:
    assert window_keys(window) == keys
    assert Query.of_window(Model.STUDY_ROOT, window).matching == keys


def test_an_unknown_key_is_refused_by_name() -> None:
    query = Query(Model.STUDY_ROOT, Level.STUDY, {"StudyDat": "x"})
    with pytest.raises(UserError, match=r"StudyDat is not a key .* StudyDate"):
        query.encode()
