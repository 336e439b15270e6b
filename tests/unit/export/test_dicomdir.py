"""A DICOMDIR names every file of a dataset, as pydicom's FileSet reads it."""

from __future__ import annotations

import gc
import re
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.fileset import FileSet

from crawler.export.dicomdir import DICOMDIR, file_ids, write_dicomdir
from crawler.export.facts import FILES
from tests.unit.export.phantom import Phantom, facts_below, write_all


def placed(folder: Path, *phantoms: Phantom, others: tuple[str, ...] = ()) -> pa.Table:
    """Write series, and files of pydicom's, where a DICOMDIR can name them."""
    write_all(folder / "before", *phantoms)
    for number, name in enumerate(others, start=90):
        dataset = dcmread(Path(str(get_testdata_file(name))))
        dataset.PatientID, dataset.SeriesNumber = "P7K3QX", number
        dataset.save_as(folder / "before" / name)
    rows = facts_below(folder / "before").to_pylist()
    for row, place in zip(rows, file_ids(rows), strict=True):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / "before" / row["path"]).replace(folder / place)
        row["path"] = place
    return pa.Table.from_pylist(rows, FILES)


def read_set(folder: Path) -> tuple[str | None, dict[str, dict[str, Any]]]:
    """Read a DICOMDIR by pydicom's FileSet: its label, and of each file what the records say and where it lies."""
    said = ("PatientID", "PatientName", "StudyDescription", "StudyID", "SeriesInstanceUID")
    with warnings.catch_warnings(action="ignore"):  # it leaves a temporary folder to the garbage collector
        read = FileSet(folder / DICOMDIR)
        found = {
            str(one.SOPInstanceUID): {
                "path": Path(one.path).relative_to(folder).as_posix(),
                "loaded": str(one.load().SOPInstanceUID),
                **{name: str(getattr(one, name)) for name in said},
            }
            for one in read
        }
        label = read.ID
        del read
        gc.collect()
    return label, found


def test_places_follow_the_order_of_people_and_fit_iso_9660(tmp_path: Path) -> None:
    table = placed(
        tmp_path, Phantom(), Phantom(uid="2.25.12", number=2), Phantom(uid="2.25.5", patient="PB", study="2.25.2")
    )
    where = {row["SOPInstanceUID"]: row["path"] for row in table.to_pylist()}
    assert where["2.25.11.1"] == "IMAGES/PA000001/ST000001/SE000001/IM000001"
    assert where["2.25.12.6"] == "IMAGES/PA000001/ST000001/SE000002/IM000006"
    assert where["2.25.5.2"] == "IMAGES/PA000002/ST000001/SE000001/IM000002"
    assert all(re.fullmatch(r"[A-Z0-9_]{1,8}", part) for path in where.values() for part in path.split("/"))
    shuffled = table.to_pylist()[::-1]
    assert {row["SOPInstanceUID"]: place for row, place in zip(shuffled, file_ids(shuffled), strict=True)} == where


def test_pydicom_finds_every_file_by_it(tmp_path: Path) -> None:
    described = {"StudyDescription": "Schädel", "SpecificCharacterSet": "ISO_IR 100"}
    table = placed(
        tmp_path,
        Phantom(more=described),
        Phantom(uid="2.25.12", number=2, modality="MR", study="2.25.2", more={"StudyDate": "20180101"}),
        Phantom(uid="2.25.13", patient="PB", study="2.25.3", slices=(0,)),
        others=("rtplan.dcm", "CT_small.dcm"),
    )
    assert write_dicomdir(tmp_path, table, "DATASET_1") == []
    label, found = read_set(tmp_path)
    assert label == "DATASET_1"
    rows = table.to_pylist()
    assert set(found) == {row["SOPInstanceUID"] for row in rows}
    for row in rows:
        said = found[row["SOPInstanceUID"]]
        assert said["loaded"] == row["SOPInstanceUID"]
        assert {name: said[name] for name in ("path", "PatientID", "SeriesInstanceUID")}.items() <= row.items()
    assert found["2.25.11.1"]["StudyDescription"] == "Schädel"
    assert found["2.25.12.1"]["StudyID"] == "3", "a required number in the place of what de-identification emptied"
    assert found["2.25.13.1"]["PatientName"] == "PB"


def test_a_dicomdir_is_the_same_for_the_same_files(tmp_path: Path) -> None:
    table = placed(tmp_path, Phantom(), Phantom(uid="2.25.12", number=2))
    written = []
    for order in (table, table.take(list(reversed(range(len(table)))))):
        write_dicomdir(tmp_path, order)
        written.append((tmp_path / DICOMDIR).read_bytes())
    assert written[0] == written[1]


def test_what_a_dicomdir_cannot_name_is_told(tmp_path: Path) -> None:
    table = write_all(tmp_path, Phantom(slices=(0,)))
    [row] = table.to_pylist()
    assert write_dicomdir(tmp_path, table) == [row["path"]]
    assert read_set(tmp_path)[1] == {}


def test_others_read_it(tmp_path: Path, dcmtk_tool: Callable[[str], Path], dciodvfy: Path) -> None:
    write_dicomdir(tmp_path, placed(tmp_path, Phantom(), Phantom(uid="2.25.12", number=2)))
    dump: list[str | Path] = [dcmtk_tool("dcmdump"), "+P", "ReferencedFileID", tmp_path / DICOMDIR]
    done = subprocess.run(dump, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("IMAGES\\PA000001\\ST000001\\SE00000") == 12
    checked = subprocess.run([dciodvfy, tmp_path / DICOMDIR], capture_output=True, text=True)
    assert [line for line in checked.stderr.splitlines() if line.startswith("Error")] == []
