"""`pacslake find` has the same answers as the tools that people know, element by element, from four real servers.

`make test` asks a few queries of every kind, `make compare` all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from crawler.model import Model
from tests.conftest import find_peer
from tests.integration import asking
from tests.integration.asking import Answer, Server, Tool
from tests.integration.files import made_files
from tests.integration.queries import ENTRIES, QUERIES, Asked, a_few
from tests.integration.real_pacs import dcmqrscp, orthanc, qrscp
from tests.integration.worklists import AE_TITLE, wlmscpfs

ALL = os.environ.get("PACSLAKE_COMPARE") == "all"
ASKED = QUERIES if ALL else a_few()
SERVERS = ("Orthanc", "dcmqrscp", "qrscp", "wlmscpfs")
_ROOTS = frozenset((Model.STUDY_ROOT, Model.PATIENT_ROOT))


@contextmanager
def serving(name: str, folder: Path, find: Callable[[str], Path]) -> Iterator[Server]:
    """Run one of the servers, filled."""
    (folder / "files").mkdir()
    (folder / "server").mkdir()
    files, place = made_files(folder / "files"), folder / "server"
    if name == "Orthanc":
        with orthanc(find_peer("Orthanc", "orthanc"), place, files) as port:
            yield Server(name, port, "ORTHANC", _ROOTS)
    elif name == "dcmqrscp":
        with dcmqrscp(find(name), find("dcmqridx"), place, files) as port:
            yield Server(name, port, "DCMQRSCP", _ROOTS | {Model.PATIENT_STUDY_ONLY})
    elif name == "qrscp":  # an instance of each series: it answers with a row for each instance
        with qrscp(find("storescu"), place, files[::3]) as port:
            yield Server(name, port, "QRSCP", _ROOTS | {Model.WORKLIST})
    else:
        with wlmscpfs(find(name), place) as worklist:
            worklist.put(*ENTRIES)
            yield Server(name, worklist.port, AE_TITLE, frozenset((Model.WORKLIST,)))


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, dcmtk_tool: Callable[[str], Path]
) -> Iterator[Server]:
    with serving(request.param, tmp_path_factory.mktemp(request.param), dcmtk_tool) as server:
        yield server


def answers(server: Server, folder: Path, dcmtk_tool: Callable[[str], Path]) -> dict[str, dict[Asked, Answer | None]]:
    """Ask a server everything that it can be asked, with every tool that can ask it, all tools at once."""
    queries = [asked for asked in ASKED if asked.model in server.models]
    if server.name == "qrscp" and not ALL:  # a fifth of a second a query, for each tool
        queries = queries[::3]
    tools: dict[str, Tool] = {
        "pacslake": asking.pacslake,
        "findscu": partial(asking.findscu, dcmtk_tool("findscu")),
        "pynetdicom": asking.pynetdicom,
        "odil": partial(asking.odil, find_peer("odil", "odil")),
    }

    def ask(name: str) -> dict[Asked, Answer | None]:
        (folder / name).mkdir()
        can = [asked for asked in queries if name != "odil" or asking.odil_can(asked)]
        return dict(zip(can, tools[name](server, can, folder / name), strict=True))

    with ThreadPoolExecutor() as threads:
        return dict(zip(tools, threads.map(ask, tools), strict=True))


def differences(found: Mapping[str, Mapping[Asked, Answer | None]], ours: str) -> Iterator[str]:
    """Say where another tool's answer is not ours."""
    for asked, answer in found[ours].items():
        for tool, theirs in found.items():
            other = theirs.get(asked)
            if other is not None and other != answer:
                yield f"{tool}: {asked.name}: {other} is not {answer}"


def test_every_tool_gets_the_same_answer(server: Server, tmp_path: Path, dcmtk_tool: Callable[[str], Path]) -> None:
    found = answers(server, tmp_path, dcmtk_tool)
    assert list(differences(found, "pacslake")) == []
    assert any(found["pacslake"].values())
