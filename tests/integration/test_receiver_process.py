"""The process that listens for objects: what it may do, and what is lost when it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from crawler.retrieve import line
from crawler.retrieve.incoming import Arrived
from crawler.retrieve.instance import Instance
from crawler.retrieve.listener import MEMORY
from crawler.retrieve.receiver import Receiver
from tests.integration.sending import CT, EXPLICIT, encoded, in_layout, left_over, receiver, scu

TRIED = """
import os, socket, subprocess, sys
from pathlib import Path
from crawler.retrieve.listener import confined
lake, store, key, port = *map(Path, sys.argv[1:4]), int(sys.argv[4])
heavy = len({"pyarrow", "numpy", "duckdb", "deltalake", "pydicom", "pynetdicom", "structlog"} & set(sys.modules))
from crawler.retrieve.spool import Spool
spool, folder = store / ".incoming", Spool.open(store).opened_again()
confined(folder, [key])
def tried(work):
    try:
        work()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"
def many():
    kept = [os.dup(0) for _ in range(5000)]
def created(name):
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=folder))
print(
    heavy,
    tried(lambda: created("1")),
    tried(lambda: os.unlink("1", dir_fd=folder)),
    tried(lambda: key.read_bytes()),
    tried(lambda: created("2")),
    tried(lambda: os.symlink("/", "3", dir_fd=folder)),
    tried(lambda: os.mkfifo("4", dir_fd=folder)),
    tried(lambda: os.rename("2", store / "2", src_dir_fd=folder)),
    tried(lambda: os.link("2", store / "2", src_dir_fd=folder)),
    tried(lambda: (lake / "log" / "part").read_bytes()),
    tried(lambda: (lake / "log" / "part").write_text("x")),
    tried(lambda: (lake / "log" / "part").unlink()),
    tried(lambda: (lake / "log" / "new").write_text("x")),
    tried(lambda: (lake / "lake.duckdb").write_text("x")),
    tried(lambda: (store / "aa").mkdir()),
    tried(lambda: (store / "received.json").write_text("x")),
    tried(lambda: key.write_text("x")),
    tried(lambda: subprocess.run(["/bin/true"], check=True)),
    tried(lambda: socket.create_connection(("127.0.0.1", port))),
    tried(lambda: socket.create_server(("127.0.0.1", 0))),
    tried(lambda: bytes(1 << 30)),
    tried(many),
)
"""


def test_it_can_fill_the_spool_and_nothing_else(tmp_path: Path) -> None:
    """Neither the lake nor what has its place in the store can be read or changed, whatever bytes have made of it."""
    (tmp_path / "lake" / "log").mkdir(parents=True)
    (tmp_path / "tls").mkdir()
    for name in ("lake/log/part", "lake/lake.duckdb", "tls/key"):
        (tmp_path / name).write_text("x")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    told = [tmp_path / "lake", tmp_path / "store", tmp_path / "tls" / "key", "1"]
    command = [sys.executable, "-c", TRIED, *map(str, told)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    no = "PermissionError"
    heavy = "0"  # it begins in 0.2 s
    expected = [heavy] + ["done"] * 4 + [no] * 15 + ["MemoryError", "OSError"]
    assert done.stdout.split() == expected, done.stderr


def test_what_it_says_and_cannot_be_is_not_believed(tmp_path: Path) -> None:
    """Names of files elsewhere, of others, of none, and of another size end it."""

    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            store, mine = tmp_path / "store", f"{server.pid}-1"
            (store / ".incoming" / mine).write_bytes(b"7 bytes")
            (store / ".incoming" / f"{server.pid}-2").symlink_to("/etc/hostname")
            for name, size in (("../7", 7), ("1-1", 7), (f"{server.pid}-9", 7), (f"{server.pid}-2", 7), (mine, 8)):
                arrived = Arrived(Instance(CT, "1.2.3", EXPLICIT, "SCU"), name, size, "00")
                with pytest.raises(ValueError, match="no "):
                    server._take(line.KEPT, *line.arrived_in_words(arrived))
            for said in (["refused", 1], ["refused", []], ["anything"], ["kept"], ["rejected", 1]):
                with pytest.raises((ValueError, TypeError)):
                    server._take(*said)
            await server.settled()
            assert not rows

    asyncio.run(scenario())


def test_one_that_is_killed_is_begun_anew_within_limits_and_takes_objects_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiver(tmp_path / "store") as (server, rows):
            first = server.pid
            limits = [resource.prlimit(first, one) for one in (resource.RLIMIT_DATA, resource.RLIMIT_NOFILE)]
            assert limits == [(MEMORY, MEMORY), (4096, 4096)]
            (tmp_path / "store" / ".incoming" / f"{first}-77").write_bytes(b"half")
            os.kill(first, signal.SIGKILL)
            await asyncio.to_thread(sent, server.port, ["1.2.3"])  # waits in the meantime
            assert server.pid != first
            await server.settled()
            assert [row["SOPInstanceUID"] for row in rows] == ["1.2.3"]
            assert not left_over(tmp_path / "store")

    with capture_logs() as log:
        asyncio.run(scenario())
    assert [one["exit_code"] for one in log if one["event"] == "receiving objects ended, begins again"] == [-9]


def test_what_was_answered_with_success_is_reported_though_it_is_killed_at_any_moment(tmp_path: Path) -> None:
    drawn = random.Random(7)

    async def killing(server: Receiver, answered: set[str]) -> None:
        for _ in range(2):
            pid, until = server.pid, len(answered) + drawn.randrange(1, 40)
            while len(answered) < until:  # noqa: ASYNC110  # nobody signals it
                await asyncio.sleep(0.001)
            os.kill(pid, signal.SIGKILL)
            while server.pid == pid:  # noqa: ASYNC110  # nor that
                await asyncio.sleep(0.01)

    async def scenario() -> tuple[set[str], set[str]]:
        answered: set[str] = set()
        async with receiver(tmp_path / "store") as (server, rows):
            sending = asyncio.create_task(asyncio.to_thread(sent_while_it_lasts, server.port, uids, answered))
            await killing(server, answered)
            stop.append(True)
            await sending
            await server.settled()
            return answered, {row["SOPInstanceUID"] for row in rows}

    stop: list[bool] = []
    uids = (f"1.2.3.{number}" for number in range(10**6) if not stop)
    answered, reported = asyncio.run(scenario())
    assert answered <= reported
    assert len(in_layout(tmp_path / "store")) == len(reported)
    assert not left_over(tmp_path / "store")


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.store_listener", str(tmp_path / "store"), "1000000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        [child] = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        with scu(port) as sender:
            sender.begin("1.2.3")
            server.kill()
            server.wait()
            with contextlib.suppress(ConnectionResetError):
                assert sender.reader.read(1) in (b"", b"\7")
        began = time.monotonic()
        while re.search(r"State:\s+[^Z]", status(child)):
            assert time.monotonic() - began < 5
            time.sleep(0.01)


def test_a_port_that_a_dying_process_still_has_is_waited_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        taken = socket.create_server(("127.0.0.1", 0))
        asyncio.get_running_loop().call_later(0.2, taken.close)
        async with receiver(tmp_path / "store", port=taken.getsockname()[1]) as (server, _):
            with scu(server.port):
                pass

    asyncio.run(scenario())


def status(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return ""


def sent(port: int, uids: list[str]) -> None:
    with scu(port) as sender:
        assert [sender.store(uid, encoded(uid)) for uid in uids] == [0] * len(uids)


def sent_while_it_lasts(port: int, uids: Iterator[str], answered: set[str]) -> None:
    """Send one after the other, over new associations where one is lost, and note what was answered with success."""
    for uid in uids:
        try:
            with scu(port) as sender:
                for one in itertools.chain([uid], uids):
                    if sender.store(one, encoded(one, 3000)) == 0:
                        answered.add(one)
        except (OSError, struct.error):  # cut off, wherever that was
            continue
