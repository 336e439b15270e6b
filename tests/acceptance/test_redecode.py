"""`pacslake lake redecode` as a person uses it: garbled names put right out of what the lake keeps, with history."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from crawler.decode import decode
from crawler.lake.writer import LakeWriter
from crawler.model import Identifiers, Level
from crawler.pacs.identifier import encode_identifier
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import ask, configure, sweep

NAMES = {"1": "Müller^Jörg", "2": "Smith^Jane", "3": "Núñez^Æsa"}


def answers(default_charset: str) -> pa.Table:
    """Decode answers in Latin-1 that do not say so; another one says UTF-8 and is right."""
    datasets = [
        encode_identifier([(0x00100010, "PN", name.encode("latin-1")), (0x0020000D, "UI", uid.encode())])
        for uid, name in NAMES.items()
    ]
    told = [(0x00080005, "CS", b"ISO_IR 192"), (0x00100010, "PN", "王^小東".encode()), (0x0020000D, "UI", b"4")]
    return decode(Identifiers.of([*datasets, encode_identifier(told)]), Level.STUDY, default_charset=default_charset)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pacslake.toml").write_text("[lake]\npath = 'lake'\n")
    with LakeWriter.open(tmp_path / "lake") as writer:
        writer.stage(Level.STUDY, "main", "s1", answers(""))
        writer.commit()
    return tmp_path


def test_names_are_put_right_and_the_old_ones_stay_in_the_history(folder: Path) -> None:
    dry = pacslake(folder, "lake", "redecode", "--charset", "ISO_IR 100", "--dry-run")
    assert dry.stdout.decode() == (
        "pacs  level  rows  would change  still malformed\n"
        "----  -----  ----  ------------  ---------------\n"
        "main  study     2             2                0\n"
    )
    assert ask(folder, "select count(*) from studies_history") == [(4,)]
    done = pacslake(folder, "lake", "redecode", "main", "--charset", "ISO_IR 100", "--format", "json")
    assert json.loads(done.stdout) == [{"pacs": "main", "level": "study", "rows": 2, "changed": 2, "malformed": 0}]
    assert dict(ask(folder, "select StudyInstanceUID, PatientName from studies")) == {**NAMES, "4": "王^小東"}
    assert ask(folder, "select patient_family_name, len(faults) from studies where PatientName like 'M%'") == [
        ("Müller", 0)
    ]
    history = ask(
        folder, "select change, PatientName from studies_history where StudyInstanceUID = '1' order by row_id"
    )
    assert history == [("insert", "M\ufffdller^J\ufffdrg"), ("update", "Müller^Jörg")]
    again = pacslake(folder, "lake", "redecode", "--charset", "ISO_IR 100")
    assert again.stdout == b"There is no such text in the lake: nothing to read again.\n"


def test_a_sweep_with_this_default_charset_then_finds_nothing_changed(folder: Path) -> None:
    assert pacslake(folder, "lake", "redecode", "--charset", "ISO_IR 100").returncode == 0
    with LakeWriter.open(folder / "lake") as writer:
        staged = writer.stage(Level.STUDY, "main", "s2", answers("ISO_IR 100"))
    assert (staged.inserted, staged.updated, staged.unchanged) == (0, 0, 4)


def test_rows_are_chosen_by_what_they_declare(folder: Path) -> None:
    assert pacslake(folder, "lake", "redecode", "--charset", "ISO_IR 144", "--declared", "").returncode == 0
    assert ask(folder, "select PatientName from studies where StudyInstanceUID = '1'") == [("Mќller^Jіrg",)]
    done = pacslake(folder, "lake", "redecode", "--charset", "ISO_IR 100", "--declared", "ISO_IR 192", "--dry-run")
    assert done.stdout.decode().splitlines()[-1].split() == ["main", "study", "1", "1", "0"]
    done = pacslake(folder, "lake", "redecode", "--charset", "ISO_IR 192", "--declared", "")
    assert done.stdout.decode().splitlines()[-1].split() == ["main", "study", "2", "2", "2"]


def test_what_a_pacs_declares_wrongly_is_mended_and_stays_so(tmp_path: Path) -> None:
    """The PACS sends UTF-8 and says that it is Latin-1."""
    archive = Archive(40, date(2024, 1, 1), date(2024, 1, 20), seed=3, series_per_study=1)
    table = archive.table(Level.STUDY)
    truth = dict(zip(table["StudyInstanceUID"].to_pylist(), table["PatientName"].to_pylist(), strict=True))
    with running(Simulator(archive, quirks=Quirks(misdeclares="ISO_IR 100"))) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert sweep(tmp_path).returncode == 0
        names = "select StudyInstanceUID, PatientName from studies"
        assert dict(ask(tmp_path, names)) != truth
        configure(tmp_path, {"main": pacs.port}, declared_charsets='{ "ISO_IR 100" = "ISO_IR 192" }')
        done = pacslake(tmp_path, "lake", "redecode")
        assert done.returncode == 0, done.stderr.decode()
        assert dict(ask(tmp_path, names)) == truth
        versions = ask(tmp_path, "select count(*) from studies_history")
        again = sweep(tmp_path, "--restart")
        assert again.returncode == 0, again.stderr.decode()
        assert ask(tmp_path, "select count(*) from studies_history") == versions
        assert ask(tmp_path, "select distinct SpecificCharacterSet from studies") == [(["ISO_IR 100"],)]
    assert pacslake(tmp_path, "lake", "redecode", "--dry-run").stdout.decode().split()[-2:] == ["0", "0"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--charset", "ISO_IR 1000"], 2, "'ISO_IR 1000' is no value of SpecificCharacterSet"),
        (["--charset", "latin-1"], 2, "'latin-1' is no value of SpecificCharacterSet"),
        (["mian", "--charset", "ISO_IR 100"], 2, "the lake has no rows of a PACS named 'mian'; did you mean 'main'?"),
        ([], 2, "say --charset, or set declared_charsets or default_charset of the PACS in pacslake.toml"),
    ],
)
def test_a_mistake_is_a_sentence_and_changes_nothing(
    folder: Path, arguments: list[str], code: int, sentence: str
) -> None:
    done = pacslake(folder, "lake", "redecode", *arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert sentence in done.stderr.decode()
    assert ask(folder, "select count(*) from studies_history") == [(4,)]


def test_without_a_lake_and_beside_its_owner(folder: Path) -> None:
    with LakeWriter.open(folder / "lake"):
        assert pacslake(folder, "lake", "redecode", "--charset", "ISO_IR 100").returncode == 11
    (folder / "pacslake.toml").write_text("[lake]\npath = 'none'\n")
    assert pacslake(folder, "lake", "redecode", "--charset", "ISO_IR 100").returncode == 10
