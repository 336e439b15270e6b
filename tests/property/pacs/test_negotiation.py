"""Proposals survive their encoding, pynetdicom reads the same in them, and damaged ones end in a ProtocolError."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)

from crawler.errors import ProtocolError
from crawler.model import IMPLEMENTATION_UID
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
NAMES = st.text(min_size=1, max_size=20).filter(str.strip)
AE_TITLES = st.text("ABC_-.09", min_size=1, max_size=16)


@st.composite
def proposals(draw: st.DrawFn) -> Proposal:
    drawn = draw(st.lists(st.tuples(UIDS, SYNTAXES), min_size=1, max_size=8))
    contexts = tuple(Context(2 * place + 1, uid, syntaxes) for place, (uid, syntaxes) in enumerate(drawn))
    extended = draw(st.dictionaries(UIDS, st.binary(min_size=1, max_size=5), max_size=2))
    served = draw(st.frozensets(UIDS))
    user = draw(st.none() | st.tuples(NAMES, NAMES | st.just("")))
    max_pdu = draw(st.integers(0, 1 << 20))
    return Proposal(draw(AE_TITLES), draw(AE_TITLES), contexts, max_pdu, extended, served, user)


def pdu_of(encoded: bytes) -> Pdu:
    kind, _, length = HEADER.unpack_from(encoded)
    assert length == len(encoded) - HEADER.size
    return Pdu(PduType(kind), encoded[HEADER.size :])


@given(proposals())
def test_a_proposal_and_its_answer_read_back(proposal: Proposal) -> None:
    assert decode_request(pdu_of(encode_request(proposal))) == proposal
    reply, promised = agree(proposal, OFFERED, 16384, proposal.extended, proposal.served)
    agreement = decode_agreement(pdu_of(reply), proposal)
    assert agreement == promised
    assert (agreement.max_pdu, agreement.extended) == (16384, proposal.extended)
    for context in proposal.contexts:
        common = [syntax for syntax in OFFERED.get(context.abstract_syntax, ()) if syntax in context.transfer_syntaxes]
        granted = agreement.contexts.get(context.context_id)
        assert (granted is None) is (not common)
        if granted is not None:
            assert granted == Context(context.context_id, context.abstract_syntax, (common[0],))


@given(proposals())
def test_pynetdicom_reads_the_same(proposal: Proposal) -> None:
    asked, answered = A_ASSOCIATE_RQ(), A_ASSOCIATE_AC()
    asked.decode(encode_request(proposal))
    request = asked.to_primitive()
    read = [
        Context(context.context_id or 0, str(context.abstract_syntax), tuple(map(str, context.transfer_syntax)))
        for context in request.presentation_context_definition_list
    ]
    assert (tuple(read), request.maximum_length_received) == (proposal.contexts, proposal.max_pdu)
    assert (request.calling_ae_title, request.called_ae_title) == (proposal.calling_ae, proposal.called_ae)
    reply, agreement = agree(replace(proposal, expects_answer=True), OFFERED, 16384, proposal.extended, proposal.served)
    answered.decode(reply)
    answer = answered.to_primitive()
    granted = {
        one.context_id: str(one.transfer_syntax[0])
        for one in answer.presentation_context_definition_results_list
        if one.result == 0
    }
    assert granted == {number: context.transfer_syntaxes[0] for number, context in agreement.contexts.items()}
    for primitive in (request, answer):
        told = primitive.user_information
        extended = {
            str(item.sop_class_uid): item.service_class_application_information
            for item in told
            if isinstance(item, SOPClassExtendedNegotiation)
        }
        roles = {str(item.sop_class_uid) for item in told if isinstance(item, SCP_SCU_RoleSelectionNegotiation)}
        assert extended == proposal.extended
        assert roles == proposal.served
        assert IMPLEMENTATION_UID in {getattr(item, "implementation_class_uid", None) for item in told}
    users = [item for item in request.user_information if isinstance(item, UserIdentityNegotiation)]
    named = [((user.primary_field or b"").decode(), (user.secondary_field or b"").decode()) for user in users]
    assert named == ([proposal.user] if proposal.user else [])
    [believed] = [item for item in answer.user_information if isinstance(item, UserIdentityNegotiation)]
    assert believed.server_response == b""


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
