"""`[serve]`: where the service shows itself, and who may look. Pure."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from crawler.identity import TlsListen
from crawler.settings.tls import identity_of
from crawler.settings.values import AnySecret, Folder, Host, Memory, Seconds, SecretFile, TlsKey

RoleName = Literal["viewer", "analyst", "operator"]
Network = IPv4Network | IPv6Network

_TLS = "tls_certificate = 'server.pem', tls_key = 'server.key'"
_WHO = "password_file = 'users' (which `pacslake users add` fills) or trusted_proxy = { address = '…' }"


def _listen(text: str) -> str:
    if text and address_of(text) is None:
        raise ValueError("must be an address and a port, as '127.0.0.1:8080' or '[::1]:8080', or '' for nowhere")
    return text


def address_of(text: str) -> tuple[str, int] | None:
    """Give host and port of a `listen`, None where it is none."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s/:\[\]]+)):([0-9]{1,5})", text)
    if found is None or int(found[3]) > 65535:
        return None
    return found[1] or found[2], int(found[3])


def is_loopback(host: str) -> bool:
    """Whether an address is one that only this machine reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _networks(value: object) -> object:
    """Take one address, or several, each alone or as a range (10.0.0.0/24)."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise ValueError("must be an address or a range of them, as '10.0.0.5' or '10.0.0.0/24', or a list of these")
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError:
        raise ValueError("must be an address or a range of them, as '10.0.0.5' or '10.0.0.0/24'") from None


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise ValueError("must be the name of a header, as 'X-Remote-User'")
    return text


def queue_url(text: str) -> str:
    """Check the address of a queue. ValueError, which does not repeat it, where it is none or has a password in it."""
    try:
        parts = urlsplit(text)
        asked, password, _ = parse_qs(parts.query), parts.password, parts.port
        right = parts.scheme in ("postgresql", "postgres") and len(parts.path) > 1 and not re.search(r"\s", text)
    except ValueError:
        right = False
    if not right:
        raise ValueError("must be as 'postgresql://pacslake@db.example.org/pacslake'")
    if password or {"password", "sslpassword"} & asked.keys():
        raise ValueError("must not hold a password: [serve] queue_password_file says where that is")
    return text


Listen = Annotated[str, AfterValidator(_listen)]
QueueUrl = Annotated[str, AfterValidator(queue_url)]
Header = Annotated[str, AfterValidator(_header)]


class TrustedProxySettings(BaseModel):
    """`[serve] trusted_proxy`: who tells us by headers who somebody is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    address: Annotated[tuple[Network, ...], BeforeValidator(_networks)]
    user_header: Header = "X-Remote-User"
    role_header: Header | None = None
    role: RoleName = "viewer"
    """Of those for whom no `role_header` comes."""
    secret_file: AnySecret | None = None
    secret_header: Header = "X-Proxy-Secret"

    @model_validator(mode="after")
    def _is_told_apart(self) -> TrustedProxySettings:
        if self.secret_file is None and any(network.is_loopback for network in self.address):
            raise ValueError(
                "is on this machine, where everybody can pretend to be it: set secret_file too, with a secret that the "
                f"proxy sends as {self.secret_header}"
            )
        return self


class ServeSettings(BaseModel):
    """`[serve]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    listen: Listen = "127.0.0.1:8080"
    hosts: Annotated[tuple[Host, ...], Field(strict=False)] = ()
    tls_certificate: Folder | None = None
    tls_key: TlsKey | None = None
    password_file: SecretFile | None = None
    trusted_proxy: TrustedProxySettings | None = None
    role: RoleName = "viewer"
    """Of the others on this machine, where nobody logs in."""
    metrics_open: bool = False
    requests_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 600
    sql_memory: Memory = 10**9
    sql_seconds: Seconds = 60.0
    sql_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    queue: QueueUrl | None = None
    queue_password_file: AnySecret | None = None

    @property
    def tls_listen(self) -> TlsListen | None:
        """Who we are by TLS; None for plain HTTP."""
        identity = identity_of("serve", self.tls_certificate, self.tls_key)
        return TlsListen(identity) if identity else None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port, None where it listens nowhere."""
        return address_of(self.listen)

    @model_validator(mode="after")
    def _is_safe(self) -> ServeSettings:
        has_tls = self.tls_certificate is not None
        if has_tls != (self.tls_key is not None):
            raise ValueError("needs tls_certificate and tls_key, or neither")
        if self.password_file and self.trusted_proxy:
            raise ValueError("has password_file and trusted_proxy: leave one out, as only one can say who somebody is")
        if self.address is not None and not is_loopback(self.address[0]):
            knows_people = bool(self.password_file or self.trusted_proxy)
            lines = [_TLS] * (not has_tls) + [_WHO] * (not knows_people)
            if lines:
                said = " and ".join(lines)
                raise ValueError(f"listens at {self.listen}, which other machines reach: add to [serve] {said}")
        return self
