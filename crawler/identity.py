"""Who we say to be to others, and by what we know that they are who they say: values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crawler.secret import Secret


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file, and the setting that names it, for whoever has to mend that."""

    path: Path
    setting: str


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """Who we are by TLS: a certificate with those above it, and its key."""

    certificate: NamedFile
    key: NamedFile


@dataclass(frozen=True, slots=True)
class TlsCall:
    """How somebody is called by TLS, and by what we know that it is they."""

    setting: str
    """The section of the settings that says so."""
    host: str
    """The name that their certificate must have."""
    ca: NamedFile | None = None
    """Who may have signed it: without, whomever this machine trusts; or with `pins`, anybody."""
    pins: frozenset[str] = frozenset()
    """SHA-256 of the keys that they may show, as hexadecimal digits; without any, every key."""
    identity: TlsIdentity | None = None


@dataclass(frozen=True, slots=True)
class TlsListen:
    """How we answer by TLS; `clients` says who must have signed the certificate that callers show."""

    identity: TlsIdentity
    clients: NamedFile | None = None


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who we say to be beyond an AE title, over TLS (PS3.7 D.3.3.7)."""

    username: str
    passcode: Secret | None = None
