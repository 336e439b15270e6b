"""DICOMweb servers that do not keep to the standard: the lake has all their studies, or says that it has not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, redirect_stderr
from dataclasses import dataclass
from datetime import date
from io import StringIO

import pytest

import crawler
from crawler.lake.query import Lake
from crawler.settings import load
from jobs.sweep import SweepRequest, run_sweep
from tests.integration.qido_server import Manner, Server, qido_server

PAGE = 100
MANNERS = {
    "right": Manner(),
    "small_pages": Manner(page_cap=60),
    "tiny_pages": Manner(studies=30, page_cap=2),
    "warns": Manner(page_cap=60, warns=True),
    "no_offset": Manner(page_cap=70, ignores_offset=True),
    "no_offset_warns": Manner(page_cap=70, ignores_offset=True, warns=True),
    "no_pages": Manner(ignores_limit=True, ignores_offset=True),
    "shuffles": Manner(shuffles=True),
    "repeats": Manner(repeats=True),
    "refuses": Manner(refuses_over=40),
    "token": Manner(studies=5, secret="Bearer s3cret"),
    "password": Manner(studies=5, secret="Basic bWU6b3BlbiBzZXNhbWU="),
}
CAPPED = {
    "capped": Manner(studies=1000, page_cap=60, ignores_offset=True, ignores_time=True),
    "one_by_one": Manner(studies=30, page_cap=1, ignores_time=True),
}
"""Days have more than these ever show; no key but days is of use to them."""
WRONG = {
    "secret": (Manner(secret="Bearer other"), "HTTP 401: check pacs.secret.username and password_file, or token_file"),
    "nowhere": (Manner(status=404), "has no search: check pacs.nowhere.url"),
    "elsewhere": (Manner(status=302, headers=(("Location", "/login"),)), "set pacs.elsewhere.url to where it redire"),
    "page": (Manner(body=b"<html>", headers=(("Content-Type", "text/html"),)), "no DICOM JSON: check pacs.page.url"),
    "broken": (Manner(body=b"[{"), "windows not proven"),
    "tokenless": (Manner(), "missing cannot be read: No such file or directory; it should hold the secret"),
}
SECRETS = {
    "token": 'token_file = "token"\n',
    "password": 'username = "me"\npassword_file = "password"\n',
    "tokenless": 'token_file = "missing"\n',
}


@dataclass(frozen=True)
class Swept:
    """What became of one sweep of all servers."""

    code: int
    lake: Lake
    servers: dict[str, Server]
    told: str


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    manners = MANNERS | CAPPED | {name: manner for name, (manner, _) in WRONG.items()}
    folder = tmp_path_factory.mktemp("manners")
    (folder / "token").write_text("s3cret\n")
    (folder / "password").write_text("open sesame\n")
    for name in ("token", "password"):
        (folder / name).chmod(0o600)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(qido_server(manner)) for name, manner in manners.items()}
        file = folder / "pacslake.toml"
        file.write_text(
            '[lake]\npath = "lake"\n'
            + "".join(
                f'[pacs.{name}]\nkind = "dicomweb"\nurl = "{server.url}"\nlevels = ["study"]\npage_rows = {PAGE}\n'
                f"{SECRETS.get(name, '')}"
                for name, server in servers.items()
            )
        )
        with redirect_stderr(StringIO()) as told:
            code = run_sweep(load(file), SweepRequest(date_from=date(2024, 1, 1), date_to=date(2024, 1, 12)))
        with crawler.open_lake(folder / "lake") as lake:
            yield Swept(code, lake, servers, told.getvalue())


@pytest.mark.parametrize("name", MANNERS)
def test_everything_comes(swept: Swept, name: str) -> None:
    assert _studies(swept, name) == MANNERS[name].studies
    assert _open_windows(swept, name) == 0


@pytest.mark.parametrize("name", CAPPED)
def test_what_cannot_be_had_is_not_believed(swept: Swept, name: str) -> None:
    assert _studies(swept, name) < CAPPED[name].studies
    assert _open_windows(swept, name)
    assert swept.code == 3


@pytest.mark.parametrize("name", WRONG)
def test_who_answers_no_search_is_told_of(swept: Swept, name: str) -> None:
    assert _studies(swept, name) == 0
    (line,) = (line for line in swept.told.splitlines() if line.startswith(f"{name}:"))
    assert WRONG[name][1] in line
    assert "s3cret" not in swept.told


def test_a_server_without_pages_is_not_asked_for_ever(swept: Swept) -> None:
    assert {name: len(server.asked) for name, server in swept.servers.items() if len(server.asked) > 500} == {}


def _studies(swept: Swept, name: str) -> int:
    return _number(swept, f"SELECT count(*) FROM studies WHERE pacs = '{name}'")


def _open_windows(swept: Swept, name: str) -> int:
    return _number(swept, f"SELECT count(*) FROM windows WHERE pacs = '{name}' AND state <> 'complete'")


def _number(swept: Swept, sql: str) -> int:
    return int(swept.lake.sql(sql).fetchall()[0][0])
