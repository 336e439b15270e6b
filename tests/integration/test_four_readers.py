"""Four readers in processes of their own while one writes: each sees whole commits alone, and never an older one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crawler.lake.writer import LakeWriter

ROOT = Path(__file__).parents[2]
COMMITS = 15
WRITER = f"""
import sys
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import answers, covered, studies
with LakeWriter.open(sys.argv[1]) as writer:
    for number in range({COMMITS}):
        uids = [f"1.{{number}}.{{at}}" for at in range(50)]
        series = [
            {{"StudyInstanceUID": uid, "SeriesInstanceUID": f"{{uid}}.{{at}}"}} for uid in uids for at in range(2)
        ]
        writer.stage(Level.STUDY, "main", "s1", studies((uid, "CT") for uid in uids))
        writer.stage(Level.STUDY, "main", "s1", studies([("1.9", f"look {{number}}")]))
        writer.stage(Level.SERIES, "main", "s1", answers(Level.SERIES, series))
        writer.commit([covered(50)])
"""
CHECK = f"""
import sys
import time
COUNTS = '''SELECT (FROM lake_version SELECT version), (SELECT count(*) FROM studies), (SELECT count(*) FROM series),
    (SELECT count(*) FROM windows), (SELECT count(*) FROM studies JOIN series USING (pacs, StudyInstanceUID)),
    (SELECT count(*) FROM studies_history)'''
seen = []
def check(ask):
    version, *found = ask(COUNTS)
    some = version > 0
    whole = [50 * version + some, 100 * version, version, 100 * version, 51 * version]
    if found != whole or seen and version < seen[-1]:
        sys.exit(f"version {{version}} after {{seen[-1:]}}: {{found}}, not {{whole}}")
    seen.append(version)
    if len(seen) == 1:
        print("reading", flush=True)
    time.sleep(0.02)  # the writer needs a processor too
    return version < {COMMITS}
"""
REFRESHED = """
import crawler
with crawler.open_lake(sys.argv[1]) as lake:
    while check(lambda sql: lake.sql(sql).fetchall()[0]):
        lake.refresh()
"""
OPENED_ANEW = """
import crawler
going_on = True
while going_on:
    with crawler.open_lake(sys.argv[1]) as lake:
        going_on = check(lambda sql: lake.sql(sql).fetchall()[0])
"""
CATALOG = """
from crawler.lake.catalog import open_catalog
going_on = True
while going_on:
    with open_catalog(sys.argv[1]) as connection:
        going_on = check(lambda sql: connection.execute(sql).fetchall()[0])
"""
DELTA = f"""
from deltalake import DeltaTable
import pyarrow.compute as pc
version = 0
while version < {COMMITS}:
    table = DeltaTable(f"{{sys.argv[1]}}/log")
    log = table.to_pyarrow_dataset().to_table(columns=["entity", "row_id", "supersedes"])
    current = log.filter(pc.invert(pc.is_in(log["row_id"], log["supersedes"].drop_null())))
    found = {{one["values"]: one["counts"] for one in pc.value_counts(current["entity"]).to_pylist()}}
    some = table.version()
    def ask(_):
        studies, series = found.get("study", 0), found.get("series", 0)
        return some, studies, series, found.get("window", 0), series, log.filter(pc.field("entity") == "study").num_rows
    check(ask)
    version = some
"""
READERS = {"refreshed": REFRESHED, "opened anew": OPENED_ANEW, "catalog": CATALOG, "delta": DELTA}
LEAST = 3
"""Versions that each reader has to have met, for the test to say anything."""


def start(code: str, lake: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(lake)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_four_readers_see_whole_commits_while_one_writes(tmp_path: Path) -> None:
    LakeWriter.open(tmp_path / "lake").close()
    tell = "\nprint(len(set(seen)))"
    readers = {name: start(CHECK + code + tell, tmp_path / "lake") for name, code in READERS.items()}
    for name, process in readers.items():
        assert process.stdout is not None
        if process.stdout.readline() != "reading\n":
            pytest.fail(f"{name}: {process.communicate()[1]}")
    with start(WRITER, tmp_path / "lake") as writer:
        said = writer.communicate(timeout=100)[1]
    ended = {name: (*process.communicate(timeout=60), process.returncode) for name, process in readers.items()}
    assert (writer.returncode, said) == (0, "")
    for name, (met, error, code) in ended.items():
        assert (error, code) == ("", 0), name
        assert int(met.split()[-1]) >= LEAST, name  # DuckDB may have drawn a bar before
