"""The README's way from a question to images on disk, typed as it stands there."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path

from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.sweeping import configure, sweep
from tests.integration.real_pacs import free_port

ARCHIVE = Archive(
    40, date(2024, 1, 1), date(2024, 1, 31), seed=7, series_per_study=3, rows=64, columns=64, most_images=30
)


def timeless(text: str) -> str:
    """Leave out what the clock says, and how many commits a slow machine makes of a sweep."""
    return re.sub(r"on \S+ \S+ UTC|in \d+:\d\d|version \d+ of the lake", "at some time", text)


def test_the_commands_of_the_readme_answer_as_it_says(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [block] = re.findall(r"```\n(\$ pacslake cohort new .*?)```", readme, re.DOTALL)
    transcript = ""
    with running(Simulator(ARCHIVE)) as pacs:
        port = free_port()
        pacs.destinations["PACSLAKE"] = ("127.0.0.1", port)
        configure(tmp_path, {"main": pacs.port})
        with open(tmp_path / "pacslake.toml", "a") as settings:
            settings.write(f"[local]\nport = {port}\n")
        assert sweep(tmp_path).returncode == 0
        for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=ENVIRONMENT, text=True, capture_output=True, timeout=60
            )
            assert done.returncode == 0
            transcript += f"$ {command}\n{done.stdout}{done.stderr}"
    assert timeless(transcript) == timeless(block)
