"""Keys that say how we speak TLS: as whom we answer calls, and by what we know whom we call. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from crawler.identity import NamedFile, TlsCall, TlsIdentity, TlsListen
from crawler.secret import Secret
from crawler.settings.values import Folder, Host, TlsKey


def _pin(text: str) -> str:
    digits = text.replace(":", "").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("must be the SHA-256 of a public key, 64 hexadecimal digits; docs/tls.md says how to find it")
    return digits


Pin = Annotated[str, AfterValidator(_pin)]


class ListeningSettings(BaseModel):
    """Keys of a section that says where we listen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    tls_certificate: Folder | None = None
    tls_key: TlsKey | None = None
    tls_client_ca: Folder | None = None

    @model_validator(mode="after")
    def _has_a_whole_identity(self) -> ListeningSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("needs tls_certificate and tls_key, or neither")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("has tls_client_ca, which takes tls_certificate and tls_key")
        return self

    def identity(self, section: str) -> TlsIdentity | None:
        """Say who we are by TLS; None where all goes in the clear."""
        return identity_of(section, self.tls_certificate, self.tls_key)

    def tls_listen(self, section: str) -> TlsListen | None:
        """Say how we answer; None where all goes in the clear."""
        identity = self.identity(section)
        return TlsListen(identity, _named(self.tls_client_ca, f"{section}.tls_client_ca")) if identity else None


class CallingSettings(BaseModel):
    """Keys of a section that says whom we call; DICOMweb has those about files too."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    tls: bool = False
    tls_host: Host | None = None
    pinned_keys: Annotated[tuple[Pin, ...], Field(strict=False)] = ()
    ca_file: Folder | None = None
    certificate_file: Folder | None = None
    key_file: TlsKey | None = None

    @property
    def speaks_tls(self) -> bool:
        """Whether it is called by TLS."""
        return self.tls

    def tls_call(self, section: str, host: str, ours: TlsIdentity | None) -> TlsCall | None:
        """Say how it is called, with the certificate `ours` where it has no other; None where all goes in the clear."""
        if not self.speaks_tls:
            return None
        if self.certificate_file is not None:
            key = self.key_file.path if self.key_file else self.certificate_file
            own = {"certificate_file": self.certificate_file, "key_file": key}
            ours = TlsIdentity(*(NamedFile(path, f"{section}.{name}") for name, path in own.items()))
        ca = _named(self.ca_file, f"{section}.ca_file")
        return TlsCall(section, self.tls_host or host, ca, frozenset(self.pinned_keys), ours)


def identity_of(section: str, certificate: Path | None, key: Secret | None) -> TlsIdentity | None:
    """Name the files of a section that say who we are; None where it has none."""
    if certificate is None or key is None:
        return None
    return TlsIdentity(NamedFile(certificate, f"{section}.tls_certificate"), NamedFile(key.path, f"{section}.tls_key"))


def _named(path: Path | None, setting: str) -> NamedFile | None:
    return NamedFile(path, setting) if path else None
