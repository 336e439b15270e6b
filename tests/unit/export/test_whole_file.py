"""A file is there whole, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.errors import PacslakeError, UserError
from crawler.export.whole import whole_file

ROOT = Path(__file__).parents[3]


def test_it_gets_its_name_at_the_end_for_its_owner_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    with whole_file(target) as draft:
        draft.write_text("rows")
        (draft.parent / "spilled").write_text("more")
        assert not target.exists()
        assert draft.parent.stat().st_mode & 0o777 == 0o700
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("rows", 0o600)
    assert os.listdir(tmp_path) == ["a.csv"]


def test_an_error_leaves_nothing_and_the_old_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")

    def fail() -> None:
        with whole_file(target, overwrite=True) as draft:
            draft.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (os.listdir(tmp_path), target.read_text()) == (["a.csv"], "old")


def test_a_file_that_is_there_is_replaced_only_when_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(UserError, match=r"a\.csv exists; --overwrite replaces it"), whole_file(target):
        raise AssertionError("nothing may be done before")
    with whole_file(target, overwrite=True) as draft:
        draft.write_text("new")
    assert target.read_text() == "new"
    with pytest.raises(UserError, match="is a folder"), whole_file(tmp_path, overwrite=True):
        raise AssertionError("nothing may be done before")


def test_a_file_that_somebody_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"

    def be_late() -> None:
        with whole_file(target) as draft:
            draft.write_text("ours")
            target.write_text("theirs")

    with pytest.raises(UserError, match="exists"):
        be_late()
    assert target.read_text() == "theirs"


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(PacslakeError, match="No such file or directory"), whole_file(tmp_path / "none" / "a.csv"):
        raise AssertionError("nothing may be done before")
    with (
        pytest.raises(PacslakeError, match="No space left on device"),
        whole_file(tmp_path / "a.csv"),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert os.listdir(tmp_path) == []


def test_a_kill_leaves_no_half_file(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from crawler.export.whole import whole_file
with whole_file(Path(sys.argv[1])) as draft:
    draft.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.csv")], cwd=ROOT)
    assert done.returncode == -9
    assert not (tmp_path / "a.csv").exists()
