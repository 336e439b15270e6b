"""Settings that are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.settings import load
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import said

EXAMPLE = Path(__file__).parents[2] / "config" / "pacslake.example.toml"
RIGHT = """[lake]
path = "lake"

[pacs.main]
host = "127.0.0.1"
port = 104
ae_title = "ORTHANC"

[smtp]
host = "mail.example.org"
username = "pacslake"
password_file = "password"
"""
BROKEN = (
    # what is written in place of what, and what is said
    ("port = 104", "prot = 104", "6:1: pacs.main.prot is not a known key; did you mean 'port'?"),
    ("port = 104", 'port = "104"', "6:1: pacs.main.port must be a whole number, not '104'"),
    ("port = 104", "port = 0", "6:1: pacs.main.port must be 1 or more, not 0"),
    ("port = 104\n", "", "4:2: pacs.main.port is missing"),
    ("[lake]", "[lakes]", "1:2: lakes is not a known key; did you mean 'lake'?"),
    ("\n[smtp]", '\n[pacs.Main]\nhost = "h"\nport = 1\nae_title = "X"\n[smtp]', "9:2: pacs.Main and pacs.main are the"),
    ("\n[smtp]", "\n[pacs.main]\n[smtp]", "9:11: pacs.main stands twice"),
    ('ae_title = "ORTHANC"', "ae_title = ORTHANC", "7:12: is not TOML: invalid value"),
    ('"ORTHANC"\n', '"ORTHANC"\nallowed_hours = { wekdays = "all" }\n', "8:19: pacs.main.allowed_hours.wekdays is not"),
)


def test_broken_settings(tmp_path: Path, long: bool) -> None:
    file, secret = tmp_path / "pacslake.toml", tmp_path / "password"
    secret.write_text("hush\n")
    secret.chmod(0o600)
    for number, (right, wrong, sentence) in enumerate(BROKEN):
        file.write_text(RIGHT.replace(right, wrong))
        if long or number in (0, len(BROKEN) - 1):
            done = pacslake(tmp_path, "sweep")
            assert done.returncode == 2
            assert said(done).startswith(f"pacslake: pacslake.toml:{sentence}")
        assert f"pacslake.toml:{sentence}" in complaint(file)
    file.write_text(RIGHT)
    secret.chmod(0o644)
    done = pacslake(tmp_path, "status")
    loose = f"pacslake.toml:12:1: smtp.password_file: {secret} can be read by others: type chmod 600 {secret}\n"
    assert (done.returncode, said(done)) == (2, f"pacslake: {loose}")
    assert not (tmp_path / "lake").exists()
    every_key_misspelt_is_found_where_it_stands(file)


def every_key_misspelt_is_found_where_it_stands(file: Path) -> None:
    right = EXAMPLE.read_text()
    for found in re.finditer(r"^(\w+) = ", right, re.MULTILINE):
        file.write_text(f"{right[: found.start(1)]}{found[1]}x{right[found.end(1) :]}")
        line = right.count("\n", 0, found.start()) + 1
        assert re.search(rf"\.toml:{line}:1: [.\w]+x is not a known key; did you mean '{found[1]}'", complaint(file))


def complaint(file: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(file)
    return str(caught.value)
