"""The process that answers SQL, `python -m crawler.serve.sql.process`: only the client beside it starts it.

It confines itself before it loads what may be misused. Touches: pipes, its own process.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from crawler.confine import Confines, confine, limit
from crawler.serve.sql.frames import Frame, read_frame, told
from crawler.unexpected import tell_no_values

BEYOND_DUCKDB = 3 << 30
"""Address space, in bytes, for libraries, threads' stacks and what DuckDB maps and does not use."""


def main() -> None:
    """Answer what comes in on standard input on what was standard output."""
    tell_no_values()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no part of an answer
    begun = read_frame(sys.stdin.buffer)
    if begun is None or begun[0] is not Frame.BEGIN:
        return
    told_to = json.loads(begun[1])
    lake, spill, memory = Path(told_to["lake"]), Path(told_to["spill"]), int(told_to["memory"])
    limit(memory + BEYOND_DUCKDB, 4 * memory)
    confine(Confines((lake / "log",), (spill,)))
    from crawler.serve.sql.answering import Place, serve  # DuckDB's threads begin within the confines

    answers.write(told(Frame.READY, {}))
    answers.flush()
    serve(Place(lake, spill, memory), sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
