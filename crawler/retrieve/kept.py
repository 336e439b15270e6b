"""What a lake knows of retrieval: which instances are here, how far each series is. Touches: disk.

Read from `lake.duckdb` alone. An instance is here when `files` has it at its own place in the store; other bytes of it
that came later lie beside and do not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from crawler.lake.catalog import OWN_PLACE, literal, open_catalog
from crawler.retrieve.state import Retrieval, State

_INSTANCES = f"""SELECT SeriesInstanceUID, list(DISTINCT SOPInstanceUID) FROM files
    WHERE SeriesInstanceUID IN ({{series}}) AND {OWN_PLACE} GROUP BY ALL"""
_STATES = """SELECT pacs, StudyInstanceUID, SeriesInstanceUID, cohort, version, state, reason, way, level, requests,
    expected_instances, received_instances, status, completed, failed, warning, remaining, failed_instances, changed_at
    FROM retrievals WHERE SeriesInstanceUID IN ({series})"""


def instances_here(lake: str | os.PathLike[str], series: Iterable[str]) -> dict[str, frozenset[str]]:
    """Give the SOP Instance UIDs that are here of each of these series; of none, no entry."""
    with open_catalog(lake) as connection:
        found = connection.execute(_INSTANCES.format(series=_listed(series))).fetchall()
    return {uid: frozenset(instances) for uid, instances in found}


def states_of(lake: str | os.PathLike[str], series: Iterable[str]) -> dict[tuple[str, str], Retrieval]:
    """Give the newest state of each of these series that was ever to be brought, by PACS and Series Instance UID."""
    with open_catalog(lake) as connection:
        found = connection.execute(_STATES.format(series=_listed(series))).fetchall()
    return {(row[0], row[2]): _retrieval(*row) for row in found}


def _listed(series: Iterable[str]) -> str:
    """Give a list of constants, which DuckDB looks for in the files; a parameter it compares after reading all."""
    return ", ".join(map(literal, series)) or "NULL"


def _retrieval(*row: Any) -> Retrieval:
    found = Retrieval(*row)
    named = found.failed_instances
    return replace(found, state=State(found.state), failed_instances=None if named is None else tuple(named))
