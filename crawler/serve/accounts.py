"""The password file: who may log in, as what. A line for each: `name:role:$argon2id$…`.

Touches: disk, clock.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from crawler.errors import UserError
from crawler.lake.files import sync
from crawler.secret import Secret
from crawler.serve.access import Role

SHORTEST, LONGEST = 12, 256
"""Characters of a password; NIST SP 800-63B wants 8 at least, with nothing else asked of them."""
AT_ONCE = 2
"""Passwords that are checked at a time: each takes 64 MB and most of a core."""
FRESH = 60.0
"""Seconds for which a script need not be checked again: each check takes a tenth of one."""
MOST_FRESH = 1000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASHER = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in."""

    name: str
    role: Role
    hash: str


class Accounts:
    """Those of one file, read anew when it changes. UserError where it cannot be read at the start."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._secret = secrets.token_bytes(32)
        self._nobody = hashed(secrets.token_urlsafe(16))
        self._fresh: OrderedDict[bytes, tuple[Account, float]] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.renew()

    def renew(self) -> None:
        """Read the file. UserError, and those of before stay, where it cannot be read or is wrong."""
        self._stamp = _stamp(self._file)
        self._known = {account.name: account for account in read_accounts(self._file)}

    def find(self, name: str) -> Account | None:
        """Give the account of a name, as the file has it now."""
        if _stamp(self._file) != self._stamp:
            try:
                self.renew()
            except UserError as error:
                structlog.get_logger().error("users not reloaded", reason=str(error))
        return self._known.get(name)

    async def checked(self, name: str, password: str) -> Account | None:
        """Give the account that a name and a password stand for; it takes as long where there is none."""
        account = self.find(name)
        async with self._turns:
            is_right = await asyncio.to_thread(_is_right, account.hash if account else self._nobody, password)
        return account if is_right else None

    def checked_before(self, name: str, password: str) -> Account | None:
        """Give the account where the same was right a moment ago."""
        account, until = self._fresh.get(self._key(name, password), (None, 0.0))
        return account if account and account == self.find(name) and time.monotonic() < until else None

    def remember(self, account: Account, password: str) -> None:
        """Spare this password its check for a moment."""
        self._fresh[self._key(account.name, password)] = (account, time.monotonic() + FRESH)
        if len(self._fresh) > MOST_FRESH:
            self._fresh.popitem(last=False)

    def _key(self, name: str, password: str) -> bytes:
        return hmac.digest(self._secret, f"{name}\n{password}".encode(errors="replace"), hashlib.sha256)


def hashed(password: str) -> str:
    """Give what the file holds of a password."""
    return _HASHER.hash(_plain(password))


def check_name(name: str) -> None:
    """UserError for a name that cannot stand in the file."""
    if not _NAME.fullmatch(name):
        raise UserError(f"a user's name has letters, digits and . _ @ - only, 64 at most, not {name!r}")


def check_password(password: str) -> None:
    """UserError for a password that is too short to be one."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(f"a password has {SHORTEST} characters at least and {LONGEST} at most")


def read_accounts(file: Path) -> list[Account]:
    """Read a password file. UserError, without anything of a hash, where others may read it or a line is wrong."""
    try:
        Secret(file).require_private()
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file}: there is no such file; `pacslake users add` makes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read: {getattr(error, 'strerror', 'it is not UTF-8 text')}") from None
    found: dict[str, Account] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        account = _account(line)
        if account is None:
            raise UserError(f"{file}: line {number} is not name:role:hash, as `pacslake users add` writes it")
        if account.name in found:
            raise UserError(f"{file}: {account.name} stands twice")
        found[account.name] = account
    return list(found.values())


@contextmanager
def editing(file: Path) -> Iterator[dict[str, Account]]:
    """Give the accounts by name, to be changed, and write them when the block ends; nobody else does meanwhile."""
    handle = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        accounts = {account.name: account for account in read_accounts(file)} if file.exists() else {}
        yield accounts
        _write(file, accounts)
    finally:
        os.close(handle)


def _write(file: Path, accounts: dict[str, Account]) -> None:
    """Put a new file in the old one's place at once, of the same owner."""
    lines = [f"{one.name}:{one.role.name.lower()}:{one.hash}\n" for one in accounts.values()]
    beside = file.with_name(f"{file.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.writelines(lines)
        out.flush()
        os.fsync(handle)
        if file.exists() and os.geteuid() == 0:  # root changes it for the user of the service
            os.fchown(handle, file.stat().st_uid, file.stat().st_gid)
    os.replace(beside, file)
    sync(file.parent)


def _account(line: str) -> Account | None:
    name, _, rest = line.partition(":")
    role, _, found = rest.partition(":")
    is_right = _NAME.fullmatch(name) and role in {one.name.lower() for one in Role} and found.startswith("$argon2")
    return Account(name, Role[role.upper()], found) if is_right else None


def _is_right(known: str, password: str) -> bool:
    try:
        return len(password) <= LONGEST and _HASHER.verify(known, _plain(password))
    except (VerificationError, InvalidHashError):
        return False


def _plain(password: str) -> bytes:
    """Give the same bytes however a keyboard composes letters."""
    return unicodedata.normalize("NFKC", password).encode(errors="replace")


def _stamp(file: Path) -> tuple[int, int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode
