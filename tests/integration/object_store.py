"""An S3 server on this machine for tests: moto's, in a process of its own, with one bucket.

    python -m tests.integration.object_store

prints its port and serves until standard input ends.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import httpx
import obstore
from obstore.store import S3Store

from tests.acceptance.installed import ENVIRONMENT

ROOT = Path(__file__).parents[2]


class Bucket:
    """A bucket, in which each lake has another prefix."""

    def __init__(self, port: int, name: str = "hospital") -> None:
        self.port = port
        self.name = name
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}")
        self._client.put(f"/{name}").raise_for_status()

    @property
    def endpoint(self) -> str:
        """Give the address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def url(self, prefix: str) -> str:
        """Name a lake."""
        return f"s3://{self.name}/{prefix}"

    def names(self, prefix: str) -> set[str]:
        """List the objects of a lake, by their paths in it."""
        found = obstore.list(self._store, f"{prefix}/").collect()
        return {one["path"].removeprefix(f"{prefix}/") for one in found}

    def remove(self, name: str) -> None:
        """Delete an object behind a lake's back."""
        obstore.delete(self._store, name)

    @cached_property
    def _store(self) -> S3Store:
        return S3Store(self.name, endpoint=self.endpoint, region="us-east-1", client_options={"allow_http": True})


@contextmanager
def serving() -> Iterator[Bucket]:
    """Have a bucket while the block runs, and this process allowed to use it."""
    command, pipe = [sys.executable, "-m", "tests.integration.object_store"], subprocess.PIPE
    os.environ.update({name: ENVIRONMENT[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")})
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Bucket(int(process.stdout.readline()))
        finally:
            process.stdin.close()


def settings_for(folder: Path, bucket: Bucket, prefix: str, more: str = "", port: int | None = None) -> None:
    """Write pacslake.toml of a machine: its working copy is beside the file."""
    folder.mkdir(parents=True, exist_ok=True)
    endpoint = bucket.endpoint if port is None else f"http://127.0.0.1:{port}"
    lake = f'[lake]\npath = "{bucket.url(prefix)}"\ncache = "copy"\nendpoint = "{endpoint}"\nregion = "us-east-1"\n'
    (folder / "pacslake.toml").write_text(lake + more)


def main() -> None:
    """Serve."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
