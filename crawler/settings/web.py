"""Keys of `[pacs.NAME]` for a PACS that is asked by DICOMweb. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crawler.model import WebAccess
from crawler.settings.alerts import THIS_MACHINE, Url
from crawler.settings.values import AnySecret, Folder, TlsKey

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
)
"""Keys that mean nothing by DICOMweb."""


class WebSettings(BaseModel):
    """Where a DICOMweb service is, and who we are there."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["dicom", "dicomweb"] = "dicom"
    url: Url | None = None
    username: str | None = None
    password_file: AnySecret | None = None
    token_file: AnySecret | None = None
    ca_file: Folder | None = None
    certificate_file: Folder | None = None
    key_file: TlsKey | None = None
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
        ours = sorted(self.model_fields_set & set(WebSettings.model_fields) - {"kind"})
        if self.kind == "dicom":
            if ours:
                raise ValueError(f"has {' and '.join(ours)}, which only kind = 'dicomweb' uses")
            return self
        if (self.username is None) != (self.password_file is None):
            raise ValueError("must have both username and password_file, or neither")
        if self.password_file and self.token_file:
            raise ValueError("must have either a password_file or a token_file")
        if self.key_file and not self.certificate_file:
            raise ValueError("must have a certificate_file for its key_file")
        parts = urlsplit(self.url or "")
        if parts.query or parts.fragment:
            raise ValueError("must have a url without ? and #, as 'https://pacs.example.org/dicom-web'")
        if (self.password_file or self.token_file) and parts.scheme != "https" and parts.hostname not in THIS_MACHINE:
            raise ValueError("must not send a secret in the clear: use https")
        return self

    @property
    def web(self) -> WebAccess | None:
        """How it is asked by DICOMweb; None where it is not."""
        if self.url is None:
            return None
        return WebAccess(
            self.url,
            self.username,
            self.password_file or self.token_file,
            self.ca_file,
            self.certificate_file,
            self.key_file.path if self.key_file else None,
            self.page_rows,
        )
