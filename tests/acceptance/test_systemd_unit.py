"""config/systemd/pacslake.service: what systemd itself says of it, where it is installed, and what it must name."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

UNIT = Path(__file__).parents[2] / "config" / "systemd" / "pacslake.service"


def keys() -> dict[str, str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # as the documentation of configparser says
    parser.read(UNIT)
    return dict(parser["Service"])


def test_the_unit_starts_reloads_and_stops_as_the_service_wants_it() -> None:
    unit = keys()
    assert unit["Type"] == "notify"
    assert "pacslake serve --config" in unit["ExecStart"]
    assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert unit["KillMode"] == "mixed", "systemd signals the service alone, which ends its job"
    assert int(unit["TimeoutStopSec"]) > 10
    assert int(unit["WatchdogSec"]) >= 30


def test_the_unit_is_hardened() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        unit = keys()
        assert unit["ProtectSystem"] == "strict"
        assert unit["CapabilityBoundingSet"] == ""
        return
    done = subprocess.run(
        [analyze, "security", "--offline=yes", "--no-pager", "--threshold=20", str(UNIT)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1]
