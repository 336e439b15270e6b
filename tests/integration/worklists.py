"""Start DCMTK's wlmscpfs on loopback, and keep its folder of worklist files. Touches: network, disk, processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tests.integration.real_pacs import free_port, wait_for

ROOT = "1.2.826.0.1.3680043.10.1337.9"
AE_TITLE = "RIS"


@dataclass(frozen=True)
class Entry:
    """One scheduled step, and what is needed of it to tell it from others."""

    number: int
    day: date
    clock: str = "093000"
    step: str = "SPS"
    modality: str = "CT"
    description: str = "Thorax nativ"
    name: str = "Müller^Jörg"

    @property
    def uid(self) -> str:
        return f"{ROOT}.{self.number}"

    @property
    def key(self) -> str:
        return f"{self.uid} {self.step}{self.number}"

    def dataset(self) -> Dataset:
        item = Dataset()
        item.SpecificCharacterSet = "ISO_IR 100"
        item.AccessionNumber = f"A{self.number:05}"
        item.PatientName = self.name
        item.PatientID = f"P{self.number % 7:03}"
        item.PatientBirthDate, item.PatientSex = "19710308", "M"
        item.MedicalAlerts = ["SCHRITTMACHER", "JODALLERGIE"]
        item.StudyInstanceUID = self.uid
        item.RequestingPhysician = "Roe^Richard"
        item.RequestedProcedureID = f"RP{self.number}"
        item.RequestedProcedureDescription = "CT Thorax"
        item.RequestedProcedureCodeSequence = [_code("169069000", "SCT", "Schädel")]
        item.RequestedProcedurePriority = "ROUTINE"
        step = Dataset()
        step.Modality = self.modality
        step.ScheduledStationAETitle = ["CT01", "CT02"]
        step.ScheduledProcedureStepStartDate = f"{self.day:%Y%m%d}"
        step.ScheduledProcedureStepStartTime = self.clock
        step.ScheduledPerformingPhysicianName = "Moe^Mary"
        step.ScheduledProcedureStepDescription = self.description
        step.ScheduledProtocolCodeSequence = [_code("P1", "99LOCAL", "low"), _code("P2", "99LOCAL", "high")]
        step.ScheduledProcedureStepID = f"{self.step}{self.number}"
        step.ScheduledStationName = "CT01"
        item.ScheduledProcedureStepSequence = [step]
        return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


@dataclass(frozen=True)
class Worklist:
    """A running wlmscpfs and the folder that it answers from."""

    port: int
    folder: Path

    def put(self, *entries: Entry) -> None:
        """Write entries, in the place of others of their number."""
        for entry in entries:
            dataset = entry.dataset()
            dataset.file_meta = FileMetaDataset()
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.276.0.7230010.3.1.0.1")
            dataset.file_meta.MediaStorageSOPInstanceUID = UID(entry.uid)
            dataset.save_as(self._path(entry), enforce_file_format=True)

    def drop(self, *entries: Entry) -> None:
        """Take entries off the list."""
        for entry in entries:
            self._path(entry).unlink()

    def _path(self, entry: Entry) -> Path:
        return self.folder / f"{entry.number:05}.wl"


@contextmanager
def wlmscpfs(binary: Path, folder: Path) -> Iterator[Worklist]:
    """Run wlmscpfs over an empty list. Its AE title is RIS."""
    port, entries = free_port(), folder / AE_TITLE
    entries.mkdir(parents=True)
    (entries / "lockfile").touch()
    command = [str(binary), "--keep-char-set", "--data-files-path", str(folder), str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            yield Worklist(port, entries)
        finally:
            server.terminate()
