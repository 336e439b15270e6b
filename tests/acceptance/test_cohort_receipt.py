"""Receipts of cohorts, and copies that are compared with them anywhere."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydicom import dcmread

from crawler.export.copies import path_of
from crawler.model import Level
from crawler.retrieve.layout import place_of
from crawler.retrieve.readback import Told
from crawler.testing.archive import Archive
from crawler.testing.objects import Objects
from tests.acceptance.bringing import bring, swept
from tests.acceptance.cohorts import cohort
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import said

DOCUMENT = Path(__file__).parents[2] / "docs" / "receipts.md"
DAYS = (date(2024, 2, 1), date(2024, 2, 3))
ARCHIVE = Archive(4, *DAYS, seed=11, series_per_study=2, rows=8, columns=6, most_images=3)
UIDS = ARCHIVE.table(Level.IMAGE)["SOPInstanceUID"].to_pylist()
LAST = UIDS[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a cohort of which all but one instance is here."""
    folder = tmp_path_factory.mktemp("receipts")
    swept(folder, {"main": (ARCHIVE, Level.IMAGE)}, DAYS)
    assert cohort(folder, "new", "all", "--sql", "from series")[0] == 0
    assert cohort(folder, "new", "none", "--sql", "from series where Modality = 'X'")[0] == 0
    come(folder, *UIDS[:-1])
    return folder


def come(folder: Path, *uids: str) -> None:
    objects = [Objects(ARCHIVE).truth(uid) for uid in uids]
    bring(folder, objects, {one.series: "main" for one in objects})


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """An export somewhere where there is no lake."""
    code, _ = cohort(folder, "export", "all", "--files", "--to", str(tmp_path / "copy"))
    assert code == 3
    return tmp_path / "copy"


def verified(path: Path, *words: str) -> tuple[int, Any]:
    code, out = cohort(path.parent, "verify", str(path), *words, "--format", "json")
    return code, json.loads(out)


def test_a_receipt_accounts_for_every_file_and_for_what_is_missing(folder: Path, tmp_path: Path) -> None:
    done = pacslake(folder, "cohort", "receipt", "all", "--to", str(tmp_path))
    assert (done.returncode, done.stdout) == (3, b"")
    assert "1 series are NOT complete, receipt.json names them" in said(done)
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    assert (receipt["cohort"], receipt["version"], receipt["definition"]["sql"]) == ("all", 1, "from series")
    assert receipt["counts"]["instances"] == len(UIDS) - 1
    [missing] = receipt["missing"]
    assert (missing["missing_instances"], missing["reason"]) == ([LAST], "not asked for yet")
    rows = pq.read_table(tmp_path / "manifest.parquet").to_pylist()
    assert {row["SOPInstanceUID"] for row in rows} == set(UIDS[:-1])
    listed = list(csv.DictReader((tmp_path / "manifest.csv").read_text().splitlines()))
    told = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert [{**row, "received_at": row["received_at"][:19]} for row in listed] == told
    for row in rows:
        data = (folder / "store" / row["path"]).read_bytes()
        assert (row["size"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert (row["pacs"], row["source_ae"]) == ("main", "SIMPACS")
    for name, digest in receipt["manifests"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert cohort(folder, "receipt", "all", "--to", str(tmp_path))[0] == 2
    assert cohort(folder, "receipt", "all", "--to", str(tmp_path), "--overwrite")[0] == 3
    assert verified(tmp_path) == (
        0,
        {"whole": True, "files": len(rows), "bytes": receipt["counts"]["bytes"], "wrong": {}},
    )
    assert cohort(folder, "verify", "all")[0] == 0


def test_an_export_is_whole_anywhere(folder: Path, copy: Path) -> None:
    files = sorted(copy.rglob("*.dcm"))
    for file in files:
        header = dcmread(file)
        uids = (header.StudyInstanceUID, header.SeriesInstanceUID, f"{header.SOPInstanceUID}.dcm")
        assert file.relative_to(copy) == Path(*uids)
        assert file.read_bytes() == (folder / "store" / place_of(header.SOPInstanceUID)).read_bytes()
    assert len(files) == len(UIDS) - 1
    elsewhere = copy.parent / "elsewhere"
    shutil.move(copy, elsewhere)
    done = pacslake(elsewhere.parent, "cohort", "verify", "elsewhere")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith(f"All {len(files)} files (")
    (alone := elsewhere.parent / "alone").mkdir()
    shutil.copy(elsewhere / "manifest.csv", alone)
    assert verified(alone / "manifest.csv", "--root", str(elsewhere))[0] == 0


def test_a_copy_can_be_verified_without_pacslake(copy: Path) -> None:
    [line] = re.findall(r"```sh\n(.*)\n```", DOCUMENT.read_text())
    for data, code in ((None, 0), (b"", 1)):
        if data is not None:
            next(copy.rglob("*.dcm")).write_bytes(data)
        assert subprocess.run(["sh", "-c", line], cwd=copy, capture_output=True, timeout=60).returncode == code


def test_whatever_happened_to_a_copy_is_named(copy: Path) -> None:
    lost, cut, changed, moved, *_ = sorted(copy.rglob("*.dcm"))
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    data = bytearray(changed.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    moved.rename(moved.with_name("1.dcm"))
    (copy / "notes.txt").write_text("x")
    code, found = verified(copy)
    names = {path: str(path.relative_to(copy)) for path in (lost, cut, changed, moved, moved.with_name("1.dcm"))}
    assert (code, found["whole"]) == (1, False)
    assert found["wrong"] == {
        "missing": sorted((names[lost], names[moved])),
        "size": [names[cut]],
        "content": [names[changed]],
        "extra": sorted((names[moved.with_name("1.dcm")], "notes.txt"), key=lambda path: (path != "notes.txt", path)),
    }
    code, out = cohort(copy.parent, "verify", str(copy))
    assert (code, f"1 files have other content:\n  {names[changed]}\n" in out) == (1, True)


def test_a_manifest_that_was_changed_is_named(copy: Path) -> None:
    text = (copy / "manifest.csv").read_text()
    (copy / "manifest.parquet").unlink()
    assert verified(copy)[0] == 0
    (copy / "manifest.csv").write_text(text.replace(f'"{UIDS[0]}"', f'"{UIDS[0]}.1"'))
    _, found = verified(copy)
    assert found["wrong"]["content"] == ["manifest.csv, by the checksum in receipt.json"]
    assert [Path(path).name for path in found["wrong"]["instance"]] == [f"{UIDS[0]}.dcm"]
    (copy / "manifest.csv").write_text("a,b\n1,2\n")
    assert cohort(copy.parent, "verify", str(copy))[0] == 2


def test_what_is_broken_in_the_store_is_not_handed_on(folder: Path, tmp_path: Path) -> None:
    broken = folder / "store" / place_of(UIDS[0])
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    code, found = cohort(folder, "verify", "all", "--format", "json")
    assert (code, json.loads(found)["wrong"]) == (1, {"content": [place_of(UIDS[0])]})
    assert cohort(folder, "export", "all", "--files", "--to", str(tmp_path / "copy"))[0] == 3
    receipt = json.loads((tmp_path / "copy" / "receipt.json").read_text())
    assert [(one["SOPInstanceUID"], one["reason"]) for one in receipt["lost"]] == [(UIDS[0], "other content")]
    assert {uid for one in receipt["missing"] for uid in one["missing_instances"]} == {UIDS[0], LAST}
    assert verified(tmp_path / "copy")[0] == 0
    broken.write_bytes(whole)
    before = {path: path.stat().st_ino for path in (tmp_path / "copy").rglob("*.dcm")}
    assert cohort(folder, "export", "all", "--files", "--to", str(tmp_path / "copy"))[0] == 3
    after = {path: path.stat().st_ino for path in (tmp_path / "copy").rglob("*.dcm")}
    assert (len(after), before.items() <= after.items()) == (len(before) + 1, True)


def test_an_export_that_was_broken_off_goes_on(folder: Path, copy: Path) -> None:
    lost, *kept = sorted(copy.rglob("*.dcm"))
    before = {path: path.stat().st_ino for path in kept}
    lost.rename(f"{lost}.part")
    Path(f"{lost}.part").write_bytes(b"half")
    (copy / "receipt.json").unlink()
    (copy / ".unfinished").touch()
    assert verified(copy)[0] == 1
    assert cohort(folder, "export", "all", "--files", "--to", str(copy))[0] == 3
    assert (lost.exists(), {path: path.stat().st_ino for path in kept}) == (True, before)
    assert verified(copy)[0] == 0
    (copy / "receipt.json").write_text("[")
    for words in (("export", "all", "--files", "--to", str(copy)), ("verify", str(copy))):
        assert cohort(folder, *words)[0] == 2


def test_other_bytes_of_an_instance_are_told_and_never_handed_on(folder: Path, tmp_path: Path) -> None:
    first = Objects(ARCHIVE).truth(next(uid for uid in UIDS if Objects(ARCHIVE).truth(uid).has_pixels))
    bring(folder, [first.altered()], {})
    _, out = cohort(folder, "status", "all")
    assert "Other bytes of 1 came too and are kept beside; a receipt names them (other_bytes).\n" in out
    cohort(folder, "export", "all", "--files", "--to", str(tmp_path / "copy"))
    [other] = json.loads((tmp_path / "copy" / "receipt.json").read_text())["other_bytes"]
    data = (folder / "store" / other["path"]).read_bytes()
    assert (other["SOPInstanceUID"], other["sha256"]) == (first.sop_instance, hashlib.sha256(data).hexdigest())
    [handed] = (tmp_path / "copy").rglob(f"{first.sop_instance}.dcm")
    assert handed.read_bytes().endswith(first.dataset)
    assert verified(tmp_path / "copy")[0] == 0


def test_an_export_goes_only_where_it_does_no_harm(folder: Path, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert cohort(folder, "export", "all", "--files", "--to", str(tmp_path / "mine"))[0] == 2
    assert cohort(folder, "export", "none", "--files", "--to", str(copy))[0] == 2
    for words in ("--files", "--to x", "--link", "--files --to x --output y.csv"):
        assert cohort(folder, "export", "all", *words.split())[0] == 2
    assert cohort(folder, "verify", "nowhere/at_all")[0] == 2
    assert cohort(folder, "verify", str(tmp_path / "mine"))[0] == 2


def test_links_share_the_bytes_of_the_store_and_a_cohort_that_is_all_here_says_so(folder: Path, tmp_path: Path) -> None:
    come(folder, LAST)
    code, _ = cohort(folder, "export", "all", "--files", "--to", str(tmp_path / "copy"), "--link")
    assert (code, verified(tmp_path / "copy")[0]) == (0, 0)
    linked = {path.stat().st_ino for path in (tmp_path / "copy").rglob("*.dcm")}
    assert linked == {(folder / "store" / place_of(uid)).stat().st_ino for uid in UIDS}


@pytest.mark.parametrize("uid", ["../../etc/passwd", "..", "", "1.2/3", "1.2\0"])
def test_nothing_that_a_peer_says_becomes_a_path(uid: str) -> None:
    path = path_of(Told(uid, uid, "1.2.3", "p", 1, "", ""))
    study, series, instance = path.split("/")
    assert (study == series, study.isalnum(), len(study), instance) == (True, True, 32, "1.2.3.dcm")
