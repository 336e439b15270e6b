"""Change detection on a real lake against a model that keeps every row it was given."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from crawler.lake.query import open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import studies

UIDS = st.sampled_from(["1.2", "1.3", "1.4", "1.5", "1.6", "", None])
ROWS = st.lists(st.tuples(UIDS, st.sampled_from(["CT Thorax", "MR Kopf", "Ä", ""])), max_size=6)
CURRENT = "SELECT StudyInstanceUID, StudyDescription FROM studies WHERE pacs = ?"
LATEST = """SELECT StudyInstanceUID, StudyDescription FROM studies_history WHERE pacs = ? AND valid_to IS NULL"""
REPLAYED = """SELECT StudyInstanceUID, last(StudyDescription ORDER BY row_id) FROM studies_history
    WHERE pacs = ? GROUP BY ALL"""


class SteppingClock:
    """Goes forward and, like real clocks, now and then back."""

    def __init__(self) -> None:
        self.moment = datetime(2024, 1, 1, tzinfo=UTC)
        self.ticks = 0

    def __call__(self) -> datetime:
        self.ticks += 1
        self.moment += timedelta(seconds=-2 if self.ticks % 3 == 0 else 1)
        return self.moment


class Sweeping(RuleBasedStateMachine):
    """Stages, commits, rolls back, loses its index and opens again; the lake must say what the model says."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.clock = SteppingClock()
        self.writer = LakeWriter.open(self.folder / "lake", now=self.clock)
        self.committed: dict[tuple[str, str], str] = {}
        self.staged: dict[tuple[str, str], str] = {}
        self.versions = self.rejected = self.open_versions = self.open_rejected = 0

    def teardown(self) -> None:
        if hasattr(self, "writer"):
            self.writer.close()
            shutil.rmtree(self.folder)

    @rule(rows=ROWS, pacs=st.sampled_from(["main", "other"]))
    def stage(self, rows: list[tuple[str | None, str]], pacs: str) -> None:
        before = {**self.committed, **self.staged}
        latest = {(pacs, uid): text for uid, text in rows if uid}
        changed = {key: text for key, text in latest.items() if before.get(key) != text}
        result = self.writer.stage(Level.STUDY, pacs, "s1", studies(rows))
        rejects = sum(1 for uid, _ in rows if not uid)
        inserted = sum(1 for key in changed if key not in before)
        assert result.rows == len(rows)
        assert (result.inserted, result.updated) == (inserted, len(changed) - inserted)
        assert result.unchanged == len(latest) - len(changed)
        assert (result.rejects, result.duplicates) == (rejects, len(rows) - rejects - len(latest))
        self.staged.update(changed)
        self.open_versions += len(changed)
        self.open_rejected += rejects

    @rule()
    def commit(self) -> None:
        self.writer.commit()
        self.committed.update(self.staged)
        self.versions += self.open_versions
        self.rejected += self.open_rejected
        self._forget_staged()
        self._compare()

    @rule(lose_index=st.booleans(), roll_back=st.booleans())
    def start_again(self, lose_index: bool, roll_back: bool) -> None:
        if roll_back:
            self.writer.rollback()
        else:
            self.writer.close()
            if lose_index:
                shutil.rmtree(self.folder / "lake" / "keys")
            self.writer = LakeWriter.open(self.folder / "lake", now=self.clock)
        self._forget_staged()

    def _forget_staged(self) -> None:
        self.staged = {}
        self.open_versions = self.open_rejected = 0

    def _compare(self) -> None:
        with open_lake(self.folder / "lake") as lake:
            for pacs in ("main", "other"):
                expected = sorted((uid, text) for (name, uid), text in self.committed.items() if name == pacs)
                for query in (CURRENT, LATEST, REPLAYED):
                    assert sorted(lake.connection.execute(query, [pacs]).fetchall()) == expected
            counts = "SELECT (SELECT count(*) FROM studies_history), (SELECT count(*) FROM rejects)"
            assert lake.sql(counts).fetchall() == [(self.versions, self.rejected)]
            wrong = "FROM studies_history WHERE valid_to <= valid_from OR valid_from < first_seen_at"
            assert lake.sql(wrong).fetchall() == []
            twice = "SELECT row_id FROM studies_history GROUP BY row_id HAVING count(*) > 1"
            assert lake.sql(twice).fetchall() == []


TestSweeping = Sweeping.TestCase
TestSweeping.settings = settings(max_examples=5, stateful_step_count=12, deadline=None)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, st.integers(1, 6))
def test_current_rows_do_not_depend_on_batches(rows: list[tuple[str | None, str]], length: int) -> None:
    with tempfile.TemporaryDirectory() as folder, LakeWriter.open(Path(folder)) as writer:
        for at in range(0, len(rows), length):
            writer.stage(Level.STUDY, "main", "s1", studies(rows[at : at + length]))
        writer.commit()
        with open_lake(folder) as lake:
            found = lake.connection.execute(CURRENT, ["main"]).fetchall()
    assert sorted(found) == sorted({uid: text for uid, text in rows if uid}.items())
