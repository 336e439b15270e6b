"""What processes tell each other about a PACS."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from crawler.lake.standing import StandingFile


def test_what_one_writes_is_news_for_the_other_once(tmp_path: Path) -> None:
    one, other = StandingFile(tmp_path, "main"), StandingFile(tmp_path, "main")
    assert one.news() is None
    for failures in (1, 2):
        with one.held():
            one.write({"failures": failures})
        assert one.news() is None
        assert other.news() == {"failures": failures}
        assert other.news() is None


def test_what_is_damaged_is_as_good_as_nothing_and_a_pause_still_one(tmp_path: Path) -> None:
    file = StandingFile(tmp_path, "main")
    file.set_pause({"until": None})
    assert file.pause == {"until": None}
    for name in ("main.json", "main.pause"):
        (tmp_path / "pacs" / name).write_bytes(b"\0")
    assert (file.news(), file.pause) == ({}, {})
    file.set_pause(None)
    assert file.pause is None


def test_the_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    file, order = StandingFile(tmp_path, "main"), list[str]()

    def hold() -> None:
        with StandingFile(tmp_path, "main").held():
            order.append("second")

    second = threading.Thread(target=hold)
    with file.held():
        second.start()
        time.sleep(0.1)
        order.append("first")
    second.join()
    assert order == ["first", "second"]


def test_nobody_waits_for_one_who_holds_the_folder_and_does_not_go_on(tmp_path: Path) -> None:
    with StandingFile(tmp_path, "main").held(), StandingFile(tmp_path, "main").held():
        pass
