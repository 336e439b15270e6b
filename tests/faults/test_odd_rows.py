"""What is wrong in single rows of an answer: the row is there, and what could not be read is told and kept."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.decode.charset import MISSPELT_CHARSET, NOT_IN_CHARSET, UNKNOWN_CHARSET, known_terms
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.sweeping import ask, configure, differences
from tests.faults.misbehaving import study
from tests.faults.odd_rows import DAY, Row, found, heeding, row, swept
from tests.faults.peers import scripted
from tests.faults.planted import NAME, PATIENT_ID
from tests.faults.swept import CAPPED, OK, PARTIAL, Sweep, asked, learned

if TYPE_CHECKING:
    from tests.faults.queued import Queued

UTF_8, LATIN_1, JAPANESE = "ISO_IR 192", "ISO_IR 100", "ISO 2022 IR 6\\ISO 2022 IR 87"
NAMES = (
    # declared, as sent, as read, what is said of it
    (UTF_8, b"Plantedm\xfcller", "Plantedm\ufffdller", NOT_IN_CHARSET),
    ("", b"Plantedm\xfcller", "Plantedm\ufffdller", NOT_IN_CHARSET),
    (LATIN_1, b"Plantedm\xfcller", "Plantedmüller", None),
    ("ISO-IR 100", b"Plantedm\xfcller", "Plantedmüller", MISSPELT_CHARSET),
    ("ISO_IR 4711", b"Plantedm\xfcller", "Plantedm\ufffdller", UNKNOWN_CHARSET),
    (JAPANESE, b"Planted=\x1b$B;3ED\x1b(B", "Planted=山田", None),
    (LATIN_1, b"Planted=\x1b$B;3ED\x1b(B", "Planted=\x1b$B;3ED", NOT_IN_CHARSET),
    ("\\ISO 2022 IR 149", b"Planted=\x1b$)C\xb1\xe8", "Planted=김", None),
    ("\\ISO 2022 IR 58", b"Planted=\x1b$)A\xcd\xf5", "Planted=王", None),
    ("GB18030", b"Planted\xcd\xf5", "Planted王", None),
    ("GB18030", b"Planted\xff", "Planted\ufffd", NOT_IN_CHARSET),
    (UTF_8, b"Planted\xed\xa0\x80", "Planted\ufffd\ufffd\ufffd", NOT_IN_CHARSET),  # half of a surrogate pair
    (UTF_8, b"Planted\xc3\xbc\x00x", "Plantedü\x00x", None),
)
HUGE = b"Planted" + b"x" * 100_000


def test_character_sets(tmp_path: Path, sweep: Sweep, queued: Queued | None, long: bool) -> None:
    rows = [
        row(hour, SpecificCharacterSet=declared, PatientName=value)
        for hour, (declared, value, _, _) in enumerate(NAMES)
    ]
    assert swept(sweep, tmp_path, [*rows, row(23, PatientName=HUGE)]) == OK
    came = found(tmp_path, "PatientName")
    for hour, (_, value, text, reason) in enumerate(NAMES):
        read, reasons, kept = came[f"2.25.{hour}"]
        assert read == text, hour
        assert reasons == ([reason] if reason else []), hour
        assert [one.rstrip(b" ") for one in kept] == [value], hour
    assert came["2.25.23"][:2] == (HUGE.decode(), ["longer than 64 characters"])
    if long and not queued:  # of which one is as good as many
        every_byte = bytes(range(0x80, 0x100))
        for number, term in enumerate(known_terms()):
            (folder := tmp_path / str(number)).mkdir()
            assert swept(sweep, folder, [row(1, SpecificCharacterSet=term, PatientName=every_byte)]) == OK
            assert found(folder, "PatientName")["2.25.1"][2] == [every_byte]


def test_incomplete_rows(tmp_path: Path, sweep: Sweep) -> None:
    levels = ("SERIES", "PATIENT ", "STUDY\0", "", "SOMETHING")
    rows = [row(hour, QueryRetrieveLevel=level) for hour, level in enumerate(levels)]
    assert swept(sweep, tmp_path, [*rows, row(20, StudyInstanceUID="")]) == OK
    assert set(found(tmp_path, "PatientName")) == {"2.25.2", "2.25.3", "2.25.4"}, "of a level that is none of DICOM's"
    kept = "select distinct reason, list_transform(raw, lambda x: x.value) from rejects order by all"
    another = "a row of another level"
    assert ask(tmp_path, kept) == [
        (another, [b"PATIENT ", b"2.25.1"]),
        (another, [b"SERIES", b"2.25.0"]),
        ("no StudyInstanceUID", []),
    ]
    assert ask(tmp_path, "select sum(rejects) from windows") == [(3,)]


def test_duplicates(tmp_path: Path, sweep: Sweep) -> None:
    twice = [row(1), row(1), row(2), Row(2, study(2, PatientID="PLANTED4712")), row(3)]
    archive = Archive(12, DAY, DAY, seed=5, series_per_study=1)
    others = Archive(12, DAY, DAY, seed=5, series_per_study=1, retrieve_ae="OTHER")
    with ExitStack() as stack:
        here = stack.enter_context(scripted(heeding(twice)))
        quirks = Quirks(duplicate_every=3)
        pacs = [stack.enter_context(running(Simulator(one, quirks=quirks))) for one in (archive, others)]
        configure(tmp_path, {"odd": here.port, "one": pacs[0].port, "two": pacs[1].port}, levels='["study"]')
        assert sweep(tmp_path, DAY, DAY) == OK
    for name, held in (("one", archive), ("two", others)):
        assert differences(tmp_path, name, Level.STUDY, held) == []
        assert ask(tmp_path, f"select sum(duplicates) > 0 from windows where pacs = '{name}'") == [(True,)]
    conflicts = "select kind, pacs, count(*) from conflicts group by all"
    assert ask(tmp_path, conflicts) == [("two_pacs", ["one", "two"], archive.total)]
    current = "select StudyInstanceUID, PatientID from studies where pacs = 'odd' order by 1"
    assert ask(tmp_path, current) == [("2.25.1", PATIENT_ID), ("2.25.2", "PLANTED4712"), ("2.25.3", PATIENT_ID)]
    told = "select distinct pacs, reason, answer like '%4711%' and answer like '%2.25.2%' from rejects"
    assert ask(tmp_path, told) == [("odd", "the same StudyInstanceUID came with another PatientID", True)]


VALUES = (
    # attribute, as sent, what is said of it
    ("StudyTime", b"24:61", "malformed TM"),
    ("StudyTime", b"235960", "leap second"),
    ("PatientBirthDate", b"2024-01-01", "malformed DA"),
    ("PatientBirthDate", b"20240132", "malformed DA"),
    ("PatientBirthDate", b"20240101\\20240102", "malformed DA"),
    ("NumberOfStudyRelatedInstances", b"1.0", "malformed IS"),
    ("NumberOfStudyRelatedInstances", b"NaN", "malformed IS"),
    ("NumberOfStudyRelatedSeries", b"99999999999", "malformed IS"),
)
UIDS = (
    ("1.2.x", "illegal character in UI"),
    ("1." + "2" * 65, "longer than 64 characters"),
    ("1.02", None),
)
"""They are what the PACS knows a study by, so that the text stays."""


def test_malformed_values(tmp_path: Path, sweep: Sweep) -> None:
    rows = [row(hour, **{keyword: value}) for hour, (keyword, value, _) in enumerate(VALUES)]
    rows += [row(20 + place, StudyInstanceUID=uid) for place, (uid, _) in enumerate(UIDS)]
    rows += [row(18, StudyDate="2024-02-26"), row(19, StudyInstanceUID="")]
    assert swept(sweep, tmp_path, rows) == CAPPED, "a study without a time may be missing where hours were asked for"
    for hour, (keyword, value, reason) in enumerate(VALUES):
        read, reasons, kept = found(tmp_path, keyword)[f"2.25.{hour}"]
        assert (read, reasons, [one.rstrip(b" ") for one in kept]) == (None, [reason], [value])
    assert found(tmp_path, "StudyDate")["2.25.18"] == (None, ["malformed DA"], [b"2024-02-26"])
    for uid, said in UIDS:
        assert found(tmp_path, "PatientName")[uid] == (NAME, [said] if said else [], [])
    assert ask(tmp_path, "select distinct reason from rejects") == [("no StudyInstanceUID",)]
    assert ask(tmp_path, "select count(*) from studies") == [(len(rows) - 1,)]


def test_refused_attribute(tmp_path: Path, sweep: Sweep, long: bool) -> None:
    archive = Archive(12, DAY, DAY, seed=5, series_per_study=1)
    guilty = ({"InstitutionName"}, {"NumberOfStudyRelatedInstances"}, {"InstitutionName", "StationName", "StudyID"})
    for place, keywords in enumerate(guilty if long else guilty[-1:]):
        folder, levels = tmp_path / str(place), '["study", "series"]'
        with asked(folder, archive, Quirks(refuses=frozenset(keywords)), levels=levels) as pacs:
            assert sweep(folder, DAY, DAY) == OK
            assert pacs.counts.queries.total() < 60
            told = pacs.counts.refused
            assert sweep(folder, DAY, DAY) == OK
            assert pacs.counts.refused == told, "it is remembered"
        for level in (Level.STUDY, Level.SERIES):
            assert set(differences(folder, "main", level, archive)) <= keywords
        found = {name.partition(".")[2] for name in learned(folder) if name.startswith("refused_attribute.")}
        assert found == keywords
    with asked(tmp_path / "all", archive, Quirks(refuses=frozenset({"StudyInstanceUID"}))) as pacs:
        assert sweep(tmp_path / "all", DAY, DAY) == PARTIAL
        assert pacs.counts.queries.total() <= 3, "without any other it is refused as well"
