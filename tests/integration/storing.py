"""Peers that retrieve from a simulated PACS: DCMTK's storescp, and pynetdicom in this process. Touches: network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from crawler.testing.simulator import Simulator
from tests.integration.real_pacs import free_port, wait_for

EXPLICIT = "1.2.840.10008.1.2.1"
PATIENT_MOVE, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.{model}" for model in ("1.2", "2.2", "2.3"))


GET_ID = 78


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
    """What a storage SCP was sent, in order: UID and dataset, and from whom. It may cancel a C-GET after so many."""

    def __init__(self, cancels_after: int = 0) -> None:
        self._cancels_after = cancels_after
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
        if len(self.objects) == self._cancels_after:
            event.assoc.send_c_cancel(GET_ID, query_model=GET)
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


def identifier(level: str, **keys: Any) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def failed_in(named: Dataset | None) -> list[str]:
    """Give the UIDs of a list of failed instances, which pydicom gives as one text when it is one."""
    found = named.get("FailedSOPInstanceUIDList", []) if named else []
    return [found] if isinstance(found, str) else list(found)


def associated(pacs: Simulator, *classes: str) -> Association:
    ae = AE(ae_title="TESTER")
    for uid in classes:
        ae.add_requested_context(uid)
    assoc = ae.associate(pacs.host, pacs.port, ae_title="SIMPACS")
    assert assoc.is_established
    return assoc


def move(pacs: Simulator, asked: Dataset, destination: str = "SCP", model: str = MOVE) -> list[tuple[Dataset, Any]]:
    """Ask by pynetdicom, and give all responses."""
    assoc = associated(pacs, model)
    link: Any = assoc.dul.socket
    opened = link.socket
    responses = list(assoc.send_c_move(asked, destination, model, msg_id=77))
    assoc.release()
    opened.close()  # pynetdicom leaves a socket open that was reset
    return responses


def get(pacs: Simulator, asked: Dataset, arrivals: Arrivals, classes: list[str]) -> list[tuple[Dataset, Any]]:
    ae = AE(ae_title="TESTER")
    ae.add_requested_context(GET)
    for uid in classes:
        ae.add_requested_context(uid, EXPLICIT)
    roles = [build_role(uid, scp_role=True) for uid in classes]
    handlers = [(evt.EVT_C_STORE, arrivals.take)]
    assoc = ae.associate(pacs.host, pacs.port, ext_neg=roles, evt_handlers=handlers)  # type: ignore[arg-type]  # a list
    responses = list(assoc.send_c_get(asked, GET, msg_id=GET_ID))
    assoc.release()
    return responses
