"""A key is its owner's alone, made once, and nothing else passes for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.deid.key import make_key, read_key
from crawler.errors import UserError
from crawler.secret import Secret


def test_a_new_key_is_random_and_its_owners_alone(tmp_path: Path) -> None:
    make_key(tmp_path / "a.key")
    make_key(tmp_path / "b.key")
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert len(read_key(Secret(tmp_path / "a.key"))) == 32
    assert read_key(Secret(tmp_path / "a.key")) != read_key(Secret(tmp_path / "b.key"))


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    make_key(tmp_path / "project.key")
    before = read_key(Secret(tmp_path / "project.key"))
    with pytest.raises(UserError, match="is there already"):
        make_key(tmp_path / "project.key")
    assert read_key(Secret(tmp_path / "project.key")) == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "project.key"
    make_key(path)
    path.chmod(mode)
    with pytest.raises(UserError, match=r"type chmod 600 .*project\.key"):
        read_key(Secret(path))


@pytest.mark.parametrize("content", ["", "ab" * 31, "ab" * 33, "zz" * 32, "ab" * 32 + "\n" + "ab" * 32])
def test_anything_else_is_no_key_and_is_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "project.key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(UserError, match=r"64 hexadecimal digits|is empty") as refused:
        read_key(Secret(path))
    assert "abab" not in str(refused.value)


def test_no_key_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such key"):
        read_key(Secret(tmp_path / "project.key"))
    with pytest.raises(UserError, match="no key can be written"):
        make_key(tmp_path / "nowhere" / "project.key")
    with pytest.raises(UserError, match="cannot be read"):
        read_key(Secret(tmp_path))
