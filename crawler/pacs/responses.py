"""The answers to one C-FIND, read out of a receive buffer into batches of identifiers.

After its first response a peer repeats framing and command byte by byte, only lengths differ. `_Template` knows those
bytes, and whole runs of responses are walked by comparing them; whatever does not fit takes the general way through
PDVs and `Reassembler`. Both ways give the same rows however the stream is cut (a property test says so). Pure.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass

from crawler.errors import ProtocolError, TransientPeerError
from crawler.model import Identifiers
from crawler.pacs.command import C_FIND_RSP, Command, parse_command
from crawler.pacs.framing import COMMAND, HEADER, LAST, PDV_HEADER, Pdu, PduBuffer, PduType, split_pdvs
from crawler.pacs.messages import Message, Reassembler
from crawler.pacs.status import PENDING_UNSUPPORTED_KEYS

MAX_ROWS = 20_000
MAX_BYTES = 8 * 1024 * 1024
"""Where a batch ends: whichever comes first, give or take one receive buffer."""

_P_DATA = PduType.P_DATA << 8  # the type, then a reserved byte


@dataclass(frozen=True, slots=True)
class _Template:
    """What stands before each dataset: `head`, which repeats, and lengths.

    In two PDUs: the whole command PDU is the head; type, PDU length, PDV length, context and control follow.
    In one PDU: type and PDU length; the whole command PDV is the head; PDV length, context and control follow.
    """

    head: bytes
    one_pdu: bool
    layout: struct.Struct
    control: int
    longest: int
    """Longest dataset PDV that keeps every limit."""
    optional_keys_unsupported: bool


class FindResponses:
    """Collects the responses to the request `message_id`, sent in presentation context `context_id`."""

    def __init__(
        self, buffer: PduBuffer, context_id: int, message_id: int, max_object: int, max_rows: int = MAX_ROWS
    ) -> None:
        self.final: Command | None = None
        """The command of the final response, once it has come."""
        self.rows = 0
        self.strays = 0
        """Messages that answer something else; they are skipped."""
        self.optional_keys_unsupported = False
        self._buffer = buffer
        self._context_id = context_id
        self._message_id = message_id
        self._max_object = max_object
        self._max_rows = max_rows
        self._reassembler = Reassembler(max_object)
        self._template: _Template | None = None
        self._new_batch()

    @property
    def is_batch_full(self) -> bool:
        """Whether `take_batch` must come before further reading."""
        return len(self._starts) >= self._max_rows or len(self._data) >= MAX_BYTES

    def read(self) -> None:
        """Read what is complete in the buffer, up to a full batch or the final response. Raises PeerError."""
        while self.final is None and not self.is_batch_full:
            if self._reassembler.is_idle and self._read_run():
                return
            if not self._read_pdu():
                return

    def take_batch(self, *, explicit_vr: bool = False) -> Identifiers | None:
        """Take the identifiers collected so far, None when there are none."""
        if not self._starts:
            return None
        batch = Identifiers(self._data, self._starts, self._ends, explicit_vr)
        self._new_batch()
        return batch

    def _new_batch(self) -> None:
        self._data = bytearray()
        self._starts: array[int] = array("q")
        self._ends: array[int] = array("q")

    def _read_run(self) -> bool:
        """Take every response that fits the template, or a new one; say whether the next fits but is incomplete."""
        if self._template is not None and self._walk(self._template):
            return True
        template = self._learn()
        if template is None:
            return False
        self._template = template
        return self._walk(template)

    def _walk(self, template: _Template) -> bool:
        buffer, begin, before = self._buffer, self._buffer.start, len(self._starts)
        spans = _walk_one_pdu if template.one_pdu else _walk_two_pdus
        stop, waits = spans(buffer, template, self._starts, self._ends, len(self._data) - begin)
        if stop > begin:
            self._data += buffer.view(begin, stop)
            buffer.start = stop
            self.rows += len(self._starts) - before
            self.optional_keys_unsupported |= template.optional_keys_unsupported
        return waits

    def _learn(self) -> _Template | None:
        """Make a template of the response that begins here, when it is of the common kind."""
        data, at, end = self._buffer.data, self._buffer.start, self._buffer.end
        if at + HEADER.size + PDV_HEADER.size > end:
            return None
        kind, _, pdu_length = HEADER.unpack_from(data, at)
        pdv_length, context_id, control = PDV_HEADER.unpack_from(data, at + HEADER.size)
        command_end = at + HEADER.size + 4 + pdv_length
        is_whole = 2 <= pdv_length <= pdu_length - 4 and pdu_length <= self._buffer.max_pdu and command_end <= end
        if (kind, context_id, control) != (PduType.P_DATA, self._context_id, COMMAND | LAST) or not is_whole:
            return None
        command = parse_command(data[at + HEADER.size + PDV_HEADER.size : command_end])
        if not (self._is_ours(command) and command.is_pending and command.has_dataset):
            return None
        one_pdu = pdu_length > pdv_length + 4
        head = bytes(data[at + HEADER.size if one_pdu else at : command_end])
        room_in_pdu = self._buffer.max_pdu - 4 - (len(head) if one_pdu else 0)
        return _Template(
            head=head,
            one_pdu=one_pdu,
            layout=struct.Struct(f">HI{len(head)}sIH" if one_pdu else f">{len(head)}sHIIH"),
            control=self._context_id << 8 | LAST,
            longest=min(room_in_pdu, self._max_object + 2),
            optional_keys_unsupported=command.status == PENDING_UNSUPPORTED_KEYS,
        )

    def _read_pdu(self) -> bool:
        """Take one PDU the general way; say whether there was one."""
        pdu = self._buffer.take()
        if pdu is None:
            return False
        if pdu.type is not PduType.P_DATA:
            how = "aborted" if pdu.type is PduType.ABORT else "released"
            perhaps = ", as Orthanc does to an AE title that is not registered there" if self._is_silent(pdu) else ""
            raise TransientPeerError(f"the PACS {how} the association before its final response{perhaps}")
        for pdv in split_pdvs(pdu.body):
            message = self._reassembler.add(pdv)
            if message is not None:
                self._receive(message)
        return True

    def _is_silent(self, pdu: Pdu) -> bool:
        """Whether the PACS cuts a question off without a word about it."""
        return pdu.type is PduType.ABORT and not self.rows

    def _receive(self, message: Message) -> None:
        command = message.command
        if not self._is_ours(command):
            self.strays += 1
            return
        if message.context_id != self._context_id or command.status is None:
            raise ProtocolError("the peer answered a C-FIND without a status or in another presentation context")
        if not command.is_pending:
            self.final = command
            return
        self.optional_keys_unsupported |= command.status == PENDING_UNSUPPORTED_KEYS
        self.rows += 1
        self._starts.append(len(self._data))
        self._data += message.dataset
        self._ends.append(len(self._data))

    def _is_ours(self, command: Command) -> bool:
        return command.field == C_FIND_RSP and command.responding_to == self._message_id and self.final is None


def _walk_two_pdus(
    buffer: PduBuffer, template: _Template, starts: array[int], ends: array[int], shift: int
) -> tuple[int, bool]:
    """Note where datasets stand, moved by `shift`; give where the run ends, and whether an incomplete one follows."""
    data, at, end = buffer.data, buffer.start, buffer.end
    head, control, longest = template.head, template.control, template.longest
    unpack, size = template.layout.unpack_from, template.layout.size
    add_start, add_end = starts.append, ends.append
    for _ in range(MAX_ROWS - len(starts)):
        if at + size > end:
            break
        this_head, kind, pdu_length, length, this_control = unpack(data, at)
        if this_head != head or this_control != control or kind != _P_DATA:
            break
        if pdu_length != length + 4 or not 2 <= length <= longest:
            break
        begin = at + size
        stop = begin + length - 2
        if stop > end:
            return at, True
        add_start(begin + shift)
        add_end(stop + shift)
        at = stop
    return at, False


def _walk_one_pdu(
    buffer: PduBuffer, template: _Template, starts: array[int], ends: array[int], shift: int
) -> tuple[int, bool]:
    """Do the same where command and dataset share a PDU."""
    data, at, end = buffer.data, buffer.start, buffer.end
    head, control, longest = template.head, template.control, template.longest
    unpack, size, around = template.layout.unpack_from, template.layout.size, len(template.head) + 4
    add_start, add_end = starts.append, ends.append
    for _ in range(MAX_ROWS - len(starts)):
        if at + size > end:
            break
        kind, pdu_length, this_head, length, this_control = unpack(data, at)
        if this_head != head or this_control != control or kind != _P_DATA:
            break
        if pdu_length != length + around or not 2 <= length <= longest:
            break
        begin = at + size
        stop = begin + length - 2
        if stop > end:
            return at, True
        add_start(begin + shift)
        add_end(stop + shift)
        at = stop
    return at, False
