"""Objects received: DCMTK's storescu sends the same ones to us and to storescp, in turns, on disk and in memory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tests.conftest import SEARCHED
from tests.integration.real_pacs import free_port, wait_for

HERE = Path(__file__).parent
ROUNDS = 5
PROMPT = {**os.environ, "TCP_NODELAY": "1"}
"""Without it DCMTK sends with Nagle's algorithm, and storescp takes 90 ms for each small object: ours does not."""
SIZES = {"0.5 MB": (400, 512 * 1024), "1.5 KB": (4_000, 512)}
"""Of each kind how many objects, and bytes of pixel data in each."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Objects a second. Ours counts until all are durable, storescp's until all were answered."""

    what: str
    ours: float
    theirs: float


def measure(share: int = 1) -> Iterator[Rate]:
    for where, base in (("disk", None), ("tmpfs", "/dev/shm")):
        for size, (count, pixels) in SIZES.items():
            with tempfile.TemporaryDirectory(dir=base) as name:
                folder = Path(name)
                objects = count // share
                make(folder / "source", objects, pixels)
                rounds = [(ours(folder, objects), theirs(folder)) for _ in range(ROUNDS)]
                took = [median(column) for column in zip(*rounds, strict=True)]
                yield Rate(f"{size} objects received a second, {where}", objects / took[0], objects / took[1])


def make(folder: Path, count: int, pixels: int) -> None:
    """Write CTs of some thirty elements and so many bytes of pixel data."""
    folder.mkdir()
    for number in range(count):
        dataset = FileDataset("", Dataset(), preamble=bytes(128), file_meta=FileMetaDataset())
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"1.2.826.0.1.3680043.10.1337.9.{number}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.10.1337.9", "1.2.826.0.1.1.1"
        dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "PatientBirthDate"):
            setattr(dataset, keyword, "20240101")
        for keyword in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
            setattr(dataset, keyword, "101112")
        for keyword in ("AccessionNumber", "StudyDescription", "SeriesDescription", "PatientID", "StudyID"):
            setattr(dataset, keyword, "of some length")
        dataset.PatientName, dataset.Manufacturer = "Bench^Mark", "ACME"
        dataset.SliceThickness, dataset.PixelSpacing = "1.25", ["0.5", "0.5"]
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = ["1", "2", "3"], ["1", "0", "0", "0", "1", "0"]
        dataset.InstanceNumber, dataset.SamplesPerPixel = str(number), 1
        dataset.Rows, dataset.Columns = 16, pixels // 32
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.PixelData = os.urandom(pixels)
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)


def ours(folder: Path, objects: int) -> float:
    """Seconds until as many objects as were sent are durable."""
    command = [sys.executable, str(HERE / "pacslake_receive.py"), str(folder / "store")]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    with (
        emptied(folder / "store"),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server,
    ):
        assert server.stdout is not None
        port = int(server.stdout.readline())
        began = time.perf_counter()
        send(port, folder / "source")
        durable = 0
        while durable < objects:
            durable += int(server.stdout.readline())
        took = time.perf_counter() - began
        server.communicate()
    return took


def theirs(folder: Path) -> float:
    """Seconds until storescp has answered for all."""
    port = free_port()
    command = [tool("storescp"), "-od", str(folder / "theirs"), str(port)]
    with emptied(folder / "theirs"), subprocess.Popen(command, env=PROMPT) as server:
        wait_for(port)
        began = time.perf_counter()
        send(port, folder / "source")
        took = time.perf_counter() - began
        server.send_signal(signal.SIGTERM)
    return took


@contextmanager
def emptied(folder: Path) -> Iterator[None]:
    folder.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(folder)


def send(port: int, source: Path) -> None:
    """Send all in one association."""
    command = [tool("storescu"), "-aec", "BENCH", "+sd", "127.0.0.1", str(port), str(source)]
    subprocess.run(command, check=True, env=PROMPT)


def tool(name: str) -> str:
    found = shutil.which(name, path=SEARCHED)
    assert found, f"{name} is not installed"
    return found


if __name__ == "__main__":
    for rate in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        ratio = rate.ours / rate.theirs
        print(f"{rate.what}: {rate.ours:,.0f} against {rate.theirs:,.0f} by storescp: {ratio:.2f} times", flush=True)
