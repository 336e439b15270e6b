"""De-identified datasets conform to their IODs no worse than before, as dicom3tools' dciodvfy sees it."""

from __future__ import annotations

import re
import subprocess
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pydicom.data
import pytest
from pydicom import FileDataset
from pydicom.errors import InvalidDicomError

from crawler.deid.engine import Engine
from crawler.deid.pseudonyms import Pseudonyms
from crawler.deid.recipe import read_recipe

SAMPLES = Path(pydicom.data.__file__).parent
# Its last sequence is cut off: pydicom writes it whole, so that dciodvfy reads on and finds what lies behind the cut.
CUT = "rtplan_truncated.dcm"


def samples() -> Iterator[tuple[Path, FileDataset]]:
    """Give every file in pydicom's wheel that is an instance of a SOP class and that pydicom can write again."""
    for path in sorted(path for path in SAMPLES.rglob("*") if path.is_file() and path.name != CUT):
        try:
            dataset = pydicom.dcmread(path)
        except InvalidDicomError:
            continue
        if "SOPClassUID" in dataset:
            yield path, dataset


def errors(dciodvfy: Path, path: Path) -> Counter[str]:
    """Count the errors in a file by what they say, without the UIDs in them."""
    checked = subprocess.run([dciodvfy, path], capture_output=True, check=False)
    lines = checked.stderr.decode("latin-1").splitlines()
    return Counter(re.sub(r"<[0-9.]+>", "", line) for line in lines if line.startswith("Error"))


def written(dataset: FileDataset, path: Path) -> bool:
    try:
        dataset.save_as(path)
    except TypeError:
        return False  # one sample whose numbers are no numbers
    return True


@pytest.mark.parametrize("name", ["basic", "research"])
def test_no_sample_of_pydicom_conforms_worse(name: str, tmp_path: Path, dciodvfy: Path) -> None:
    engine = Engine(read_recipe(name), Pseudonyms(bytes(32)))
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    worse, seen = {}, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # samples are there because they are odd
        for path, dataset in samples():
            if not written(dataset, before):
                continue
            engine.apply(dataset, "someone")
            dataset.save_as(after)
            seen += 1
            if new := errors(dciodvfy, after) - errors(dciodvfy, before):
                worse[path.name] = new
    assert not worse
    assert seen > 150
