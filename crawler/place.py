"""Where a lake on object storage is, as settings and commands name it. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_URL = re.compile(r"(s3|gs|az)://([a-z0-9][a-z0-9._-]{1,62})((?:/[\w.=+-]+)*)/?", re.ASCII)
_COPIES = Path(".local", "state", "pacslake")
"""Below the home, where working copies are that nobody wants elsewhere."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket or container, what the names of its objects begin with, and how it is reached."""

    url: str
    endpoint: str | None = None
    """Of a store that is not the cloud's own; None leaves it to the environment."""
    region: str | None = None
    ca_file: str | None = None
    """Who signs its certificate, where this machine does not know that."""
    timeout: float = 30.0
    """Seconds without an answer after which a request is tried again."""

    @property
    def kind(self) -> str:
        """Whose store it is: `s3`, `gs` or `az`."""
        return self.url.partition(":")[0]

    @property
    def bucket(self) -> str:
        """The bucket or container."""
        return self.url.split("/")[2]

    @property
    def prefix(self) -> str:
        """What names begin with; nothing where a whole bucket is the lake's."""
        return self.url.partition("://")[2].partition("/")[2]

    def default_copy(self) -> Path:
        """Say where the working copy is unless somebody wants it elsewhere."""
        known = self.url if self.endpoint is None else f"{self.url} {self.endpoint}"
        return Path.home() / _COPIES / hashlib.sha256(known.encode()).hexdigest()[:16]


def is_url(text: str) -> bool:
    """Tell a URL from a folder."""
    return "://" in text


def checked_url(text: str) -> str:
    """Give a URL in its one form. ValueError where it is none of a lake; what it holds is not repeated."""
    if "@" in text:
        raise ValueError("must have no user or password in it: the environment says who asks (docs/object-storage.md)")
    found = _URL.fullmatch(text)
    if not found or any(set(part) == {"."} for part in found[3].split("/")[1:]):
        raise ValueError("must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX, of plain letters")
    return f"{found[1]}://{found[2]}{found[3]}"


def checked_endpoint(text: str) -> str:
    """Give the address of a store. ValueError where it is none, or names a user."""
    if "@" in text or not re.fullmatch(r"https?://[A-Za-z0-9._:\[\]-]+(/[\w./-]*)?", text, re.ASCII):
        raise ValueError("must be an address without user or password, as 'https://minio.example.org:9000'")
    return text.rstrip("/")
