"""A PostgreSQL of the tests' own, and services that share their jobs by it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_QUICK = ("fsync=off", "synchronous_commit=off", "shared_buffers=16MB", "listen_addresses=")


class Cluster:
    """A server on a socket in a folder of its own. It refuses to run as root, so that another user does it there."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._user = None
        if os.geteuid() == 0:
            self._user = pwd.getpwnam("nobody")
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "--no-sync", "--no-locale", "--username=pacslake", "--auth=trust", "--pgdata=data")
        rules = folder / "data/pg_hba.conf"
        rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            check=True,
            user=self._user.pw_uid if self._user else None,
            group=self._user.pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
        )

    def start(self) -> None:
        options = " ".join(f"-c {option}" for option in (*_QUICK, f"unix_socket_directories={self._folder}"))
        self._run("pg_ctl", "start", "--wait", "--silent", "--pgdata=data", "--log=log", f"--options={options}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--silent", "--mode=immediate", "--pgdata=data")

    def url(self, database: str) -> str:
        return f"postgresql://pacslake@/{database}?host={self._folder}"

    def new_database(self, name: str) -> str:
        """Make an empty database and give its address."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)


@contextmanager
def cluster(programs: Path) -> Iterator[Cluster]:
    """Run a server until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # pytest's own folders are closed to other users
    folder.chmod(0o755)
    try:
        found = Cluster(programs, folder)
        found.start()
        try:
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(folder)
