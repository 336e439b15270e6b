"""`pacslake users`: who may log in is in one file, for its owner alone, and every change is in the audit."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
from pathlib import Path

from crawler.serve.accounts import editing, read_accounts
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.sweeping import said

SETTINGS = '[lake]\npath = "lake"\n[serve]\npassword_file = "users"\n'
LONG = "correct horse battery\n"


def test_users_are_added_listed_and_removed(tmp_path: Path) -> None:
    (tmp_path / "pacslake.toml").write_text(SETTINGS)
    assert b"Nobody may log in; type: pacslake users add" in pacslake(tmp_path, "users", "list").stdout
    for name, role in (("alice", "analyst"), ("bob", "viewer")):
        done = pacslake(tmp_path, "users", "add", name, "--role", role, "--password-stdin", stdin=LONG)
        assert (done.stdout, said(done)) == (b"", f"pacslake: {name} may log in as {role}\n")
    assert stat.S_IMODE((tmp_path / "users").stat().st_mode) == 0o600
    assert json.loads(pacslake(tmp_path, "users", "list", "--format", "json").stdout) == [
        {"name": "alice", "role": "analyst"},
        {"name": "bob", "role": "viewer"},
    ]
    before = read_accounts(tmp_path / "users")
    assert pacslake(tmp_path, "users", "passwd", "bob", "--password-stdin", stdin=f"{LONG}").returncode == 0
    after = read_accounts(tmp_path / "users")
    assert after[0] == before[0]
    assert after[1].hash != before[1].hash
    assert pacslake(tmp_path, "users", "remove", "alice").returncode == 0
    assert [one.name for one in read_accounts(tmp_path / "users")] == ["bob"]
    lines = [json.loads(line) for line in pacslake(tmp_path, "audit", "--format", "jsonl").stdout.splitlines()]
    assert [one["what"] for one in lines] == ["add alice analyst", "add bob viewer", "passwd bob", "remove alice"]


def test_what_is_wrong_is_one_sentence_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "pacslake.toml").write_text(SETTINGS)
    with editing(tmp_path / "users"):
        pass
    for arguments, stdin, sentence in (
        (("add", "alice", "--role", "viewer", "--password-stdin"), "short\n", "a password has 12 characters at least"),
        (("add", "a:b", "--role", "viewer", "--password-stdin"), LONG, "a user's name has letters, digits and . _ @ -"),
        (("remove", "alice"), "", "there is no user named 'alice'; none is known"),
        (("passwd", "alice"), "", "there is no user named 'alice'; none is known"),
    ):
        done = pacslake(tmp_path, "users", *arguments, stdin=stdin)
        assert done.returncode == 2
        assert sentence in said(done)
        assert "short" not in said(done)
    assert (tmp_path / "users").read_bytes() == b""
    (tmp_path / "pacslake.toml").write_text('[lake]\npath = "lake"\n')
    done = pacslake(tmp_path, "users", "list")
    assert (done.returncode, "add password_file = 'users' to [serve]" in said(done)) == (2, True)


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "pacslake.toml").write_text(SETTINGS)
    ours, theirs = pty.openpty()
    command = ["pacslake", "users", "add", "alice", "--role", "viewer"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    for question in (b"Password: ", b"Repeat for confirmation: "):
        while question not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, LONG.encode())
    assert process.wait(timeout=60) == 0
    shown += os.read(ours, 1000)
    os.close(ours)
    assert b"horse" not in shown
    assert [one.name for one in read_accounts(tmp_path / "users")] == ["alice"]
