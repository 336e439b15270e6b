"""The key of a project: a file of its owner alone, from which all pseudonyms of the project follow. Touches: disk."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from crawler.deid.pseudonyms import KEY_BYTES
from crawler.errors import UserError
from crawler.secret import Secret


def make_key(path: Path) -> None:
    """Write a new random key. UserError where there is a file already, or none can be written."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(handle)
    except FileExistsError:
        raise UserError(
            f"{path}: is there already; a project keeps its key, since another one gives every patient another code"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: no key can be written here: {error.strerror}") from None


def read_key(secret: Secret) -> bytes:
    """Read a key. UserError where there is none, where others may read it, and for anything else than a key."""
    if secret.file and not secret.file.exists():
        raise UserError(f"{secret}: there is no such key")
    content = secret.read()
    if not re.fullmatch(rb"[0-9a-fA-F]{64}", content):
        raise UserError(f"{secret}: is no key; a key is a line of {2 * KEY_BYTES} hexadecimal digits")
    return bytes.fromhex(content.decode("ascii"))
