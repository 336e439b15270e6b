"""Ask a server by the tools that people use, and bring what they say into one form. Touches: network, disk, processes.

An answer is a set of rows; a row is its elements, by tag, as values that compare: see `elements_of`.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from crawler.model import Model
from tests.integration.queries import Asked

Values = tuple[str | float, ...]
Row = dict[str, Values]
Answer = list[Row]

_CALLS = Path(__file__).with_name("calls_in_one.py")
_SCRIPTS = Path(sys.executable).parent
_LINE = re.compile(r"[^,]* +([0-9a-f]{4}),([0-9a-f]{4}) ([A-Z]{2}) (\[.*\])")
"""An element as odil prints it."""
_LETTERS = {
    Model.STUDY_ROOT: "-S",
    Model.PATIENT_ROOT: "-P",
    Model.PATIENT_STUDY_ONLY: "-O",
    Model.WORKLIST: "-W",
}
_OPTIONS = {model: f"--{model.value.replace('_', '-')}" for model in Model} | {
    Model.PATIENT_STUDY_ONLY: "--patient-study-only"
}
_NUMBERS = {"DS", "IS", "FL", "FD", "SL", "SS", "UL", "US"}


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to ask, and in which models it answers."""

    name: str
    port: int
    ae_title: str
    models: frozenset[Model]
    calling: str = "PACSLAKE"


Tool = Callable[[Server, Sequence[Asked], Path], list[Answer | None]]
"""Asks so many queries, with a folder of its own; gives an answer for each, None where it gives up."""


def elements_of(dataset: Dataset) -> Row:
    """Give a dataset's elements by tag path: numbers as such, other values as text, without padding.

    Bytes beyond ASCII of which no character set is declared mean nothing (PS3.5 6.1), whatever a tool makes of them.
    """
    found = _elements(dataset, "")
    return found if dataset.get("SpecificCharacterSet") else {path: _as_ascii(values) for path, values in found.items()}


def _as_ascii(values: Values) -> Values:
    return tuple(one if isinstance(one, float) else re.sub("[^\0-\x7f]", "\ufffd", one) for one in values)


def _elements(dataset: Dataset, above: str) -> Row:
    found: Row = {}
    for element in dataset:
        path = f"{above}{element.tag:08X}"
        if element.VR == "SQ":
            found[path] = (float(len(element.value)),)
            for number, item in enumerate(element.value):
                found |= _elements(item, f"{path}[{number}].")
        elif element.tag.element != 0:
            many = element.value if element.VM > 1 else [element.value] if element.VM else []
            found[path] = _values(element.VR, [str(one) for one in many])
    return found


def _values(vr: str, texts: Sequence[str]) -> Values:
    texts = [text.strip(" \0") for text in texts]
    if not any(texts):
        return ()
    return tuple(float(text) if vr in _NUMBERS and text else text for text in texts)


def sorted_rows(rows: Iterator[Row]) -> Answer:
    """Bring rows into an order of their own, as no PACS has to keep one."""
    return sorted(rows, key=lambda row: sorted(row.items()))


def findscu(program: Path, server: Server, queries: Sequence[Asked], folder: Path) -> list[Answer | None]:
    """Ask with DCMTK's findscu, which writes a file for each response."""

    def ask(number: int, asked: Asked) -> Answer | None:
        place = folder / str(number)
        place.mkdir()
        command = [str(program), "-X", "-od", str(place), _LETTERS[asked.model], "-aet", server.calling]
        command += ["-aec", server.ae_title, *_dash_k(asked), "127.0.0.1", str(server.port)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return _files(place)

    with ThreadPoolExecutor(3) as threads:
        return list(threads.map(ask, range(len(queries)), queries))


def pynetdicom(server: Server, queries: Sequence[Asked], folder: Path) -> list[Answer | None]:
    """Ask with pynetdicom's findscu, which writes a file for each response."""
    places = [folder / str(number) for number in range(len(queries))]
    arguments = []
    for place, asked in zip(places, queries, strict=True):
        place.mkdir()
        to = ["-aet", server.calling, "-aec", server.ae_title, "127.0.0.1", str(server.port)]
        arguments.append(["-q", "-w", _LETTERS[asked.model], *_dash_k(asked), *to])
    ended = _many(sys.executable, _SCRIPTS / "findscu", places, arguments)
    assert not any(code for code, _ in ended), ended
    return [_files(place) for place in places]


def odil(program: Path, server: Server, queries: Sequence[Asked], folder: Path) -> list[Answer | None]:
    """Ask with odil, which prints what comes; None where it gives up, as on text that the PACS declares wrongly."""
    arguments = []
    for asked in queries:
        to = ["127.0.0.1", str(server.port), server.calling, server.ae_title]
        arguments.append(["find", *to, asked.model.value, *_keys(asked)])
    printed = _many("/usr/bin/python3", program, [folder] * len(queries), arguments)
    return [None if code else sorted_rows(_odil_rows(text)) for code, text in printed]


def odil_can(asked: Asked) -> bool:
    """Whether odil can ask that: it knows two models, and no key in a sequence."""
    return asked.model in (Model.STUDY_ROOT, Model.PATIENT_ROOT) and not asked.nests


def pacslake(server: Server, queries: Sequence[Asked], folder: Path) -> list[Answer | None]:
    """Ask with our own command. Where nothing but a failure came it prints nothing, and its exit code says so."""
    arguments = []
    for asked in queries:
        level = ["--level", asked.level.lower()] if asked.level else []
        to = [f"{server.ae_title}@127.0.0.1:{server.port}", "--aet", server.calling]
        arguments.append(["find", *to, _OPTIONS[asked.model], *level, "--format", "json", *asked.keys])
    printed = _many(sys.executable, _SCRIPTS / "pacslake", [folder] * len(queries), arguments)
    found = [json.loads(text) if code == 0 else json.loads(text or "[]") for code, text in printed]
    return [sorted_rows(map(elements_of, map(Dataset.from_json, rows))) for rows in found]


def _keys(asked: Asked) -> list[str]:
    """Give keys with the level among them, for tools that do not add it."""
    return [*([f"QueryRetrieveLevel={asked.level}"] if asked.level else []), *asked.keys]


def _dash_k(asked: Asked) -> list[str]:
    """Give options as both programs of the name findscu know them, with the index of an item."""
    keys = []
    for key in _keys(asked):
        path, equals, value = key.partition("=")
        keys += ["-k", f"{path.replace('.', '[0].')}{equals}{value}"]
    return keys


def _many(python: str, program: Path, folders: Sequence[Path], arguments: Sequence[list[str]]) -> list[tuple[int, str]]:
    """Run a Python program so often; give its exit codes and what it printed."""
    calls = json.dumps([[str(folder), one] for folder, one in zip(folders, arguments, strict=True)])
    done = subprocess.run([python, _CALLS, program], input=calls, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [(code, text) for code, text in json.loads(done.stdout)]


def _files(folder: Path) -> Answer:
    return sorted_rows(elements_of(dcmread(path)) for path in folder.glob("*.dcm"))


def _odil_rows(printed: str) -> Iterator[Row]:
    lines = printed.splitlines()[1:]
    for is_row, group in groupby(lines, key=bool):
        if is_row:
            found: Row = {}
            for line in group:
                match = _LINE.fullmatch(line)
                assert match, line
                values = ast.literal_eval(match[4])
                found[f"{match[1]}{match[2]}".upper()] = _values(match[3], [str(one) for one in values])
            yield found
