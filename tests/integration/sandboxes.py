"""What tests of the processes that answer SQL share: a lake whose every value that identifies somebody is known."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from crawler.attributes import Told, resolve
from crawler.columns import Attribute, Phi, schema
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.serve.sql.client import Answer, Limits, Sandbox

SECRET = "Planted^Patient"
"""Stands in every text that a column marked as identifying holds."""
SECRET_DAY = date(1911, 11, 11)
SECRETS = ("Planted", "1911-11-11", "1911, 11, 11", "11:11:11", "11, 11, 11", "4711")

ADDED = (
    resolve(Told("PatientComments", phi=Phi.DIRECT), Level.STUDY),
    resolve(Told("AdmittingDate", phi=Phi.QUASI), Level.STUDY),
    resolve(Told("BodyPartExamined", name="part", phi=Phi.NONE), Level.STUDY),
)

T = TypeVar("T")


def planted_lake(path: Path) -> None:
    """Make a lake with rows at every level, one of them changed since, and a reject."""
    with LakeWriter.open(path) as writer:
        for level in Level:
            added = ADDED if level is Level.STUDY else ()
            rows = [_row(level, added, key) for key in ("1", "2", "3")]
            writer.stage(level, "main", "s1", _table(level, added, rows))
        writer.commit()
        changed = _row(Level.STUDY, ADDED, "2") | {"NumberOfStudyRelatedSeries": 8}
        reject = _row(Level.STUDY, ADDED, "4") | {"StudyInstanceUID": None}
        writer.stage(Level.STUDY, "main", "s2", _table(Level.STUDY, ADDED, [changed, reject]))
        writer.commit()


def _table(level: Level, added: tuple[Attribute, ...], rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema(level, added))


def _row(level: Level, added: tuple[Attribute, ...], key: str) -> dict[str, Any]:
    row = {field.name: _value(field, key) for field in schema(level, added)}
    raw = [{"tag": "00100010", "value": SECRET.encode()}]
    return row | {"faults": [{"tag": "00080020", "reason": "malformed DA"}], "raw": raw}


def _value(field: pa.Field, key: str) -> Any:
    """Give a value that is planted where the column is marked, and dull where it is not."""
    if pa.types.is_list(field.type):
        return [_value(field.with_type(field.type.value_type), key)]
    planted = field.metadata[b"phi"] != b"none"
    values: dict[pa.DataType, tuple[Any, Any]] = {
        pa.string(): (f"{SECRET} {key}", "dull"),
        pa.int64(): (4711, 7),
        pa.float64(): (4711.25, 7.5),
        pa.date32(): (SECRET_DAY, date(2024, 1, 1)),
        pa.time64("us"): (time(11, 11, 11), time(1)),
        pa.timestamp("us"): (datetime(1911, 11, 11, 11, 11, 11), datetime(2024, 1, 1)),
    }
    return values.get(field.type, (None, None))[0 if planted else 1]


def statements(name: str) -> list[str]:
    """Read the statements of a file beside this one; each is a line."""
    lines = Path(__file__).with_name(name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("--")]


class Asker:
    """A sandbox and the event loop that it lives in, for tests that are no coroutines."""

    def __init__(self, lake: Path, limits: Limits | None = None) -> None:
        self._others = _children()
        self._runner = asyncio.Runner()
        self.sandbox = self._runner.run(_sandbox(lake, limits))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in its loop."""
        return self._runner.run(work)

    def ask(self, sql: str, *, phi: bool = True, **more: Any) -> Answer:
        """Ask it."""
        return self._runner.run(self.sandbox.ask(sql, phi=phi, **more))

    def rows(self, sql: str, *, phi: bool = True, **more: Any) -> list[tuple[Any, ...]]:
        """Ask it for rows."""
        return [tuple(row.values()) for row in self.ask(sql, phi=phi, **more).table.to_pylist()]

    def export(self, sql: str, kind: str, *, phi: bool = True) -> bytes:
        """Let it write a file."""

        async def whole() -> bytes:
            return b"".join([piece async for piece in self.sandbox.export(sql, kind, phi=phi)])

        return self._runner.run(whole())

    def processes(self) -> list[int]:
        """Give the ids of its processes: those below this one that were not there before it."""
        return [process for process in _children() if process not in self._others]

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self.sandbox.close())
        self._runner.close()


async def _sandbox(lake: Path, limits: Limits | None) -> Sandbox:
    return Sandbox(lake, limits)


def _children() -> list[int]:
    listed = [one for task in Path("/proc/self/task").iterdir() for one in _told(task / "children").split()]
    return [
        int(process) for process in listed if "crawler.serve.sql.process" in _told(Path(f"/proc/{process}/cmdline"))
    ]


def _told(path: Path) -> str:
    """Give what the kernel tells of a thread or a process; nothing where it has ended meanwhile."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
