"""kill -9 anywhere in the receiving of objects: what was reported is here, and nothing in the layout is torn."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.integration import receiver_victim
from tests.integration.sending import dataset_of, in_layout, left_over, uid_of
from tests.integration.test_lake_crash import run_victims

STEPS = 9


def test_a_killed_receiver_leaves_whole_files_and_the_next_one_fills_the_holes(tmp_path: Path) -> None:
    victim = "tests.integration.receiver_victim"
    operations = int(run_victims(tmp_path, ["all"], victim))
    steps = sorted({1 + operations * step // STEPS for step in range(STEPS)})
    points = [f"e{step}" for step in steps] + [f"t{milliseconds}" for milliseconds in range(200, 600, 100)]
    run_victims(tmp_path, points, victim)
    holes = 0
    for folder in (tmp_path / point for point in points):
        check_reported(folder)
        holes += len(in_layout(folder / "store")) < len(receiver_victim.OBJECTS) + 1
        receiver_victim.work(folder)
        check_reported(folder)
        assert {row["SOPInstanceUID"] for row in reported(folder)} == set(receiver_victim.OBJECTS)
        assert len(in_layout(folder / "store")) == len(receiver_victim.OBJECTS) + 1
        assert not left_over(folder / "store")
    assert holes


def check_reported(folder: Path) -> None:
    """Compare each reported row with its file, and each file in the layout with what was sent."""
    for row in reported(folder):
        data = (folder / "store" / str(row["path"])).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (row["size"], row["sha256"])
    for path in in_layout(folder / "store"):
        changed = "-" in path.name
        assert (dataset_of(path) == receiver_victim.OBJECTS[uid_of(path)]) is not changed


def reported(folder: Path) -> list[dict[str, object]]:
    record = folder / "reported"
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
