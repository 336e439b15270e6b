"""`[find_scp]`: the lake as a PACS that others may query. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from crawler.dicom import UTF_8
from crawler.settings.serving import Listen, address_of, is_loopback
from crawler.settings.tls import CallingSettings, ListeningSettings
from crawler.settings.values import AEText, AnySecret, DefinedTerms, Memory, SenderText

Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class CallerSettings(BaseModel):
    """One of `[find_scp] callers`: how much one AE title may ask, and as which user."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    max_rows: Count = 0
    max_queries_per_minute: Count = 0
    username: Annotated[str, Field(min_length=1)] | None = None
    password_file: AnySecret | None = None

    @model_validator(mode="after")
    def _names_whose(self) -> CallerSettings:
        if self.password_file and not self.username:
            raise ValueError("must have a username for its password_file")
        return self


def _destination(told: object) -> object:
    """Take an address alone for a table with nothing else."""
    return {"address": told} if isinstance(told, str) else told


class DestinationSettings(CallingSettings):
    """One of `[find_scp] destinations`: where files are sent to, and whether by TLS."""

    address: Listen

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        found = address_of(self.address)
        assert found is not None
        return found

    @model_validator(mode="after")
    def _says_all(self) -> DestinationSettings:
        if not self.address:
            raise ValueError("must have an address and a port")
        if self.key_file and not self.certificate_file:
            raise ValueError("must have a certificate_file for its key_file")
        if not self.tls and (wrong := sorted(self.model_fields_set - {"address", "tls"})):
            raise ValueError(f"has {' and '.join(wrong)}, for which it needs tls = true")
        return self


Destination = Annotated[DestinationSettings, BeforeValidator(_destination)]


class FindScpSettings(ListeningSettings):
    """`[find_scp]`."""

    listen: Listen = "127.0.0.1:11113"
    ae_title: AEText | None = None
    """None is that of `[local]`."""
    allow: Annotated[tuple[SenderText, ...], Field(strict=False)] = ()
    pacs: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Whose studies are shown; () for all."""
    max_rows: Count = 0
    max_queries_per_minute: Count = 0
    callers: dict[AEText, CallerSettings] = {}
    destinations: dict[AEText, Destination] = {}
    """Where files may be sent to by C-MOVE, by AE title."""
    forward: bool = False
    """Whether a C-MOVE for what is not here is passed on to the PACS that has it."""
    max_associations: Annotated[int, Field(ge=1, le=1000)] = 10
    memory: Memory = 2 * 10**9
    """Bytes that the process which answers may take, beside its threads and libraries."""
    charset: DefinedTerms = UTF_8
    always_relational: bool = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        found = address_of(self.listen)
        assert found is not None
        return found

    @model_validator(mode="after")
    def _is_safe(self) -> FindScpSettings:
        if not self.listen:
            raise ValueError("must say where to listen, as listen = '127.0.0.1:11113'")
        if not self.allow and not is_loopback(self.address[0]):
            raise ValueError(
                f"listens at {self.listen}, which other machines reach: say who may ask, as allow = ['AE']"
            )
        if (asked := [name for name, one in self.callers.items() if one.username]) and not self.tls_certificate:
            names = " and ".join(asked)
            raise ValueError(
                f"wants a user name of {names}: set tls_certificate and tls_key, as it comes over TLS alone"
            )
        unsaid = [name for name, one in self.destinations.items() if "tls" not in one.model_fields_set]
        if self.tls_certificate and unsaid:
            like = f"{unsaid[0]} = {{ address = '{self.destinations[unsaid[0]].address}', tls = true }}"
            names = " and ".join(unsaid)
            raise ValueError(
                f"answers by TLS, and would send files to {names} in the clear: write {like}, or tls = false"
            )
        return self
