"""One target under coverage-guided fuzzing: `python -m tests.fuzz.attack TARGET SECONDS`; tests/fuzz/run calls it.

What makes a target raise is left in tests/fuzz/crashes/TARGET, where `make test` replays it. Touches: disk.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["crawler"]):
    from tests.fuzz.targets import CORPUS, CRASHES, run

GROWING = Path("build/fuzz")
"""What is found on the way; it lets the next attack go on from there."""
LONGEST = 4096


def main() -> None:
    """Attack."""
    name, seconds = sys.argv[1:]
    found, crashes = GROWING / name, CRASHES / name
    found.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={max(int(seconds), 1)}", f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=3000"]
    said = [f"-artifact_prefix={crashes}/", "-print_final_stats=1", "-verbosity=1"]
    atheris.Setup([sys.argv[0], *limits, *said, str(found), str(CORPUS / name)], lambda data: run(name, data))
    atheris.Fuzz()


main()
