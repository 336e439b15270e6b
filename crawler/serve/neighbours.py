"""Whose a connection from this machine is, and whose a port: the kernel knows the user. Touches: disk (/proc)."""

from __future__ import annotations

import pwd
import socket
import sys
from contextlib import suppress
from pathlib import Path

_LISTENING = "0A"
_ESTABLISHED = "01"
"""Others have no process any more, and show the user 0."""


def owner_of(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """Give the user id of whoever is connected to us from this address; None where the kernel does not tell."""
    table = Path("/proc/self/net/tcp6" if ":" in client[0] else "/proc/self/net/tcp")
    wanted = [_written(client), _written(server), _ESTABLISHED]
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return None
    return next((int(parts[7]) for parts in map(str.split, lines) if parts[1:4] == wanted), None)


def listener_of(port: int) -> int | None:
    """Give the user id of whoever listens at this port of this machine; None where nobody does, or nobody tells."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for parts in map(str.split, Path(f"/proc/self/net/{table}").read_text().splitlines()):
                if parts[3] == _LISTENING and parts[1].endswith(f":{port:04X}"):
                    return int(parts[7])
    return None


def name_of(user: int) -> str:
    """Give the name of a user of this machine."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"


def _written(address: tuple[str, int]) -> str:
    """Write an address as the kernel does: words of four bytes, each as a number of this machine."""
    host, port = address
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    words = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return f"{''.join(f'{word:08X}' for word in words)}:{port:04X}"
