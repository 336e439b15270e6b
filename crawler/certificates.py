"""X.509 certificates: until when they are valid, and whose key is in them. Touches: disk.

cryptography reads them, because Python's own ssl shows a certificate only where a handshake has verified it. It is
imported where it is needed, as few commands do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from ssl import SSLObject

from crawler.errors import UserError

CERTIFICATE_UNTIL = "certificate_until"
"""The finding about a PACS that says until when the certificate is valid which it showed last."""


@dataclass(frozen=True, slots=True)
class X509:
    """What is of interest in one."""

    begins: datetime
    until: datetime
    pin: str
    """SHA-256 of its public key (SubjectPublicKeyInfo), as hexadecimal digits."""
    version: str = ""
    """Of TLS, where it was shown in a handshake."""


def read(der: bytes) -> X509:
    """Read a certificate. ValueError where it is none."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_der_x509_certificate

    found = load_der_x509_certificate(der)
    key = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return X509(found.not_valid_before_utc, found.not_valid_after_utc, sha256(key).hexdigest())


def shown(tls: object) -> X509 | None:
    """Give the certificate that the other side of a connection showed; None where it showed none, or speaks no TLS."""
    if not isinstance(tls, SSLObject) or not (der := tls.getpeercert(binary_form=True)):
        return None
    found = read(der)
    return X509(found.begins, found.until, found.pin, tls.version() or "")


def valid_until(path: Path) -> datetime:
    """Say until when all certificates of a PEM file are valid. UserError where it holds none, or cannot be read."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return min(one.not_valid_after_utc for one in load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UserError(f"{path} holds no certificate as PEM") from None
