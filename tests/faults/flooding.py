"""Floods a port of this machine from 127.0.0.2: a script, so that it has a processor of its own. Prints how many came.

Usage: python -m tests.faults.flooding PORT SECONDS WHAT, where WHAT is sent on each connection, in hexadecimal. What
comes back is never read; each connection stays open until its place is needed for another one.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress

A_SECOND = 10_000
_OPEN = 500


def flood(port: int, seconds: float, what: bytes) -> int:
    """Connect as often as wanted, or as can be; give how many connections there were."""
    began = time.monotonic()
    held: list[socket.socket | None] = [None] * _OPEN
    count = 0
    while (passed := time.monotonic() - began) < seconds:
        if count > passed * A_SECOND:
            time.sleep(0.001)
            continue
        one = socket.socket()
        one.setblocking(False)
        one.bind(("127.0.0.2", 0))
        with suppress(OSError):  # in progress, or refused
            one.connect(("127.0.0.1", port))
        with suppress(OSError):
            one.send(what)
        if (old := held[count % _OPEN]) is not None:
            old.close()
        held[count % _OPEN] = one
        count += 1
    return count


if __name__ == "__main__":
    print(flood(int(sys.argv[1]), float(sys.argv[2]), bytes.fromhex(sys.argv[3])))
