"""The command with leases that end sooner than anybody wants: run as a script by tests that wait for their end."""

from __future__ import annotations

import sys

import crawler.queue.tasks
from jobs.cli import main

SILENCE = 14.0
"""Seconds, as all of these; a machine that is slow must not miss them."""

if __name__ == "__main__":
    crawler.queue.tasks.BEAT = 1.5
    crawler.queue.tasks.LET_GO = 6.0
    crawler.queue.tasks.LAST = 12.0
    crawler.queue.tasks.SILENCE = SILENCE
    sys.exit(main())
