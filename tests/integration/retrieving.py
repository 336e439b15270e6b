"""Real PACS from which objects are retrieved, and whether what came is what they have. Touches: network, disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import RLELossless

from crawler.model import AETitle, Level, Limits, Model, Peer
from crawler.pacs.acceptor import AcceptedAssociation, Service, serve
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR
from crawler.retrieve.wanted import Wanted
from tests.integration.files import ROOT, bundled_files, made_files
from tests.integration.real_pacs import dcmqrscp, free_port, orthanc
from tests.integration.sending import CT

OURS = AETitle("PACSLAKE")
_LEFT_OUT = {0xFFFC_FFFC}
"""Padding at the end, which DCMTK does not send; nor does it send group lengths."""


@dataclass(frozen=True, slots=True)
class RealPacs:
    """A PACS that runs, what it has, and where it sends what PACSLAKE is to get; nobody listens at its DEAD."""

    peer: Peer
    destination: int
    sources: dict[str, Dataset] = field(repr=False)
    """Every instance by its UID."""

    def series(self) -> list[Wanted]:
        """Give a request for each series."""
        pairs = sorted({(one.StudyInstanceUID, one.SeriesInstanceUID) for one in self.sources.values()})
        return [series_of(study, series) for study, series in pairs]

    def of(self, keyword: str, *values: str) -> set[str]:
        """Give the UIDs of the instances that have one of these values."""
        return {uid for uid, one in self.sources.items() if one[keyword].value in values}

    def by_levels(self) -> list[tuple[Wanted, set[str]]]:
        """Give a Patient Root request at each level, and the instances that it names."""
        study, series = f"{ROOT}.1.2", f"{ROOT}.1.2.1"
        above = {"PatientID": "P001", "StudyInstanceUID": study, "SeriesInstanceUID": series}
        two = sorted(self.of("SeriesInstanceUID", series))[:2]
        return [
            (Wanted(Model.PATIENT_ROOT, Level.IMAGE, tuple(two), above), set(two)),
            (Wanted(Model.PATIENT_ROOT, Level.SERIES, (series,), above), self.of("SeriesInstanceUID", series)),
            (Wanted(Model.PATIENT_ROOT, Level.STUDY, (study,), above), self.of("StudyInstanceUID", study)),
            (Wanted(Model.PATIENT_ROOT, Level.PATIENT, ("P001",)), self.of("PatientID", "P001")),
        ]


def series_of(study: str, *series: str) -> Wanted:
    """Ask for series of a study."""
    return Wanted(Model.STUDY_ROOT, Level.SERIES, series, {"StudyInstanceUID": study})


@contextmanager
def running(program: Path, find: Callable[[str], Path], folder: Path) -> Iterator[RealPacs]:
    """Run Orthanc or dcmqrscp with made files and those of pydicom."""
    (folder / "source").mkdir()
    *made, last = made_files(folder / "source")[:19]
    rle = dcmread(last)
    rle.compress(RLELossless)
    rle.save_as(last)
    files = [*made, last, *bundled_files()]
    destinations = {OURS: free_port(), "DEAD": 1}
    if program.name == "Orthanc":
        known = {ae_title: [ae_title, "127.0.0.1", port] for ae_title, port in destinations.items()}
        started = orthanc(program, folder, files, DicomModalities=known, DicomAlwaysAllowGet=True)
    else:
        started = dcmqrscp(program, find("dcmqridx"), folder, files, destinations)
    with started as port:
        peer = Peer("main", "127.0.0.1", port, AETitle(program.name.upper()), OURS)
        yield RealPacs(peer, destinations[OURS], {str(one.SOPInstanceUID): one for one in map(dcmread, files)})


ONE_SERIES = series_of(f"{ROOT}.1.1", f"{ROOT}.1.1.1")
"""Three made CTs."""


class Sticky:
    """Answers so many objects at once, and the next ones only when it is released."""

    def __init__(self, answered: int) -> None:
        self.answered = answered
        self.stuck = asyncio.Event()
        self.released = asyncio.Event()

    async def answer(self, assoc: AcceptedAssociation, request: Message) -> None:
        """Answer a C-STORE."""
        self.answered -= 1
        if self.answered < 0:
            self.stuck.set()
            await self.released.wait()
        assoc.respond(request, 0)


@asynccontextmanager
async def sticking(port: int, answered: int) -> AsyncIterator[Sticky]:
    """Receive so many objects and no more until it is released."""
    sticky = Sticky(answered)
    service = Service({CT: (EXPLICIT_VR, IMPLICIT_VR)}, limits=Limits(idle_timeout=30))
    async with await serve(service, sticky.answer, port=port):
        yield sticky
        sticky.released.set()


def differences(store: Path, rows: Sequence[dict[str, object]], sources: dict[str, Dataset]) -> Iterable[str]:
    """Say where a received file is not what the PACS has."""
    for row in rows:
        source, received = sources[str(row["SOPInstanceUID"])], dcmread(store / str(row["path"]))
        syntax, sent = source.file_meta.TransferSyntaxUID, received.file_meta.TransferSyntaxUID
        if sent != syntax and (sent.is_compressed or syntax.is_compressed):
            yield f"{source.filename}: {syntax.name} came as {sent.name}"
        ours, theirs = contents(received), contents(source)
        for tag in ours.keys() | theirs.keys():
            if ours.get(tag) != theirs.get(tag):
                yield f"{source.filename}: ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def contents(dataset: Dataset) -> dict[int, object]:
    """Give the values by tag, pixel data as frames."""
    found = {
        int(element.tag): element.value
        for element in dataset
        if element.tag.element != 0 and element.tag not in _LEFT_OUT
    }
    if "PixelData" in dataset and dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = generate_frames(dataset.PixelData, number_of_frames=dataset.get("NumberOfFrames", 1))
        found[0x7FE0_0010] = [frame.rstrip(b"\0") for frame in frames]  # one has an odd length, which DCMTK pads
    return found
