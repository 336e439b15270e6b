"""The lake answers the table of queries as those do from whom it was swept, but where it is written why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import pytest

from crawler.model import Model
from jobs.cli import main
from tests.conftest import find_peer
from tests.integration.asking import Answer, Server, Tool, findscu, odil, odil_can, pynetdicom
from tests.integration.files import made_files
from tests.integration.finding import answering
from tests.integration.queries import ENTRIES, QUERIES, Asked, a_few
from tests.integration.real_pacs import orthanc
from tests.integration.worklists import AE_TITLE, wlmscpfs

OF_IMAGES = frozenset((Model.STUDY_ROOT, Model.PATIENT_ROOT))


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, orthanc_binary: Path, dcmtk_tool: Callable[[str], Path]
) -> Iterator[list[Server]]:
    """Run both, sweep them, and let the lake answer: it, Orthanc and wlmscpfs."""
    folder = tmp_path_factory.mktemp("table")
    for name in ("files", "orthanc", "worklist"):
        (folder / name).mkdir()
    with (
        orthanc(orthanc_binary, folder / "orthanc", made_files(folder / "files")) as pacs,
        wlmscpfs(dcmtk_tool("wlmscpfs"), folder / "worklist") as ris,
    ):
        ris.put(*ENTRIES)
        file = folder / "pacslake.toml"
        section = '[pacs.{}]\nhost = "127.0.0.1"\nport = {}\nae_title = "{}"\n{}'
        main_pacs = section.format("main", pacs, "ORTHANC", 'levels = ["study", "series", "image"]\n')
        worklist = section.format("ris", ris.port, AE_TITLE, 'model = "worklist"\n')
        file.write_text(f'[lake]\npath = "lake"\n{main_pacs}{worklist}')
        assert main(["sweep", "main", "--config", str(file)]) == 0
        assert main(["sweep", "ris", "--config", str(file), "--from", "2026-02-25", "--to", "2026-03-10"]) in (0, 3)
        with answering(folder / "lake", {"main": "ORTHANC", "ris": AE_TITLE}) as port:
            yield [
                Server("lake", port, "PACSLAKE", OF_IMAGES | {Model.WORKLIST}),
                Server("Orthanc", pacs, "ORTHANC", OF_IMAGES),
                Server("wlmscpfs", ris.port, AE_TITLE, frozenset((Model.WORKLIST,))),
            ]


WHY = {
    "study STUDY: StudyInstanceUID; ModalitiesInStudy; SOPClassesInStudy; PatientBirthDate; PatientSex": "no column",
    "study STUDY: StudyTime=-093000; StudyInstanceUID": "a study without a time, and what -093000 includes",
    "study SERIES: Modality=MR; SeriesInstanceUID; StudyInstanceUID": "a relational query that was not negotiated",
}
"""Queries that Orthanc answers otherwise; docs/find-scp.md says which is right."""


def test_the_lake_says_what_those_say_from_whom_it_knows(servers: list[Server], tmp_path: Path) -> None:
    lake, *others = servers
    for other in others:
        queries = [asked for asked in QUERIES if asked.model in other.models]
        ours, theirs = (asked_by(pynetdicom, server, queries, tmp_path) for server in (lake, other))
        differing = {name_of(asked) for asked, a, b in zip(queries, ours, theirs, strict=True) if plain(a) != plain(b)}
        assert differing == (set(WHY) if other.name == "Orthanc" else set())


def test_all_tools_read_the_same_answers(
    servers: list[Server], tmp_path: Path, dcmtk_tool: Callable[[str], Path]
) -> None:
    lake = servers[0]
    queries = a_few()
    answers = asked_by(pynetdicom, lake, queries, tmp_path)
    assert asked_by(partial(findscu, dcmtk_tool("findscu")), lake, queries, tmp_path) == answers
    can = [(asked, answer) for asked, answer in zip(queries, answers, strict=True) if odil_can(asked)]
    assert asked_by(partial(odil, find_peer("odil", "odil")), lake, [asked for asked, _ in can], tmp_path) == [
        one for _, one in can
    ]


def asked_by(tool: Tool, server: Server, queries: Sequence[Asked], folder: Path) -> list[Answer | None]:
    return tool(server, queries, Path(mkdtemp(dir=folder)))


def name_of(asked: Asked) -> str:
    return f"{asked.model.value} {asked.level}: {'; '.join(asked.keys)}"


def plain(answer: Answer | None) -> Answer:
    """Leave out the character set, and to which precision a time is written, which the lake does not keep."""
    rows = []
    for row in answer or ():
        kept = {tag: values for tag, values in row.items() if tag != "00080005"}
        for tag in kept.keys() & {"00080030", "00080031"}:
            kept[tag] = tuple(str(value).ljust(6, "0") for value in kept[tag])
        rows.append(kept)
    return rows
