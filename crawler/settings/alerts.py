"""`[alerts.NAME]` and `[smtp]`: whom the service tells that something is wrong, and how. Pure."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_serializer, model_validator

from crawler.errors import UserError
from crawler.model import Trouble
from crawler.settings.values import AnySecret, Host, Port

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and not re.search(r"\s", text)
        _ = parts.port
    except ValueError:
        right = False
    if not right or "@" in parts.netloc:
        raise ValueError("must be an address as 'https://alerts.example.org/pacslake', without user and password")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+", text) or not text.isascii():
        raise ValueError("must be an e-mail address, as 'it@example.org'")
    return text


def _program(words: tuple[str, ...]) -> tuple[str, ...]:
    """Check a list of arguments: nothing is looked up in a PATH, and there is no shell that would."""
    if not words or not words[0].startswith("/") or any("\0" in word for word in words):
        raise ValueError("must begin with the whole path of a program, as ['/usr/bin/logger', '-t', 'pacslake']")
    return words


Url = Annotated[str, AfterValidator(_url)]
Address = Annotated[str, AfterValidator(_address)]
Program = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_program)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SmtpSettings(_Table):
    """`[smtp]`: the server that takes e-mail from here."""

    host: Host
    port: Port = 587
    starttls: bool = True
    username: str | None = None
    password_file: AnySecret | None = None
    sender: Address | None = None

    @model_validator(mode="after")
    def _keeps_its_password(self) -> SmtpSettings:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("must have both username and password_file, or neither")
        if self.username is not None and not self.is_private:
            raise ValueError("must not send a password in the clear: leave starttls = false out")
        return self

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read along: TLS, from the start on port 465, or no way at all."""
        return self.starttls or self.port == 465 or self.host in THIS_MACHINE


class AlertSettings(_Table):
    """`[alerts.NAME]`: one who is told."""

    webhook: Url | None = None
    webhook_file: AnySecret | None = None
    secret_file: AnySecret | None = None
    email: Annotated[tuple[Address, ...], Field(strict=False)] = ()
    command: Program | None = None
    on: Annotated[tuple[Annotated[Trouble, Field(strict=False)], ...], Field(strict=False, min_length=1)] = tuple(
        Trouble
    )
    timeout: Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)] = 10.0
    max_per_hour: Annotated[int, Field(ge=2, le=10_000)] = 20

    @model_validator(mode="after")
    def _has_one_way(self) -> AlertSettings:
        if sum(map(bool, (self.webhook, self.webhook_file, self.email, self.command))) != 1:
            raise ValueError("must have one of webhook, webhook_file, email and command")
        if self.secret_file and not (self.webhook or self.webhook_file):
            raise ValueError("must have a webhook, whose messages the secret signs")
        return self

    @field_serializer("webhook", "command", when_used="json")
    def _shown(self, value: str | tuple[str, ...] | None) -> object:
        """Show of an address its host, and of a command its program: what follows is often a password."""
        if isinstance(value, str):
            return f"{urlsplit(value).scheme}://{urlsplit(value).hostname}/..."
        return [value[0], *["..."] * (len(value) > 1)] if value else None

    def address(self) -> str:
        """Give the webhook's. UserError where its file cannot be read, or holds none."""
        if self.webhook_file is None:
            return self.webhook or ""
        try:
            return _url(self.webhook_file.read().decode())
        except ValueError:
            raise UserError(f"{self.webhook_file} must hold an address as 'https://alerts.example.org/x'") from None

    @property
    def way(self) -> str:
        """What people may see of where it goes."""
        if self.webhook:
            return f"webhook at {urlsplit(self.webhook).hostname}"
        if self.webhook_file:
            return f"webhook in {self.webhook_file}"
        return f"e-mail to {', '.join(self.email)}" if self.email else f"command {(self.command or ('',))[0]}"
