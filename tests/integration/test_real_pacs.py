"""Real Orthanc and real dcmqrscp, crawled by the command: every column of the lake says what the files say."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pydicom
import pytest

import crawler
from crawler.columns import CATALOGUE, Attribute
from crawler.model import Level
from tests.integration.files import bundled_files, made_files
from tests.integration.real_pacs import dcmqrscp, orthanc

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning")
"""One of pydicom's own files holds a malformed SeriesNumber; the lake must take it too."""

TABLES = {Level.STUDY: "studies", Level.SERIES: "series", Level.IMAGE: "instances"}

COMPUTED: dict[str, Callable[[Sequence[pydicom.Dataset]], Any]] = {
    "NumberOfStudyRelatedSeries": lambda files: len({file.SeriesInstanceUID for file in files}),
    "NumberOfStudyRelatedInstances": len,
    "NumberOfSeriesRelatedInstances": len,
    "ModalitiesInStudy": lambda files: sorted({str(file.Modality) for file in files}),
}
"""What a PACS counts itself."""

NOT_FROM_FILES = {"SpecificCharacterSet", "RetrieveAETitle", "InstanceAvailability"}
"""What a PACS says of itself or of its answer."""

Answers = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Crawled:
    """A lake that the command made of a real PACS, and what this PACS never returns."""

    lake: Path
    files: Sequence[pydicom.Dataset]
    omitted: dict[Level, set[str]]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return made_files(tmp_path_factory.mktemp("files")) + bundled_files()


@pytest.fixture(scope="module", params=["orthanc", "dcmqrscp"])
def crawled(
    request: pytest.FixtureRequest,
    stored: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
    orthanc_binary: Path,
    dcmtk_tool: Callable[[str], Path],
) -> Iterator[Crawled]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "orthanc":
        # Orthanc 1.10 converts by the first of several character sets alone, where backslashes may become yen signs.
        stored = [path for path in stored if path.name not in ("chrH32.dcm", "J2K_pixelrep_mismatch.dcm")]
        server = orthanc(orthanc_binary, folder, stored)
    else:
        server = dcmqrscp(dcmtk_tool("dcmqrscp"), dcmtk_tool("dcmqridx"), folder, stored)
    with server as port:
        (folder / "pacslake.toml").write_text(
            f'[lake]\npath = "lake"\n[pacs.real]\nhost = "127.0.0.1"\nport = {port}\n'
            f'ae_title = "{request.param.upper()}"\nlevels = ["study", "series", "image"]\n'
        )
        command = [sys.executable, "-m", "jobs.cli", "sweep"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        files = [pydicom.dcmread(path, stop_before_pixels=True) for path in stored]
        yield Crawled(folder / "lake", files, OMITTED[request.param])


OMITTED: dict[str, dict[Level, set[str]]] = {
    "orthanc": {},
    "dcmqrscp": {
        Level.STUDY: {
            "InstitutionName",
            "ModalitiesInStudy",
            "NumberOfStudyRelatedInstances",
            "NumberOfStudyRelatedSeries",
        },
        Level.SERIES: {
            "BodyPartExamined",
            "InstitutionName",
            "Laterality",
            "Manufacturer",
            "ManufacturerModelName",
            "NumberOfSeriesRelatedInstances",
            "ProtocolName",
            "SeriesDate",
            "SeriesDescription",
            "SeriesTime",
            "StationName",
        },
        Level.IMAGE: {
            "AcquisitionDateTime",
            "Columns",
            "ContentDate",
            "ContentTime",
            "ImageType",
            "NumberOfFrames",
            "Rows",
            "SliceLocation",
            "SliceThickness",
            "SOPClassUID",
        },
    },
}
"""What a server keeps no index of and never returns; everything else is compared."""


@pytest.mark.parametrize("level", list(TABLES))
def test_every_column_says_what_the_files_say(crawled: Crawled, level: Level) -> None:
    rows = crawler.open_lake(crawled.lake).sql(f"select * from {TABLES[level]}")
    names = rows.columns
    by_key = {row[names.index(level.unique_key)]: dict(zip(names, row, strict=True)) for row in rows.fetchall()}
    files = defaultdict(list)
    for file in crawled.files:
        files[str(file[level.unique_key].value)].append(file)
    assert by_key.keys() == files.keys()
    omitted = crawled.omitted.get(level, set())
    wrong = set()
    silent = {attribute.keyword for attribute in CATALOGUE[level]} - NOT_FROM_FILES
    for key, row in by_key.items():
        for attribute in CATALOGUE[level]:
            value = row[attribute.keyword]
            if value not in (None, "", []):
                silent.discard(attribute.keyword)
            if attribute.keyword not in NOT_FROM_FILES | omitted and not _agrees(value, attribute, files[key]):
                wrong.add(
                    (attribute.keyword, repr(value), repr([file.get(attribute.keyword) for file in files[key]][:3]))
                )
    assert silent == omitted
    assert sorted(wrong) == []


def _agrees(value: Any, attribute: Attribute, files: list[pydicom.Dataset]) -> bool:
    if attribute.keyword in COMPUTED and value is not None:
        given = sorted(value) if isinstance(value, list) else value
        return bool(given == COMPUTED[attribute.keyword](files))
    if attribute.vr == "PN" and value:
        value = value.rstrip("=")
    said = [_typed(file.get(attribute.keyword), attribute) for file in files]
    return (value or None) in said or value in said


def _typed(value: Any, attribute: Attribute) -> Any:
    """Read a value of a file as the lake is to hold it, by the standard's text formats."""
    if value is None or value == "":
        return None
    if attribute.multi:
        return [value] if isinstance(value, str) else [str(one).strip() for one in value]
    text = str(value)  # of a person name without its empty groups at the end
    match attribute.vr:
        case "DA":
            return date.fromisoformat(text) if len(text) == 8 else None
        case "TM":
            padded = f"{text.partition('.')[0]:0<6}"
            fraction = text.partition(".")[2].ljust(6, "0")
            return time(int(padded[:2]), int(padded[2:4]), int(padded[4:6]), int(fraction))
        case "IS" | "US":
            return int(text) if text.isdecimal() else None
        case "DT":
            return datetime.strptime(text, "%Y%m%d%H%M%S.%f" if "." in text else "%Y%m%d%H%M%S")
        case "DS":
            return float(text)
    return text
