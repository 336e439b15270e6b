"""Keys of `[pacs.NAME]` for a PACS that is asked by DICOMweb, or over TLS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from crawler.identity import UserIdentity
from crawler.model import WebAccess
from crawler.settings.alerts import THIS_MACHINE, Url
from crawler.settings.tls import CallingSettings
from crawler.settings.values import AnySecret

_BY_DICOM_ALONE = (
    "host",
    "port",
    "ae_title",
    "model",
    "max_pdu",
    "default_charset",
    "declared_charsets",
    "retrieve_by",
    "retrieve_idle_timeout",
    "retrieve_patience",
    "one_query_per_association",
    "tls",
    "tls_host",
    "pinned_keys",
)
"""Keys that mean nothing by DICOMweb."""

_BY_WEB_ALONE = ("url", "token_file", "page_rows")
_BY_TLS_ALONE = frozenset(
    ("username", "password_file", "ca_file", "certificate_file", "key_file", "tls_host", "pinned_keys")
)
"""Keys that DICOM's own protocol has over TLS only."""


class WebSettings(CallingSettings):
    """Where a DICOMweb service is, and who we are there, or to a PACS over TLS."""

    kind: Literal["dicom", "dicomweb"] = "dicom"
    url: Url | None = None
    username: str | None = None
    password_file: AnySecret | None = None
    token_file: AnySecret | None = None
    page_rows: Annotated[int, Field(ge=2, le=100_000)] = 1000

    @model_validator(mode="before")
    @classmethod
    def _takes_its_place_from_the_url(cls, given: Any) -> Any:
        """Fill in what commands show of any PACS: its host and port."""
        if not isinstance(given, Mapping) or given.get("kind") != "dicomweb":
            return given
        if wrong := [key for key in _BY_DICOM_ALONE if key in given]:
            raise ValueError(f"is asked by DICOMweb: leave {' and '.join(wrong)} out")
        try:
            parts = urlsplit(str(given.get("url", "")))
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise ValueError("has a url with a wrong port") from None
        if not parts.hostname:
            raise ValueError("wants a url, as 'https://pacs.example.org/dicom-web'")
        return {**given, "host": parts.hostname, "port": port, "ae_title": "DICOMWEB"}

    @model_validator(mode="after")
    def _keeps_its_secrets(self) -> WebSettings:
        if self.key_file and not self.certificate_file:
            raise ValueError("must have a certificate_file for its key_file")
        if self.kind == "dicom":
            self._fits_dicom()
            return self
        if (self.username is None) != (self.password_file is None):
            raise ValueError("must have both username and password_file, or neither")
        if self.password_file and self.token_file:
            raise ValueError("must have either a password_file or a token_file")
        parts = urlsplit(self.url or "")
        if parts.query or parts.fragment:
            raise ValueError("must have a url without ? and #, as 'https://pacs.example.org/dicom-web'")
        if (self.password_file or self.token_file) and parts.scheme != "https" and parts.hostname not in THIS_MACHINE:
            raise ValueError("must not send a secret in the clear: use https")
        return self

    def _fits_dicom(self) -> None:
        """ValueError for keys that need DICOMweb, or TLS."""
        if wrong := [key for key in _BY_WEB_ALONE if key in self.model_fields_set]:
            raise ValueError(f"has {' and '.join(wrong)}, which only kind = 'dicomweb' uses")
        if not self.tls and (wrong := sorted(self.model_fields_set & _BY_TLS_ALONE)):
            raise ValueError(
                f"has {' and '.join(wrong)}, for which it needs tls = true: nothing secret goes in the clear"
            )
        if self.password_file and not self.username:
            raise ValueError("must have a username for its password_file")

    @property
    def speaks_tls(self) -> bool:
        """Whether it is called by TLS, in either protocol."""
        return self.tls or (self.url or "").startswith("https:")

    @property
    def user(self) -> UserIdentity | None:
        """Who we say to be in user identity negotiation; None where we do not."""
        return UserIdentity(self.username, self.password_file) if self.username and not self.url else None

    @property
    def web(self) -> WebAccess | None:
        """How it is asked by DICOMweb; None where it is not."""
        if self.url is None:
            return None
        return WebAccess(
            self.url,
            self.username,
            self.password_file or self.token_file,
            self.page_rows,
        )
