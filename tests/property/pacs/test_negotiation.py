"""Proposals survive their encoding, and damaged ones end in a ProtocolError."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import ProtocolError
from crawler.pacs.framing import HEADER, Pdu, PduType
from crawler.pacs.negotiation import (
    EXPLICIT_VR,
    IMPLICIT_VR,
    Context,
    Proposal,
    agree,
    decode_agreement,
    decode_request,
    encode_request,
)

OFFERED = {"1.2.840.10008.1.1": (IMPLICIT_VR,), "1.2.840.10008.5.1.4.1.2.2.1": (EXPLICIT_VR, IMPLICIT_VR)}
UIDS = st.sampled_from([*OFFERED, "1.2.840.10008.5.1.4.1.2.1.1"])
SYNTAXES = st.lists(st.sampled_from([IMPLICIT_VR, EXPLICIT_VR]), min_size=1, max_size=2, unique=True).map(tuple)
AE_TITLES = st.text("ABC_-.09", min_size=1, max_size=16)


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    drawn = draw(st.lists(st.tuples(UIDS, SYNTAXES), min_size=1, max_size=8))
    contexts = tuple(Context(2 * place + 1, uid, syntaxes) for place, (uid, syntaxes) in enumerate(drawn))
    extended = draw(st.dictionaries(UIDS, st.binary(min_size=1, max_size=5), max_size=2))
    return Proposal(draw(AE_TITLES), draw(AE_TITLES), contexts, draw(st.integers(0, 1 << 20)), extended)


def pdu_of(encoded: bytes) -> Pdu:
    kind, _, length = HEADER.unpack_from(encoded)
    assert length == len(encoded) - HEADER.size
    return Pdu(PduType(kind), encoded[HEADER.size :])


@given(proposals())
def test_a_proposal_and_its_answer_read_back(proposal: Proposal) -> None:
    assert decode_request(pdu_of(encode_request(proposal))) == proposal
    reply, promised = agree(proposal, OFFERED, 16384, proposal.extended)
    agreement = decode_agreement(pdu_of(reply), proposal)
    assert agreement == promised
    assert (agreement.max_pdu, agreement.extended) == (16384, proposal.extended)
    for context in proposal.contexts:
        common = [syntax for syntax in OFFERED.get(context.abstract_syntax, ()) if syntax in context.transfer_syntaxes]
        granted = agreement.contexts.get(context.context_id)
        assert (granted is None) is (not common)
        if granted is not None:
            assert granted == Context(context.context_id, context.abstract_syntax, (common[0],))


@given(proposals(), st.data())
def test_damage_ends_in_a_protocol_error_or_in_a_proposal(proposal: Proposal, data: st.DataObject) -> None:
    for encoded in (encode_request(proposal), agree(proposal, OFFERED, 16384, {})[0]):
        body = bytearray(pdu_of(encoded).body)
        for _ in range(data.draw(st.integers(1, 6))):
            place = data.draw(st.integers(0, len(body) - 1))
            body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        pdu = Pdu(PduType(encoded[0]), bytes(body))
        with contextlib.suppress(ProtocolError):
            if pdu.type is PduType.ASSOCIATE_RQ:
                agree(decode_request(pdu), OFFERED, 16384, {})
            else:
                decode_agreement(pdu, proposal)
