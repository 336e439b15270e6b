"""Certificates as a hospital's CA signs them, good ones and others. Touches: disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, in two files, and the digest of the key."""

    certificate: Path
    key: Path
    pin: str


class Authority:
    """A CA; `ca` is its own certificate."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca = folder / f"{name}.pem"
        subject, now = _named(name), datetime.now(UTC)
        own = _certificate(subject, subject, self._key, now - YEAR, now + 10 * YEAR)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.ca.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str, *, host: str = "127.0.0.1", lasts: timedelta = YEAR) -> Issued:
        """Sign a certificate for a host, which may be expired: `lasts` less than nothing."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        signed = _certificate(_named(name), _named(self.name), key, now - YEAR, now + lasts).add_extension(
            x509.SubjectAlternativeName([_host(host)]), critical=False
        )
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key", _pin(key))
        issued.certificate.write_bytes(signed.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        issued.key.touch(0o600)
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return issued


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: datetime, until: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(serial_number=x509.random_serial_number())
    builder = builder.subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.not_valid_before(begins).not_valid_after(until)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pin(key: ec.EllipticCurvePrivateKey) -> str:
    return sha256(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
