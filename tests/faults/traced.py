"""The command with another program in place of Python for its jobs, which lets them run under strace. By its path.

python -P tests/faults/traced.py PROGRAM serve
"""

from __future__ import annotations

import sys

from jobs.cli import main

if __name__ == "__main__":
    sys.executable = sys.argv.pop(1)
    sys.exit(main())
