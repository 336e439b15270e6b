"""OpenSSL as one who speaks TLS, with this or that wrong about it. Touches: network, processes."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.authority import Issued
from tests.integration.real_pacs import free_port, wait_for

OLD = ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
"""TLS 1.1 and nothing newer."""


def asking(ca: Path) -> tuple[str, ...]:
    """Have a certificate asked for that this CA signed."""
    return "-Verify", "1", "-CAfile", str(ca), "-verify_return_error"


async def openssl_calls(port: int, *options: str) -> None:
    """Call by TLS, say nothing, and go."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]
    nowhere = subprocess.DEVNULL
    client = await asyncio.create_subprocess_exec(*command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    await client.wait()


@contextmanager
def openssl_server(shown: Issued, *options: str) -> Iterator[int]:
    """Answer TLS, and no DICOM; give the port."""
    port = free_port()
    files = ["-cert", str(shown.certificate), "-key", str(shown.key)]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", *files, *options]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere) as server:
        try:
            wait_for(port)
            yield port
        finally:
            server.terminate()
