"""Passwords, tokens and keys, wherever a site keeps them: read when they are used, and never shown. Touches: disk.

Keys of the settings that end in `_file` name a file; or `credential:NAME`, a file that systemd hands to a service
(LoadCredential=); or `env:NAME`, a variable of the environment.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crawler.errors import UserError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
MOST_BYTES = 16_384
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The variable by which systemd says where credentials are."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is; its text are the words by which people know that place."""

    file: Path | None
    place: str = ""
    """What it is in, where that is no file."""
    value: str | None = field(default=None, repr=False)
    """Of a variable that is set."""
    barred: int = OTHERS
    """The permissions that nobody else may have."""

    def __str__(self) -> str:
        return str(self.file) if self.file else self.place

    @property
    def path(self) -> Path:
        """The file, for what reads it by itself. UserError where there is none."""
        if self.file is None:
            raise UserError(f"{self} is not there")
        return self.file

    def read(self) -> bytes:
        """Give it, without the end of the line. UserError where it cannot be read, is empty, or others can read it."""
        self.require_private()
        try:
            found = self.value.encode() if self.value is not None else self.path.read_bytes()[:MOST_BYTES]
        except OSError as error:
            raise UserError(f"{self} cannot be read: {error.strerror}") from None
        if not found.strip():
            raise UserError(f"{self} is empty")
        return found.strip()

    def require_private(self) -> None:
        """UserError where others may read or change the file; one that is not there is private."""
        try:
            mode = self.file.stat().st_mode if self.file else 0
        except OSError:
            return
        if mode & self.barred:
            whose, strict = ("others", "600") if self.barred == OTHERS else ("everybody", "o=")
            raise UserError(f"{self.file} can be read by {whose}: type chmod {strict} {self.file}")


def secret_at(text: str, folder: Path, environment: Mapping[str, str]) -> Secret:
    """Say where a secret is, as the settings name it; relative paths start from a folder. ValueError for no place."""
    kind, colon, name = text.partition(":")
    if colon and kind == "env" and name.isidentifier():
        return Secret(None, f"the variable {name}", environment.get(name))
    if colon and kind == "credential" and name.strip(".") and "/" not in name:
        given = environment.get(CREDENTIALS)
        # systemd may let the user of a service read what is root's by the permissions of a group.
        return Secret(Path(given) / name if given else None, f"the credential {name}", barred=stat.S_IRWXO)
    if kind in ("env", "credential"):
        raise ValueError("must be a file, 'credential:NAME' or 'env:NAME'")
    return Secret(path_from(folder, Path(text)))


def path_from(folder: Path, path: Path) -> Path:
    """Take a path from a folder; `~` begins in a home. ValueError for what can be none."""
    if "\0" in str(path):
        raise ValueError("must be a path")
    try:
        return folder / path.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and a name that no user of this machine has") from None
