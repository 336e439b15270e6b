"""Start Orthanc, DCMTK's dcmqrscp and pynetdicom's qrscp on loopback, filled. Touches: network, disk, processes."""

from __future__ import annotations

import atexit
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def kept_port() -> Iterator[int]:
    """Give a port to listen on, as often as one likes while the block runs.

    It stays bound here, and at all addresses, so that nobody else is given it, not even for the near end of a
    connection from 127.0.0.2: listening on it would then fail. Who listens must use SO_REUSEADDR, as nearly everybody
    does.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", 0))
        yield holder.getsockname()[1]


_KEPT = ExitStack()
atexit.register(_KEPT.close)


def free_port() -> int:
    """Give a port that is kept as long as this process lives."""
    return _KEPT.enter_context(kept_port())


@contextmanager
def orthanc(binary: Path, folder: Path, files: Sequence[Path], **settings: object) -> Iterator[int]:
    """Run Orthanc with these files, stored over its REST interface; give its DICOM port. Its AE title is ORTHANC."""
    with orthanc_process(binary, folder, files, **settings) as (port, _):
        yield port


@contextmanager
def orthanc_process(
    binary: Path, folder: Path, files: Sequence[Path], **settings: object
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Do the same, and give the process too."""
    port, http = (int(str(settings.get(key, free_port()))) for key in ("DicomPort", "HttpPort"))
    configuration = {
        "DicomPort": port,
        "HttpPort": http,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DefaultEncoding": "Utf8",
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowEcho": True,
        "RemoteAccessAllowed": False,
        **settings,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    with subprocess.Popen([binary, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(http)
            for file in files:
                request = urllib.request.Request(f"http://127.0.0.1:{http}/instances", file.read_bytes(), method="POST")
                urllib.request.urlopen(request).close()
            wait_for(port)
            yield port, server
        finally:
            server.terminate()


@contextmanager
def dcmqrscp(
    binary: Path, indexer: Path, folder: Path, files: Sequence[Path], destinations: Mapping[str, int] | None = None
) -> Iterator[int]:
    """Run dcmqrscp with these files, registered in place; give its port. Its AE title is DCMQRSCP.

    `destinations` are ports on loopback by AE title, to which it may be asked to send.
    """
    port, storage = free_port(), folder / "storage"
    storage.mkdir()
    copies = [shutil.copy(file, storage / f"{number}.dcm") for number, file in enumerate(files)]
    subprocess.run([indexer, str(storage), *copies], check=True, capture_output=True)
    path = folder / "dcmqrscp.cfg"
    hosts = "".join(f"{ae_title} = ({ae_title}, 127.0.0.1, {at})\n" for ae_title, at in (destinations or {}).items())
    path.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{hosts}HostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQRSCP {storage} RW (1000, 1024mb) ANY\nAETable END\n"
    )
    with subprocess.Popen([binary, "-c", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            yield port
        finally:
            server.terminate()


@contextmanager
def qrscp(sender: Path, folder: Path, files: Sequence[Path]) -> Iterator[int]:
    """Run pynetdicom's qrscp, to which storescu sends these files; give its port. Its AE title is QRSCP."""
    port, path = free_port(), folder / "qrscp.ini"
    settings = {
        "ae_title": "QRSCP",
        "port": port,
        "max_pdu": 16382,
        **dict.fromkeys(("acse_timeout", "dimse_timeout", "network_timeout"), 30),
        "bind_address": "127.0.0.1",
        "instance_location": folder / "storage",
        "database_location": folder / "instances.sqlite",
        "log_identifier": False,
    }
    path.write_text("[DEFAULT]\n" + "".join(f"{name}: {value}\n" for name, value in settings.items()))
    command = [sys.executable, "-m", "pynetdicom", "qrscp", "-q", "-c", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            subprocess.run([sender, "-aec", "QRSCP", "127.0.0.1", str(port), *files], check=True, capture_output=True)
            yield port
        finally:
            server.terminate()


def wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")
