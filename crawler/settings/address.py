"""A PACS that is named by its address instead of a section `[pacs.NAME]`. Pure."""

from __future__ import annotations

import re

from pydantic import TypeAdapter, ValidationError

from crawler.errors import UserError
from crawler.model import AETitle
from crawler.settings.sections import PacsSettings
from crawler.settings.values import AEText

_ADDRESS = re.compile(r"(?P<ae_title>.+)@(?P<host>\[[^\[\]]+\]|[^@\[\]:]+):(?P<port>[0-9]+)")
_EXAMPLE = "ORTHANC@127.0.0.1:4242"


def pacs_at(text: str) -> PacsSettings:
    """Read `AE@host:port`, all else as by default; an IPv6 address is in brackets. Raises UserError."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise UserError(f"{text!r} is no PACS: type a name of pacslake.toml, or an address as {_EXAMPLE}")
    host, port = found["host"].strip("[]"), int(found["port"])
    try:
        return PacsSettings.model_validate({"host": host, "port": port, "ae_title": found["ae_title"]})
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        name = str(wrong["loc"][0]).replace("ae_title", "AE title")
        raise UserError(f"the {name} of {text!r} is wrong: {_said(wrong['msg'])}") from None


def ae_title(text: str) -> AETitle:
    """Check an AE title. Raises UserError."""
    try:
        return TypeAdapter(AEText).validate_python(text)
    except ValidationError as error:
        raise UserError(f"the AE title {text!r} {_said(error.errors(include_url=False)[0]['msg'])}") from None


def _said(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should", "it must")
