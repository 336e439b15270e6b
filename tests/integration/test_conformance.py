"""docs/conformance.md claims what is negotiated: what we propose and accept is read by pynetdicom, and compared."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.presentation import build_context

from crawler.errors import PeerError
from crawler.model import AETitle, Model
from crawler.pacs.acceptor import serve
from crawler.pacs.association import Association
from crawler.pacs.sop_classes import GET_CLASSES, MOVE_CLASSES
from crawler.retrieve.expectation import Sender
from crawler.retrieve.offer import Offer
from crawler.retrieve.receiver import Receiving, receive
from crawler.serve.audit import Audit
from crawler.serve.find.scp import Allowances, FindScp
from tests.acceptance.installed import pacslake
from tests.integration.calls import peer

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
TEXT = PAGE.read_text()
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
JPEG_LOSSLESS, EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"

Contexts = list[tuple[str, tuple[str, ...]]]


def tables(section: str) -> list[list[list[str]]]:
    """Give the tables below a heading, without the rows that name columns."""
    [text] = re.findall(rf"^### {re.escape(section)}.*?\n(.*?)(?=^##|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    found = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in row.strip("|").split("|")] for row in one.strip().split("\n")[2:]] for one in found
    ]


def contexts_in(section: str, number: int) -> Contexts:
    return [(row[1], tuple(row[3].split(", "))) for row in tables(section)[number]]


class Listening:
    """Takes one call, keeps the A-ASSOCIATE-RQ, and hangs up."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = ThreadPoolExecutor(1)
        self._heard = self._thread.submit(self._hear)

    def _hear(self) -> bytes:
        with self._socket, self._socket.accept()[0] as call, call.makefile("rb") as stream:
            head = stream.read(6)
            return head + stream.read(int.from_bytes(head[2:]))

    def request(self) -> Any:
        """Give what was proposed, as pynetdicom reads it."""
        pdu = A_ASSOCIATE_RQ()
        pdu.decode(self._heard.result(20))
        self._thread.shutdown()
        return pdu.to_primitive()


def proposed(request: Any) -> Contexts:
    contexts = request.presentation_context_definition_list
    return [(str(one.abstract_syntax), tuple(map(str, one.transfer_syntax))) for one in contexts]


def test_the_page_is_what_the_command_writes(tmp_path: Path) -> None:
    assert pacslake(tmp_path, "conformance").stdout == PAGE.read_bytes()


def test_a_command_proposes_what_the_page_claims(tmp_path: Path) -> None:
    listening = Listening()
    assert pacslake(tmp_path, "find", f"ANY@127.0.0.1:{listening.port}", "--worklist", "PatientID").returncode == 1
    request = listening.request()
    claimed = contexts_in("3.2 CRAWLER", 0)
    assert proposed(request) == [one for one in claimed if one[0] in (VERIFICATION, "1.2.840.10008.5.1.4.31")]
    said = {row[0]: row[1] for row in tables("3.1 What holds for all")[0]}
    assert said["Application Context Name"] == request.application_context_name
    assert said["Implementation Class UID"] == request.implementation_class_uid
    assert said["Implementation Version Name"] == request.user_information[2].implementation_version_name
    assert said["Maximum PDU size received"].split()[0] == str(request.maximum_length_received)
    assert len(request.user_information) == 3  # nothing else is negotiated


@pytest.mark.parametrize("model", Model)
def test_each_model_is_proposed_as_the_page_claims(model: Model) -> None:
    finding = call([model])
    assert set(finding) <= set(contexts_in("3.2 CRAWLER", 0))
    retrieving = set(contexts_in("3.3 RETRIEVER", 0))
    for classes in (MOVE_CLASSES, GET_CLASSES):
        if model in classes:
            assert set(call([classes[model]])) <= retrieving


def test_what_a_get_takes_is_what_the_page_claims() -> None:
    offered = call([GET_CLASSES[Model.STUDY_ROOT]], Offer.of().contexts)
    assert offered[4:] == contexts_in("3.3 RETRIEVER", 1)
    assert len(offered) <= 128


def call(syntaxes: Sequence[Model | str], storage: Sequence[tuple[str, Sequence[str]]] = ()) -> Contexts:
    listening = Listening()
    with pytest.raises(PeerError):
        asyncio.run(Association.open(peer(listening.port), syntaxes, storage=storage))
    return proposed(listening.request())


def accepted(port: int, contexts: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[str, str]]:
    """Propose these as pynetdicom does, as many at a time as it takes; give what was accepted, with which syntax."""
    found = []
    for first in range(0, len(contexts), 128):
        ae = AE(ae_title="PACS")
        ae.requested_contexts = [build_context(uid, list(syntaxes)) for uid, syntaxes in contexts[first : first + 128]]
        association = ae.associate("127.0.0.1", port, ae_title="PACSLAKE")
        granted = sorted(association.accepted_contexts, key=lambda one: one.context_id or 0)
        found += [(str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in granted]
        association.release()
    return found


def test_the_storage_scp_accepts_what_the_page_claims(tmp_path: Path) -> None:
    classes, syntaxes, _ = tables("3.4 RECEIVER")
    named = {row[1]: row[2] for row in classes}
    several = [(uid, (IMPLICIT, JPEG_LOSSLESS, EXPLICIT)) for uid in (*named, STORAGE_COMMITMENT)]
    alone = [(CT, (row[1],)) for row in syntaxes]

    async def scenario() -> None:
        receiving = Receiving(tmp_path, AETitle("PACSLAKE"), (Sender("PACS"),), host="127.0.0.1")
        async with receive(receiving, lambda _: None) as receiver:
            found = await asyncio.to_thread(accepted, receiver.port, several)
            assert found == [(uid, EXPLICIT if kind == "any" else IMPLICIT) for uid, kind in named.items()]
            assert await asyncio.to_thread(accepted, receiver.port, alone) == [(uid, one) for uid, [one] in alone]

    asyncio.run(scenario())


def test_the_lake_accepts_what_the_page_claims(tmp_path: Path) -> None:
    claimed = contexts_in("3.5 LAKE", 0)
    asked = [(uid, (syntax,)) for uid, syntaxes in claimed for syntax in syntaxes]
    more = [*asked, (STORAGE_COMMITMENT, (IMPLICIT,)), (CT, (IMPLICIT,)), (claimed[0][0], (JPEG_LOSSLESS,))]
    scp = FindScp(lambda: None, Audit(tmp_path), Allowances())
    scp.store = tmp_path

    async def scenario() -> None:
        async with await serve(scp.service("PACSLAKE", None, 10), scp.answer, host="127.0.0.1", port=0) as acceptor:
            found = await asyncio.to_thread(accepted, acceptor.port, more)
            assert found == [(uid, syntax) for uid, [syntax] in asked]

    asyncio.run(scenario())
