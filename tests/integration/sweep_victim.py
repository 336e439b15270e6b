"""The command `pacslake` with small windows and a commit for every 100 rows, so that a kill meets many of them.

python -m tests.integration.sweep_victim sweep
"""

from __future__ import annotations

import sys

import jobs.publish
import jobs.sweep
from jobs.cli import main

jobs.publish.COMMIT_AFTER_ROWS = 100
jobs.sweep.TARGET_ROWS = dict.fromkeys(jobs.sweep.TARGET_ROWS, 40)

if __name__ == "__main__":
    sys.exit(main())
