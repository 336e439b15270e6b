"""Whether the rows of a lake fit together: keys, versions, history, coverage. Touches: disk.

Each check is a query that counts what breaks a rule of docs/lake-format.md. A large table is checked slice by slice,
with all rows of some keys or numbers in each, so that memory does not grow with a lake of usual size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crawler.columns import AS_OF_STUDIES
from crawler.lake.commits import log_folder
from crawler.lake.log import LogFile
from crawler.lake.query import Lake
from crawler.lake.schema import LEVELS, TABLES, literal, quoted
from crawler.lake.views import files_source
from crawler.model import Level

SLICE = 4_000_000
"""Versions that are checked at once, in 1 to 1.5 GB."""
MOST_SLICES = 16
"""Each reads the files again. Of a larger table slices are larger, and DuckDB spills what it has no memory for."""
_SLICE = re.compile(r"\$slice\(([^)]+)\)")
_BROKEN = {
    "rows with a row_id that another row has": """SELECT count(*) - count(DISTINCT row_id) FROM $versions
        WHERE $slice(row_id)""",
    "versions that two others replace": """SELECT count(*) - count(DISTINCT supersedes) FROM $versions
        WHERE supersedes IS NOT NULL AND $slice(supersedes)""",
    "versions whose kind and place in the history disagree": """SELECT count(*) FROM $versions
        WHERE $slice(row_id) AND ((change = 'insert') <> (supersedes IS NULL)
            OR change NOT IN ('insert', 'update', 'remove', 'reappear'))""",
    "versions that replace one of another key, or a later one": """SELECT count(*) FROM $versions AS new
        JOIN $versions AS old ON new.supersedes = old.row_id
        WHERE $slice(new.supersedes) AND $slice(old.row_id) AND (old.pacs <> new.pacs OR old.$key <> new.$key
            OR old.row_id >= new.row_id OR old.valid_from >= new.valid_from
            OR old.first_seen_at <> new.first_seen_at)""",
    "versions whose predecessor is missing": """SELECT count(*) FROM $versions AS new
        ANTI JOIN (SELECT row_id FROM $versions WHERE $slice(row_id)) AS old ON new.supersedes = old.row_id
        WHERE new.supersedes IS NOT NULL AND $slice(new.supersedes) AND new.valid_from > $history_from""",
    "keys that stand twice in the table": """SELECT count(*) FROM (
        SELECT pacs, $key FROM $table WHERE $slice($key) GROUP BY ALL HAVING count(*) > 1)""",
    "keys in which the table and its history disagree": """WITH replayed AS (
            SELECT pacs, $key, max(row_id) AS row_id, arg_max(valid_from, row_id) AS changed_at,
                arg_max(change, row_id) AS change FROM $versions
            WHERE $slice($key) GROUP BY ALL)
        SELECT count(*) FROM (SELECT pacs, $key, changed_at FROM replayed WHERE change <> 'remove') AS told
        FULL JOIN (SELECT pacs, $key, changed_at FROM $table WHERE $slice($key)) AS shown USING (pacs, $key)
        WHERE told.changed_at IS DISTINCT FROM shown.changed_at""",
}
_OF_DAYS = """SELECT pacs, $day AS day, count(DISTINCT $key) AS studies
    FROM $table_history WHERE $day IS NOT NULL AND $slice($key) GROUP BY ALL"""
_UNCOVERED = """WITH told AS (
        SELECT pacs, date_from, date_to, max("rows" - duplicates - rejects - undated) AS answered FROM windows
        WHERE state = 'complete' AND level = $level AND "key" IS NULL AND time_from IS NULL AND time_to IS NULL
            AND asked_at > $history_from GROUP BY ALL)
    SELECT count(*) FROM (
        SELECT any_value(answered) AS answered, coalesce(sum(studies), 0) AS found
        FROM told LEFT JOIN $found AS days ON days.pacs = told.pacs
            AND day >= coalesce(date_from, DATE '0001-01-01') AND day <= coalesce(date_to, DATE '9999-12-31')
        GROUP BY told.pacs, date_from, date_to)
    WHERE found < answered"""


def incoherent(lake: Lake) -> Iterator[tuple[str, str]]:
    """Give each table that breaks a rule, and how often."""
    cut = f"TIMESTAMP {literal(str(lake.history_from or '0001-01-01'))}"
    of: dict[str, list[LogFile]] = {}
    for file in lake.files():
        of.setdefault(file.entity, []).append(file)
    for entity, table in TABLES.items():
        versions = f"{files_source(log_folder(lake.path), entity, of.get(entity, []))}"
        names = {"$versions": versions, "$table": table, "$history_from": cut}
        names["$key"] = quoted(LEVELS[entity].unique_key)
        if entity == "patient":  # those whom only studies name have no history of their own
            names["$table"] = f"(FROM {table} SEMI JOIN {versions} AS known USING (pacs, PatientID))"
        slices = _slices(of.get(entity, []))
        for said, query in _BROKEN.items() if entity in of else ():
            if count := sum(_count(lake, part) for part in _sliced(query, names, slices)):
                yield table, f"{count:,} {said}"
    for level, day in ((Level.STUDY, "StudyDate"), (Level.WORKLIST, AS_OF_STUDIES["StudyDate"])):
        names = {"$history_from": cut, "$table": TABLES[level.entity], "$level": literal(level.value)}
        names |= {"$found": "days_found", "$day": day, "$key": level.unique_key}
        into = "CREATE OR REPLACE TEMP TABLE days_found AS"
        for part in _sliced(_OF_DAYS, names, _slices(of.get(level.entity, []))):
            lake.connection.execute(f"{into} {part}")
            into = "INSERT INTO days_found"
        [uncovered] = _sliced(_UNCOVERED, names, 1)
        if count := _count(lake, uncovered):
            yield "windows", f"{count:,} complete answers with fewer rows in the lake than the answer had"


def _slices(files: list[LogFile]) -> int:
    return min(max(-(-sum(file.rows for file in files) // SLICE), 1), MOST_SLICES)


def _sliced(query: str, names: dict[str, str], slices: int) -> Iterator[str]:
    """Give the query with its names filled in, for each slice of what it is about."""
    for name, text in names.items():
        query = query.replace(name, text)
    for number in range(slices):
        yield _SLICE.sub(rf"(hash(\1) % {slices} = {number})" if slices > 1 else "true", query)


def _count(lake: Lake, query: str) -> int:
    [(count,)] = lake.connection.execute(query).fetchall()
    return int(count)
