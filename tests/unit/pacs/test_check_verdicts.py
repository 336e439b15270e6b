"""What evidence about a PACS is judged to mean: grade, what is learned, what to do."""

from __future__ import annotations

from collections import Counter
from datetime import date, time
from typing import Any

import pyarrow as pa
import pytest

from crawler import columns
from crawler.columns import CATALOGUE
from crawler.model import AETitle, Level, Model, Peer
from crawler.pacs.check import matching, reaching, returned
from crawler.pacs.check.answer import Answer
from crawler.pacs.check.verdict import Grade, Learned, Verdict

DAY = date(2024, 3, 5)
NONE = Learned("unsupported_key.StudyTime", "matched")
IGNORED = Learned("unsupported_key.StudyTime", "ignored")
US = reaching.Us("PACSLAKE", "192.0.2.7")


def answer(*rows: dict[str, Any], status: int | None = 0, cut: bool = False, level: Level = Level.STUDY) -> Answer:
    table = pa.Table.from_pylist(list(rows), schema=columns.schema(level))
    tags = {key.keyword: key.tag for key in CATALOGUE[level]}
    present = Counter(tags[name] for row in rows for name in row if name in tags)
    filled = Counter(tags[name] for row in rows for name, value in row.items() if name in tags and value)
    return Answer(table, status, cut, present, filled, len(rows))


def studies(count: int, first: int = 0, day: date | None = DAY) -> list[dict[str, Any]]:
    return [{"StudyInstanceUID": f"1.{number}", "StudyDate": day} for number in range(first, first + count)]


def brief(verdict: Verdict) -> tuple[str, tuple[Learned, ...]]:
    return verdict.grade.value, verdict.learned


@pytest.mark.parametrize(
    ("keyword", "given", "misfits", "grade", "value"),
    [
        ("StudyDate", answer(), 0, "ok", "matched"),
        ("StudyDate", answer(*studies(3)), 3, "problem", "ignored"),
        ("StudyDate", answer(*studies(3), cut=True, status=0xFE00), 3, "problem", "ignored"),
        ("StudyDate", answer(*studies(2, day=None)), 0, "ok", "matched"),
        ("StudyTime", answer(status=0xC000), 0, "problem", "refused"),
        ("ModalitiesInStudy", answer(*studies(1)), 1, "note", "ignored"),
        ("ModalitiesInStudy", answer(status=0xA900), 0, "note", "refused"),
    ],
)
def test_a_value_that_no_study_has(keyword: str, given: Answer, misfits: int, grade: str, value: str) -> None:
    verdict = matching.impossible("check", keyword, given, misfits)
    assert brief(verdict) == (grade, (Learned(f"unsupported_key.{keyword}", value),))
    assert bool(verdict.remedy) == (verdict.grade is Grade.PROBLEM)


def test_a_lost_connection_says_nothing_of_a_key() -> None:
    assert brief(matching.impossible("check", "StudyTime", answer(status=None), 0)) == ("note", ())
    assert brief(matching.narrowed("check", "StudyTime", answer(status=None), {"1.0"}, 0)) == ("note", ())


@pytest.mark.parametrize(
    ("given", "misfits", "grade", "value"),
    [
        (answer(*studies(2)), 0, "ok", "matched"),
        (answer(*studies(3)), 1, "problem", "ignored"),
        (answer(*studies(1)), 0, "problem", "wrong"),
        (answer(*studies(1), cut=True), 0, "ok", "matched"),
        (answer(status=0xA700), 0, "problem", "refused"),
    ],
)
def test_a_value_that_two_studies_have(given: Answer, misfits: int, grade: str, value: str) -> None:
    verdict = matching.narrowed("check", "StudyTime", given, {"1.0", "1.1"}, misfits)
    assert brief(verdict) == (grade, (Learned("unsupported_key.StudyTime", value),))


def test_ends_of_ranges() -> None:
    full, other, lost = answer(*studies(1)), answer(*studies(1, day=date(2024, 3, 6))), answer(status=None)
    assert brief(matching.range_ends(full, full, DAY)) == ("ok", (Learned("exclusive_ends", "no"),))
    verdict = matching.range_ends(full, other, DAY)
    assert brief(verdict) == ("problem", (Learned("exclusive_ends", "yes"),))
    assert "leaves out its last day" in verdict.text
    assert "its first and its last day" in matching.range_ends(other, answer(), DAY).text
    assert brief(matching.range_ends(lost, full, DAY)) == ("note", ())


def test_undated_studies() -> None:
    mixed = answer(*studies(1), *studies(2, 1, None))
    assert brief(matching.undated([answer(), mixed])) == ("note", (Learned("undated_in_ranges", "yes"),))
    assert brief(matching.undated([answer(), answer(*studies(1))])) == ("ok", ())


@pytest.mark.parametrize(
    ("whole", "parts", "grade", "value"),
    [
        (answer(*studies(500)), [answer(*studies(500)), answer(*studies(100))], "problem", "500"),
        (answer(*studies(137)), [answer(*studies(137)), answer(*studies(1, 137))], "problem", "137"),
        (answer(*studies(500)), [answer(*studies(250)), answer(*studies(250, 250))], "ok", "0"),
        (answer(*studies(500), status=0xB000), [], "problem", "500"),
        (answer(*studies(500), status=0xFE00, cut=True), [], "ok", "0"),
        (answer(), [], "ok", "0"),
        (answer(status=0xA700), [], "note", None),
        (answer(*studies(3), status=None), [], "note", None),
    ],
)
def test_caps(whole: Answer, parts: list[Answer], grade: str, value: str | None) -> None:
    verdict = returned.cap(whole, parts, "main")
    assert brief(verdict) == (grade, (Learned("cap", value),) if value else ())
    assert verdict.remedy.endswith(f"pacs.main.cap = {value}" if grade == "problem" else "")


def test_sizes_that_look_like_a_cap() -> None:
    assert "500 rows look cut off" in returned.suspicion([3, 500]).text
    assert "317 rows look cut off" in returned.suspicion([317, 12, 317]).text
    assert "was not looked at" in returned.suspicion([3, 3, 317]).text


def test_keys_that_come_back() -> None:
    rows = [{"StudyInstanceUID": "1.2", "StudyDate": DAY, "StudyID": "", "PatientID": "P"}]
    verdict = returned.keys(Level.STUDY, answer(*rows))
    assert verdict.text.startswith("3 of 19 keys come back filled in 1 row; empty: StudyID; absent: Specific")
    assert brief(returned.keys(Level.STUDY, answer({"PatientID": "P"})))[0] == "problem"
    assert brief(returned.keys(Level.STUDY, answer(status=0xA900))) == ("note", ())
    everything = {key.keyword: None for key in CATALOGUE[Level.SERIES]}
    whole = answer({**everything, "SeriesInstanceUID": "1.2"}, level=Level.SERIES)
    assert brief(returned.keys(Level.SERIES, whole)) == ("note", (Learned("absent_keys", "", Level.SERIES),))


def test_modalities_and_counts() -> None:
    with_modality = answer({"StudyInstanceUID": "1.2"})
    with_modality.filled[returned.MODALITY] = 1
    assert brief(returned.modalities(answer({"ModalitiesInStudy": ["CT"]}), None))[0] == "ok"
    assert returned.modalities(answer(*studies(1)), with_modality).learned == (Learned("study_modality", "yes"),)
    assert returned.modalities(answer(*studies(1)), answer(*studies(1))).learned == (Learned("study_modality", "no"),)
    numbers = {"NumberOfStudyRelatedSeries": 2, "NumberOfStudyRelatedInstances": 3}
    assert brief(returned.counts(answer(numbers)))[0] == "ok"
    assert "NumberOfStudyRelatedSeries" in returned.counts(answer(numbers, *studies(1))).text


def test_character_sets_and_malformed_values() -> None:
    text = {"faults": [{"tag": "00100010", "reason": "not in its character set"}]}
    number = {"faults": [{"tag": "00080030", "reason": "no time"}, {"tag": "00080030", "reason": "no time"}]}
    named = {**text, "SpecificCharacterSet": ["ISO_IR 100"]}
    assert "default_charset" in returned.charset([answer(text, number)], "main").remedy
    assert "corrected at the PACS" in returned.charset([answer(named)], "main").remedy
    assert brief(returned.charset([answer(number)], "main"))[0] == "note"
    assert brief(returned.charset([answer({"SpecificCharacterSet": ["ISO_IR 100"]})], "main"))[0] == "ok"
    assert "StudyTime (2)" in returned.malformed([answer(text, number)]).text
    assert brief(returned.malformed([answer(text)]))[0] == "ok"


def test_lists_and_stars() -> None:
    both = {"1.0", "1.1"}
    assert matching.uid_list("c", Level.SERIES, answer(*studies(2)), both).learned[0].value == "yes"
    assert matching.uid_list("c", Level.SERIES, answer(*studies(1)), both).learned[0].value == "no"
    assert matching.one_study(answer(*studies(1)), {"1.0"}).grade is Grade.OK
    assert matching.one_study(answer(*studies(2)), {"1.0"}).grade is Grade.PROBLEM
    two, none, failed = answer(*studies(2)), answer(), answer(status=0xC000)
    assert [matching.star_uid(two, star).learned[0].value for star in (two, none, failed)] == [
        "all",
        "other",
        "refused",
    ]
    assert matching.patient_root_studies(two, 2).grade is Grade.OK
    assert matching.patient_root_studies(failed, 2).grade is Grade.NOTE
    assert returned.duplicates([answer(*studies(2), *studies(1))]).learned == (Learned("duplicates", "yes"),)


def test_what_broke_off_teaches_nothing() -> None:
    lost, whole = answer(*studies(1), status=None), answer(*studies(2))
    assert brief(matching.uid_list("c", Level.SERIES, lost, {"1.0", "1.1"})) == ("note", ())
    assert brief(matching.star_uid(whole, lost)) == ("note", ())
    assert brief(matching.patient_root_studies(lost, 2)) == ("note", ())
    assert brief(returned.whole_answers(0, 9, "main", US)) == ("ok", ())
    assert "pacs.main.idle_timeout" in returned.whole_answers(2, 9, "main", US).remedy
    assert "AE title PACSLAKE, address 192.0.2.7" in returned.whole_answers(3, 3, "main", US).remedy


def test_the_way_to_a_pacs() -> None:
    both, study = set(Model), {Model.STUDY_ROOT}
    grades = [
        [one.grade.value for one in reaching.roots(offered, Model.STUDY_ROOT, "main", US)]
        for offered in (both, study, set())
    ]
    assert grades == [["ok", "ok"], ["ok", "note"], ["problem", "note"]]
    [_, patient] = reaching.roots(study, Model.PATIENT_ROOT, "main", US)
    assert patient.remedy == 'set pacs.main.model = "study"'
    assert reaching.at_once(1, 3, "main").remedy.startswith("set pacs.main.max_associations = 1, or")
    assert reaching.at_once(3, 3, "main").grade is Grade.OK
    assert reaching.reuse(True).learned == (Learned("one_query_per_association", "yes", None),)
    assert [one.grade.value for one in reaching.extended(b"\1\1")] == ["ok", "ok"]
    assert [one.learned[0].value for one in reaching.extended(b"\0\1")] == ["no", "yes"]
    assert [one.learned for one in reaching.extended(None, "lost")] == [(), ()]
    assert reaching.echoed(0x0122, 1, US).remedy == US.line
    assert [reaching.echoed(0, took, US).grade.value for took in (1, 900)] == ["ok", "note"]
    assert reaching.transfer_syntaxes({"1.2.840.10008.1.2.1"}).grade is Grade.NOTE
    assert [reaching.largest_pdu(size).grade.value for size in (0, 4096, 16384)] == ["ok", "note", "ok"]
    assert "192.0.2.7" in reaching.not_associated("no", US).remedy
    peer = Peer("main", "h", 104, AETitle("X"), AETitle("Y"))
    assert "check pacs.main.host" in reaching.unreachable(peer, "nothing listens").remedy


def test_the_day_in_the_middle() -> None:
    days = [None, date(2024, 1, 3), date(2024, 1, 1), date(2024, 1, 1)]
    assert returned.middle(days) == date(2024, 1, 1)
    assert returned.middle([None]) is None
    assert matching.unseen_second({time(23, 59, 59, 5), time(0, 0)}, time(23, 59, 59)) == time(0, 0, 1)
