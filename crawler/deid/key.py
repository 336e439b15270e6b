"""The key of a project: a file of its owner alone, from which all pseudonyms of the project follow. Touches: disk."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from crawler.deid.pseudonyms import KEY_BYTES
from crawler.errors import UserError

MOST_BYTES = 4096


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


def read_key(path: Path) -> bytes:
    """Read a key. UserError where there is none, where others may read it, and for anything else than a key."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MOST_BYTES)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such key") from None
    except OSError as error:
        raise UserError(f"{path}: the key cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise UserError(
            f"{path}: others may read or change this key, so that it protects nobody; type chmod 600 {path}"
        )
    if not re.fullmatch(rb"[0-9a-fA-F]{64}\s*", content):
        raise UserError(f"{path}: is no key; a key is a line of {2 * KEY_BYTES} hexadecimal digits")
    return bytes.fromhex(content.decode("ascii").strip())
