"""Storage SCPs for a simulated PACS to send to: DCMTK's storescp, and pynetdicom in this process. Touches: network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event

from tests.integration.real_pacs import free_port, wait_for

EXPLICIT = "1.2.840.10008.1.2.1"


@contextmanager
def storescp(binary: Path, folder: Path) -> Iterator[int]:
    """Run DCMTK's storescp, which writes what it is sent byte by byte into `folder`; give its port."""
    port = free_port()
    command: list[str | Path] = [binary, "--bit-preserving", "--output-directory", folder, str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            yield port
        finally:
            server.terminate()


def datasets_in(folder: Path) -> dict[str, bytes]:
    """Give the datasets of the files in a folder by UID, without their meta information."""
    found = {}
    for path in folder.iterdir():
        with path.open("rb") as file:
            meta = dcmread(file, specific_tags=[], stop_before_pixels=True).file_meta
        data = path.read_bytes()
        found[str(meta.MediaStorageSOPInstanceUID)] = data[144 + meta.FileMetaInformationGroupLength :]
    return found


class Arrivals:
    """What a storage SCP was sent, in order: UID and dataset, and from whom."""

    def __init__(self) -> None:
        self.objects: list[tuple[str, bytes]] = []
        self.senders: set[str] = set()
        self.originators: set[tuple[str, int]] = set()
        self.status = 0x0000
        self.refused: set[str] = set()

    @property
    def datasets(self) -> dict[str, bytes]:
        return dict(self.objects)

    def take(self, event: Event) -> int:
        request: Any = event.request
        self.senders.add(event.assoc.requestor.ae_title)
        self.originators.add((request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID))
        if request.AffectedSOPInstanceUID in self.refused:
            return 0xA700
        self.objects.append((str(request.AffectedSOPInstanceUID), request.DataSet.getvalue()))
        return self.status


@contextmanager
def arriving(arrivals: Arrivals) -> Iterator[int]:
    """Run a storage SCP of pynetdicom that keeps what comes; give its port."""
    ae = AE()
    ae.supported_contexts = AllStoragePresentationContexts
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, arrivals.take)])
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
