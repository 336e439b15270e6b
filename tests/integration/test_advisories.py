"""Known vulnerabilities fail the check, and nobody to ask is said aloud. A server here speaks as OSV."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.integration.real_pacs import free_port

LOCK = """click==8.1.7 \\
    --hash=sha256:ab
httpx==0.28.1 ; python_version < '4' \\
    --hash=sha256:cd
    # via pacslake
"""


class Osv(BaseHTTPRequestHandler):
    vulnerable = ""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        assert [(one["package"]["ecosystem"], one["version"]) for one in asked] == [
            ("PyPI", "8.1.7"),
            ("PyPI", "0.28.1"),
        ]
        found = [{"vulns": [{"id": "PYSEC-1"}]} if one["package"]["name"] == self.vulnerable else {} for one in asked]
        answer = json.dumps({"results": found}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def osv() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Osv) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/querybatch"
        server.shutdown()


def asked(folder: Path, url: str) -> tuple[int, str, str]:
    (folder / "some.lock").write_text(LOCK)
    environment = {**os.environ, "PACSLAKE_ADVISORIES": url, "no_proxy": "*"}
    command = [sys.executable, "-m", "tests.advisories", str(folder / "some.lock")]
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("vulnerable", "code"), [("", 0), ("httpx", 1)])
def test_a_known_vulnerability_fails(tmp_path: Path, osv: str, vulnerable: str, code: int) -> None:
    Osv.vulnerable = vulnerable
    told = asked(tmp_path, osv)
    if vulnerable:
        sentence = "httpx 0.28.1 is vulnerable: PYSEC-1 (https://osv.dev). Type: make lock\n"
        assert told == (1, "", sentence)
    else:
        assert told == (0, f"No known vulnerability in the 2 packages of {tmp_path}/some.lock.\n", "")


def test_who_cannot_be_asked_is_named_aloud(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    code, out, err = asked(tmp_path, url)
    assert (code, out) == (0, "")
    assert err.startswith(f"NOT ASKED: {url} did not answer (")
