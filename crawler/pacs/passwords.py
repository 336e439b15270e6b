"""Secrets with which a PACS is asked. Touches: disk."""

from __future__ import annotations

from crawler.errors import RefusedError, UserError
from crawler.secret import Secret


def line_of(secret: Secret) -> str:
    """Read a secret. RefusedError where it is no line of text."""
    try:
        line = secret.read().decode()
    except UserError as error:
        raise RefusedError(f"{error}; it should hold the secret for a PACS") from None
    except UnicodeDecodeError:
        line = "\n"
    if not line.isprintable():
        raise RefusedError(f"{secret} should hold one line: the secret for a PACS")
    return line
