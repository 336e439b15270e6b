"""Which files of some studies, series or instances are in the store, and what else the lake knows of. Touches: disk."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import unpack

import duckdb

from crawler.errors import LakeError
from crawler.lake.catalog import OWN_PLACE
from crawler.lake.query import Lake
from crawler.lake.schema import quoted

_META = 144
"""Where those elements of file meta information begin that its group length counts (PS3.10 7.1)."""
_KINDS = f"SELECT SOPClassUID, transfer_syntax FROM files WHERE {OWN_PLACE} GROUP BY ALL ORDER BY count(*) DESC, 1, 2"

_FILES = f"SELECT SOPClassUID, SOPInstanceUID, transfer_syntax, path FROM files WHERE {OWN_PLACE}"
_KNOWN = "SELECT DISTINCT SOPInstanceUID FROM instances"


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One file of the store."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    path: Path

    def fragments(self, size: int) -> Iterator[bytes]:
        """Give its dataset in pieces. OSError where the file is not there or ends too early."""
        with self.path.open("rb") as file:
            head = file.read(_META)
            if len(head) < _META or head[128:132] != b"DICM":
                raise OSError("no DICOM file")
            file.seek(_META + unpack("<I", head[140:144])[0])
            while fragment := file.read(size):
                yield fragment


@dataclass(frozen=True, slots=True)
class Holding:
    """What there is of what was asked for."""

    here: Sequence[StoredInstance]
    missing: Sequence[str]
    """SOP Instance UIDs that the lake knows of and the store does not have."""
    unnamed: int
    """So many more there must be by the PACS's counts."""


def kinds_here(lake: Lake) -> Mapping[str, Sequence[str]]:
    """Give the transfer syntaxes of each SOP class in the store, the most frequent first."""
    found: dict[str, list[str]] = {}
    with lake.connection.cursor() as cursor:
        for sop_class, syntax in cursor.execute(_KINDS).fetchall():
            found.setdefault(sop_class, []).append(syntax)
    return found


def holding(lake: Lake, store: Path, wanted: Mapping[str, Sequence[str]], pacs: Collection[str]) -> Holding:
    """Look up what of these PACS has these values, of PatientID and UIDs of study, series and instance. LakeError."""
    where, parameters = condition_of(wanted, pacs)
    with lake.connection.cursor() as cursor:
        try:
            rows = cursor.execute(f"{_FILES} AND {where} ORDER BY SeriesInstanceUID, InstanceNumber", parameters)
            here = {uid: StoredInstance(kind, uid, syntax, store / path) for kind, uid, syntax, path in rows.fetchall()}
            known = cursor.execute(f"{_KNOWN} WHERE {where}", parameters).fetchall()
            counted = 0 if "SOPInstanceUID" in wanted else _counted(cursor, where, parameters)
        except duckdb.Error as error:
            raise LakeError("the lake cannot answer now") from error
    missing = sorted({uid for (uid,) in known} - here.keys())
    return Holding(list(here.values()), missing, max(0, counted - len(here) - len(missing)))


def _counted(cursor: duckdb.DuckDBPyConnection, where: str, parameters: list[str]) -> int:
    """Give how many instances series have by the PACS's counts, each counted once."""
    each = f"SELECT max(NumberOfSeriesRelatedInstances) AS n FROM series WHERE {where} GROUP BY SeriesInstanceUID"
    [(count,)] = cursor.execute(f"SELECT coalesce(sum(n), 0)::BIGINT FROM ({each})", parameters).fetchall()
    return int(count)


def condition_of(wanted: Mapping[str, Sequence[str]], pacs: Collection[str]) -> tuple[str, list[str]]:
    """Give the condition for rows of these values at these PACS, in tables of series, instances or files.

    Its parameters come with it.
    """
    among = {"pacs": list(pacs), **{name: values for name, values in wanted.items() if name != "PatientID"}}
    where = " AND ".join(_among(name, values) for name, values in among.items())
    parameters = [value for values in among.values() for value in values]
    if patients := wanted.get("PatientID"):
        shown = f"{_among('PatientID', patients)} AND {_among('pacs', list(pacs))}"
        where += f" AND StudyInstanceUID IN (SELECT StudyInstanceUID FROM studies WHERE {shown})"
        parameters += [*patients, *pacs]
    return where, parameters


def _among(name: str, values: Sequence[str]) -> str:
    return f"{quoted(name)} IN ({', '.join('?' * len(values))})" if values else "FALSE"
