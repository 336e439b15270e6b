"""Tell systemd how the service is (sd_notify(3)): a datagram with a few words. Touches: network, clock."""

from __future__ import annotations

import socket
import time
from contextlib import suppress


class Notifier:
    """Speaks to the socket that systemd names; without one it says nothing."""

    def __init__(self, address: str | None) -> None:
        self._address = address.replace("@", "\0", 1) if address and address[0] == "@" else address

    def ready(self) -> None:
        """Say that the service works, after its start and after reloading."""
        self._say("READY=1")

    def reloading(self) -> None:
        """Say that the settings are being read anew; `ready` must follow."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service is on its way out."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Say that nothing hangs, which the watchdog wants to hear again and again."""
        self._say("WATCHDOG=1")

    def status(self, sentence: str) -> None:
        """Give the line that `systemctl status` shows."""
        self._say(f"STATUS={sentence}")

    def _say(self, *lines: str) -> None:
        if self._address:
            # A service that cannot be heard goes on: it is the watchdog's business to wonder.
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.sendto("\n".join(lines).encode(), self._address)
