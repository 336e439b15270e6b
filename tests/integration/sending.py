"""A receiver on loopback, and a sender that can send anything at all. Touches: network, disk."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from crawler.model import AETitle
from crawler.pacs import command as dimse
from crawler.pacs import framing
from crawler.pacs.command import Command, encode_command, parse_command
from crawler.pacs.framing import HEADER, Pdu, PduType, split_pdvs
from crawler.pacs.negotiation import Context, Proposal, decode_agreement, encode_request
from crawler.retrieve.expectation import Expectation, Sender
from crawler.retrieve.receiver import Receiver, Receiving, receive

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
EVERYTHING = Expectation(accept_unsolicited=True)
MAX_PDU = 65_536


@asynccontextmanager
async def receiver(
    store: Path, expectation: Expectation = EVERYTHING, **settings: Any
) -> AsyncIterator[tuple[Receiver, list[dict[str, Any]]]]:
    """Receive into `store`; the rows that were reported gather in the list."""
    rows: list[dict[str, Any]] = []

    def report(table: pa.Table) -> None:
        rows.extend(table.to_pylist())

    settings = {"senders": (Sender("SCU"),), "host": "127.0.0.1", **settings}
    async with receive(Receiving(store, AETitle("PACSLAKE"), **settings), report) as server:
        server.expectation = expectation
        yield server, rows


def encoded(uid: str, size: int = 0, **elements: object) -> bytes:
    """Encode a CT in Explicit VR: a header, and `size` bytes of pixel data."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, uid
    dataset.Modality = "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.1", "1.2.1.1"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    if size:
        dataset.add_new(0x7FE00010, "OW", bytes(size))
    buffer = BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def dataset_of(path: Path) -> bytes:
    """Give the dataset in a file, as it stands there."""
    data = path.read_bytes()
    length = int.from_bytes(data[140:144], "little")
    return data[144 + length :]


def in_layout(store: Path) -> list[Path]:
    """List the files that have their place."""
    return sorted(path for path in store.rglob("*.dcm"))


def left_over(store: Path) -> list[Path]:
    """List the files that have none."""
    return [path for path in store.rglob("*") if path.is_file() and path not in in_layout(store)]


def uid_of(path: Path) -> str:
    """Read the UID out of a received file, by pydicom."""
    return str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)


class Scu:
    """One association of a storage SCU, byte by byte."""

    def __init__(self, link: socket.socket, reader: BufferedReader) -> None:
        self.link = link
        self.reader = reader

    def negotiate(self, calling: str, called: str, transfer_syntax: str) -> bool:
        """Propose CT and MR in one transfer syntax; say whether the association stands."""
        contexts = (Context(1, CT, (transfer_syntax,)), Context(3, MR, (transfer_syntax,)))
        proposal = Proposal(calling, called, contexts, MAX_PDU)
        self.link.sendall(encode_request(proposal))
        pdu = self.next_pdu()
        return pdu.type is PduType.ASSOCIATE_AC and set(decode_agreement(pdu, proposal).contexts) == {1, 3}

    def next_pdu(self) -> Pdu:
        kind, _, length = HEADER.unpack(self.reader.read(HEADER.size))
        return Pdu(PduType(kind), self.reader.read(length))

    def begin(self, uid: str, sop_class: str = CT, context_id: int = 1) -> None:
        """Send the C-STORE-RQ."""
        command = {dimse.FIELD: dimse.C_STORE_RQ, dimse.MESSAGE_ID: 7, dimse.PRIORITY: 0, dimse.DATA_SET_TYPE: 1}
        encoded_command = encode_command({dimse.SOP_CLASS: sop_class, dimse.SOP_INSTANCE: uid, **command})
        self.link.sendall(framing.frame_message(context_id, encoded_command, None))

    def fragment(self, data: bytes, *, last: bool, context_id: int = 1) -> None:
        pdv = framing.PDV_HEADER.pack(len(data) + 2, context_id, framing.LAST if last else 0)
        self.link.sendall(HEADER.pack(PduType.P_DATA, 0, len(data) + len(pdv)) + pdv + data)

    def end(self) -> Command:
        """Read the answer."""
        (pdv,) = split_pdvs(self.next_pdu().body)
        return parse_command(pdv.data)

    def store(self, uid: str, pieces: bytes | Iterable[bytes], **claims: Any) -> int | None:
        """Send an object whole, and give the status."""
        self.begin(uid, **claims)
        context_id = claims.get("context_id", 1)
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            for at in range(0, len(piece), MAX_PDU - 6):
                self.fragment(piece[at : at + MAX_PDU - 6], last=False, context_id=context_id)
        self.fragment(b"", last=True, context_id=context_id)
        answer = self.end()
        assert (answer.responding_to, answer.sop_instance) == (7, uid)
        return answer.status


@contextmanager
def scu(port: int, calling: str = "SCU", called: str = "PACSLAKE", transfer_syntax: str = EXPLICIT) -> Iterator[Scu]:
    """Open an association, and cut it at the end."""
    with socket.create_connection(("127.0.0.1", port), 10) as link, link.makefile("rb") as reader:
        sender = Scu(link, reader)
        assert sender.negotiate(calling, called, transfer_syntax), "the association was rejected"
        yield sender
