"""Verdicts on the way to a PACS: associations and what was negotiated. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from crawler.certificates import CERTIFICATE_UNTIL, X509
from crawler.model import Model, Peer
from crawler.pacs.check.verdict import Learned, Verdict, note, ok, problem
from crawler.pacs.profile import NO, ONE_QUERY, YES
from crawler.pacs.status import describe

IMPLICIT_VR = "1.2.840.10008.1.2"
SMALL_PDU = 16384
SLOW_ECHO_MS = 500
_SOON = timedelta(days=30)
ROOTS = (Model.STUDY_ROOT, Model.PATIENT_ROOT)
_RELATIONAL, _DATE_TIME = 0, 1
"""Bytes of the extended negotiation of C-FIND (PS3.4 C.5.1.1)."""


@dataclass(frozen=True, slots=True)
class Us:
    """How the PACS sees us."""

    ae_title: str
    address: str

    @property
    def line(self) -> str:
        """What its administrator enters."""
        return (
            f"enter at the PACS: AE title {self.ae_title}, address {self.address}, may C-ECHO and C-FIND (Study Root)"
        )


def unreachable(peer: Peer, reason: str) -> Verdict:
    """Judge that no connection came about."""
    where = f"{peer.host}:{peer.port}"
    return problem("address", f"{where}: {reason}", f"check pacs.{peer.name}.host and .port, and firewalls in between")


def not_associated(reason: str, us: Us) -> Verdict:
    """Judge that the PACS does not talk to us."""
    return problem("association", reason, us.line)


def encrypted(certificate: X509, now: datetime) -> Verdict:
    """Judge TLS, by the certificate that the PACS shows."""
    learned = Learned(CERTIFICATE_UNTIL, certificate.until.isoformat(), None)
    text = f"{certificate.version.replace('v', ' ')}, by a certificate that is valid until {certificate.until:%Y-%m-%d}"
    if certificate.until - now < _SOON:
        return problem("tls", text, "have it renewed at the PACS: after that day nothing is asked", learned)
    return ok("tls", text, learned)


def echoed(status: int | None, milliseconds: float, us: Us) -> Verdict:
    """Judge a C-ECHO and how long it took."""
    if status != 0:
        return problem("echo", f"C-ECHO ended with {describe(status)}", us.line)
    if milliseconds > SLOW_ECHO_MS:
        return note("echo", f"C-ECHO takes {milliseconds:.0f} ms: every question will cost at least that")
    return ok("echo", f"C-ECHO takes {milliseconds:.1f} ms")


def roots(offered: Collection[Model], configured: Model, name: str, us: Us) -> list[Verdict]:
    """Judge which information models are offered for C-FIND."""
    verdicts = []
    for model in dict.fromkeys((*ROOTS, configured)):
        check, title = f"{model.value}_root", f"{model.known_as} C-FIND"
        if model in offered:
            verdicts.append(ok(check, f"{title} is offered"))
        elif model is not configured:
            verdicts.append(note(check, f"{title} is not offered; it is not needed"))
        elif offered:
            other = next(iter(offered)).value
            verdicts.append(problem(check, f"{title} is not offered", f'set pacs.{name}.model = "{other}"'))
        else:
            verdicts.append(problem(check, f"{title} is not offered", us.line))
    return verdicts


def transfer_syntaxes(accepted: Collection[str]) -> Verdict:
    """Judge the encodings accepted for C-FIND."""
    if IMPLICIT_VR in accepted:
        also = " and Explicit" if len(accepted) > 1 else ""
        return ok("transfer_syntax", f"Implicit{also} VR Little Endian accepted")
    return note("transfer_syntax", "only Explicit VR Little Endian is accepted: answers take longer to decode")


def largest_pdu(octets: int) -> Verdict:
    """Judge the largest PDU that the PACS takes from us."""
    if octets and octets < SMALL_PDU:
        return note("max_pdu", f"the PACS takes PDUs of {octets} bytes only; that suits questions, not retrievals")
    return ok("max_pdu", f"the PACS takes PDUs of {octets} bytes" if octets else "the PACS takes PDUs of any size")


def reuse(reopened: bool) -> Verdict:
    """Judge whether an association outlives a query."""
    if reopened:
        text = "the association is closed after each C-FIND: every query takes a new one, which is slow"
        return note("reuse", text, Learned(ONE_QUERY, YES, None))
    return ok("reuse", "one association answers several queries", Learned(ONE_QUERY, NO, None))


def at_once(accepted: int, wanted: int, name: str) -> Verdict:
    """Judge how many associations are accepted at the same time."""
    learned = Learned("associations_at_once", str(accepted), None)
    if accepted >= wanted:
        return ok("at_once", f"{accepted} associations at once are accepted", learned)
    text = f"only {accepted} of {wanted} associations at once are accepted"
    remedy = f"set pacs.{name}.max_associations = {max(accepted, 1)}, or have {wanted} allowed at the PACS"
    return problem("at_once", text, remedy, learned)


def released(answered: bool) -> Verdict:
    """Judge the end of an association."""
    if answered:
        return ok("release", "the release of an association is answered")
    return note("release", "the release of an association is not answered: ending one takes up to 5 s")


def extended(granted: bytes | None, refused: str = "") -> list[Verdict]:
    """Judge the answer to extended negotiation; `granted` is None where the association itself failed."""
    if granted is None:
        text = f"an association with extended negotiation failed ({refused}): it is not used"
        return [note("relational", text), note("date_time", text)]
    verdicts = []
    for check, place, what in (
        ("relational", _RELATIONAL, "relational queries (series of many studies at once)"),
        ("date_time", _DATE_TIME, "combined matching of date and time"),
    ):
        yes = granted[place : place + 1] == b"\1"
        learned = Learned(check, YES if yes else NO, None)
        text = f"{what}: {'offered' if yes else 'not offered, which is common'}"
        verdicts.append(ok(check, text, learned) if yes else note(check, text, learned))
    return verdicts
