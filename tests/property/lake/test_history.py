"""History replayed: as of any moment the tables hold what a model held then, and at the end what they hold now."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.lake.changes import Span, changes
from crawler.lake.query import Lake, open_lake
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import studies

State = dict[tuple[str, str], str]
Step = tuple[str, str, list[Any]]

PACS = st.sampled_from(["main", "other"])
UIDS = st.sampled_from(["1.2", "1.3", "1.4", "1.5"])
ANSWERS = st.tuples(st.just("stage"), PACS, st.lists(st.tuples(UIDS, st.sampled_from("abc")), max_size=4))
VANISHED = st.tuples(st.just("remove"), PACS, st.lists(UIDS, max_size=3, unique=True))
OTHERS = st.sampled_from([("commit", "", []), ("maintain", "", []), ("maintain", "", ["whole"]), ("reopen", "", [])])
STEPS = st.lists(ANSWERS | VANISHED | OTHERS, min_size=1, max_size=12)
BEGAN = datetime(2026, 1, 1)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = BEGAN

    def __call__(self) -> datetime:
        return self.moment.replace(tzinfo=UTC)


def play(writer: LakeWriter, known: State, step: Step) -> None:
    """Do one step to the lake and to the model."""
    kind, pacs, content = step
    if kind == "stage":
        writer.stage(Level.STUDY, pacs, "s1", studies(content))
        known.update({(pacs, uid): text for uid, text in content})
    elif kind == "remove":
        there = {(pacs, uid) for uid in content} & known.keys()
        assert writer.remove(Level.STUDY, pacs, "s1", content) == len(there)
        for key in there:
            del known[key]
    else:
        writer.commit()
        if kind == "maintain":
            maintain(writer, Wanted(keep_files=timedelta(0), whole=bool(content)))


def table(lake: Lake) -> State:
    rows = lake.sql("SELECT pacs, StudyInstanceUID, StudyDescription FROM studies").fetchall()
    return {(pacs, uid): text for pacs, uid, text in rows}


def replayed(lake: Lake) -> State:
    """Do with every version, oldest first, what it says."""
    state: State = {}
    columns = "pacs, StudyInstanceUID, change, StudyDescription"
    for pacs, uid, change, text in lake.sql(f"SELECT {columns} FROM studies_history ORDER BY row_id").fetchall():
        assert (change in ("insert", "reappear")) == ((pacs, uid) not in state)
        state[pacs, uid] = text
        if change == "remove":
            del state[pacs, uid]
    return state


def check_changes(lake: Lake, now: State) -> None:
    """What is said to have happened leads from nothing to this state, each change from its old value."""
    texts: State = {}
    there: set[tuple[str, str]] = set()
    for one in changes(lake, Span(BEGAN)):
        key = (one.pacs, one.key)
        if one.kind == "changed":
            old, new = one.columns.pop("StudyDescription")
            assert old == texts.setdefault(key, old)
            texts[key] = new
        elif one.kind == "reappeared":
            texts.pop(key, None)
        assert not one.columns
        assert (one.kind in ("appeared", "reappeared")) == (key not in there)
        there ^= {key} if one.kind != "changed" else set()
    assert there == now.keys()
    assert {key: text for key, text in texts.items() if key in now and now[key] != text} == {}


@settings(max_examples=6)
@given(STEPS, st.data())
def test_the_past_is_what_it_was(steps: list[Step], data: st.DataObject) -> None:
    clock = Clock()
    known: State = {}
    then: list[tuple[datetime, State]] = [(BEGAN - timedelta(hours=1), {})]
    with tempfile.TemporaryDirectory() as folder:
        writer = LakeWriter.open(folder, now=clock)
        for step in steps:
            clock.moment += timedelta(hours=1)
            play(writer, known, step)
            then.append((clock.moment + timedelta(minutes=1), dict(known)))
            if step[0] == "reopen":
                writer.close()
                rmtree(Path(folder, "keys"))
                writer = LakeWriter.open(folder, now=clock)
        writer.commit()
        writer.close()
        with open_lake(folder) as lake:
            assert table(lake) == replayed(lake) == known
            check_changes(lake, known)
            at, state = data.draw(st.sampled_from(then))
            with lake.as_of(at) as past:
                assert table(past) == replayed(past) == state
